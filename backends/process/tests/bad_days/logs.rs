//! Agents that write more than anybody wants, or cut off what they wrote.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alveary_core::{
    AgentBackend, AgentBackendExt, AgentId, ByteSize, ErrorKind, LogItem, LogOptions, LogPiece,
    LogStream, LogStreamKind, RemoveOptions, SpawnOptions,
};
use futures_util::StreamExt;
use libtest_mimic::Trial;

use crate::hive::{Hive, PATIENCE, sh, spawn, spawn_until, wait_until};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_flood_is_bounded_on_disk_and_in_memory",
            a_flood_is_bounded_on_disk_and_in_memory,
        ),
        trial(
            "an_agent_that_cuts_its_log_off_loses_no_count",
            an_agent_that_cuts_its_log_off_loses_no_count,
        ),
        trial(
            "an_id_used_again_has_a_log_of_its_own_that_is_bounded_and_dated",
            an_id_used_again_has_a_log_of_its_own,
        ),
        trial(
            "a_start_after_a_cut_has_its_own_output",
            a_start_after_a_cut_has_its_own_output,
        ),
        trial(
            "what_grew_while_no_keeper_lived_is_shortened",
            what_grew_while_no_keeper_lived_is_shortened,
        ),
        trial(
            "a_follower_sees_what_is_written_as_it_is_written",
            a_follower_sees_what_is_written,
        ),
        trial(
            "a_cursor_of_an_earlier_life_is_counted_as_a_loss",
            a_cursor_of_an_earlier_life_is_counted_as_a_loss,
        ),
        trial(
            "following_ends_with_the_start_that_is_followed",
            following_ends_with_the_start_that_is_followed,
        ),
        trial(
            "a_follower_of_a_removed_agent_comes_to_its_end",
            a_follower_of_a_removed_agent_comes_to_its_end,
        ),
        trial(
            "a_follower_that_cannot_know_the_end_says_so",
            a_follower_that_cannot_know_the_end_says_so,
        ),
        trial(
            "following_until_a_time_ends_at_that_time",
            following_until_a_time_ends_at_that_time,
        ),
        trial(
            "a_failed_start_leaves_the_output_of_the_one_before",
            a_failed_start_leaves_the_output_of_the_one_before,
        ),
    ]
}

