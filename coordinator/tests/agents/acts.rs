//! What this program is when a trial starts it as another process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use alveary_agent::{Agent, HttpTransport, Task, TokenFile};
use alveary_coordinator::http::{Listeners, Server};
use alveary_coordinator::{Coordinator, Database, Settings, Tokens};
use alveary_core::AgentId;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The first argument of who is to be something else than the trials.
pub(crate) const ACT: &str = "--act";

/// Acts as it is told by the arguments; `None` if it is told nothing.
pub(crate) fn act() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != ACT {
        return None;
    }
    let what = args.next().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let args: Vec<String> = args.collect();
    match what.as_str() {
        "serve" => runtime.block_on(serve(&args)),
        "agent" => runtime.block_on(agent(&args)),
        other => panic!("there is no act `{other}`"),
    }
    Some(ExitCode::SUCCESS)
}

fn told(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap())
}

async fn terminated() {
    signal(SignalKind::terminate()).unwrap().recv().await;
}

/// A coordinator of a folder, `FOLDER PORT AUCTION HEARTBEAT` in milliseconds, until SIGTERM. Tells its address.
async fn serve(args: &[String]) {
    let [folder, port, auction, heartbeat] = args else {
        panic!("serve FOLDER PORT AUCTION HEARTBEAT, not {args:?}");
    };
    let folder = PathBuf::from(folder);
    let settings = Settings::default()
        .with_auction(millis(auction))
        .with_heartbeat(millis(heartbeat));
    let tokens = Tokens::load_or_create(&folder.join("key")).unwrap();
    let book = Database::File(folder.join("book"));
    let coordinator = Coordinator::open(settings, book).await.unwrap();
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let listeners = Listeners::bind(&[address]).await.unwrap();
    told(&listeners.addresses()[0].to_string());
    let cancel = CancellationToken::new();
    let server = Server::new(coordinator.clone(), tokens);
    let served = tokio::spawn(server.serve(listeners, cancel.clone()));
    terminated().await;
    cancel.cancel();
    served.await.unwrap().unwrap();
    coordinator.close().await;
}

/// An agent, `URL ID TOKEN_FILE`, until SIGTERM: what is to `stay` it works on until it is called off, and all else
/// it shouts.
async fn agent(args: &[String]) {
    let [url, id, token] = args else {
        panic!("agent URL ID TOKEN_FILE, not {args:?}");
    };
    let http = HttpTransport::new(url).unwrap();
    let agent = Agent::builder(id)
        .id(AgentId::new(id).unwrap())
        .handler(async |task: Task| -> Result<String, String> {
            struct Leave;
            impl Drop for Leave {
                fn drop(&mut self) {
                    told("called off");
                }
            }
            if task.description.as_str() == "stay" {
                let _leave = Leave;
                told("at work");
                std::future::pending::<()>().await;
            }
            Ok(task.description.as_str().to_uppercase())
        })
        .bid("1".parse::<alveary_agent::Pricing>().unwrap())
        .transport(std::sync::Arc::new(http.with_token(TokenFile::new(token))))
        .build()
        .unwrap();
    let cancel = CancellationToken::new();
    let run = agent.run(cancel.clone());
    let ended = async {
        terminated().await;
        cancel.cancel();
    };
    let (summary, ()) = tokio::join!(run, ended);
    told(&format!("{:?}", summary.unwrap()));
}
