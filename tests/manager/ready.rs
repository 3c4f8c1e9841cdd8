//! Readiness: by a line, by a port, by time, or by running.

use std::time::Duration;

use alveary::{AgentSpec, ErrorKind, Ready, ReadyCheck, Restart, StopOptions};

use crate::house::{is_running, swarm};

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
    let echo = swarm.spawn(spec).await.unwrap();
    let begun = tokio::time::Instant::now();
    swarm.wait_ready(&echo.id).await.unwrap();
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(6900) && took < Duration::from_secs(9),
        "{took:?}"
    );
}

#[tokio::test]
async fn an_open_port_makes_it_ready() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["stay"]).ready(ReadyCheck::Tcp(address.clone()));
    let echo = swarm.spawn(spec).await.unwrap();
    let (ready, _listener) = tokio::join!(swarm.wait_ready(&echo.id), async {
        assert!(!swarm.get(&echo.id).await.unwrap().ready);
        tokio::net::TcpListener::bind(&address).await.unwrap()
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
