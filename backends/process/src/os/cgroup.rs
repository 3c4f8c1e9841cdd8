//! Control groups: what holds the tree of an agent's processes together, counts its memory, and ends it at a
//! stroke.
//!
//! The tree lies in cgroup v2 wherever that is mounted, on its own or as the `unified` mount of a hybrid
//! host. Memory and the number of processes are limited in v2 where it has those controllers, else in v1.

mod freeze;
mod nested;
mod place;
mod spares;
mod usage;

use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use alveary_core::{Incarnation, SwarmUid};
use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub(crate) use nested::Nested;
use place::{By, Group, MEMORY, PIDS};
use spares::Spares;

/// The place in the machine's control groups where one swarm's agents are put.
#[derive(Debug)]
pub(crate) struct Cgroups {
    tree: PathBuf,
    spares: Spares,
    memory: Option<Controller>,
    pids: Option<Controller>,
}

#[derive(Debug, Clone)]
enum Controller {
    V1(PathBuf),
    V2,
}

/// What an agent may use up, where a control group is asked to see to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct GroupLimits {
    pub(crate) memory: Option<u64>,
    pub(crate) pids: Option<u64>,
}

/// The control groups of one start of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cgroup {
    tree: PathBuf,
    /// Whether that has been made already.
    #[serde(skip)]
    is_made: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pids: Option<PathBuf>,
}

impl Cgroups {
    /// Finds out what can be had here. `None`: no cgroup v2 that this process may divide.
    pub(crate) fn find(swarm: SwarmUid) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let leaf = own_name(swarm);
        let place = place::choose(&mounts, &own, look)?;
        let tree = place.unified.join(&leaf);
        fs::create_dir(&tree).or_else(exists_already).ok()?;
        // Older than Linux 5.14 it could hold the tree together and not end it at a stroke; and a group that
        // is not a domain of its own takes no processes.
        let kind = fs::read_to_string(tree.join("cgroup.type")).unwrap_or_default();
        if !tree.join("cgroup.kill").exists() || kind.trim() != "domain" {
            let _in_use = fs::remove_dir(&tree);
            return None;
        }
        // What looked possible may be refused all the same.
        let obtain = |by, controller| match by {
            By::V2 => [&place.unified, &tree]
                .into_iter()
                .all(|group| grant(group, controller))
                .then_some(Controller::V2),
            By::V1(group) => {
                let folder = group.join(&leaf);
                fs::create_dir(&folder).or_else(exists_already).ok()?;
                Some(Controller::V1(folder))
            }
            By::Nothing => None,
        };
        let memory = obtain(place.memory, MEMORY);
        let pids = obtain(place.pids, PIDS);
        // What a keeper that was killed had made and not used. Where a process is the kernel refuses.
        for left in groups_in(&tree) {
            let _in_use = fs::remove_dir(left);
        }
        Some(Self {
            spares: Spares::beneath(&tree),
            tree,
            memory,
            pids,
        })
    }

    /// Makes groups for the next starts, while nobody waits.
    pub(crate) fn prepare(&self) {
        self.spares.make();
    }

    pub(crate) fn limits_memory(&self) -> bool {
        self.memory.is_some()
    }

    pub(crate) fn limits_pids(&self) -> bool {
        self.pids.is_some()
    }

    /// Which groups one start will have. None is made for it yet, so that the intent can be written down
    /// first.
    pub(crate) fn plan(&self, incarnation: Incarnation, limits: GroupLimits) -> Cgroup {
        let leaf = incarnation.to_string();
        let v1 = |controller: &Option<Controller>| match controller {
            Some(Controller::V1(folder)) => Some(folder.join(&leaf)),
            _ => None,
        };
        let spare = self.spares.take();
        Cgroup {
            is_made: spare.is_some(),
            tree: spare.unwrap_or_else(|| self.tree.join(&leaf)),
            memory: limits.memory.and_then(|_| v1(&self.memory)),
            pids: limits.pids.and_then(|_| v1(&self.pids)),
        }
    }

    /// Takes the swarm's own groups away, if no agent is in them.
    pub(crate) fn remove(&self) {
        self.spares.remove();
        let v1 = [&self.memory, &self.pids]
            .into_iter()
            .flatten()
            .filter_map(|controller| match controller {
                Controller::V1(folder) => Some(folder),
                Controller::V2 => None,
            });
        for folder in v1.chain([&self.tree]) {
            // Not empty means in use, which is for the kernel to say.
            let _in_use = fs::remove_dir(folder);
        }
    }
}

