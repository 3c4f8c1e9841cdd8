//! An engine, a way to it, and a folder of a trial's own.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{IMAGE, TestEngine};
use crate::hive::{Ran, finish};

/// The two ways to an engine.
pub(crate) const WAYS: [&str; 2] = ["docker-api", "docker-cli"];

/// A file of this name in a trial's folder is a policy that holds.
pub(crate) const POLICY: &str = "policy.toml";

/// Where a trial runs. Some names in an engine are everybody's, so that one trial at a time is on it.
pub(crate) struct Ground {
    pub(crate) engine: TestEngine,
    /// The way by which the trial begins.
    pub(crate) way: &'static str,
    dir: TempDir,
    _alone: File,
}

impl Ground {
    pub(crate) fn new(engine: TestEngine, way: &'static str) -> Self {
        let lock = std::env::temp_dir().join(format!("alveary-tests-on-{}.lock", engine.name));
        let alone = File::create(lock).unwrap();
        alone.lock().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(engine.program(), bin.join("docker")).unwrap();
        Self {
            engine,
            way,
            dir,
            _alone: alone,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The other way to the same engine.
    pub(crate) fn other_way(&self) -> &'static str {
        WAYS.into_iter().find(|way| *way != self.way).unwrap()
    }

    /// Writes a fleet file and names it.
    pub(crate) fn file(&self, text: &str) -> PathBuf {
        let file = self.path().join("alveary.toml");
        fs::write(&file, text).unwrap();
        file
    }

    /// A swarm of this file, by the way at hand.
    pub(crate) fn swarm(&self, file: impl AsRef<Path>) -> Swarm<'_> {
        Swarm {
            ground: self,
            file: file.as_ref().to_owned(),
            way: self.way,
        }
    }

    /// Gives the test's image the name that the examples have for theirs, until the end.
    pub(crate) fn busybox(&self) -> Busybox<'_> {
        let there = self.engine.try_client(&["image", "inspect", "busybox"]);
        let tagged = !there.status.success();
        if tagged {
            self.engine.client(&["tag", IMAGE, "busybox"]);
        }
        Busybox {
            engine: &self.engine,
            tagged,
        }
    }

    /// An image by the name that the examples have for theirs, in which this build of the program runs: the test's
    /// image and the libraries that the program is linked to. Until the end.
    pub(crate) fn busybox_that_runs_us(&self) -> Busybox<'_> {
        let made = self.engine.client(&["create", IMAGE, "true"]);
        let script = r#"
            mkdir image
            docker export "$1" | tar -x -C image
            ldd "$2" | grep -o '/[^ ]*' | xargs -r cp -L --parents -t image
            tar -c -C image . >image.tar
        "#;
        let mut packed = self.client_command("sh");
        packed.args(["-ec", script, "sh", &made, env!("CARGO_BIN_EXE_alveary")]);
        let packed = packed.output().unwrap();
        self.engine.client(&["rm", &made]);
        assert!(packed.status.success(), "{packed:?}");
        let tar = self.path().join("image.tar");
        self.engine
            .client(&["import", tar.to_str().unwrap(), "busybox"]);
        Busybox {
            engine: &self.engine,
            tagged: true,
        }
    }

    /// The names of this kind of thing that bear a label of ours, of whatever swarm.
    pub(crate) fn ours(&self, kind: &str, beginning: &str) -> Vec<String> {
        let listed = self.engine.client(&[
            kind,
            "ls",
            "--filter=label=alveary.swarm",
            "--format={{.Name}}",
        ]);
        let mut names: Vec<String> = (listed.lines())
            .filter(|name| name.starts_with(beginning))
            .map(ToOwned::to_owned)
            .collect();
        names.sort();
        names
    }

    /// Containers of this swarm.
    pub(crate) fn containers(&self, swarm_uid: &str) -> String {
        let filter = format!("--filter=label=alveary.swarm={swarm_uid}");
        self.engine.client(&["ps", "--all", "--quiet", &filter])
    }

    pub(crate) fn command(&self) -> Command {
        self.client_command(env!("CARGO_BIN_EXE_alveary"))
    }

    /// A program that finds the engine, and its client as `docker`.
    pub(crate) fn client_command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path());
        for (variable, _) in std::env::vars_os() {
            let variable = variable.to_string_lossy();
            if variable.starts_with("ALVEARY_") || variable.starts_with("DOCKER_") {
                command.env_remove(&*variable);
            }
        }
        let policy = self.path().join(POLICY);
        if policy.exists() {
            command.env("ALVEARY_POLICY", policy);
        }
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("ALVEARY_STATE_DIR", self.path().join("state"))
            .env("DOCKER_HOST", &self.engine.host)
            .env("CONTAINER_HOST", &self.engine.host)
            .env(
                "PATH",
                format!("{}:{path}", self.path().join("bin").display()),
            )
            .env_remove("CLICOLOR_FORCE");
        command
    }
}

/// The image `busybox`, for as long as this is there.
pub(crate) struct Busybox<'a> {
    engine: &'a TestEngine,
    tagged: bool,
}

impl Drop for Busybox<'_> {
    fn drop(&mut self) {
        if self.tagged {
            self.engine.try_client(&["rmi", "busybox"]);
        }
    }
}

/// A swarm of a file, taken down at the end with all that is its own.
pub(crate) struct Swarm<'a> {
    ground: &'a Ground,
    file: PathBuf,
    way: &'static str,
}

impl Swarm<'_> {
    /// The same swarm, by this way. Only the first takes it down.
    pub(crate) fn by(&self, way: &'static str) -> std::mem::ManuallyDrop<Self> {
        std::mem::ManuallyDrop::new(Self {
            ground: self.ground,
            file: self.file.clone(),
            way,
        })
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.ground.command();
        command
            .arg("--file")
            .arg(&self.file)
            .args(["--backend", self.way])
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(&mut self.command(args))
    }

    /// Runs it to its end, which has to be a good one, and gives what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code(), Some(0), "{args:?}: {ran}");
        ran.stdout()
    }

    /// Every agent as `ps -a` gives it to programs, in the order of the file.
    #[track_caller]
    pub(crate) fn agents(&self) -> Vec<Value> {
        let lines = self.ok(&["ps", "-a", "--format", "json"]);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Swarm<'_> {
    fn drop(&mut self) {
        let down = self.run(&["down", "--time", "0", "--volumes"]);
        let well = down.code() == Some(0) || std::thread::panicking();
        assert!(well, "down: {down}");
    }
}
