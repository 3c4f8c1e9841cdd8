//! Events, as they are followed.

use std::time::Instant;

use alveary_coordinator::Settings;
use alveary_coordinator::http::Guard;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;

use super::bed::{Ask, Bed, PATIENCE};

/// Somebody who follows.
struct Follower(Lines<BufReader<TcpStream>>);

/// An event as it came.
#[derive(Debug, Default)]
struct Told {
    id: Option<u64>,
    kind: String,
    data: Value,
}

impl Follower {
    async fn of(bed: &Bed, ask: Ask<'_>) -> Self {
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream.write_all(&ask.bytes("1.0")).await.unwrap();
        let mut follower = Self(BufReader::new(stream).lines());
        assert!(follower.line().await.starts_with("HTTP/1.0 200"));
        let mut kind = false;
        loop {
            let line = follower.line().await;
            kind |= line.eq_ignore_ascii_case("content-type: text/event-stream");
            if line.is_empty() {
                break;
            }
        }
        assert!(kind, "it is no stream of events");
        follower
    }

    async fn line(&mut self) -> String {
        let next = tokio::time::timeout(PATIENCE, self.0.next_line()).await;
        next.expect("nothing comes")
            .unwrap()
            .expect("the stream has ended")
    }

    /// The next event, whatever comments come before it.
    async fn next(&mut self) -> Told {
        let mut told = Told::default();
        loop {
            let line = self.line().await;
            match line.split_once(": ") {
                Some(("id", id)) => told.id = id.parse().ok(),
                Some(("event", kind)) => kind.clone_into(&mut told.kind),
                Some(("data", data)) => told.data = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !told.kind.is_empty() => return told,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn what_happens_is_told_in_order_and_from_where_somebody_was() {
    let bed = Bed::closed().await;
    let mut first = Follower::of(&bed, bed.get("/v1/events").admin()).await;
    let task = bed.give("sing").await;
    let added = first.next().await;
    assert_eq!(added.kind, "task_added");
    assert_eq!(
        added.data["what"],
        json!({"kind": "task_added", "task": task})
    );
    assert_eq!(added.data["id"], json!(added.id.unwrap()));
    let opened = first.next().await;
    assert_eq!(opened.kind, "auction_opened");
    let seen = added.id.unwrap().to_string();
    let back = bed
        .get("/v1/events")
        .admin()
        .header("last-event-id", seen.as_str());
    assert_eq!(Follower::of(&bed, back).await.next().await.id, opened.id);
    let asked = bed.get(format!("/v1/events?after={seen}")).admin();
    assert_eq!(Follower::of(&bed, asked).await.next().await.id, opened.id);
}

#[tokio::test]
async fn who_was_away_too_long_is_told_how_much_is_lost() {
    let bed = Bed::with(Settings::default().with_keep_events(5), Guard::default()).await;
    for n in 0..2_000 {
        bed.coordinator
            .add(
                vec![serde_json::from_value(json!({"description": n.to_string()})).unwrap()],
                None,
            )
            .await
            .unwrap();
    }
    let latest = bed.coordinator.metrics().await.unwrap().latest_event.0;
    let mut follower = Follower::of(&bed, bed.get("/v1/events?after=1").admin()).await;
    let resync = follower.next().await;
    assert_eq!(resync.kind, "resync");
    let next = follower.next().await;
    let lost = resync.data["lost"].as_u64().unwrap();
    assert!(lost > 0);
    assert_eq!(next.id.unwrap(), 1 + lost + 1);
    assert!(next.id.unwrap() <= latest);
}

#[tokio::test]
async fn who_comes_from_another_book_is_told_to_read_anew() {
    let bed = Bed::closed().await;
    let mut follower = Follower::of(&bed, bed.get("/v1/events?after=1000000").admin()).await;
    let resync = follower.next().await;
    assert_eq!(
        (resync.kind.as_str(), resync.data),
        ("resync", json!({"lost": 0}))
    );
    bed.give("sing").await;
    assert_eq!(follower.next().await.kind, "task_added");
}

#[tokio::test]
async fn a_place_that_is_not_there_is_told_and_one_that_is_left_is_free() {
    let mut guard = Guard::default();
    guard.event_clients = 3;
    let bed = Bed::with(Settings::default(), guard).await;
    let mut followers = Vec::new();
    for _ in 0..3 {
        followers.push(Follower::of(&bed, bed.get("/v1/events").admin()).await);
    }
    let full = bed.get("/v1/events").admin().send().await;
    assert_eq!(full.status, 503, "{full:?}");
    assert_eq!(full.json()["error"]["kind"], "unavailable");
    assert!(full.headers.contains_key("retry-after"));
    let metrics = bed.get("/metrics").send().await.body;
    assert!(metrics.contains("\nalveary_event_clients 3\n"), "{metrics}");
    followers.pop();
    let until = Instant::now() + PATIENCE;
    while !bed
        .get("/metrics")
        .send()
        .await
        .body
        .contains("\nalveary_event_clients 2\n")
    {
        assert!(Instant::now() < until, "the place is not free");
        // An end is seen when something is sent.
        bed.give("sing").await;
    }
    Follower::of(&bed, bed.get("/v1/events").admin()).await;
}

#[tokio::test]
async fn thousands_who_want_to_follow_harm_nobody() {
    let bed = Bed::closed().await;
    let question = bed.get("/v1/events").admin().bytes("1.0");
    let mut refused = 0;
    let mut held = Vec::new();
    for _ in 0..2_000 {
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream.write_all(&question).await.unwrap();
        let mut first = String::new();
        let mut lines = BufReader::new(stream);
        tokio::time::timeout(PATIENCE, lines.read_line(&mut first))
            .await
            .unwrap()
            .unwrap();
        if first.contains("503") {
            refused += 1;
        } else {
            assert!(first.contains("200"), "{first}");
            held.push(lines);
        }
    }
    assert_eq!((held.len(), refused), (64, 1_936));
    assert_eq!(bed.get("/v1/tasks").admin().send().await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_the_number_of_an_event_is_refused() {
    let bed = Bed::closed().await;
    for ask in [
        bed.get("/v1/events?after=x"),
        bed.get("/v1/events?after=-1"),
        bed.get("/v1/events").header("last-event-id", "x"),
    ] {
        assert_eq!(ask.admin().send().await.status, 400);
    }
}
