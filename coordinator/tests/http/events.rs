//! Events, as they are followed.

use std::sync::Arc;
use std::time::Instant;

use alveary_coordinator::Settings;
use alveary_coordinator::http::Guard;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

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

/// How many want to follow at once, and descriptors for all of them beside the server's own.
const CROWD: usize = 10_000;
const DESCRIPTORS: u64 = 12_000;

/// Takes as many descriptors as the crowd needs.
fn make_room() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= DESCRIPTORS) {
        return;
    }
    assert!(
        maximum.is_none_or(|maximum| maximum >= DESCRIPTORS),
        "this test needs {DESCRIPTORS} descriptors (raise the hard limit: `ulimit -Hn`)"
    );
    let current = Some(DESCRIPTORS);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_who_want_to_follow_at_once_harm_nobody() {
    make_room();
    let bed = Bed::closed().await;
    let question = bed.get("/v1/events").admin().bytes("1.1");
    let mut crowd = tokio::task::JoinSet::new();
    // All stay, and so many arrive at a time: more than the system keeps in its queue would be lost there.
    let arriving = Arc::new(Semaphore::new(256));
    for _ in 0..CROWD {
        let (address, question) = (bed.address, question.clone());
        let arriving = Arc::clone(&arriving);
        crowd.spawn(async move {
            let _arrives = arriving.acquire().await.unwrap();
            let mut stream = TcpStream::connect(address).await.unwrap();
            // Who is refused at once may be cut off before it has asked.
            let _ = stream.write_all(&question).await;
            let mut first = String::new();
            let mut lines = BufReader::new(stream);
            let read = tokio::time::timeout(PATIENCE, lines.read_line(&mut first)).await;
            read.expect("one is left to wait").ok();
            // Nobody leaves before everybody has come.
            (first, lines)
        });
    }
    let (mut followers, mut refused, mut cut_off) = (Vec::new(), Vec::new(), 0);
    for (first, lines) in crowd.join_all().await {
        match first.split(' ').nth(1) {
            Some("200") => followers.push(lines),
            Some("503") => refused.push(lines),
            None => cut_off += 1,
            Some(_) => panic!("{first}"),
        }
    }
    assert_eq!(followers.len(), Guard::default().event_clients);
    // Those who come while a crowd is being told that there is no place are not told.
    assert_eq!(followers.len() + refused.len() + cut_off, CROWD);
    assert!(
        refused.len() >= 256,
        "{} were told, {cut_off} cut off",
        refused.len()
    );
    drop(refused);
    // Others are served, and those who follow hear of it, each.
    let task = bed.give("sing").await;
    for lines in followers {
        let mut follower = Follower(lines.lines());
        let told = follower.next().await;
        assert_eq!(
            (told.kind.as_str(), &told.data["what"]["task"]),
            ("task_added", &json!(task))
        );
    }
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
