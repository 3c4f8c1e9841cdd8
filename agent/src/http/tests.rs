use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A server that gives one answer to everything, and keeps what it was asked.
struct Canned {
    url: String,
    asked: std::sync::Arc<Mutex<Vec<String>>>,
    _serving: tokio_util::task::AbortOnDropHandle<()>,
}

impl Canned {
    async fn new(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = std::sync::Arc::<Mutex<Vec<String>>>::default();
        let keep = asked.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let question = question(&mut stream).await;
                keep.lock().unwrap().push(question);
                // The client may have hung up over what it was sent.
                let _ = stream.write_all(&answer).await;
            }
        });
        Self {
            url,
            asked,
            _serving: tokio_util::task::AbortOnDropHandle::new(serving),
        }
    }

    fn transport(&self) -> HttpTransport {
        HttpTransport::new(&self.url).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Head and body of a request.
async fn question(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) || count == 0 {
            return String::from_utf8_lossy(&read).into_owned();
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

fn agent() -> AgentId {
    "timmy".parse().unwrap()
}

fn pulse() -> Pulse {
    Pulse {
        agent_id: agent(),
        attempts: Vec::new(),
    }
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_url_and_a_path_in_it_are_as_good() {
    let server = Canned::new(answer("200 OK", "", r#"{"superseded": []}"#)).await;
    for base in ["", "/", "/hive", "/hive/"] {
        let transport = HttpTransport::new(&format!("{}{base}", server.url)).unwrap();
        transport.pulse(&pulse()).await.unwrap();
    }
    let paths: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.lines().next().unwrap().to_owned())
        .collect();
    let plain = "POST /v1/heartbeats HTTP/1.1";
    let below = "POST /hive/v1/heartbeats HTTP/1.1";
    assert_eq!(paths, [plain, plain, below, below]);
}

#[test]
fn a_url_that_is_none_or_tells_too_much_is_refused() {
    for (url, why) in [
        ("coordinator", InvalidUrl::Form),
        ("", InvalidUrl::Form),
        ("https://host", InvalidUrl::Scheme("https".to_owned())),
        ("http://me:secret@host", InvalidUrl::Credentials),
        ("http://host/?token=secret", InvalidUrl::Query),
        ("http://host/#there", InvalidUrl::Query),
    ] {
        assert_eq!(HttpTransport::new(url).unwrap_err(), why, "{url}");
    }
}

#[tokio::test]
async fn the_book_is_followed_from_where_the_last_answer_ended() {
    let server = Canned::new(answer("200 OK", "X-Alveary-After: 41\r\n", "[]")).await;
    let transport = server.transport();
    let open = transport
        .open_tasks(None, Duration::from_millis(1500))
        .await
        .unwrap();
    assert_eq!(open.after, Some(EventId(41)));
    transport
        .open_tasks(open.after, Duration::ZERO)
        .await
        .unwrap();
    let asked = server.asked();
    assert!(
        asked[0].starts_with("GET /internal/tasks?wait=1500ms HTTP"),
        "{}",
        asked[0]
    );
    assert!(
        asked[1].starts_with("GET /internal/tasks?wait=0ms&after=41 HTTP"),
        "{}",
        asked[1]
    );
}

#[tokio::test]
async fn the_token_is_in_a_header_and_nowhere_else() {
    let server = Canned::new(answer("404 Not Found", "", "{}")).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "s3cret").unwrap();
    let transport = server.transport().with_token(TokenFile::new(file.path()));
    let error = transport.pulse(&pulse()).await.unwrap_err();
    assert!(server.asked()[0].contains("authorization: Bearer s3cret\r\n"));
    for shown in [
        format!("{transport:?}"),
        format!("{error:?}"),
        error.to_string(),
    ] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test]
async fn a_refused_token_is_read_again_once() {
    let server = Canned::new(answer("401 Unauthorized", "", "")).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "old").unwrap();
    let transport = server.transport().with_token(TokenFile::new(file.path()));
    transport.pulse(&pulse()).await.unwrap_err();
    std::fs::write(file.path(), "new").unwrap();
    let error = transport.pulse(&pulse()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.cure().unwrap().contains("COORDINATOR_TOKEN_FILE"));
    let shown: Vec<_> = server
        .asked()
        .iter()
        .filter_map(|asked| Some(asked.split_once("Bearer ")?.1.lines().next()?.to_owned()))
        .collect();
    assert_eq!(shown, ["old", "old", "old", "new"]);
}

#[tokio::test]
async fn a_token_file_that_is_missing_or_empty_is_named() {
    let server = Canned::new(answer("200 OK", "", "{}")).await;
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [Path::new("/nowhere/token"), empty.path()] {
        let transport = server.transport().with_token(TokenFile::new(path));
        let error = transport.pulse(&pulse()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn refusals_have_their_kind_and_their_words() {
    let problem =
        r#"{"error": {"kind": "superseded", "message": "another has it", "cure": "drop it"}}"#;
    let older = r#"{"detail": "bid_sats must be > 0"}"#;
    for (status, body, kind, words) in [
        (
            "409 Conflict",
            problem,
            ErrorKind::Superseded,
            "another has it (drop it)",
        ),
        (
            "422 Unprocessable Entity",
            older,
            ErrorKind::Invalid,
            "bid_sats must be > 0",
        ),
        (
            "403 Forbidden",
            "",
            ErrorKind::Forbidden,
            "COORDINATOR_TOKEN_FILE",
        ),
        ("404 Not Found", "", ErrorKind::NotFound, "404"),
        ("502 Bad Gateway", "<html>", ErrorKind::Unavailable, "502"),
        (
            "500 Internal Server Error",
            "",
            ErrorKind::Unavailable,
            "500",
        ),
        ("418 I'm a teapot", "", ErrorKind::Protocol, "418"),
    ] {
        let server = Canned::new(answer(status, "", body)).await;
        let error = server.transport().pulse(&pulse()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn too_many_calls_are_told_how_long_to_wait() {
    let server = Canned::new(answer("429 Too Many Requests", "retry-after: 2\r\n", "")).await;
    let error = server.transport().pulse(&pulse()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.after()),
        (ErrorKind::Busy, Some(Duration::from_secs(2)))
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Canned::new(answer("200 OK", "", r#"{"superseded": []}"#)).await;
    let location = format!("location: {}/v1/heartbeats\r\n", elsewhere.url);
    let server = Canned::new(answer("307 Temporary Redirect", &location, "")).await;
    let error = server.transport().pulse(&pulse()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("elsewhere"), "{error}");
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    endless.resize(endless.len() + 40 * 1024 * 1024, b' ');
    let server = Canned::new(endless).await;
    let error = server.transport().pulse(&pulse()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("more than"), "{error}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_be_asked_for_again() {
    let server = Canned::new("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await;
    let error = server.transport().pulse(&pulse()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn what_is_no_coordinator_is_said_to_be_none() {
    let server = Canned::new(answer("200 OK", "", "<html>hello</html>")).await;
    let error = server.transport().pulse(&pulse()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(
        error.to_string().contains("is not what a coordinator says"),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let began = Instant::now();
    let error = HttpTransport::new(&url)
        .unwrap()
        .pulse(&pulse())
        .await
        .unwrap_err();
    assert!(began.elapsed() < CONNECT);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let said = error.to_string();
    assert!(said.contains(&url) && said.contains("refused"), "{said}");
}

#[tokio::test]
async fn nothing_won_is_an_answer_without_a_body() {
    let server = Canned::new("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let request = ClaimRequest {
        agent_id: agent(),
        holding: Vec::new(),
        wait: Duration::ZERO,
    };
    assert_eq!(server.transport().claim(&request).await.unwrap(), None);
    server.transport().leave(&agent()).await.unwrap();
    assert!(server.asked()[1].starts_with("DELETE /v1/agents/timmy HTTP"));
}

#[tokio::test]
async fn who_gives_tasks_gives_them_under_a_key_and_asks_for_the_page_that_is_wanted() {
    let canned = Canned::new(answer("201 Created", "", r#"{"tasks": []}"#)).await;
    let client = TaskClient::new(&canned.url).unwrap();
    let task = crate::protocol::NewTask::new("sing".parse().unwrap());
    let key = "k1".parse().unwrap();
    assert!(client.add(&[task], Some(&key)).await.unwrap().is_empty());
    let asked = canned.asked().remove(0);
    assert!(asked.starts_with("POST /v1/tasks HTTP/1.1"), "{asked}");
    assert!(asked.contains("idempotency-key: k1"), "{asked}");
    assert!(asked.ends_with(r#"[{"description":"sing"}]"#), "{asked}");

    let canned = Canned::new(answer("200 OK", "", r#"{"tasks": [], "next": null}"#)).await;
    let client = TaskClient::new(&canned.url).unwrap();
    let query = TaskQuery {
        status: Some(crate::protocol::TaskStatus::Failed),
        agent: Some(agent()),
        limit: Some(7),
        newest_first: true,
        ..TaskQuery::default()
    };
    assert_eq!(client.tasks(&query).await.unwrap().next, None);
    let asked = canned.asked().remove(0);
    let path = "GET /v1/tasks?status=failed&agent=timmy&limit=7&order=newest HTTP/1.1";
    assert!(asked.starts_with(path), "{asked}");
}

#[tokio::test]
async fn events_are_told_in_order_and_a_gap_in_them_too() {
    use futures_util::StreamExt as _;

    let event = |id: u32| {
        let task = TaskId::random();
        format!(
            "id: {id}\nevent: task_added\ndata: {{\"id\":{id},\"at\":\"2026-01-31T12:00:00.000Z\",\"what\":{{\"kind\":\"task_added\",\"task\":\"{task}\"}}}}\n\n"
        )
    };
    let resync = "event: resync\ndata: {\"lost\":3}\n\n";
    let body = format!(": hello\nretry: 1000\n\n{}{resync}{}", event(1), event(5));
    let head = "content-type: text/event-stream\r\n";
    let canned = Canned::new(answer("200 OK", head, &body)).await;
    let client = TaskClient::new(&canned.url).unwrap();
    let told: Vec<_> = client
        .events(Some(EventId(0)))
        .await
        .unwrap()
        .collect()
        .await;
    let ids: Vec<_> = told
        .into_iter()
        .map(|news| match news.unwrap() {
            News::Event(event) => Some(event.id.0),
            News::Missed => None,
        })
        .collect();
    assert_eq!(ids, [Some(1), None, Some(5)]);
    assert!(canned.asked()[0].starts_with("GET /v1/events?after=0 "));
}

#[tokio::test]
async fn an_event_without_an_end_is_not_kept_for_ever() {
    use futures_util::StreamExt as _;

    let body = format!("data: \"{}", "x".repeat(3 * 1024 * 1024));
    let canned = Canned::new(answer("200 OK", "", &body)).await;
    let client = TaskClient::new(&canned.url).unwrap();
    let mut events = client.events(None).await.unwrap();
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(events.next().await.is_none());
}
