//! The wall clock is moved, by an hour, under a coordinator and an agent.
//!
//! libfaketime stands between the two processes and the system's wall clock, and reads from a file by how much it is
//! off; the monotonic clock is left alone. That the clock has really moved under a coordinator is seen by the times
//! that it shows.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use alveary_agent::protocol::{Happening, Timestamp};
use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use super::processes::{House, Process, this_as};

/// What helps where it is missing.
pub(crate) const CURE: &str = "libfaketime is not installed (apt-get install libfaketime)";

const HOUR_MS: i64 = 3_600_000;

/// Where the library is.
pub(crate) fn library() -> Option<PathBuf> {
    let name = "faketime/libfaketimeMT.so.1";
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ];
    let usual = folders.map(|folder| Path::new(folder).join(name));
    let named = std::env::var_os("ALVEARY_TEST_LIBFAKETIME").map(PathBuf::from);
    named.into_iter().chain(usual).find(|file| file.exists())
}

/// Puts a process under the clock that is off by what the file says.
fn under(command: &mut Command, offset: &Path) {
    command
        .env("LD_PRELOAD", library().unwrap())
        .env("FAKETIME_TIMESTAMP_FILE", offset)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

fn shown(value: &Value) -> i64 {
    value
        .as_str()
        .unwrap()
        .parse::<Timestamp>()
        .unwrap()
        .as_millis()
}

pub(crate) async fn a_wall_clock_that_is_moved_by_an_hour_moves_no_auction_and_loses_no_agent() {
    let house = House::new(Duration::from_secs(6), Duration::from_secs(10));
    let offset = house.path().join("offset");
    let set = |hours: &str| {
        // Whoever reads it in between finds the one or the other.
        let next = house.path().join("offset-next");
        std::fs::write(&next, hours).unwrap();
        std::fs::rename(&next, &offset).unwrap();
    };
    set("+0h");
    let served = house.serve(0, |command| under(command, &offset)).await;
    let token = house.token("here");
    let mut command = this_as(&["agent", &served.url(), "here", token.to_str().unwrap()]);
    under(&mut command, &offset);
    let mut agent = Process::start(command);
    served.until_known("here").await;
    // Somebody who is free and stays out, so that auctions last their length.
    let mute = alveary_agent::Pricing::function(|_| async { None });
    let mute = served
        .agent("mute")
        .handler(super::hands::shout)
        .bid(mute)
        .build()
        .unwrap();
    let cancel = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(mute.run(cancel.clone()));
    served.until_known("mute").await;
    let stay = served.give("stay").await;
    assert_eq!(agent.line().await, "at work");

    for hours in ["+1h", "-1h", "+0h"] {
        let before = Instant::now();
        let task = served.give("sing").await;
        set(hours);
        // The agent works still; that it has won is all that can be seen.
        let won = served.until_is(task, "assigned").await;
        let took = before.elapsed();
        assert!(
            took >= house.auction,
            "{hours}: the auction was over after {took:?}"
        );
        assert_eq!(won["assigned_agent"], "here");
        let after = served.give("what time is it?").await;
        let after = served.until(&format!("/v1/tasks/{after}"), |_| true).await;
        let moved = shown(&after["created_at"]) - Timestamp::now().as_millis();
        let expected = hours.trim_end_matches('h').parse::<i64>().unwrap() * HOUR_MS;
        assert!(
            (moved - expected).abs() < HOUR_MS / 10,
            "{hours}: it shows {moved} ms more"
        );
    }
    // It has been at work through three auctions, any two of them longer than it may be silent.
    let stays = served.until_is(stay, "running").await;
    assert_eq!(
        (&stays["assigned_agent"], &stays["attempts"]),
        (&"here".into(), &1.into())
    );
    cancel.cancel();
    running.await.unwrap().unwrap();
    agent.end(Signal::KILL).await;
    served.process.end(Signal::TERM).await;
    let lost = |what: &Happening| matches!(what, Happening::Superseded { .. });
    let story = house.story().await;
    assert!(!story.iter().any(lost), "{story:#?}");
}
