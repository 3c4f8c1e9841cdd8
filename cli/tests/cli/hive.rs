//! A swarm of a test's own: a file, a state folder, and nothing left of it at the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A folder with an `alveary.toml` in it, whose swarm is taken down at the end.
pub(crate) struct Hive {
    dir: TempDir,
}

impl Hive {
    /// A swarm of these agents.
    pub(crate) fn new(file: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("alveary.toml"), file).unwrap();
        Self { dir }
    }

    /// The same in a folder whose name begins like this.
    pub(crate) fn called(name: &str, file: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        std::fs::write(dir.path().join("alveary.toml"), file).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the swarm `demo` keeps its state.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Writes the file anew.
    pub(crate) fn rewrite(&self, file: &str) {
        std::fs::write(self.dir.path().join("alveary.toml"), file).unwrap();
    }

    /// The program, in the folder and with the state of this swarm.
    pub(crate) fn command(&self) -> Command {
        self.around(env!("CARGO_BIN_EXE_alveary"))
    }

    /// Any program, in the folder and with the state of this swarm.
    pub(crate) fn around(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir.path());
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("ALVEARY_") {
                command.env_remove(variable);
            }
        }
        command
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .env("ALVEARY_STATE_DIR", self.state());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.command().args(args))
    }

    /// Runs it to its end, which has to be a good one, and gives what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code(), Some(0), "{args:?}: {ran}");
        ran.stdout()
    }

    /// Every agent as `ps -a` gives it to programs.
    pub(crate) fn agents(&self) -> Vec<Value> {
        let lines = self.ok(&["ps", "-a", "--format", "json"]);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The agent of this name.
    #[track_caller]
    pub(crate) fn agent(&self, name: &str) -> Value {
        let found = self
            .agents()
            .into_iter()
            .find(|agent| agent["name"] == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Waits until this is true of the agent.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{name} {what}"), || {
            Some(self.agent(name)).filter(|agent| is(agent))
        })
    }

    /// The process that restarts the swarm's agents, once it is there.
    #[track_caller]
    pub(crate) fn the_supervisor(&self) -> u32 {
        eventually("a supervisor is there", || self.supervisor())
    }

    /// The process that restarts the swarm's agents, where one does.
    pub(crate) fn supervisor(&self) -> Option<u32> {
        let lease = self.state().join("demo/lease");
        let pid =
            serde_json::from_slice::<Value>(&std::fs::read(lease).ok()?).ok()?["pid"].as_u64()?;
        let pid = u32::try_from(pid).ok()?;
        is_alive(pid).then_some(pid)
    }
}

impl Drop for Hive {
    fn drop(&mut self) {
        if !self.state().exists() {
            return;
        }
        let down = self
            .command()
            .args(["-p", "demo", "down", "-t", "0"])
            .output();
        if let Ok(down) = down
            && !down.status.success()
            && !std::thread::panicking()
        {
            panic!("down: {}", Ran(down));
        }
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    let command = std::mem::replace(command, Command::new("true"));
    let output = assert_cmd::Command::from_std(command)
        .timeout(PATIENCE * 2)
        .output()
        .unwrap();
    Ran(output)
}

/// Starts a command of which nobody reads what it says.
pub(crate) trait SpawnQuietly {
    fn spawn_quietly(&mut self) -> Child;
}

impl SpawnQuietly for Command {
    fn spawn_quietly(&mut self) -> Child {
        self.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

/// What came of a run.
pub(crate) struct Ran(Output);

impl Ran {
    pub(crate) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0.stdout
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self(output)
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}\n{}", self.0.status, self.stdout(), self.stderr())
    }
}

/// Waits until this gives something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether this process is there and has not ended.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The name, which may have anything in it, ends at the last bracket.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    !after_name.trim_start().starts_with(['Z', 'X'])
}

/// The agent's process.
#[track_caller]
pub(crate) fn pid_of(agent: &Value) -> u32 {
    let pid = agent["pid"]
        .as_u64()
        .unwrap_or_else(|| panic!("it has no pid: {agent}"));
    u32::try_from(pid).unwrap()
}

/// The parent of an agent's main process.
pub(crate) fn keeper_of(agent: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{agent}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.unwrap().trim().parse().unwrap()
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
