//! A coordinator that is killed, and started again on the same file and port.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use alveary_agent::protocol::NewTask;
use alveary_coordinator::{Coordinator, Database};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::fleet::{Fleet, agree};
use super::server::Served;
use super::witness::Witness;
use super::{PATIENCE, Size, settings};

/// So many tasks, as the wire has them.
fn tasks(many: usize) -> Value {
    Value::Array(vec![json!({"description": "sing"}); many])
}

/// The file by itself.
fn is_whole(file: &Path) {
    let file = Connection::open(file).unwrap();
    let text = |sql| {
        file.query_row(sql, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    let twice = "SELECT count(*) || '' FROM (SELECT 1 FROM attempts
        WHERE state = 'completed' GROUP BY task HAVING count(*) > 1)";
    assert_eq!(text(twice), "0");
}

pub(crate) fn at_work(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("book");
    let mut served = Served::start(&file);
    let witness = Arc::new(Witness::default());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _within = runtime.enter();
    let reach = (served.address, &served.tokens.clone(), folder.path());
    let fleet = Fleet::over_http(size.agents, &witness, reach);
    let begun = Instant::now();
    // Some at once, the rest as time goes on, so that tasks come in around every kill.
    let share = size.tasks / (size.kills + 1);
    let mut given = 0;
    for kill in 0..size.kills {
        served.insist("/v1/tasks", &format!("before-{kill}"), &tasks(share));
        given += share;
        // In the middle of the share: bids, claims and reports are on their way.
        let seen = witness.saw(given - share / 2);
        let seen = runtime.block_on(async { tokio::time::timeout(PATIENCE, seen).await });
        seen.expect("the tasks are not done");
        served.kill();
        is_whole(&file);
        served.start_again();
    }
    served.insist("/v1/tasks", "last", &tasks(size.tasks - given));
    runtime.block_on(async {
        let all = tokio::time::timeout(PATIENCE, witness.saw(size.tasks)).await;
        all.expect("the tasks are not done");
        assert_eq!(fleet.end().await, size.tasks as u64);
    });
    println!(
        "{} tasks, {} agents, {} kills: {:.1?}",
        size.tasks,
        size.agents,
        size.kills,
        begun.elapsed()
    );
    served.kill();
    is_whole(&file);
    runtime.block_on(async {
        let database = Database::File(file.clone());
        let coordinator = Coordinator::open(settings(), database).await.unwrap();
        agree(&coordinator, &witness, size.tasks).await;
    });
}

/// More than SQLite keeps in memory: it begins to write long before it is done.
const MANY: usize = 10_000;

/// Gives tasks to this file, all at once, until it is killed.
pub(crate) fn write(file: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let database = Database::File(file.to_owned());
        let coordinator = Coordinator::open(settings(), database).await.unwrap();
        let sing = NewTask::new("sing".parse().unwrap());
        coordinator.add(vec![sing; MANY], None).await.unwrap();
        coordinator.close().await;
    });
}

pub(crate) fn at_writing(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("book"), folder.path().join("book-wal"));
    let length = || log.metadata().map_or(0, |log| log.len());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut cut, mut done) = (0, 0);
    while cut < size.torn {
        let begun = Instant::now();
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .arg("write")
            .arg(&file)
            .spawn()
            .unwrap();
        // What makes the tables and takes up what is there is less than this.
        while length() < 1_000_000 && writer.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "nothing is written");
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        is_whole(&file);
        runtime.block_on(async {
            let database = Database::File(file.clone());
            let coordinator = Coordinator::open(settings(), database).await.unwrap();
            let metrics = coordinator.metrics().await.unwrap();
            let there: u64 = metrics.tasks.values().sum();
            assert_eq!(there % MANY as u64, 0, "a part of them is there");
            assert_eq!(metrics.open_auctions, there);
            let more = there / MANY as u64 - done;
            assert!(more <= 1);
            cut += usize::from(more == 0);
            done += more;
            coordinator.close().await;
        });
    }
    println!("{cut} writes were cut in the middle, {done} were quicker");
}
