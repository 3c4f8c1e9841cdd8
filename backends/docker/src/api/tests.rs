//! An engine that a test plays, at a socket: what real ones do not say on demand.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;

use super::*;

/// What is said to a request, whose connection then ends.
enum Say {
    /// This status, and this body.
    This(u16, &'static str),
    /// This status and beginning of a body, and nothing more for as long as anybody listens.
    Stall(u16, &'static str),
    /// The same, and bytes without end.
    Endless(u16, &'static str),
}

struct Played {
    _folder: TempDir,
    api: Api,
    /// Which requests there were: method and path.
    asked: Arc<Mutex<Vec<String>>>,
    /// How many bytes left without end.
    sent: Arc<AtomicU64>,
}

const VERSION: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"}"#;

impl Played {
    /// An engine that says this to what it is asked, and to `/version` that it is a Docker 20.10 unless told what.
    fn with(say: fn(&str) -> Say) -> Self {
        Self::patiently(Duration::from_mins(1), say)
    }

    /// The same, and of an image that comes nothing may be said for so long.
    fn patiently(silence: Duration, say: fn(&str) -> Say) -> Self {
        let minute = Duration::from_mins(1);
        let timeouts = (Timeouts::default().with_start(minute))
            .with_ask(minute)
            .with_remove(minute)
            .with_pull(silence);
        Self::within(timeouts, say)
    }

    fn within(timeouts: Timeouts, say: fn(&str) -> Say) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut settings = Settings::default().with_host(format!("unix://{}", socket.display()));
        settings.timeout = timeouts;
        let this = Self {
            _folder: folder,
            api: Api::new(&settings).unwrap(),
            asked: Arc::default(),
            sent: Arc::default(),
        };
        let (asked, sent) = (Arc::clone(&this.asked), Arc::clone(&this.sent));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, sent) = (Arc::clone(&asked), Arc::clone(&sent));
                tokio::spawn(async move {
                    // Whoever asked may go at any moment.
                    let _ = answer(stream, say, &asked, &sent).await;
                });
            }
        });
        this
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    stream: UnixStream,
    say: fn(&str) -> Say,
    asked: &Mutex<Vec<String>>,
    sent: &AtomicU64,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line).await?;
    let request = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let header = header.to_lowercase();
        if let Some(told) = header.strip_prefix("content-length:") {
            length = told.trim().parse().unwrap_or(0);
        }
        if header.trim().is_empty() {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length]).await?;
    asked.lock().unwrap().push(request.clone());
    let said = match say(&request) {
        Say::This(404, "") if request == "GET /version" => Say::This(200, VERSION),
        said => said,
    };
    let (Say::This(status, body) | Say::Stall(status, body) | Say::Endless(status, body)) = &said;
    // No length is told: a body ends with the connection.
    let head = format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(head.as_bytes()).await?;
    match said {
        Say::This(..) => stream.shutdown().await,
        Say::Stall(..) => stream.read(&mut [0]).await.map(|_| ()),
        Say::Endless(..) => loop {
            stream.write_all(&[b'x'; 16 << 10]).await?;
            sent.fetch_add(16 << 10, Ordering::SeqCst);
        },
    }
}

fn container() -> Ref {
    Ref::new("0123abcd").unwrap()
}

/// What a socket and a connection hold besides what was read.
const ON_THE_WAY: u64 = 1 << 20;

