//! A retry of your own, tested without an engine: two times the engine cannot be reached, then it can.
//!
//! The backend is a mock; the code under test is what is retried, and it is yours. In your own project:
//! `alveary = { version = "…", features = ["mock"] }` and `mockall` among the `dev-dependencies`.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::sync::Arc;
use std::time::Duration;

use alveary::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, AgentState, Error, ErrorKind, MockAgentBackend,
    Operation, Result, Retry, SpawnOptions,
};
use mockall::Sequence;

/// The code under test: spawns, and tries again for as long as the error says that it may.
async fn spawn_with_patience(
    backend: &dyn AgentBackend,
    id: &AgentId,
    spec: &AgentSpec,
) -> Result<AgentInfo> {
    // One start, however often it is tried: the options are made once.
    let options = SpawnOptions::default();
    let mut left = 5;
    loop {
        match backend.spawn(id, spec, options.clone()).await {
            Err(error) if left > 0 => match error.retry() {
                Retry::SameId => {}
                Retry::After(pause) => tokio::time::sleep(pause).await,
                _ => return Err(error),
            },
            answer => return answer,
        }
        left -= 1;
    }
}

fn unreachable_engine() -> Error {
    Error::new(
        ErrorKind::EngineUnavailable,
        Operation::Spawn,
        "the engine does not answer",
    )
    .with_cure("start it")
    .with_retry(Retry::After(Duration::from_millis(1)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut backend = MockAgentBackend::new();
    let mut order = Sequence::new();
    backend
        .expect_spawn()
        .times(2)
        .in_sequence(&mut order)
        .returning(|_, _, _| Err(unreachable_engine()));
    backend
        .expect_spawn()
        .once()
        .in_sequence(&mut order)
        .returning(|id, spec, options| {
            Ok(AgentInfo::new(
                id.clone(),
                options.incarnation,
                &spec.name,
                AgentState::Running,
            ))
        });
    let backend: Arc<dyn AgentBackend> = Arc::new(backend);

    let spec = AgentSpec::new("echo", ["python3", "agent.py"]);
    let echo = spawn_with_patience(&*backend, &AgentId::random(), &spec).await?;
    assert_eq!(echo.state, AgentState::Running);
    println!("agent {} is {} after two failures", echo.name, echo.state);
    Ok(())
}

#[test]
fn two_failures_and_then_success() {
    main().unwrap();
}
