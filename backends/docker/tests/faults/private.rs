//! An engine that one trial has for itself: to be killed, restarted and held still.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::ground::{Ground, Limits, Way};

/// By which way the engine is reached.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum By {
    Api,
    Program,
}

/// A Docker that is there for one trial.
pub(crate) struct Private {
    host: String,
    state: PathBuf,
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/engines")
}

pub(crate) const NAME: &str = "docker-20";

impl Private {
    pub(crate) async fn up() -> Result<Self, String> {
        let state = PathBuf::from(format!(
            "/run/alv-{}-{}",
            std::process::id(),
            fastrand::u16(..)
        ));
        let this = Self {
            host: format!("unix://{}/{NAME}/docker.sock", state.display()),
            state,
        };
        this.run("engine", &["up", NAME]).await?;
        this.run("images", &[NAME]).await?;
        Ok(this)
    }

    pub(crate) async fn ground(&self, by: By) -> Ground {
        let program = self.state.join(NAME).join("bin/docker");
        let way = match by {
            By::Api => Way::Api,
            By::Program => Way::Cli(program.display().to_string()),
        };
        Ground::by(way, &self.host, Limits::SHORT).await
    }

    pub(crate) async fn run(&self, script: &str, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new(scripts().join(script))
            .args(arguments)
            .env("ALVEARY_ENGINES_STATE", &self.state)
            .output()
            .await
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{script} {arguments:?}: {words}"))
    }

    pub(crate) async fn kill(&self) {
        self.run("engine", &["kill", NAME]).await.unwrap();
    }

    pub(crate) async fn restart(&self, live: bool) {
        let mut arguments = vec!["restart", NAME];
        arguments.extend(live.then_some("--live-restore"));
        self.run("engine", &arguments).await.unwrap();
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let down = std::process::Command::new(scripts().join("engine"))
            .args(["down", "--all"])
            .env("ALVEARY_ENGINES_STATE", &self.state)
            .output();
        if let Ok(output) = down
            && output.status.success()
        {
            let _best_effort = std::fs::remove_dir_all(&self.state);
        }
    }
}
