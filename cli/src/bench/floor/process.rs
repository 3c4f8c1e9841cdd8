//! The bare floor of processes: fork and exec, by the standard library.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use alveary::{AgentId, AgentSpec, Incarnation, SwarmUid};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{Handle, Started, Way};

/// What an agent is handed on of the caller's environment without asking.
const HANDED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// The same program, with its variables, its directory and its user: its output to a new file, a group of its own.
pub(crate) struct ByFork {
    pub(crate) spec: AgentSpec,
    pub(crate) program: PathBuf,
    /// By these marks `gc` finds what a bench that was killed has left.
    pub(crate) swarm: SwarmUid,
    /// Where its output goes.
    pub(crate) folder: PathBuf,
    pub(crate) made: AtomicU64,
}

impl Way for ByFork {
    fn what(&self) -> String {
        "fork and exec of the same program".to_owned()
    }

    fn start(&self) -> io::Result<Started> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let output = File::create(self.folder.join(number.to_string()))?;
        let mut command = self.command();
        let child = command
            .stdin(Stdio::null())
            .stderr(output.try_clone()?)
            .stdout(output)
            .process_group(0)
            .spawn()?;
        Ok(Started {
            steps: Vec::new(),
            handle: Handle::Child(child),
        })
    }

    fn end(&self, handle: Handle) -> io::Result<()> {
        match handle {
            Handle::Child(child) => end(child),
            Handle::Container(_) => Ok(()),
        }?;
        fs::read_dir(&self.folder)?.try_for_each(|file| fs::remove_file(file?.path()))
    }
}

impl ByFork {
    fn command(&self) -> Command {
        let spec = &self.spec;
        let mut command = Command::new(&self.program);
        command.env_clear();
        let inherited = HANDED_ON
            .into_iter()
            .chain(spec.inherit.iter().map(String::as_str));
        for key in inherited {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        command
            .args(spec.command.iter().skip(1))
            .envs(&spec.env)
            .env("ALVEARY_SWARM", self.swarm.to_string())
            .env("ALVEARY_AGENT_ID", AgentId::random().to_string())
            .env("ALVEARY_INCARNATION", Incarnation::random().to_string());
        if let Some(arg0) = spec.command.first() {
            command.arg0(arg0);
        }
        if let Some(cwd) = &spec.cwd {
            command.current_dir(cwd);
        }
        if let Some(user) = spec.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

/// With all that it has started.
fn end(mut child: Child) -> io::Result<()> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself; its number is its own until it is waited for.
        let _gone = kill_process_group(group, Signal::KILL);
    }
    child.wait().map(drop)
}
