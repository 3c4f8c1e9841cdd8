//! A program that ends while its agents work, and is told later how they ended.
//!
//! The line that does it is the first of `main`. With it this program is its own keeper: a small process of the same
//! file stays with the agents, and writes down how each ends. Without it the agents live on too, but nobody sees
//! their end.
//!
//! The example starts itself again as the program that begins the work and is killed in the middle of it; then it
//! opens the same swarm and asks.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::error::Error;
use std::path::Path;
use std::process::Command;

use alveary::{
    AgentSpec, DownOptions, LoadOptions, LogOptions, LogStreamKind, OpenOptions, SwarmManager,
};

/// Names the folder to the program that is started again.
const FOLDER: &str = "OUTLIVE_FOLDER";

fn main() -> Result<(), Box<dyn Error>> {
    alveary::keeper::run_if_asked();

    if let Some(folder) = std::env::var_os(FOLDER) {
        begin(Path::new(&folder))?;
        // As by `kill -9`: nothing is said goodbye to.
        std::process::abort();
    }
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("alveary.toml"), "backend = \"process\"")?;
    let ended = Command::new(std::env::current_exe()?)
        .env(FOLDER, folder.path())
        .status()?;
    println!("the program that began the work: {ended}");
    assert!(!ended.success());
    ask(folder.path())
}

async fn open(folder: &Path) -> alveary::Result<SwarmManager> {
    let load = LoadOptions::default()
        .with_file(folder.join("alveary.toml"))
        .with_state_dir(folder.join("state"));
    Ok(OpenOptions::new().load(load).open().await?.swarm)
}

#[tokio::main(flavor = "current_thread")]
async fn begin(folder: &Path) -> Result<(), Box<dyn Error>> {
    let swarm = open(folder).await?;
    // It works until the program that started it is gone, and a little longer.
    let work = "while kill -0 $0 2>/dev/null; do sleep 0.1; done; echo done; exit 3";
    let me = std::process::id().to_string();
    swarm
        .spawn(AgentSpec::new("worker", ["sh", "-c", work, &me]))
        .await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn ask(folder: &Path) -> Result<(), Box<dyn Error>> {
    let swarm = open(folder).await?;
    let worker = swarm.find("worker").await?.ok_or("it is not lost")?;
    let exit = swarm.wait(worker.id()).await?;
    let log = swarm.logs(worker.id(), LogOptions::default()).await?;
    let said = log.collect_bytes(LogStreamKind::Stdout).await?;
    println!("the work: {exit}");
    assert_eq!(exit.code(), Some(3));
    assert_eq!(said, b"done\n");

    swarm.down(DownOptions::default()).await?;
    Ok(())
}
