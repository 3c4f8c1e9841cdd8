//! The supervisor of a detached swarm: a process of its own, which holds nothing of its caller.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alveary::{Error, ErrorKind, Opened, Operation, Supervision};
use tokio::time::Instant;

use crate::seat::Seat;

/// How long a supervisor may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// What a supervisor of this swarm says goes into this file of its state folder.
const LOG: &str = "supervisor.log";

/// Makes sure that somebody restarts the swarm's agents once this process, and any other that does so for a
/// while, is gone.
///
/// That another restarts them now is not enough: a foreground `up` ends with its terminal. Then this leaves a
/// supervisor that waits for that end.
pub(crate) async fn leave_supervisor(opened: &Opened) -> Result<(), Error> {
    let Some(folder) = opened.swarm.state_dir() else {
        return Err(failed("the swarm keeps no state on disk"));
    };
    if is_supervised(opened, folder)? {
        return Ok(());
    }
    let mut supervisor = start(opened, folder)?;
    let until = Instant::now() + PATIENCE;
    loop {
        if is_supervised(opened, folder)? {
            return Ok(());
        }
        if let Ok(Some(status)) = supervisor.try_wait() {
            if !status.success() {
                return Err(failed(format!("it ended at once: {status}"))
                    .with_cure(format!("read {}", folder.join(LOG).display())));
            }
            // It found all the seats taken, by others who were on their way out or only looking.
            supervisor = start(opened, folder)?;
        }
        if Instant::now() > until {
            return Err(failed("it does not say that it is there")
                .with_cure(format!("read {}", folder.join(LOG).display())));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether somebody restarts the agents, and somebody stays who will. One that was killed has its locks until its
/// last thread is gone, and then nobody would.
fn is_supervised(opened: &Opened, folder: &Path) -> Result<bool, Error> {
    let somebody_restarts = match opened.swarm.supervision()? {
        Supervision::Other(holder) => !has_died(holder.pid),
        _ => false,
    };
    Ok(somebody_restarts && Seat::is_any_taken(folder)?)
}

/// Whether the process is gone, or is about to be.
pub(crate) fn has_died(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        // Where there is no such folder nothing is known of anybody.
        return Path::new("/proc/self/stat").exists();
    };
    // The name, which may have anything in it, ends at the last bracket.
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    state.starts_with(['Z', 'X'])
}

fn start(opened: &Opened, folder: &Path) -> Result<Child, Error> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.join(LOG))
        .map_err(|error| failed("its log cannot be opened").with_source(error))?;
    let errors = log
        .try_clone()
        .map_err(|error| failed("its log cannot be opened").with_source(error))?;
    let exe = std::env::current_exe()
        .map_err(|error| failed("this program cannot be found").with_source(error))?;
    let mut command = Command::new(exe);
    command
        .arg("__supervise")
        .arg("--file")
        .arg(&opened.fleet.file)
        .arg("--swarm")
        .arg(opened.fleet.swarm.as_str())
        .arg("--backend")
        .arg(opened.swarm.backend().kind().as_str())
        .args(
            opened
                .fleet
                .metrics
                .as_ref()
                .map_or_else(Vec::new, |table| {
                    vec!["--metrics".to_owned(), table.listen.to_string()]
                }),
        )
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    if let Some(root) = folder.parent() {
        command.env("ALVEARY_STATE_DIR", root);
    }
    // What our caller left open for us is not for it: somebody may wait for the end of a pipe.
    close_fds::set_fds_cloexec(3, &[]);
    command
        .spawn()
        .map_err(|error| failed(format!("it cannot be started: {error}")).with_source(error))
}

fn failed(message: impl Into<String>) -> Error {
    let message = format!(
        "the agents run, but they have no supervisor: {}",
        message.into()
    );
    Error::new(ErrorKind::Engine, Operation::State, message)
        .with_cure("run `alveary up -d` once more; until then nothing is restarted")
}