#[tokio::test]
async fn of_a_refusal_without_end_a_little_is_read_whoever_reads_it() {
    let played = Played::with(|request| match request {
        "GET /version" => Say::This(404, ""),
        _ => Say::Endless(500, "something went wrong"),
    });
    let (api, which) = (&played.api, container());
    let kill = api.kill(&which, Signal::KILL);
    let troubles = [
        api.start(&which).await.unwrap_err(),
        kill.await.unwrap_err(),
        api.remove(&which, true).await.unwrap_err(),
        api.rename(&which, &container()).await.unwrap_err(),
        api.pause(&which).await.unwrap_err(),
        api.unpause(&which).await.unwrap_err(),
        api.connect(&which, "net", None).await.unwrap_err(),
        api.pull("far:1", &mut |_| {}).await.unwrap_err(),
        api.inspect(&which).await.unwrap_err(),
    ];
    for trouble in &troubles {
        assert!(trouble.words.starts_with("something went wrong"));
        assert!(trouble.words.len() <= 64 << 10, "{}", trouble.words.len());
    }
    let sent = played.sent.load(Ordering::SeqCst);
    let most = troubles.len() as u64 * ON_THE_WAY;
    assert!(sent < most, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_word_about_an_image_that_never_ends_is_not_waited_for() {
    let played = Played::with(|request| match request {
        "GET /version" => Say::This(404, ""),
        _ => Say::Endless(200, "{\"status\":\"Pulling\",\"id\":\""),
    });
    let trouble = played.api.pull("far:1", &mut |_| {}).await.unwrap_err();
    assert_eq!(trouble.class, Class::Other);
    let sent = played.sent.load(Ordering::SeqCst);
    assert!(sent < (4 << 20) + ON_THE_WAY, "{sent} bytes were taken");
}

#[tokio::test]
async fn an_engine_that_says_nothing_of_an_image_for_too_long_is_given_up() {
    for stall in [
        |request: &str| match request {
            "GET /version" => Say::This(404, ""),
            _ => Say::Stall(
                200,
                "{\"status\":\"Downloading\",\"id\":\"layer\",\"progressDetail\":{\"current\":1,\"total\":2}}\n",
            ),
        },
        |request: &str| match request {
            "GET /version" => Say::This(404, ""),
            _ => Say::Stall(500, ""),
        },
    ] {
        let played = Played::patiently(Duration::from_millis(200), stall);
        let trouble = played.api.pull("far:1", &mut |_| {}).await.unwrap_err();
        assert_eq!(trouble.class, Class::Stalled);
        let error = trouble.error(Operation::Spawn);
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.cure().unwrap().contains("timeout.pull"), "{error}");
    }
}

/// A library that counts in whole seconds makes nothing of half a one, and gives up before it has asked.
#[tokio::test]
async fn a_time_limit_of_less_than_a_second_is_that_long() {
    let limit = Duration::from_millis(900);
    let briefly = || Timeouts::default().with_ask(limit).with_start(limit);
    let prompt = Played::within(briefly(), |request| match request {
        "GET /version" => Say::This(404, ""),
        "POST /v1.41/containers/x/start" => Say::This(204, ""),
        _ => Say::This(200, "[]"),
    });
    prompt.api.start(&Ref::new("x").unwrap()).await.unwrap();
    assert_eq!(
        prompt.api.list("label", "beginning").await.unwrap().len(),
        0
    );
    let stalling = Played::within(briefly(), |request| match request {
        "GET /version" => Say::This(404, ""),
        _ => Say::Stall(200, "["),
    });
    let began = Instant::now();
    let trouble = stalling.api.list("label", "beginning").await.unwrap_err();
    let took = began.elapsed();
    assert_eq!(trouble.class, Class::Lost);
    assert!(took >= limit && took < 10 * limit, "{took:?}");
}

#[tokio::test]
async fn an_image_comes_layer_by_layer_and_what_goes_wrong_is_told() {
    let played = Played::with(|request| match request {
        "POST /v1.41/images/create?fromImage=far/away&tag=latest" => Say::This(
            200,
            "{\"status\":\"Pulling from far/away\",\"id\":\"latest\"}\n\
             {\"status\":\"Downloading\",\"id\":\"a\",\"progressDetail\":{\"current\":3,\"total\":4}}\n",
        ),
        "POST /v1.41/images/create?fromImage=far%3A1" => Say::This(
            200,
            "{\"status\":\"Pulling\"}\n{\"errorDetail\":{\"message\":\"x\"},\"error\":\"manifest unknown\"}\n",
        ),
        "POST /v1.41/images/create?fromImage=away%3A1" => Say::This(
            200,
            "{\"error\":\"Get \\\"https://away/v2/\\\": dial tcp 192.0.2.1:443: connect: connection refused\"}\n",
        ),
        _ => Say::This(404, ""),
    });
    let mut told = Vec::new();
    let mut tell = |stage| told.push(stage);
    played.api.pull("far/away", &mut tell).await.unwrap();
    let bytes = alveary_core::FetchUnit::Bytes;
    let last = alveary_core::FetchStage::UnderWay {
        done: 3,
        total: Some(4),
        unit: bytes,
    };
    assert_eq!(told.last(), Some(&last));
    let trouble = played.api.pull("far:1", &mut |_| {}).await.unwrap_err();
    assert_eq!(trouble.class, Class::NoImage);
    // It is the registry that is not reached.
    let trouble = played.api.pull("away:1", &mut |_| {}).await.unwrap_err();
    assert_eq!(trouble.class, Class::Other);
}

#[tokio::test]
async fn every_request_names_the_version_that_the_engine_was_found_to_speak() {
    let played = Played::with(|request| match request {
        "GET /version" => Say::This(
            200,
            r#"{"Version":"29.0.0","ApiVersion":"1.52","MinAPIVersion":"1.44"}"#,
        ),
        _ => Say::This(500, r#"{"message":"no"}"#),
    });
    let (api, which) = (&played.api, container());
    let _ = api.start(&which).await;
    let _ = api.kill(&which, Signal::TERM).await;
    let _ = api.inspect(&which).await;
    let _ = api.remove(&which, false).await;
    let _ = api.list("a=b", "").await;
    let _ = api.added(&which).await;
    let _ = api.pull("far:1", &mut |_| {}).await;
    let asked = played.asked();
    assert_eq!(asked[0], "GET /version");
    assert_eq!(asked.len(), 8, "{asked:?}");
    for request in &asked[1..] {
        // The newest that both know.
        assert!(request.contains(" /v1.51/"), "{request}");
    }
}

/// One that serves 1.41 alone, and from then on the next ones alone.
fn upgrades(is_new: &AtomicBool, request: &str) -> Say {
    let is_new = is_new.load(Ordering::SeqCst);
    match request {
        "GET /version" if is_new => Say::This(
            200,
            r#"{"Version":"29.0.0","ApiVersion":"1.52","MinAPIVersion":"1.44"}"#,
        ),
        "GET /version" => Say::This(200, VERSION),
        request if is_new && request.contains(" /v1.41/") => Say::This(
            400,
            r#"{"message":"client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version"}"#,
        ),
        _ => Say::This(200, "[]"),
    }
}

#[tokio::test]
async fn an_engine_that_was_upgraded_is_asked_anew_what_it_speaks() {
    static IS_NEW: AtomicBool = AtomicBool::new(false);
    let played = Played::with(|request| upgrades(&IS_NEW, request));
    let (api, which) = (&played.api, container());
    let asks = async || api.list("a=b", "").await.map(|_| ());
    asks().await.unwrap();
    // Whichever way it is asked by, its refusal is heard.
    for refused in [0, 1] {
        IS_NEW.store(true, Ordering::SeqCst);
        let answer = match refused {
            0 => asks().await,
            _ => api.start(&which).await,
        };
        assert_eq!(answer.unwrap_err().class, Class::Version);
        asks().await.unwrap();
        let last = played.asked().pop().unwrap();
        assert!(last.starts_with("GET /v1.51/"), "{last}");
        IS_NEW.store(false, Ordering::SeqCst);
        api.facts().await.unwrap();
        asks().await.unwrap();
    }
}

#[tokio::test]
async fn an_engine_whose_version_is_asked_for_is_spoken_with_in_that_one() {
    static IS_NEW: AtomicBool = AtomicBool::new(false);
    let played = Played::with(|request| upgrades(&IS_NEW, request));
    let asks = async || played.api.list("a=b", "").await.map(|_| ());
    asks().await.unwrap();
    IS_NEW.store(true, Ordering::SeqCst);
    assert_eq!(played.api.facts().await.unwrap().api, "1.51");
    asks().await.unwrap();
}

#[tokio::test]
async fn an_engine_older_than_docker_20_10_is_refused_with_the_cure() {
    let facts = Played::with(|_| Say::This(200, VERSION)).api.facts().await;
    assert_eq!(facts.unwrap().api, "1.41");
    let old = Played::with(|_| {
        Say::This(
            200,
            r#"{"Version":"19.03.15","ApiVersion":"1.40","MinAPIVersion":"1.12"}"#,
        )
    });
    let new = Played::with(|_| {
        Say::This(
            200,
            r#"{"Version":"40.0.0","ApiVersion":"1.90","MinAPIVersion":"1.60"}"#,
        )
    });
    for (played, serves) in [(old, "1.12 to 1.40"), (new, "1.60 to 1.90")] {
        let error = played.api.facts().await.unwrap_err();
        let error = error.error(Operation::Check);
        assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
        let words = format!("it serves the versions {serves}, and 1.41 to 1.51 are known here");
        assert_eq!(error.engine_words(), Some(words.as_str()));
        let cure = "use an engine of Docker 20.10 or newer, or Podman 4 or newer";
        assert_eq!(error.cure(), Some(cure));
    }
}

#[tokio::test]
async fn a_wait_that_is_answered_with_nothing_is_only_a_hint() {
    let played = Played::with(|_| Say::This(200, ""));
    // It ends, and says nothing of an end.
    let patience = Duration::from_mins(1);
    let before = Instant::now();
    played.api.until_ended(&container(), patience).await;
    assert!(before.elapsed() < patience);
}
