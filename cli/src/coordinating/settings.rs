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
