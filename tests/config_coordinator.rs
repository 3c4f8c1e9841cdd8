//! The table `[coordinator]` of a fleet file.

use std::path::Path;
use std::time::Duration;

use alveary::{ConfigError, CoordinatorAuth, Fleet, LoadOptions, NoBids, Recovery};

fn parse(file: &str) -> Result<Fleet, ConfigError> {
    let nothing: [(&str, &str); 0] = [];
    let options = LoadOptions::default()
        .with_working_dir("/srv/demo")
        .with_environment(nothing);
    Fleet::parse(file, "alveary.toml", &options)
}

const WHOLE: &str = r#"
    [coordinator]
    listen = "[::1]:8000"
    db = "tasks.sqlite"
    auth = "none"
    auction = "5s"
    no_bids = { retry = 3 }
    attempts = 2
    heartbeat = "1m 30s"
    unclaimed = "1h"
    recovery = "fail"
    hosts = ["dashboard"]
    tasks = "tasks.jsonl"
"#;

#[test]
fn every_key_is_read_and_paths_begin_at_the_file() {
    let table = parse(WHOLE).unwrap().coordinator.unwrap();
    assert_eq!(table.listen.unwrap().to_string(), "[::1]:8000");
    assert_eq!(
        table.db.as_deref(),
        Some(Path::new("/srv/demo/tasks.sqlite"))
    );
    assert_eq!(table.auth, Some(CoordinatorAuth::None));
    assert_eq!(table.auction, Some(Duration::from_secs(5)));
    assert_eq!(table.no_bids, Some(NoBids::Retry(3)));
    assert_eq!(table.attempts.map(u32::from), Some(2));
    assert_eq!(table.heartbeat, Some(Duration::from_secs(90)));
    assert_eq!(table.unclaimed, Some(Duration::from_hours(1)));
    assert_eq!(table.recovery, Some(Recovery::Fail));
    assert_eq!(table.hosts, ["dashboard"]);
    let tasks = table.tasks.unwrap();
    assert_eq!(tasks, Path::new("/srv/demo/tasks.jsonl"));
}

#[test]
fn a_swarm_has_one_only_if_its_file_says_so() {
    assert!(parse("").unwrap().coordinator.is_none());
    let empty = parse("[coordinator]").unwrap().coordinator.unwrap();
    assert_eq!(empty, alveary::CoordinatorTable::default());
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same() {
    for file in [WHOLE, "[coordinator]", "[coordinator]\nno_bids = 'fail'"] {
        let first = parse(file).unwrap();
        let shown = first.to_toml().unwrap();
        assert_eq!(parse(&shown).unwrap().coordinator, first.coordinator);
    }
}

#[test]
fn a_mistake_is_pointed_at_and_what_was_meant_is_guessed() {
    for (line, column, words) in [
        ("auktion = '5s'", 1, "did you mean `auction`?"),
        ("auth = 'tokn'", 8, "did you mean `token`?"),
        ("recovery = 'reaction'", 12, "`reauction`"),
        ("no_bids = 'retry'", 11, "coordinator.no_bids"),
        ("no_bids = { retri = 3 }", 13, "did you mean `retry`?"),
        ("listen = 'localhost'", 10, "such as \"127.0.0.1:8000\""),
        ("listen = 8000", 10, "an address and a port"),
        ("auction = '0s'", 11, "no time at all"),
        ("heartbeat = 30", 13, "a duration, such as"),
        ("attempts = 0", 12, "a whole number above zero"),
        (
            "listen = '0.0.0.0:80'\nauth = 'none'",
            8,
            "insecure_no_auth",
        ),
    ] {
        let file = format!("[coordinator]\n{line}");
        let error = parse(&file).expect_err(line);
        let sentence = error.to_string();
        assert!(sentence.contains(words), "{sentence}");
        let last = 1 + line.lines().count();
        assert_eq!(error.position(), Some((last, column)), "{sentence}");
    }
    assert!(
        parse("[coordinator]\nlisten = '0.0.0.0:80'\nauth = 'none'\ninsecure_no_auth = true")
            .is_ok()
    );
}
