//! A swarm inside of a web service: agents are started and listed over HTTP, and none outlives the service.
//!
//! ```sh
//! cargo run --example embed_axum
//! curl -X POST http://127.0.0.1:8080/agents/first
//! curl http://127.0.0.1:8080/agents
//! ```
//!
//! On Ctrl-C, or TERM, the service takes no more requests, finishes those that it has, stops each agent with its
//! grace, and says how it ended.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use alveary::{
    AgentSpec, ErrorKind, LoadOptions, OpenOptions, ShutdownOptions, StopOutcome, SwarmManager,
};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// What cannot be done, as HTTP says it. The sentence is the error's own, with the cure in it, and holds no secret.
struct Refused(alveary::Error);

impl From<alveary::Error> for Refused {
    fn from(error: alveary::Error) -> Self {
        Self(error)
    }
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        let status = match self.0.kind() {
            ErrorKind::InvalidSpec => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::EngineUnavailable | ErrorKind::OutOfResources => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.0.to_string()).into_response()
    }
}

async fn spawn(
    State(swarm): State<SwarmManager>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    // A client that goes away drops this future. The agent is there then or it is not, and is in the list if it is.
    let spec = AgentSpec::new(name, ["sleep", "3600"]);
    let agent = swarm.spawn(spec).await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "id": agent.id.as_str() })),
    ))
}

async fn list(State(swarm): State<SwarmManager>) -> Result<Json<Value>, Refused> {
    let agents = swarm.list().await?;
    let row = |agent: &alveary::Agent| json!({ "name": agent.name(), "state": agent.state().to_string() });
    Ok(Json(agents.iter().map(row).collect()))
}

/// Serves until `end` comes, and then stops every agent.
async fn serve(
    listener: TcpListener,
    swarm: SwarmManager,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<Vec<StopOutcome>, Box<dyn Error>> {
    // Also when serving fails, or panics: whoever leaves this function stops the agents.
    let guard = swarm.guard(ShutdownOptions::default().with_within(Duration::from_secs(20)));
    let routes = Router::new()
        .route("/agents/{name}", post(spawn))
        .route("/agents", get(list))
        .with_state(swarm);
    axum::serve(listener, routes)
        .with_graceful_shutdown(end)
        .await?;
    Ok(guard.shutdown().await?)
}

async fn ctrl_c_or_term() {
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}

async fn open(folder: &std::path::Path) -> Result<SwarmManager, Box<dyn Error>> {
    let file = folder.join("alveary.toml");
    std::fs::write(&file, "backend = \"process\"")?;
    let load = LoadOptions::default()
        .with_file(file)
        .with_state_dir(folder.join("state"));
    Ok(OpenOptions::new().load(load).open().await?.swarm)
}

fn main() -> Result<(), Box<dyn Error>> {
    alveary::keeper::run_if_asked();
    run()
}

#[tokio::main]
async fn run() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let swarm = open(folder.path()).await?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/agents", listener.local_addr()?);
    for agent in serve(listener, swarm, ctrl_c_or_term()).await? {
        match agent.result {
            Ok(exit) => println!("{}: {exit}", agent.name),
            Err(error) => println!("{}: {error}", agent.name),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    async fn ask(address: std::net::SocketAddr, what: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{what} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn agents_come_over_http_and_end_with_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let swarm = open(folder.path()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let service = serve(listener, swarm.clone(), async {
            let _: Result<(), _> = ended.await;
        });
        let client = async {
            let created = ask(address, "POST /agents/first").await;
            assert!(created.starts_with("HTTP/1.1 201"), "{created}");
            let listed = ask(address, "GET /agents").await;
            assert!(
                listed.contains("first") && listed.contains("running"),
                "{listed}"
            );
            let refused = ask(address, "POST /agents/a%2Fb").await;
            assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
            end.send(()).unwrap();
        };
        let (stopped, ()) = tokio::join!(service, client);
        let stopped = stopped.unwrap();
        assert_eq!(stopped.len(), 1);
        assert!(stopped[0].result.is_ok(), "{stopped:?}");
        let agents = swarm.list().await.unwrap();
        assert!(agents.iter().all(|agent| agent.info.exit().is_some()));
    }
}