impl Cgroup {
    /// Makes the groups and sets their limits.
    pub(crate) fn make(&self, limits: GroupLimits) -> io::Result<()> {
        let made = self
            .folders()
            .skip(usize::from(self.is_made))
            .try_for_each(make_folder)
            .and_then(|()| self.limit(limits));
        if made.is_err() {
            self.remove();
        }
        made
    }

    fn limit(&self, limits: GroupLimits) -> io::Result<()> {
        if let Some(bytes) = limits.memory.map(|bytes| bytes.to_string()) {
            let (folder, limit, with_swap, swap) = match &self.memory {
                Some(v1) => (
                    v1,
                    "memory.limit_in_bytes",
                    "memory.memsw.limit_in_bytes",
                    bytes.as_str(),
                ),
                None => (&self.tree, "memory.max", "memory.swap.max", "0"),
            };
            set(&folder.join(limit), &bytes)?;
            // Kernels built without swap accounting have no such file, and need none.
            match set(&folder.join(with_swap), swap) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if let Some(count) = limits.pids {
            let folder = self.pids.as_ref().unwrap_or(&self.tree);
            set(&folder.join("pids.max"), &count.to_string())?;
        }
        Ok(())
    }

    /// The folder of the v2 group, in which a process can be born.
    pub(crate) fn birthplace(&self) -> io::Result<OwnedFd> {
        let open = || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(&self.tree, flags, Mode::empty())
        };
        match open() {
            // It was made a while ago, and somebody has tidied the machine since.
            Err(Errno::NOENT) if self.is_made => {
                make_folder(&self.tree)?;
                Ok(open()?)
            }
            opened => Ok(opened?),
        }
    }

    /// What a process writes itself into before it becomes the agent: the v1 groups that limit it.
    pub(crate) fn entrances(&self) -> io::Result<Vec<OwnedFd>> {
        let open = |folder: &PathBuf| {
            Ok(fs::OpenOptions::new()
                .write(true)
                .open(folder.join("cgroup.procs"))?
                .into())
        };
        self.memory.iter().chain(&self.pids).map(open).collect()
    }

    /// Whether all of it lies right beneath this swarm's own groups.
    pub(crate) fn is_of(&self, swarm: SwarmUid) -> bool {
        let own = own_name(swarm);
        self.folders().all(|folder| {
            let is_named = folder.file_name().is_some();
            is_named && folder.parent().and_then(Path::file_name) == Some(own.as_ref())
        })
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.tree), self.memory.as_ref(), self.pids.as_ref()]
            .into_iter()
            .flatten()
    }

    /// Those that are in it now, or in a group that was made beneath it.
    pub(crate) fn processes(&self) -> Vec<u32> {
        processes_in(&self.tree)
    }

    /// Whether this process is in it, or in a group that was made beneath it.
    pub(crate) fn holds(&self, pid: u32) -> bool {
        // Looked for beneath only if it is not in the group itself: there are thousands to look for.
        is_in(&self.tree, pid)
    }

    /// Whether any process is in it. An error is no answer.
    pub(crate) fn is_populated(&self) -> io::Result<bool> {
        match fs::read_to_string(self.tree.join("cgroup.events")) {
            Ok(text) => Ok(text.contains("populated 1")),
            // It has been removed, which only an empty one can be.
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends every process in it, frozen or not, whatever they do.
    pub(crate) fn kill(&self) -> io::Result<()> {
        match set(&self.tree.join("cgroup.kill"), "1") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether the kernel ended a process of it for want of memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let counts = |path: PathBuf| {
            fs::read_to_string(path).is_ok_and(|text| {
                text.lines()
                    .filter_map(|line| line.strip_prefix("oom_kill "))
                    .any(|count| count.trim() != "0")
            })
        };
        match &self.memory {
            Some(v1) => counts(v1.join("memory.oom_control")),
            None => counts(self.tree.join("memory.events")),
        }
    }

    /// Takes the groups away. `false`: some process is still in them, be it as a zombie.
    pub(crate) fn remove(&self) -> bool {
        self.folders().all(|folder| remove_with_all_beneath(folder))
    }
}

/// Whether a group is not there any more; one that goes while it is read is no device for a moment.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(error) == Some(Errno::NODEV)
}

