//! `alveary task import` of a long file: few requests, and none of its tasks twice.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::alone::{Alone, good, task};
use crate::hive::finish;

/// More lines than any one request takes.
const LINES: usize = 1_100;

/// Something between the program and a coordinator, which counts requests and can lose an answer.
struct Relay {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Relay {
    /// Cuts everybody off when the answer to request number `lost` comes, and lets nobody in any more.
    fn before(url: &str, lost: usize) -> Self {
        let coordinator: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                if counted.load(Ordering::SeqCst) >= lost {
                    return;
                }
                let server = TcpStream::connect(coordinator).unwrap();
                let (mut asks, mut asked) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let asking = Arc::clone(&counted);
                thread::spawn(move || {
                    pass(&mut asks, &mut asked, |said| {
                        let heads = said.windows(15).filter(|some| some == b"POST /v1/tasks ");
                        asking.fetch_add(heads.count(), Ordering::SeqCst);
                        true
                    });
                });
                let answering = Arc::clone(&counted);
                let (mut answers, mut answered) = (server, client);
                thread::spawn(move || {
                    let on_its_way = |_: &[u8]| answering.load(Ordering::SeqCst) < lost;
                    pass(&mut answers, &mut answered, on_its_way);
                });
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Passes on what one says to the other, as long as it may be.
fn pass(from: &mut TcpStream, to: &mut TcpStream, mut may: impl FnMut(&[u8]) -> bool) {
    let mut some = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut some) {
        if !may(&some[..read]) || to.write_all(&some[..read]).is_err() {
            break;
        }
    }
    // The other may be gone already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn descriptions(said: &str) -> Vec<String> {
    let description = |line| {
        let task: Value = serde_json::from_str(line).unwrap();
        task["description"].as_str().unwrap().to_owned()
    };
    said.lines().map(description).collect()
}

#[test]
fn an_import_that_is_broken_off_and_said_again_gives_each_line_once_in_few_requests() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Alone::in_folder(dir.path(), &[]);
    let mut lines = String::new();
    for line in 0..LINES {
        writeln!(lines, "{{\"description\": \"task {line}\"}}").unwrap();
    }
    std::fs::write(dir.path().join("tasks.jsonl"), lines).unwrap();
    let list = || {
        let said = good(&mut task(
            dir.path(),
            &alone.url,
            &["list", "--format", "json"],
        ));
        descriptions(&said)
    };
    let expected: Vec<_> = (0..LINES).map(|line| format!("task {line}")).collect();

    let relay = Relay::before(&alone.url, 3);
    let broken = finish(&mut task(
        dir.path(),
        &relay.url,
        &["import", "tasks.jsonl"],
    ));
    assert_ne!(broken.code(), Some(0), "{broken}");
    assert!(
        broken.stderr().contains("500 of 1100 tasks are there"),
        "{broken}"
    );
    // The third request had its effect, though nobody heard of it.
    let there = list();
    assert_eq!(there, expected[..750]);

    let relay = Relay::before(&alone.url, usize::MAX);
    let args = ["import", "tasks.jsonl", "--format", "json"];
    let again = good(&mut task(dir.path(), &relay.url, &args));
    assert_eq!(descriptions(&again), expected);
    assert_eq!(relay.requests(), 5);
    assert_eq!(list(), expected);
}
