//! A coordinator of one's own: in memory, on a free port of loopback, until Ctrl-C.
//!
//! Prints the page's address and the admin's token.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use alveary_coordinator::http::{Listeners, Server};
use alveary_coordinator::{Coordinator, Database, Settings, Tokens};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let coordinator = Coordinator::open(Settings::default(), Database::Memory).await?;
    let tokens = Tokens::random();
    let listeners = Listeners::bind(&["127.0.0.1:0".parse()?]).await?;
    println!("http://{}/", listeners.addresses()[0]);
    println!("{}", tokens.admin().expose());
    let cancel = CancellationToken::new();
    let served = Server::new(coordinator, tokens).serve(listeners, cancel.clone());
    tokio::select! {
        ended = served => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
