//! What a fleet file says of a coordinator, as the coordinator takes it.

use alveary::{CoordinatorAuth, CoordinatorTable, NoBids, Recovery};
use alveary_coordinator::http::Guard;
use alveary_coordinator::{Bidders, Settings};

/// How the coordinator goes about its work. What the table does not say is the coordinator's to know.
pub(super) fn settings(table: &CoordinatorTable) -> Settings {
    let mut settings = Settings::default();
    settings.auction = table.auction.unwrap_or(settings.auction);
    settings.heartbeat = table.heartbeat.unwrap_or(settings.heartbeat);
    settings.unclaimed = table.unclaimed.unwrap_or(settings.unclaimed);
    settings.attempts = table.attempts.unwrap_or(settings.attempts);
    settings.no_bids = match table.no_bids {
        Some(NoBids::Retry(times)) => alveary_coordinator::NoBids::Retry(times),
        Some(NoBids::Fail) => alveary_coordinator::NoBids::Fail,
        _ => settings.no_bids,
    };
    settings.recovery = match table.recovery {
        Some(Recovery::Fail) => alveary_coordinator::Recovery::Fail,
        Some(Recovery::Reauction) => alveary_coordinator::Recovery::Reauction,
        _ => settings.recovery,
    };
    settings.bidders = match table.auth {
        Some(CoordinatorAuth::None) => Bidders::Anybody,
        _ => Bidders::Known,
    };
    settings
}

/// How much of what it is asked is let in.
pub(super) fn guard(table: &CoordinatorTable) -> Guard {
    let mut guard = Guard::default();
    guard.hosts.clone_from(&table.hosts);
    guard.anybody_from_anywhere = table.insecure_no_auth;
    guard
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(table: &str) -> CoordinatorTable {
        toml::from_str(table).unwrap()
    }

    #[test]
    fn what_a_file_says_of_a_coordinator_is_what_it_does() {
        let table = read(
            r#"
            auction = "4s"
            heartbeat = "7s"
            unclaimed = "20m"
            attempts = 5
            no_bids = { retry = 3 }
            recovery = "fail"
            auth = "none"
            hosts = ["bees.example"]
            insecure_no_auth = true
            "#,
        );
        let said = settings(&table);
        assert_eq!(said.auction, Duration::from_secs(4));
        assert_eq!(said.heartbeat, Duration::from_secs(7));
        assert_eq!(said.unclaimed, Duration::from_mins(20));
        assert_eq!(said.attempts.get(), 5);
        assert_eq!(said.no_bids, alveary_coordinator::NoBids::Retry(3));
        assert_eq!(said.recovery, alveary_coordinator::Recovery::Fail);
        assert_eq!(said.bidders, Bidders::Anybody);
        let said = guard(&table);
        assert_eq!(said.hosts, ["bees.example"]);
        assert!(said.anybody_from_anywhere);
    }

    #[test]
    fn the_other_words_say_the_other_thing() {
        let said = settings(&read(
            r#"
            no_bids = "fail"
            recovery = "reauction"
            auth = "token"
            "#,
        ));
        assert_eq!(said.no_bids, alveary_coordinator::NoBids::Fail);
        assert_eq!(said.recovery, alveary_coordinator::Recovery::Reauction);
        assert_eq!(said.bidders, Bidders::Known);
    }

    #[test]
    fn what_a_file_does_not_say_is_the_coordinators_to_know() {
        let (said, own) = (settings(&read("")), Settings::default());
        assert_eq!(format!("{said:?}"), format!("{own:?}"));
        assert!(!guard(&read("")).anybody_from_anywhere);
    }
}
