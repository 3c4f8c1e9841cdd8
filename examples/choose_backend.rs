//! The backend, chosen when the program runs: by its argument, else by `ALVEARY_BACKEND`, else by the file.
//!
//! ```sh
//! cargo run --example choose_backend              # local processes, as the file says
//! cargo run --example choose_backend -- bees      # a backend of this program's own
//! cargo run --example choose_backend --features docker-api -- docker-api
//! ```
//!
//! What is done with the swarm is the same code, whichever it is.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::error::Error;
use std::sync::Arc;

use alveary::{
    AgentBackend, AgentSpec, BackendConfig, ConnectContext, DownOptions, LoadOptions, LogOptions,
    LogStreamKind, MemoryBackend, OpenOptions, Registry, Result,
};
use async_trait::async_trait;

/// What a file says of the backend `bees`, in its table `[backends.bees]`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Bees {
    greeting: Option<String>,
}

#[async_trait]
impl BackendConfig for Bees {
    const NAME: &'static str = "bees";

    async fn connect(self, _: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        let greeting = self.greeting.unwrap_or_else(|| "hello".to_owned());
        let backend = MemoryBackend::new().with_program("echo", move |agent| {
            let greeting = greeting.clone();
            async move {
                agent.print(format!("{greeting}\n"));
                0
            }
        });
        Ok(Arc::new(backend))
    }
}

const FILE: &str = r#"
backend = "process"

[backends.docker-api]
image = "busybox"

[backends.bees]
greeting = "hello from a bee"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    // Where it is processes, how they end is known even after this program: with this line it is their keeper.
    alveary::keeper::run_if_asked();
    let word = std::env::args()
        .nth(1)
        .filter(|word| !word.starts_with('-'));
    run(word)
}

#[tokio::main(flavor = "current_thread")]
async fn run(word: Option<String>) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("alveary.toml");
    std::fs::write(&file, FILE)?;

    let mut load = LoadOptions::default()
        .with_file(file)
        .with_state_dir(folder.path().join("state"));
    if let Some(word) = word {
        load = load.with_backend(word);
    }
    let swarm = OpenOptions::new()
        .registry(Registry::builtin().with::<Bees>())
        .load(load)
        .open()
        .await?
        .swarm;
    println!("by {}", swarm.backend());

    let echo = swarm
        .spawn(AgentSpec::new("echo", ["echo", "hello"]))
        .await?;
    let exit = swarm.wait(&echo.id).await?;
    let log = swarm.logs(&echo.id, LogOptions::default()).await?;
    let said = log.collect_bytes(LogStreamKind::Stdout).await?;
    let said = String::from_utf8_lossy(&said);
    println!("it said {:?} and {exit}", said.trim_end());
    assert!(exit.is_success() && said.starts_with("hello"), "{said}");

    swarm.down(DownOptions::default()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_same_code_runs_on_processes_and_on_a_backend_of_its_own() {
        super::run(None).unwrap();
        super::run(Some("bees".into())).unwrap();
    }

    #[test]
    fn a_word_that_is_none_is_told_with_those_that_are() {
        let error = super::run(Some("beees".into())).unwrap_err().to_string();
        assert!(
            error.contains("`beees`") && error.contains("`bees`"),
            "{error}"
        );
    }
}
