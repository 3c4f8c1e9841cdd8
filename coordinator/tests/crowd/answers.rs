//! What somebody was told before the coordinator was killed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use serde_json::json;

use super::Size;
use super::server::Served;

/// How many give tasks at once.
const GIVERS: usize = 8;
/// The coordinator is killed as soon as so many were answered, and more are on their way.
const ANSWERS: usize = 40;

pub(crate) fn are_kept(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("book");
    let mut served = Served::start(&file);
    let mut told = 0;
    for kill in 0..size.kills {
        let (answers, ids) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for giver in 0..GIVERS {
                let (answers, ids, served) = (&answers, &ids, &served);
                scope.spawn(move || {
                    for task in 0.. {
                        let key = format!("{kill}-{giver}-{task}");
                        let sing = json!({"description": "sing"});
                        let Some((status, said)) = served.post("/v1/tasks", &key, &sing) else {
                            return;
                        };
                        if answers.fetch_add(1, Ordering::SeqCst) == ANSWERS {
                            served.kill_now();
                        }
                        assert_eq!(status, 201, "{said}");
                        let id = said["tasks"][0]["id"].as_str().unwrap().to_owned();
                        ids.lock().unwrap().push(id);
                    }
                });
            }
        });
        served.kill();
        let book = Connection::open(&file).unwrap();
        for id in ids.into_inner().unwrap() {
            let there = "SELECT count(*) FROM tasks WHERE id = ?1";
            let there: u32 = book.query_row(there, [&id], |row| row.get(0)).unwrap();
            assert_eq!(there, 1, "{id} was answered and is lost");
            told += 1;
        }
        drop(book);
        served.start_again();
    }
    println!(
        "{told} answers before {} kills, all of them kept",
        size.kills
    );
}