/// What a swarm's own groups are called.
fn own_name(swarm: SwarmUid) -> String {
    format!("alveary-{swarm}")
}

/// Removes a group after those that its agent has made in it.
fn remove_with_all_beneath(group: &Path) -> bool {
    let is_gone = |removed: io::Result<()>| match removed {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    // At once where nothing is beneath it, which is nearly always.
    is_gone(fs::remove_dir(group)) || {
        groups_in(group).for_each(|beneath| {
            remove_with_all_beneath(&beneath);
        });
        is_gone(fs::remove_dir(group))
    }
}

fn is_in(group: &Path, pid: u32) -> bool {
    processes_right_in(group).contains(&pid) || groups_in(group).any(|beneath| is_in(&beneath, pid))
}

fn processes_right_in(group: &Path) -> Vec<u32> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    list.lines().filter_map(|pid| pid.parse().ok()).collect()
}

/// The processes of a group and of those beneath it.
fn processes_in(group: &Path) -> Vec<u32> {
    let own = processes_right_in(group).into_iter();
    let beneath = groups_in(group).flat_map(|beneath| processes_in(&beneath));
    own.chain(beneath).collect()
}

/// The groups that are right beneath this one.
fn groups_in(group: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(group)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

/// Makes a group, and the swarm's own above it should that have gone away with the last of its agents.
fn make_folder(folder: &PathBuf) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(swarm) = folder.parent() {
                fs::create_dir(swarm).or_else(exists_already)?;
            }
            fs::create_dir(folder)
        }
        other => other.or_else(exists_already),
    }
}

/// Writes to a file that the kernel has made: where it has made none, none is.
fn set(path: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(value.as_bytes())
}

fn exists_already(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::AlreadyExists {
        Ok(())
    } else {
        Err(error)
    }
}

/// What the kernel shows of a group of v2.
fn look(group: &Path) -> Group {
    let names = |file: &str| {
        let list = fs::read_to_string(group.join(file)).unwrap_or_default();
        let names = list.split_ascii_whitespace().map(ToOwned::to_owned);
        names.collect()
    };
    let granting = group.join("cgroup.subtree_control");
    Group {
        // Only the root has no type.
        is_root: !group.join("cgroup.type").exists(),
        // Those that cannot be told may be there.
        has_processes: fs::read_to_string(group.join("cgroup.procs"))
            .map_or(true, |list| !list.is_empty()),
        has: names("cgroup.controllers"),
        grants: names("cgroup.subtree_control"),
        is_ours: rustix::fs::access(&granting, Access::WRITE_OK).is_ok(),
    }
}

/// Has a group give the controller to the groups beneath it, if it does not do so already.
fn grant(group: &Path, controller: &str) -> bool {
    let granting = group.join("cgroup.subtree_control");
    let has = |list: String| list.split_ascii_whitespace().any(|name| name == controller);
    fs::read_to_string(&granting).is_ok_and(has)
        || set(&granting, &format!("+{controller}")).is_ok()
}
