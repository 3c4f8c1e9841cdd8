//! The file: whose it is, and what is refused.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use alveary_agent::protocol::{NewBid, ProblemKind, TaskStatus};
use alveary_coordinator::{Coordinator, Database, Error, Settings};
use rusqlite::Connection;

use super::bed::{AUCTION, Bed, agent, book, sats, task};

async fn refused(path: &Path) -> Error {
    let opened = Coordinator::open(Settings::default(), Database::File(path.to_owned())).await;
    opened.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_second_coordinator_on_a_file_is_a_conflict_until_the_first_has_closed_it() {
    let (folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    let error = refused(&path).await;
    assert_eq!(error.kind(), ProblemKind::Conflict);
    let whole = path.display();
    assert_eq!(
        error.to_string(),
        format!("another coordinator has {whole} open (end it, or name another file)")
    );
    // By whatever name.
    let alias = folder.path().join("alias");
    std::os::unix::fs::symlink(&path, &alias).unwrap();
    assert_eq!(refused(&alias).await.kind(), ProblemKind::Conflict);
    let clone = bed.coordinator.clone();
    bed.coordinator.close().await;
    Bed::file(Settings::default(), &path).await;
    assert_eq!(
        clone.metrics().await.unwrap_err().kind(),
        ProblemKind::Unavailable
    );
}

#[tokio::test(start_paused = true)]
async fn the_file_and_what_lies_beside_it_is_its_users_alone() {
    let (folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    bed.give("").await;
    let mut names = Vec::new();
    for entry in folder.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["book", "book-shm", "book-wal", "book.lock"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_a_later_version_is_refused_and_left_alone() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    let task = bed.give("").await;
    bed.coordinator.close().await;
    let later = Connection::open(&path).unwrap();
    let insert = "INSERT INTO refinery_schema_history
        VALUES (1000, 'later', '2030-01-01T00:00:00Z', '1')";
    later.execute(insert, []).unwrap();
    let error = refused(&path).await;
    let whole = path.display();
    assert_eq!(
        error.to_string(),
        format!(
            "{whole} was written by a later version of alveary (use that version, or one after it)"
        )
    );
    assert_eq!(error.kind(), ProblemKind::Conflict);
    later
        .execute(
            "DELETE FROM refinery_schema_history WHERE version = 1000",
            [],
        )
        .unwrap();
    let bed = Bed::file(Settings::default(), &path).await;
    assert_eq!(bed.all_tasks().await[0].id, task);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_another_program_is_refused_and_left_alone() {
    let (_folder, path) = book();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE tasks (id TEXT, title TEXT)")
        .unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let error = refused(&path).await;
    let whole = path.display();
    assert_eq!(
        error.to_string(),
        format!("{whole} is the database of another program (name another file)")
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_database_is_refused_and_left_alone() {
    let (_folder, path) = book();
    let text = "no database at all, and longer than the head of one would be".repeat(10);
    std::fs::write(&path, &text).unwrap();
    let error = refused(&path).await;
    let told = error.to_string();
    assert!(told.contains(&path.display().to_string()), "{told}");
    assert!(told.contains("file is not a database"), "{told}");
    assert!(told.ends_with("(restore it from a copy, or move it away to begin with an empty one)"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_damaged_is_refused() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    for _ in 0..50 {
        bed.give("").await;
    }
    bed.coordinator.close().await;
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    // All but the head and the list of tables.
    damaged[4096..].fill(0xa5);
    std::fs::write(&path, &damaged).unwrap();
    let error = refused(&path).await;
    let told = error.to_string();
    assert!(told.contains("malformed"), "{told}");
    assert!(told.ends_with("(restore it from a copy, or move it away to begin with an empty one)"));
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(refused(&path).await.kind(), ProblemKind::Internal);
    std::fs::write(&path, &whole).unwrap();
    let bed = Bed::file(Settings::default(), &path).await;
    assert_eq!(bed.all_tasks().await.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_not_there_is_named_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/book");
    let error = refused(&path).await;
    assert_eq!(error.kind(), ProblemKind::Unavailable);
    let told = error.to_string();
    assert!(told.contains("nowhere/book"), "{told}");
    assert!(told.ends_with("(let this user write it, and see that its folder is there)"));
}

#[tokio::test(start_paused = true)]
async fn one_who_writes_into_the_file_for_a_moment_is_waited_for() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let coordinator = bed.coordinator.clone();
    let giving = tokio::spawn(async move { coordinator.add(vec![task("")], None).await });
    tokio::task::yield_now().await;
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(giving.await.unwrap().unwrap().len(), 1);
}

/// Has the file refuse to take anything into this table.
fn refuse(path: &Path, table: &str) -> Connection {
    let other = Connection::open(path).unwrap();
    let refuse = format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON {table}
         BEGIN SELECT raise(ABORT, 'not today'); END"
    );
    other.execute_batch(&refuse).unwrap();
    other
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_fails_halfway_has_had_no_effect() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    bed.register("a", "").await;
    let open = bed.give("").await;
    let before = bed.coordinator.metrics().await.unwrap();
    let other = refuse(&path, "attempts");
    // The bid is taken, ends the auction, and cannot be given the task.
    let bid = NewBid::new(open, agent("a"), sats(10));
    let error = bed.coordinator.bid(bid).await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Internal);
    assert!(error.to_string().contains("not today"), "{error}");
    assert_eq!(bed.coordinator.bids(open).await.unwrap(), []);
    assert_eq!(bed.status(open).await, TaskStatus::Bidding);
    let after = bed.coordinator.metrics().await.unwrap();
    assert_eq!(after.latest_event, before.latest_event);
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    bed.bid("a", open, 10).await;
    assert_eq!(bed.status(open).await, TaskStatus::Assigned);
    assert_eq!(bed.coordinator.bids(open).await.unwrap().len(), 1);
    assert_eq!(bed.claim("a").await.unwrap().number, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_due_and_failed_is_tried_again() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    bed.register("silent", "").await;
    let open = bed.give("").await;
    bed.bid("a", open, 10).await;
    let other = refuse(&path, "attempts");
    bed.pass(AUCTION).await;
    assert_eq!(bed.status(open).await, TaskStatus::Bidding);
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    bed.pass(Duration::from_secs(1)).await;
    // What is open was read anew, and its times with it.
    bed.pass(AUCTION).await;
    assert_eq!(bed.status(open).await, TaskStatus::Assigned);
}
