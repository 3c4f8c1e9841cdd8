//! The swarm that is measured on: one of its own, of which nothing stays.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alveary::{
    AgentId, AgentSpec, DownOptions, Error, ErrorKind, Fleet, FleetAgent, Opened, Operation, Place,
    Restart, ShutdownOptions, StopOptions, SwarmName, SwarmUid,
};

use crate::failure::Failure;

/// Held by a bench as long as it lives. The kernel takes it back from one that was killed.
const MARK: &str = "bench.lock";

/// How long those have that will not be ended at once.
const END: Duration = Duration::from_secs(20);

/// Under which name and mark agents are known.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) swarm: SwarmName,
    pub(crate) uid: SwarmUid,
}

/// A swarm of the fleet's agents that is not the fleet's.
#[derive(Debug)]
pub(crate) struct Hive {
    pub(crate) opened: Opened,
    folder: PathBuf,
    /// Whether anything of it may be in its engine.
    used: bool,
    _mark: File,
}

impl Hive {
    /// Opens a swarm of this name on the backend that the fleet names. `supervise`: somebody is to look whether agents are ready.
    pub(crate) async fn open(
        mut fleet: Fleet,
        name: &str,
        supervise: bool,
    ) -> Result<Self, Failure> {
        fleet.swarm = SwarmName::new(name)
            .map_err(|error| Failure::input(error.to_string(), "report this"))?;
        // Where `gc` looks, whatever the file says.
        fleet.state_dir = None;
        // Each swarm has names of its own, and the file's may be up.
        fleet.leave_out("name_prefix");
        // Nobody tells them of tasks.
        fleet.coordinator = None;
        let options = alveary::OpenOptions::new().supervise(supervise);
        let opened = options.open_fleet(fleet).await?;
        let Some(folder) = opened.swarm.state_dir().map(Path::to_owned) else {
            return Err(Failure::input(
                "the swarm has no state folder",
                "report this",
            ));
        };
        let mark = mark(&folder).map_err(|error| unusable(&folder.join(MARK), &error))?;
        Ok(Self {
            opened,
            folder,
            used: false,
            _mark: mark,
        })
    }

    /// From now on there may be something of it in its engine, which is to be asked for it at the end.
    pub(crate) fn used(mut self) -> Self {
        self.used = true;
        self
    }

    pub(crate) fn names(&self) -> Names {
        Names {
            swarm: self.opened.record.name.clone(),
            uid: self.opened.record.uid,
        }
    }

    /// A folder in the swarm's own, which goes with it.
    pub(crate) fn subfolder(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.folder.join(name);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(unusable(&folder, &error))
            }
            _ => Ok(folder),
        }
    }

    /// What an agent of the file would be as one of many here: the same program in the same surroundings, which nobody
    /// starts again, and whose ports are nobody's.
    pub(crate) fn spec(
        &self,
        agent: &FleetAgent,
        name: &str,
        id: &AgentId,
    ) -> Result<AgentSpec, Error> {
        let fleet = &self.opened.fleet;
        let Some(mut member) = agent.members_for(Some(1)).into_iter().next() else {
            return Err(Error::new(
                ErrorKind::NotFound,
                Operation::Configure,
                "a group has no members",
            ));
        };
        name.clone_into(&mut member.name);
        let exe = std::env::current_exe().unwrap_or_else(|_| "alveary".into());
        let place = Place::of(exe, &self.opened.swarm.backend().capabilities());
        let mut spec = fleet.spec(&member, id, &place)?;
        name.clone_into(&mut spec.name);
        spec.restart = Restart::default();
        spec.alive = None;
        spec.container.ports.clear();
        Ok(spec)
    }

    /// Ends and removes everything of it.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        if self.used {
            self.take_down().await?;
        }
        let folder = self.folder.clone();
        // Before the folder: its manager may still want to write there.
        drop(self);
        remove(&folder)
    }

    async fn take_down(&self) -> Result<(), Failure> {
        let shutdown = ShutdownOptions::default()
            .with_stop(StopOptions::by_force())
            .with_within(END);
        let options = DownOptions::default()
            .with_shutdown(shutdown)
            .with_volumes(true);
        let report = self.opened.swarm.down(options).await?;
        if let Some((_, error)) = report.left.into_iter().next() {
            return Err(error.into());
        }
        Ok(())
    }
}

/// Whether this is the state folder of a bench that is over: one that was killed has left it.
pub(crate) fn is_left(folder: &Path) -> bool {
    let Ok(mark) = File::open(folder.join(MARK)) else {
        return false;
    };
    // Shared, so that two who look do not see each other.
    mark.try_lock_shared().is_ok()
}

/// Removes the state folder of a bench.
pub(crate) fn remove(folder: &Path) -> Result<(), Failure> {
    // Whoever keeps its processes may be at its last words there.
    let mut tries = 0;
    loop {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && tries < 5 => {
                tries += 1;
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unusable(folder, &error));
            }
            _ => return Ok(()),
        }
    }
}

fn mark(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join(MARK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another bench has it")),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::input(
        format!("cannot use {}: {error}", path.display()),
        "see to the file, or choose another folder by ALVEARY_STATE_DIR",
    )
}
