//! `up --watch`: which files the agents are made of, and when one of them has changed.

mod files;
mod print;
#[cfg(test)]
mod tests;
mod touched;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use alveary::{Error, Fleet, LoadOptions, Place};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::io::Errno;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout_at;

use crate::failure::Failure;
use files::{Uses, files};
use print::Print;
use touched::Touched;

/// Watches the files that agents are made of.
#[derive(Debug)]
pub(crate) struct Watching {
    options: LoadOptions,
    /// Who is brought up, by name or group; everybody, where nobody is named.
    names: Vec<String>,
    place: Place,
    watcher: RecommendedWatcher,
    events: UnboundedReceiver<notify::Result<Event>>,
    folders: HashSet<PathBuf>,
    files: HashMap<PathBuf, Watched>,
    touched: Touched,
}

#[derive(Debug)]
struct Watched {
    uses: Uses,
    /// How it was when it was looked at last; none where it was not there.
    print: Option<Print>,
}

/// What has changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// The file whose change makes the fleet another, where one has: the fleet's own, or one that it reads.
    pub(crate) fleet: Option<PathBuf>,
    /// The agents of which a file has changed, by name, and which file that is.
    pub(crate) agents: BTreeMap<String, PathBuf>,
}

impl Watching {
    /// Watches what the members of these names, and of these groups, are made of; of all, where there are none.
    pub(crate) fn begin(
        options: LoadOptions,
        fleet: &Fleet,
        names: &[String],
        place: Place,
    ) -> Result<Self, Failure> {
        let (tell, events) = unbounded_channel();
        let watcher = notify::recommended_watcher(move |event| {
            // Nobody listens any more when the program is about to end.
            let _ = tell.send(event);
        });
        let mut watching = Self {
            options: options.with_file(&fleet.file),
            names: names.to_owned(),
            place,
            watcher: watcher.map_err(|error| unwatched(&error))?,
            events,
            folders: HashSet::new(),
            files: HashMap::new(),
            touched: Touched::default(),
        };
        watching.watch(fleet)?;
        Ok(watching)
    }

    /// Watches what this fleet is made of, and nothing else any more.
    pub(crate) fn watch(&mut self, fleet: &Fleet) -> Result<(), Failure> {
        let mut before = std::mem::take(&mut self.files);
        for (path, uses) in files(fleet, &self.names, &self.place) {
            let print = match before.remove(&path) {
                Some(known) => known.print,
                None => Print::of(&path),
            };
            self.files.insert(path, Watched { uses, print });
        }
        // A file that is replaced is another one: only its folder goes on telling of it.
        let folders: HashSet<PathBuf> = self
            .files
            .keys()
            .filter_map(|file| file.parent())
            .map(Path::to_owned)
            .collect();
        for folder in self.folders.difference(&folders) {
            // One that is gone is not watched any more.
            let _ = self.watcher.unwatch(folder);
        }
        for folder in folders.difference(&self.folders) {
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Err(error) if is_absent(&error) => {}
                watched => watched.map_err(|error| unwatched(&error))?,
            }
        }
        self.folders = folders;
        Ok(())
    }

    /// Waits until something has changed, and what changes with it has. Dropping the call loses nothing.
    pub(crate) async fn next(&mut self) -> Changed {
        loop {
            let heard = match self.touched.due() {
                Some(due) => timeout_at(due, self.events.recv()).await,
                None => Ok(self.events.recv().await),
            };
            match heard {
                Ok(Some(event)) => self.hear(event),
                Ok(None) => std::future::pending().await,
                Err(_) => {
                    let changed = self.look();
                    if changed.fleet.is_some() || !changed.agents.is_empty() {
                        return changed;
                    }
                }
            }
        }
    }

    fn hear(&mut self, event: notify::Result<Event>) {
        match event {
            Ok(event) if !event.need_rescan() => {
                if !is_change(event.kind) {
                    return;
                }
                let ours = event.paths.into_iter();
                let ours = ours.filter(|path| self.files.contains_key(path));
                self.touched.add(ours);
            }
            // What was missed is not known.
            _ => self.touched.add(self.files.keys().cloned()),
        }
    }

    /// Looks at the files about which something was heard.
    fn look(&mut self) -> Changed {
        let mut changed = Changed::default();
        for path in self.touched.take() {
            let Some(watched) = self.files.get_mut(&path) else {
                continue;
            };
            // One that is away is about to be replaced, or was removed: nothing can be started from it.
            let Some(now) = Print::of(&path) else {
                watched.print = None;
                continue;
            };
            if watched.print.replace(now) == Some(now) {
                continue;
            }
            if watched.uses.fleet {
                changed.fleet = Some(path.clone());
            }
            for agent in &watched.uses.agents {
                changed.agents.insert(agent.clone(), path.clone());
            }
        }
        changed
    }

    /// An agent was not started from what its files are now: whatever is heard of them next counts.
    pub(crate) fn forget(&mut self, agent: &str) {
        let of_it = |watched: &&mut Watched| watched.uses.agents.contains(agent);
        for watched in self.files.values_mut().filter(of_it) {
            watched.print = None;
        }
    }

    /// Reads the fleet anew, if it is still the same swarm on the same backend.
    pub(crate) fn reread(&self, before: &Fleet) -> Result<Fleet, Failure> {
        let fleet = Fleet::load(&self.options).map_err(Error::from)?;
        let said = |fleet: &Fleet| {
            let backend = fleet.backend.as_str().to_owned();
            (fleet.swarm.clone(), backend, fleet.state_dir.clone())
        };
        let what = if said(&fleet) != said(before) {
            "another swarm, backend or state folder"
        } else if fleet.coordinator != before.coordinator {
            "another coordinator"
        } else {
            return Ok(fleet);
        };
        Err(Failure::input(
            format!("{} names {what} than before", fleet.file.display()),
            "end this by Ctrl-C and say `alveary up --watch` once more",
        ))
    }
}

/// Whether something has been done to a file, and not just with it.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

fn unwatched(error: &notify::Error) -> Failure {
    let cure = match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "have the kernel watch more: sysctl fs.inotify.max_user_watches=524288"
        }
        notify::ErrorKind::Io(ref error) if Errno::from_io_error(error) == Some(Errno::MFILE) => {
            "have the kernel watch for more: sysctl fs.inotify.max_user_instances=1024, or leave out --watch"
        }
        _ => "see to it, or leave out --watch",
    };
    let Some(path) = error.paths.first() else {
        return Failure::input(format!("files cannot be watched: {error}"), cure);
    };
    Failure::input(
        format!("{} cannot be watched: {error}", path.display()),
        cure,
    )
}
