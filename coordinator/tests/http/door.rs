//! The door: what is let in, and what is not.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use alveary_coordinator::http::{Guard, Listeners, Rate, Server};
use alveary_coordinator::{Bidders, Coordinator, Database, Settings, Tokens};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use super::bed::{Answer, Ask, Bed, PATIENCE};

fn anybody() -> Settings {
    Settings::default().with_bidders(Bidders::Anybody)
}

/// How long the HTTP library waits for a head where it is told nothing: that is not what is tried.
const OF_THE_LIBRARY: Duration = Duration::from_secs(30);

fn guard(change: impl FnOnce(&mut Guard)) -> Guard {
    let mut guard = Guard::default();
    change(&mut guard);
    guard
}

#[tokio::test]
async fn a_foreign_host_is_told_that_it_is_in_the_wrong_place() {
    let bed = Bed::open().await;
    for host in ["evil.example", "127.0.0.1.evil.example", "192.0.2.1:80"] {
        let answer = bed.get("/internal/tasks").header("host", host).send().await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(answer.json()["detail"].is_string());
    }
    for host in ["localhost", "127.0.0.1", "[::1]", "host.docker.internal:9"] {
        let answer = bed.get("/internal/tasks").header("host", host).send().await;
        assert_eq!(answer.status, 200, "{host}");
    }
    let none = bed.raw(b"GET /internal/tasks HTTP/1.0\r\n\r\n").await;
    assert_eq!(Answer::read(&none).unwrap().status, 400);
}

