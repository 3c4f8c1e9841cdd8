//! Agents that write more than anybody wants, or cut off what they wrote.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use alveary_core::{
    AgentBackendExt, AgentId, ByteSize, LogItem, LogOptions, LogStreamKind, RemoveOptions,
    SpawnOptions,
};
use futures_util::StreamExt;
use libtest_mimic::Trial;

use crate::hive::{Hive, sh, spawn, wait_until};
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
    ]
}

/// 1 GiB without a line break, NULs and all.
async fn a_flood_is_bounded_on_disk_and_in_memory(hive: Hive) {
    const FLOOD: u64 = 1 << 30;
    let mut hive = hive;
    hive.configure(|config| config.log_size = ByteSize::mib(4));
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh(&format!("head -c {FLOOD} /dev/zero"))).await;
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
    assert!(disk < FLOOD / 4, "{disk} bytes of disk");
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

fn resident(pid: u32) -> u64 {
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
    let script = "echo one >&2; sleep 0.3; echo two > /dev/stderr; sleep 0.3; echo three >&2";
    let agent = spawn(&backend, &sh(script)).await;
    let mut log = backend
        .logs(&agent.id, LogOptions::default().with_follow(true))
        .await
        .expect("a log");
    let (mut text, mut lost) = (String::new(), 0);
    while let Some(item) = log.next().await {
        match item.expect("it can be read") {
            LogItem::Piece(piece) if piece.stream == LogStreamKind::Stderr => {
                text.push_str(&String::from_utf8_lossy(&piece.bytes));
            }
            LogItem::Lost { bytes, .. } => lost += bytes.expect("it is counted"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(text, "one\ntwo\nthree\n", "who follows sees all of it");
    assert_eq!(lost, 0);
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
    let agent = spawn(&backend, &sh("for i in 1 2 3; do echo $i; sleep 0.2; done")).await;
    let mut log = backend
        .logs(&agent.id, LogOptions::default().with_follow(true))
        .await
        .expect("a log");
    let mut pieces = Vec::new();
    while let Some(item) = log.next().await {
        if let LogItem::Piece(piece) = item.expect("it can be read") {
            pieces.push(String::from_utf8_lossy(&piece.bytes).into_owned());
        }
    }
    assert_eq!(pieces, ["1\n", "2\n", "3\n"], "each line came by itself");
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
    let cuts = sh(
        "echo a long line that will be cut off >&2; sleep 0.2; echo short > /dev/stderr; sleep 0.2",
    );
    backend
        .spawn(&id, &cuts, SpawnOptions::default())
        .await
        .expect("it starts");
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
    let agent = crate::hive::spawn_until(&backend, &waits, "ready").await;
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
