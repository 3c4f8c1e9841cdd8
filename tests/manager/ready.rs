//! Readiness: by a line, by an answer, by time, or by running.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use alveary::{
    AgentSpec, ErrorKind, Probe, Ready, ReadyCheck, RemoveOptions, Restart, StopOptions,
    SwarmManager,
};

use crate::house::{is_running, memory, swarm};

#[tokio::test(start_paused = true)]
async fn without_a_check_an_agent_is_ready_when_it_runs() {
    let swarm = swarm();
    let echo = swarm.spawn(AgentSpec::new("echo", ["stay"])).await.unwrap();
    swarm.wait_ready(&echo.id).await.unwrap();
    assert!(swarm.get(&echo.id).await.unwrap().ready);
    swarm.stop(&echo.id, StopOptions::default()).await.unwrap();
    assert!(!swarm.get(&echo.id).await.unwrap().ready);
}

#[tokio::test(start_paused = true)]
async fn a_line_of_output_makes_it_ready_and_not_before() {
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["say", "3000", "now listening on 80"])
        .ready(ReadyCheck::Log("listening".into()));
    let echo = swarm.spawn(spec).await.unwrap();
    assert!(!swarm.get(&echo.id).await.unwrap().ready);
    let begun = tokio::time::Instant::now();
    swarm.wait_ready(&echo.id).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert!(swarm.get(&echo.id).await.unwrap().ready);
}

#[tokio::test(start_paused = true)]
async fn a_while_of_running_makes_it_ready() {
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["stay"]).ready(ReadyCheck::Delay(Duration::from_secs(7)));
    // How long it has run already is told by the wall's clock, which no test stops.
    let before = std::time::Instant::now();
    let echo = swarm.spawn(spec).await.unwrap();
    let begun = tokio::time::Instant::now();
    swarm.wait_ready(&echo.id).await.unwrap();
    let (took, really) = (begun.elapsed(), before.elapsed());
    assert!(
        took + really >= Duration::from_millis(6900) && took < Duration::from_secs(9),
        "{took:?}, {really:?}"
    );
}

#[tokio::test]
async fn an_open_port_makes_it_ready() {
    // It is nobody else's, and nobody listens.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["stay"]).ready(Probe::Tcp(address));
    let echo = swarm.spawn(spec).await.unwrap();
    let (ready, _listener) = tokio::join!(swarm.wait_ready(&echo.id), async {
        assert!(!swarm.get(&echo.id).await.unwrap().ready);
        socket.listen(16).unwrap()
    });
    ready.unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_too_long_is_told_what_was_not_seen_and_the_agent_goes_on() {
    let swarm = swarm();
    let check = Ready::new(ReadyCheck::Log("listening".into())).timeout(Duration::from_secs(30));
    let spec = AgentSpec::new("echo", ["say", "40000", "listening"]).ready(check);
    let echo = swarm.spawn(spec).await.unwrap();
    let error = swarm.wait_ready(&echo.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let text = error.to_string();
    assert!(
        text.contains("no line of its output contained `listening`"),
        "{text}"
    );
    assert!(text.contains("30s"), "{text}");
    assert!(is_running(&swarm, &echo.id));
    // It is looked at on.
    swarm.wait_ready(&echo.id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_that_ended_before_it_was_ready_is_not_waited_for() {
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["exit", "3"]).ready(ReadyCheck::Log("listening".into()));
    let echo = swarm.spawn(spec).await.unwrap();
    let error = swarm.wait_ready(&echo.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("exited with code 3"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn each_start_is_looked_at_for_itself() {
    let swarm = swarm();
    let policy = Restart::always()
        .at_most(5, Duration::from_mins(1))
        .delay(Duration::from_secs(1), Duration::from_secs(1));
    let spec = AgentSpec::new("echo", ["say", "500", "listening"])
        .ready(ReadyCheck::Log("listening".into()))
        .restart(policy);
    let echo = swarm.spawn(spec).await.unwrap();
    let first = swarm.wait_ready(&echo.id).await.unwrap();
    let second = swarm
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap();
    assert!(!swarm.get(&echo.id).await.unwrap().ready);
    let ready = swarm.wait_ready(&echo.id).await.unwrap();
    assert_eq!(ready.incarnation, second.incarnation);
    assert_ne!(ready.incarnation, first.incarnation);
}

/// What answers, and how often it was asked.
struct Server {
    address: std::net::SocketAddr,
    asked: Arc<AtomicUsize>,
}

/// Answers each connection with the next of these, the last for ever; `endless` is said again and again behind it.
#[expect(
    clippy::unwrap_used,
    reason = "this is a test's, though not inside a `#[test]`"
)]
fn serve(answers: &'static [&'static str], endless: &'static str) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let turn = counted.fetch_add(1, SeqCst).min(answers.len() - 1);
            std::thread::spawn(move || {
                let mut connection = connection.unwrap();
                let _ = connection.read(&mut [0; 4096]);
                let mut sent = connection.write_all(answers[turn].as_bytes());
                while sent.is_ok() && !endless.is_empty() {
                    sent = connection.write_all(endless.as_bytes());
                }
            });
        }
    });
    Server { address, asked }
}

