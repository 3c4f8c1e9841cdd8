//! A coordinator of one's own: in memory, on a free port of loopback, until Ctrl-C.
//!
//! Prints the page's address and the admin's token. `--anybody` asks nobody for a token on the original's routes;
//! `--brisk` makes every wait a short one, which is for who asks a great deal (`tests/openapi/fuzz`).

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::time::Duration;

use alveary_coordinator::http::{Guard, Listeners, Server};
use alveary_coordinator::{Bidders, Coordinator, Database, Settings, Tokens};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings::default();
    let mut guard = Guard::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--anybody" => settings = settings.with_bidders(Bidders::Anybody),
            "--brisk" => {
                settings = settings.with_auction(Duration::from_millis(200));
                guard.longest_wait = Duration::from_millis(100);
            }
            other => {
                return Err(format!("`{other}` is not known (--anybody and --brisk are)").into());
            }
        }
    }
    let coordinator = Coordinator::open(settings, Database::Memory).await?;
    let tokens = Tokens::random();
    let listeners = Listeners::bind(&["127.0.0.1:0".parse()?]).await?;
    println!("http://{}/", listeners.addresses()[0]);
    println!("{}", tokens.admin().expose());
    let cancel = CancellationToken::new();
    let server = Server::new(coordinator, tokens).with_guard(guard);
    tokio::select! {
        ended = server.serve(listeners, cancel.clone()) => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
