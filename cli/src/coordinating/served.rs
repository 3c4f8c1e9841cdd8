//! Whether a swarm's coordinator is there, and the one that the file says.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use alveary::{CoordinatorTable, Opened};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::Address;
use super::beside::{Beside, is_a_supervisor, who};
use super::listening::{make_folder, open};
use crate::detach::{has_died, leave_supervisor};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::note;

/// How long a coordinator may take to be there.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long to wait for one that somebody else may be about to begin.
const COURTESY: Duration = Duration::from_secs(2);

const LOOK: Duration = Duration::from_millis(10);

/// What is wanted of a swarm's coordinator, and where that is written down.
struct Wanted<'a> {
    opened: &'a Opened,
    table: &'a CoordinatorTable,
    state: &'a Path,
}

impl<'a> Wanted<'a> {
    fn of(opened: &'a Opened) -> Option<Self> {
        Some(Self {
            opened,
            table: opened.fleet.coordinator.as_ref()?,
            state: opened.swarm.state_dir()?,
        })
    }

    /// Whether whoever restarts the agents runs the coordinator that is wanted.
    fn is_there(&self) -> Result<bool, Failure> {
        let Some(who) = who(&self.opened.swarm)? else {
            return Ok(false);
        };
        let address = Address::read(self.state)?;
        Ok(address.is_some_and(|address| {
            address.pid == who && address.table == Address::table_of(self.table)
        }))
    }

    /// Waits until it is there; whether it came in time.
    async fn comes_within(&self, limit: Duration) -> Result<bool, Failure> {
        let until = Instant::now() + limit;
        while !self.is_there()? {
            if Instant::now() > until {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(true)
    }

    /// One that was killed has its locks, and what was written of it, until its last thread is gone.
    async fn until_the_dead_are_gone(&self) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        while who(&self.opened.swarm)?.is_some_and(has_died) {
            if Instant::now() > until {
                return Err(late());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Ends a supervisor that has read another file than we. The agents go on; whoever takes its place restarts them.
    async fn displace(&self) -> Result<(), Failure> {
        let Some(pid) = who(&self.opened.swarm)?.filter(|pid| *pid != std::process::id()) else {
            return Ok(());
        };
        if self.comes_within(COURTESY).await? {
            return Ok(());
        }
        if !is_a_supervisor(pid) {
            return Err(Failure::input(
                format!(
                    "process {pid} looks after this swarm, and knows nothing of the `[coordinator]` that the file has now"
                ),
                "end it, and bring the swarm up once more",
            ));
        }
        note(format_args!(
            "process {pid} looks after this swarm by an older file; another takes its place"
        ));
        let target = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let Some(target) = target {
            // One that has ended meanwhile is what is wanted.
            let _ = kill_process(target, Signal::TERM);
        }
        let until = Instant::now() + PATIENCE;
        while who(&self.opened.swarm)? == Some(pid) {
            if Instant::now() > until {
                return Err(late());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

/// Makes sure that a foreground `up` has the coordinator that its file says, in this process or in another.
pub(crate) async fn in_the_foreground(opened: &Opened, beside: &mut Beside) -> Result<(), Failure> {
    let Some(wanted) = Wanted::of(opened) else {
        return Ok(());
    };
    wanted.displace().await?;
    tokio::select! {
        failure = beside.failed() => Err(failure),
        there = wanted.comes_within(PATIENCE) => there?.then_some(()).ok_or_else(late),
    }
}

/// Makes sure that a swarm that is to be left alone has the coordinator that its file says, in a supervisor.
pub(crate) async fn detached(opened: &Opened) -> Result<(), Failure> {
    let Some(wanted) = Wanted::of(opened) else {
        return Ok(());
    };
    let _alone = alone(wanted.state).await?;
    wanted.until_the_dead_are_gone().await?;
    wanted.displace().await?;
    if !wanted.is_there()? {
        // What keeps it from running is told here: a supervisor has nobody to tell it to.
        match open(&opened.swarm, &opened.fleet, wanted.table, wanted.state).await {
            Ok(opened) => opened.service.close().await,
            // Another who brings the swarm up at this moment is in our way, and has it come.
            Err(_) if wanted.comes_within(COURTESY).await? => {}
            Err(failure) => return Err(failure),
        }
    }
    leave_supervisor(opened).await?;
    wanted
        .comes_within(PATIENCE)
        .await?
        .then_some(())
        .ok_or_else(late)
}

/// One at a time sees to it that there is a coordinator: those who come meanwhile find the one that it began.
async fn alone(state: &Path) -> Result<File, Failure> {
    let path = make_folder(state)?.join("starting.lock");
    let unusable = |error: io::Error| {
        Failure::input(
            format!("{} cannot be used: {error}", path.display()),
            "see to the file, or choose another folder for state by ALVEARY_STATE_DIR",
        )
    };
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(&path).map_err(unusable)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
    }
}

fn late() -> Failure {
    Failure::Coordinator {
        what: "the swarm's coordinator does not say that it is there".to_owned(),
        cure: Some(
            "read supervisor.log in the swarm's state folder, which `alveary doctor` names"
                .to_owned(),
        ),
        outcome: Outcome::Backend,
    }
}

/// Forgets a coordinator whose swarm was taken down: its tasks, unless the file keeps them elsewhere, and its tokens.
pub(crate) fn forget(state: &Path) -> Result<(), Failure> {
    let folder = state.join(super::place::FOLDER);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::input(
            format!("{} cannot be removed: {error}", folder.display()),
            "remove it by hand",
        )),
        _ => Ok(()),
    }
}