fn http(server: &Server) -> Probe {
    Probe::Http(format!("http://{}/health?of=echo", server.address))
}

#[tokio::test]
async fn an_answer_over_http_makes_it_ready_and_an_error_does_not() {
    const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    let server = serve(&[REFUSAL, REFUSAL, "HTTP/1.1 204 No Content\r\n\r\n"], "");
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["stay"]).ready(http(&server));
    let echo = swarm.spawn(spec).await.unwrap();
    swarm.wait_ready(&echo.id).await.unwrap();
    assert_eq!(server.asked.load(SeqCst), 3);
}

#[tokio::test]
async fn a_redirection_is_an_answer_and_is_not_followed() {
    let elsewhere = serve(&["HTTP/1.1 200 OK\r\n\r\n"], "");
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.address
    );
    let answer: &'static str = Box::leak(answer.into_boxed_str());
    let server = serve(Box::leak(Box::new([answer])), "");
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["stay"]).ready(http(&server));
    let echo = swarm.spawn(spec).await.unwrap();
    swarm.wait_ready(&echo.id).await.unwrap();
    assert_eq!(server.asked.load(SeqCst), 1);
    assert_eq!(elsewhere.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn a_body_without_end_holds_up_nothing() {
    let server = serve(&["HTTP/1.1 200 OK\r\n\r\n"], "and so on, ");
    let swarm = swarm();
    let check = Ready::from(http(&server)).timeout(Duration::from_secs(4));
    let spec = AgentSpec::new("echo", ["stay"]).ready(check);
    let echo = swarm.spawn(spec).await.unwrap();
    swarm.wait_ready(&echo.id).await.unwrap();
}

#[tokio::test]
async fn a_head_without_end_is_no_answer_and_is_not_read_to_its_end() {
    let server = serve(&["HTTP/1.1 200 OK\r\n"], "x-more: of the same\r\n");
    let swarm = swarm();
    let check = Ready::from(http(&server)).timeout(Duration::from_secs(2));
    let spec = AgentSpec::new("echo", ["stay"]).ready(check);
    let echo = swarm.spawn(spec).await.unwrap();
    let error = swarm.wait_ready(&echo.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("did not answer"), "{error}");
    // It gave each up long before the five seconds that an answer may take.
    assert!(server.asked.load(SeqCst) > 1);
}

#[tokio::test]
async fn no_other_host_is_asked() {
    let swarm = swarm();
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "https://localhost/",
    ] {
        let spec = AgentSpec::new("echo", ["stay"]).ready(Probe::Http(url.into()));
        let error = swarm.spawn(spec).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{url}");
    }
    // What only turns out to be one: a number that the resolver takes for an address, and a stranger.
    for url in ["http://2852039166/", "http://192.0.2.1/"] {
        let check = Ready::from(Probe::Http(url.into())).timeout(Duration::from_secs(1));
        let spec = AgentSpec::new("echo", ["stay"]).ready(check);
        let echo = swarm.spawn(spec).await.unwrap();
        let error = swarm.wait_ready(&echo.id).await.unwrap_err();
        assert!(error.to_string().contains("is another host"), "{error}");
        swarm.stop(&echo.id, StopOptions::by_force()).await.unwrap();
        swarm
            .remove(&echo.id, RemoveOptions::default())
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_beside_it_makes_it_ready_when_it_ends_with_nought() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let backend = memory().with_exec("check", move |_: alveary::ExecContext| {
        let code = i32::from(counted.fetch_add(1, SeqCst) < 3);
        async move { code }
    });
    let swarm = SwarmManager::new(Arc::new(backend));
    let probe = Probe::Command(vec!["check".into()]);
    let spec = AgentSpec::new("echo", ["stay"]).ready(probe);
    let echo = swarm.spawn(spec).await.unwrap();
    swarm.wait_ready(&echo.id).await.unwrap();
    assert_eq!(asked.load(SeqCst), 4);
}