#[tokio::test]
async fn a_name_that_was_given_is_its_own() {
    let guard = guard(|guard| guard.hosts.push("swarm.example".to_owned()));
    let bed = Bed::with(anybody(), guard).await;
    let answer = bed
        .get("/internal/tasks")
        .header("host", "swarm.example:80")
        .send()
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn who_comes_from_elsewhere_is_not_heard() {
    let bed = Bed::with(
        anybody(),
        guard(|guard| guard.from = vec!["127.0.0.2/31".parse().unwrap()]),
    )
    .await;
    // All of 127.0.0.0/8 is this host, so that one can come from any of it.
    let answered = async |from: [u8; 4]| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect(bed.address).await.unwrap();
        let mut answer = Vec::new();
        // One that was closed before it was asked takes no question, or no more than that.
        let _ = stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await;
        let _ = stream.read_to_end(&mut answer).await;
        Answer::read(&answer).map(|answer| answer.status)
    };
    assert_eq!(answered([127, 0, 0, 1]).await, None);
    assert_eq!(answered([127, 0, 0, 2]).await, Some(200));
    assert_eq!(answered([127, 0, 0, 3]).await, Some(200));
    assert_eq!(answered([127, 0, 0, 4]).await, None);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_give_a_task() {
    let bed = Bed::open().await;
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = bed
            .post("/swarm/tasks")
            .header("origin", origin)
            .form("description=evil")
            .send()
            .await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    let picture = bed
        .get("/internal/tasks?wait=20s")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(picture.send().await.status, 403);
    assert_eq!(bed.get("/internal/tasks").send().await.json(), json!([]));
    let own = bed
        .post("/swarm/tasks")
        .header("origin", format!("http://{}", bed.address))
        .form("description=good");
    assert_eq!(own.send().await.status, 200);
}

#[tokio::test]
async fn a_wrong_token_is_refused_where_none_is_asked_for_too() {
    let bed = Bed::open().await;
    let stranger = Tokens::random();
    for token in [
        "",
        "x",
        stranger.admin().expose(),
        stranger.agent(&Bed::agent("a")).expose(),
    ] {
        for path in ["/internal/tasks", "/v1/tasks", "/healthz", "/"] {
            let answer = bed.get(path).bearer(token).send().await;
            assert_eq!(answer.status, 401, "{path}");
        }
    }
    let two = bed.get("/healthz").admin().admin().send().await;
    assert_eq!(two.status, 401);
    let basic = bed
        .get("/healthz")
        .header("authorization", "Basic YTph")
        .send()
        .await;
    assert_eq!(basic.status, 401);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let guard = guard(|guard| guard.header_time = Duration::from_millis(300));
    let bed = Bed::with(anybody(), guard).await;
    let began = Instant::now();
    let read = bed
        .raw(b"GET /internal/tasks HTTP/1.1\r\nhost: localhost\r\nx: ")
        .await;
    assert!(
        began.elapsed() >= Duration::from_millis(250),
        "{:?}",
        began.elapsed()
    );
    assert!(!String::from_utf8_lossy(&read).contains("200 OK"));
}

#[tokio::test]
async fn a_head_that_drips_is_not_waited_for_and_gives_its_place_to_others() {
    const PLACES: usize = 8;
    let guard = guard(|guard| {
        guard.header_time = Duration::from_secs(3);
        guard.connections = PLACES;
    });
    let bed = Bed::with(anybody(), guard).await;
    let began = Instant::now();
    let mut drips = Vec::new();
    for _ in 0..PLACES {
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ")
            .await
            .unwrap();
        drips.push(tokio::spawn(async move {
            // A little now and then, without end: a time-out between bytes would never come.
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            let mut some = [0; 64];
            loop {
                tokio::select! {
                    _ = tick.tick() => if stream.write_all(b"y").await.is_err() { return },
                    read = stream.read(&mut some) => if !matches!(read, Ok(1..)) { return },
                }
            }
        }));
    }
    let full = bed.raw(&bed.get("/healthz").bytes("1.0")).await;
    assert_eq!(Answer::read(&full).unwrap().status, 503);
    for drip in drips {
        tokio::time::timeout(PATIENCE, drip)
            .await
            .expect("it is kept")
            .unwrap();
    }
    let took = began.elapsed();
    assert!(
        took >= Duration::from_millis(2500) && took < OF_THE_LIBRARY,
        "{took:?}"
    );
    bed.until_counted("alveary_event_clients", 0).await;
}

#[tokio::test]
async fn a_connection_that_idles_is_not_kept() {
    let guard = guard(|guard| guard.header_time = Duration::from_secs(1));
    let bed = Bed::with(anybody(), guard).await;
    let began = Instant::now();
    bed.raw(b"").await;
    let read = bed
        .raw(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert_eq!(Answer::read(&read).unwrap().status, 200);
    assert!(began.elapsed() < OF_THE_LIBRARY, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let guard = guard(|guard| guard.body_time = Duration::from_millis(300));
    let bed = Bed::with(anybody(), guard).await;
    let read = bed
        .raw(b"POST /internal/bids HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{")
        .await;
    assert_eq!(Answer::read(&read).unwrap().status, 408);
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let bed = Bed::open().await;
    let endless = format!(
        "GET /internal/tasks HTTP/1.1\r\nhost: localhost\r\nx: {}",
        "y".repeat(1 << 20)
    );
    let read = bed.raw(endless.as_bytes()).await;
    let answer = Answer::read(&read);
    assert!(answer.is_none_or(|answer| answer.status == 431));
    assert_eq!(bed.get("/healthz").send().await.status, 200);
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_harms_nobody() {
    let bed = Bed::open().await;
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\r\n\r\n",
    ] {
        let read = bed.raw(noise).await;
        assert!(Answer::read(&read).is_none_or(|answer| answer.status < 500));
    }
    assert_eq!(bed.get("/healthz").send().await.status, 200);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_a_place_that_is_left_is_free() {
    let guard = guard(|guard| guard.connections = 2);
    let bed = Bed::with(anybody(), guard).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut some = [0; 12];
        stream.read_exact(&mut some).await.unwrap();
        assert_eq!(&some, b"HTTP/1.1 200");
        held.push(stream);
    }
    let read = bed.raw(b"").await;
    let answer = Answer::read(&read).unwrap();
    assert_eq!(
        (answer.status, answer.headers["retry-after"].as_str()),
        (503, "1")
    );
    drop(held.pop());
    let until = Instant::now() + PATIENCE;
    loop {
        let read = bed.raw(&bed.get("/healthz").bytes("1.0")).await;
        if Answer::read(&read).is_some_and(|answer| answer.status == 200) {
            break;
        }
        assert!(Instant::now() < until, "the place is not free");
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_wait_and_others_are_not() {
    let guard = guard(|guard| {
        guard.rate = Rate {
            per_second: NonZeroU32::MIN,
            burst: NonZeroU32::new(5).unwrap(),
        };
    });
    let bed = Bed::with(anybody(), guard).await;
    let mut last = None;
    for _ in 0..6 {
        last = Some(bed.get("/internal/tasks").agent("wild").send().await);
    }
    let last = last.unwrap();
    assert_eq!(last.status, 429);
    assert_eq!(last.headers["retry-after"], "1");
    assert_eq!(
        bed.get("/internal/tasks").agent("calm").send().await.status,
        200
    );
    assert_eq!(bed.get("/v1/agents").admin().send().await.status, 200);
}

#[tokio::test]
async fn no_answer_goes_without_its_shield() {
    let bed = Bed::open().await;
    for ask in [
        bed.get("/"),
        bed.get("/healthz"),
        bed.get("/nothing"),
        bed.get("/").header("host", "evil.example"),
    ] {
        let answer = ask.send().await;
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["x-frame-options"], "DENY");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(answer.headers["content-security-policy"].contains("default-src 'none'"));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn a_server_that_takes_anybody_does_not_leave_loopback_unless_told_to() {
    let open = async |allowed: bool, cancel: &CancellationToken| {
        let coordinator = Coordinator::open(anybody(), Database::Memory)
            .await
            .unwrap();
        let listeners = Listeners::bind(&["0.0.0.0:0".parse().unwrap()])
            .await
            .unwrap();
        let guard = guard(|guard| guard.anybody_from_anywhere = allowed);
        let server = Server::new(coordinator, Tokens::random()).with_guard(guard);
        server.serve(listeners, cancel.clone()).await
    };
    let cancel = CancellationToken::new();
    let refused = open(false, &cancel).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(refused.to_string().contains("0.0.0.0"), "{refused}");
    cancel.cancel();
    open(true, &cancel).await.unwrap();
}

/// Ends a server that somebody still asks something, and gives what they are answered.
async fn ended(bed: &mut Bed, asked: Vec<TcpStream>) -> Vec<Vec<u8>> {
    bed.cancel.cancel();
    let served = bed.served.take().unwrap();
    tokio::time::timeout(PATIENCE, served)
        .await
        .expect("it does not end")
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(bed.address).await.is_err());
    let mut answers = Vec::new();
    for mut stream in asked {
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        answers.push(read);
    }
    answers
}

/// A server in no hurry: who is not let go at its end holds it up for longer than a test has patience.
async fn unhurried() -> Bed {
    let guard = guard(|guard| {
        guard.drain = PATIENCE * 3;
        guard.longest_wait = PATIENCE * 3;
    });
    Bed::with(anybody().with_auction(PATIENCE * 3), guard).await
}

async fn begin(bed: &Bed, ask: Ask<'_>) -> TcpStream {
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    stream.write_all(&ask.bytes("1.1")).await.unwrap();
    stream
}

#[tokio::test]
async fn the_end_answers_who_waits_and_lets_go_who_follows() {
    let mut bed = unhurried().await;
    let register = json!({"agent_id": "echo", "name": "echo"});
    bed.post("/v1/agents").admin().json(&register).send().await;
    let claim = json!({"agent_id": "echo", "wait_ms": 60_000});
    let asked = vec![
        begin(&bed, bed.get("/internal/tasks?wait=60s")).await,
        begin(&bed, bed.post("/v1/claims").admin().json(&claim)).await,
        begin(&bed, bed.get("/v1/events").admin()).await,
    ];
    bed.until_waiting(2).await;
    bed.until_counted("alveary_event_clients", 1).await;
    let answers = ended(&mut bed, asked).await;
    let read = |at: usize| Answer::read(&answers[at]).unwrap();
    assert_eq!((read(0).status, read(0).json()), (200, json!([])));
    assert_eq!(read(1).status, 204);
    assert_eq!(read(2).status, 200);
    // A stream that is cut off lacks its last chunk.
    assert!(answers[2].ends_with(b"\r\n0\r\n\r\n"), "{:?}", read(2));
}

#[tokio::test]
async fn the_end_tells_who_waits_for_an_auction_that_it_will_not_be_told() {
    let mut bed = unhurried().await;
    let ask = bed.post("/swarm/tasks/auction").form("description=sing");
    let asked = vec![begin(&bed, ask).await];
    bed.until_waiting(1).await;
    let answers = ended(&mut bed, asked).await;
    let answer = Answer::read(&answers[0]).unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.headers["retry-after"], "1");
}