/// 1 GiB without a line break, NULs and all, with a little pause now and then: what a disk takes at once, a keeper
/// that has to wait for its turn cannot keep small.
async fn a_flood_is_bounded_on_disk_and_in_memory(hive: Hive) {
    const FLOOD: u64 = 1 << 30;
    const WAVES: u64 = 64;
    let mut hive = hive;
    hive.configure(|config| config.log_size = ByteSize::mib(4));
    let backend = hive.open().await;
    let wave = format!("head -c {} /dev/zero; sleep 0.05", FLOOD / WAVES);
    let script = format!("i=0; while [ $i -lt {WAVES} ]; do {wave}; i=$((i + 1)); done");
    let agent = spawn(&backend, &sh(&script)).await;
    let log = hive
        .folder()
        .join("logs")
        .join(format!("{}~stdout", agent.id));
    let keeper = hive.keeper().expect("there is a keeper");
    let (mut disk, mut memory) = (0, 0);
    let ended = backend.wait(&agent.id);
    tokio::pin!(ended);
    let exit = loop {
        disk = disk.max(log.metadata().expect("there is a log").blocks() * 512);
        memory = memory.max(resident(keeper));
        tokio::select! {
            exit = &mut ended => break exit.expect("it ends"),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    };
    assert!(exit.is_success(), "the agent was not harmed: {exit}");
    // What an agent can write between two looks comes on top of what is kept.
    assert!(disk < FLOOD / 2, "{disk} bytes of disk");
    assert!(memory < 64 << 20, "{memory} bytes of memory");
    let (mut kept, mut lost) = (0, 0);
    let mut pieces = backend
        .logs(&agent.id, LogOptions::default())
        .await
        .expect("a log");
    while let Some(item) = pieces.next().await {
        match item.expect("it can be read") {
            LogItem::Piece(piece) => kept += piece.bytes.len() as u64,
            LogItem::Lost { bytes, .. } => lost += bytes.expect("it is counted"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kept + lost, FLOOD, "every byte is kept or counted as lost");
    assert!(kept >= 4 << 20, "{kept} bytes are kept");
}

pub(crate) fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| {
        line.trim()
            .trim_end_matches(" kB")
            .trim()
            .parse::<u64>()
            .ok()
    })
    .unwrap_or(0)
        * 1024
}

/// `> /dev/stderr` opens the log anew and cuts it off, which no file can prevent.
async fn an_agent_that_cuts_its_log_off_loses_no_count(hive: Hive) {
    let backend = hive.open().await;
    let script = format!(
        "echo one >&2; {}; echo two > /dev/stderr; {}; echo three >&2",
        waits_for("cut"),
        waits_for("go")
    );
    let agent = spawn(&backend, &sh(&script).cwd(hive.folder())).await;
    let mut log = backend
        .logs(&agent.id, LogOptions::default().with_follow(true))
        .await
        .expect("a log");
    let one = next_piece(&mut log).await;
    assert_eq!(
        (one.stream, &one.bytes[..]),
        (LogStreamKind::Stderr, &b"one\n"[..])
    );
    until_first(&backend, &agent.id, "what is cut off to be known", is_dated).await;
    give(&hive, "cut");
    assert_eq!(next_piece(&mut log).await.bytes, "two\n");
    give(&hive, "go");
    assert_eq!(rest(&mut log).await, ("three\n".to_owned(), vec![]));
    // Who comes later is told how much is gone.
    let mut later = backend
        .logs(&agent.id, LogOptions::default())
        .await
        .expect("a log");
    let first = later
        .next()
        .await
        .expect("something")
        .expect("it can be read");
    assert_eq!(
        first,
        LogItem::Lost {
            stream: Some(LogStreamKind::Stderr),
            bytes: Some(4)
        }
    );
}

async fn a_follower_sees_what_is_written(hive: Hive) {
    let backend = hive.open().await;
    let script = format!("for i in 1 2 3; do echo $i; {}; done", waits_for("$i"));
    let agent = spawn(&backend, &sh(&script).cwd(hive.folder())).await;
    let mut log = backend
        .logs(&agent.id, LogOptions::default().with_follow(true))
        .await
        .expect("a log");
    for line in ["1", "2", "3"] {
        assert_eq!(next_piece(&mut log).await.bytes, format!("{line}\n"));
        give(&hive, line);
    }
    assert_eq!(rest(&mut log).await, (String::new(), vec![]));
}

/// What has an agent that stands in the hive's folder wait until it is given this.
fn waits_for(what: &str) -> String {
    format!("while [ ! -e {what} ]; do sleep 0.02; done")
}

fn give(hive: &Hive, what: &str) {
    std::fs::write(hive.folder().join(what), "").expect("it can be written");
}

/// Reads an agent's log from its beginning until what comes first is like this.
async fn until_first(
    backend: &Arc<dyn AgentBackend>,
    id: &AgentId,
    what: &str,
    is_so: impl Fn(&LogItem) -> bool,
) {
    let looking = async {
        loop {
            let log = backend.logs(id, LogOptions::default()).await;
            let first = log.expect("a log").next().await;
            if first.is_some_and(|item| is_so(&item.expect("it can be read"))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let looked = tokio::time::timeout(PATIENCE, looking).await;
    looked.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

/// Whether the keeper has seen it.
fn is_dated(item: &LogItem) -> bool {
    matches!(item, LogItem::Piece(piece) if piece.at.is_some())
}

/// Everything from here to the end: what was written, and what is said to be lost.
async fn rest(log: &mut LogStream) -> (String, Vec<Option<u64>>) {
    let (mut text, mut lost) = (String::new(), Vec::new());
    while let Some(item) = log.next().await {
        match item.expect("it can be read") {
            LogItem::Piece(piece) => text.push_str(&String::from_utf8_lossy(&piece.bytes)),
            LogItem::Lost { bytes, .. } => lost.push(bytes),
            other => panic!("{other:?}"),
        }
    }
    (text, lost)
}

async fn next_piece(log: &mut LogStream) -> LogPiece {
    let next = tokio::time::timeout(PATIENCE, log.next()).await;
    match next.expect("it comes").expect("something") {
        Ok(LogItem::Piece(piece)) => piece,
        other => panic!("{other:?}"),
    }
}

async fn a_cursor_of_an_earlier_life_is_counted_as_a_loss(hive: Hive) {
    let backend = hive.open().await;
    let id = AgentId::random();
    let start = async |script: &str| {
        backend
            .spawn(&id, &sh(script), SpawnOptions::default())
            .await
            .expect("it starts");
        backend.wait(&id).await.expect("it ends");
    };
    start("echo in its first life").await;
    let mut log = backend
        .logs(&id, LogOptions::default())
        .await
        .expect("a log");
    let cursor = next_piece(&mut log).await.cursor;
    // In the same life it is good, whichever start is read.
    start("echo again").await;
    let behind = LogOptions::default().with_after(cursor.clone());
    let mut log = backend.logs(&id, behind.clone()).await.expect("a log");
    assert_eq!(rest(&mut log).await, ("again\n".to_owned(), vec![]));
    backend
        .remove(&id, RemoveOptions::default())
        .await
        .expect("it goes");
    start("echo in its second life, and longer").await;
    for options in [behind.clone(), behind.with_follow(true)] {
        let mut log = backend.logs(&id, options).await.expect("a log");
        let all = "in its second life, and longer\n".to_owned();
        assert_eq!(rest(&mut log).await, (all, vec![None]));
    }
}

async fn following_ends_with_the_start_that_is_followed(hive: Hive) {
    let backend = hive.open().await;
    let id = AgentId::random();
    for round in 0..30 {
        let script = format!("echo {round}; [ $(({round} % 2)) = 0 ] || echo more of {round} >&2");
        backend
            .spawn(&id, &sh(&script), SpawnOptions::default())
            .await
            .expect("it starts");
        let mut log = backend
            .logs(&id, LogOptions::default().with_follow(true))
            .await
            .expect("a log");
        let mut text = String::new();
        if round % 3 != 0 {
            text.push_str(&String::from_utf8_lossy(&next_piece(&mut log).await.bytes));
        }
        backend.wait(&id).await.expect("it ends");
        // Nobody reads while the next start writes.
        backend
            .spawn(
                &id,
                &sh("echo next; echo next >&2"),
                SpawnOptions::default(),
            )
            .await
            .expect("it starts");
        backend.wait(&id).await.expect("it ends");
        let (read, lost) = rest(&mut log).await;
        text.push_str(&read);
        let mut expected = format!("{round}\n");
        if round % 2 == 1 {
            expected = format!("{expected}more of {round}\n");
        }
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&text), sorted(&expected));
        assert_eq!(lost, []);
    }
}

async fn a_follower_of_a_removed_agent_comes_to_its_end(hive: Hive) {
    let backend = hive.open().await;
    let id = AgentId::random();
    let start = async |script: &str| {
        backend
            .spawn(&id, &sh(script), SpawnOptions::default())
            .await
            .expect("it starts");
    };
    start("echo one; sleep 0.1; echo two; sleep 1000").await;
    let mut log = backend
        .logs(&id, LogOptions::default().with_follow(true))
        .await
        .expect("a log");
    let mut text = String::new();
    while !text.contains("two") {
        text.push_str(&String::from_utf8_lossy(&next_piece(&mut log).await.bytes));
    }
    backend
        .remove(&id, RemoveOptions::default().with_force(true))
        .await
        .expect("it goes");
    start("echo another; sleep 1000").await;
    let end = tokio::time::timeout(Duration::from_secs(20), rest(&mut log));
    let (read, lost) = end.await.expect("it comes to its end");
    assert_eq!((read.as_str(), lost), ("", vec![]));
}

async fn a_follower_that_cannot_know_the_end_says_so(hive: Hive) {
    let program = hive.folder().join("keeps");
    let this = std::env::current_exe().expect("this has a path");
    std::os::unix::fs::symlink(this, &program).expect("it can be linked to");
    let backend = hive.open_with_keeper(&program.to_string_lossy()).await;
    let agent = spawn(&backend, &sh("echo one; sleep 1000")).await;
    let mut log = backend
        .logs(&agent.id, LogOptions::default().with_follow(true))
        .await
        .expect("a log");
    assert_eq!(next_piece(&mut log).await.bytes, "one\n");
    // The keeper dies, and no other can be started.
    std::fs::remove_file(&program).expect("it can be removed");
    hive.kill_keeper();
    let last = tokio::time::timeout(Duration::from_secs(30), log.next());
    let last = last.await.expect("it says so").expect("something is said");
    let error = last.expect_err("nobody knows whether more will come");
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable, "{error}");
    assert!(log.next().await.is_none(), "the error is the last");
}

async fn following_until_a_time_ends_at_that_time(hive: Hive) {
    let backend = hive.open().await;
    let script = sh("echo one; echo two; sleep 1000");
    let agent = spawn_until(&backend, &script, "two").await;
    let until = SystemTime::now() + Duration::from_secs(2);
    let options = LogOptions::default().with_follow(true).with_until(until);
    let mut log = backend.logs(&agent.id, options).await.expect("a log");
    let end = tokio::time::timeout(Duration::from_secs(20), rest(&mut log));
    let (text, lost) = end.await.expect("it comes to its end");
    assert_eq!((text.as_str(), lost), ("one\ntwo\n", vec![]));
    assert!(SystemTime::now() >= until);
    // What has not been dated yet is not younger than a time that is to come.
    let agent = spawn_until(&backend, &sh("echo ready; sleep 1000"), "ready").await;
    let until = SystemTime::now() + Duration::from_hours(1);
    let options = LogOptions::default().with_until(until);
    let mut log = backend.logs(&agent.id, options).await.expect("a log");
    assert_eq!(rest(&mut log).await.0, "ready\n");
}

async fn a_failed_start_leaves_the_output_of_the_one_before(hive: Hive) {
    let backend = hive.open().await;
    let id = AgentId::random();
    let program = hive.folder().join("vanishes");
    std::fs::write(&program, "#!/bin/sh\necho first\n").expect("it can be written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("it can be a program");
    let spec = alveary_core::AgentSpec::new("vanishes", [program.to_string_lossy()]);
    let spawn = async || backend.spawn(&id, &spec, SpawnOptions::default()).await;
    spawn().await.expect("it starts");
    backend.wait(&id).await.expect("it ends");
    std::fs::write(&program, "#!/no/such/interpreter\n").expect("it can be written");
    spawn().await.expect_err("it cannot start");
    for follow in [false, true] {
        let options = LogOptions::default().with_follow(follow);
        let mut log = backend.logs(&id, options).await.expect("a log");
        assert_eq!(rest(&mut log).await, ("first\n".to_owned(), vec![]));
    }
}

async fn an_id_used_again_has_a_log_of_its_own(hive: Hive) {
    let mut hive = hive;
    hive.configure(|config| config.log_size = ByteSize::mib(1));
    let backend = hive.open().await;
    let id = AgentId::random();
    let log = hive.folder().join("logs").join(format!("{id}~stdout"));
    let flood = sh("head -c 16000000 /dev/zero");
    for _ in 0..2 {
        backend
            .spawn(&id, &flood, SpawnOptions::default())
            .await
            .expect("it starts");
        assert!(backend.wait(&id).await.expect("it ends").is_success());
        // The sampler sees the last of it when it looks next.
        wait_until(
            || log.metadata().expect("there is a log").blocks() * 512 < 4 << 20,
            "the log to be shortened",
        );
        let mut pieces = backend
            .logs(&id, LogOptions::default())
            .await
            .expect("a log");
        let (mut kept, mut lost, mut dated) = (0, 0, false);
        while let Some(item) = pieces.next().await {
            match item.expect("it can be read") {
                LogItem::Piece(piece) => {
                    kept += piece.bytes.len() as u64;
                    dated |= piece.at.is_some();
                }
                LogItem::Lost { bytes, .. } => lost += bytes.expect("it is counted"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kept + lost, 16_000_000);
        assert!(dated, "no piece has a time");
        backend
            .remove(&id, RemoveOptions::default())
            .await
            .expect("it goes");
    }
    let left: Vec<_> = std::fs::read_dir(hive.folder().join("logs"))
        .expect("a folder of logs")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

async fn a_start_after_a_cut_has_its_own_output(hive: Hive) {
    let backend = hive.open().await;
    let id = AgentId::random();
    let cuts = format!(
        "echo a long line that will be cut off >&2; {}; echo short > /dev/stderr; {}",
        waits_for("cut"),
        waits_for("go")
    );
    backend
        .spawn(&id, &sh(&cuts).cwd(hive.folder()), SpawnOptions::default())
        .await
        .expect("it starts");
    until_first(&backend, &id, "what is cut off to be known", is_dated).await;
    give(&hive, "cut");
    let is_lost = |item: &LogItem| matches!(item, LogItem::Lost { .. });
    until_first(&backend, &id, "the cut to be seen", is_lost).await;
    give(&hive, "go");
    backend.wait(&id).await.expect("it ends");
    backend
        .spawn(&id, &sh("echo second >&2"), SpawnOptions::default())
        .await
        .expect("it starts");
    backend.wait(&id).await.expect("it ends");
    let log = backend
        .logs(&id, LogOptions::default())
        .await
        .expect("a log");
    let bytes = log
        .collect_bytes(LogStreamKind::Stderr)
        .await
        .expect("it can be read");
    assert_eq!(String::from_utf8_lossy(&bytes), "second\n");
}

async fn what_grew_while_no_keeper_lived_is_shortened(hive: Hive) {
    let mut hive = hive;
    hive.configure(|config| config.log_size = ByteSize::mib(1));
    let backend = hive.open().await;
    let waits = sh("echo ready; while [ ! -e go ]; do sleep 0.01; done; head -c 16000000 /dev/zero; touch done; sleep 1000")
        .cwd(hive.folder());
    let agent = spawn_until(&backend, &waits, "ready").await;
    let log = hive
        .folder()
        .join("logs")
        .join(format!("{}~stdout", agent.id));
    hive.kill_keeper();
    std::fs::write(hive.folder().join("go"), "").expect("it can be written");
    let done = hive.folder().join("done");
    wait_until(|| done.exists(), "the agent to have written");
    assert!(log.metadata().expect("there is a log").len() > 16_000_000);
    crate::hive::listed(&backend).await;
    wait_until(
        || log.metadata().expect("there is a log").blocks() * 512 < 4 << 20,
        "the log to be shortened",
    );
}
