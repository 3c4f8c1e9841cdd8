//! From a container that was made to an agent that runs, or to nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alveary_core::{AgentInfo, AgentState, Error, ErrorKind, Operation, Result, SpawnPhase};
use tokio::time::Instant;

use super::Containers;
use crate::classify::{Class, Trouble};
use crate::engine::{Container, Engine, Inside, Phase, Ref};
use crate::plan::{Plan, Source};

/// How long it is believed that what was seen is still there.
pub(super) const BELIEVED: Duration = Duration::from_mins(1);

/// More links than this lead in a circle.
const MAX_LINKS: usize = 16;

/// Where programs are looked for in an image that does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// All by which an image alone decides whether what an agent is to run is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sought {
    image: String,
    program: Option<String>,
    path: Option<String>,
    workdir: Option<String>,
    /// Without an init, the engine itself finds out about the program.
    init: bool,
}

impl Sought {
    fn of(plan: &Plan) -> Self {
        Self {
            image: plan.image.clone(),
            program: plan.entrypoint.as_ref().or(plan.command.first()).cloned(),
            path: plan.env.0.get("PATH").cloned(),
            workdir: plan.workdir.clone(),
            init: plan.security.init,
        }
    }
}

/// When something was seen to be there, and all paths that were looked at for it.
#[derive(Debug)]
struct Seen {
    at: Instant,
    paths: Vec<String>,
}

/// What was seen to be in which image.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Sought, Seen>>);

impl Known {
    /// Whether it was seen in the image just now, and nothing is mounted over it here.
    fn is(&self, sought: &Sought, plan: &Plan) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(sought).is_some_and(|seen| {
            seen.at.elapsed() < BELIEVED && !seen.paths.iter().any(|path| is_mounted(plan, path))
        })
    }

    /// What is mounted says nothing of the image.
    fn add(&self, sought: Sought, plan: &Plan, paths: Vec<String>) {
        if paths.iter().any(|path| is_mounted(plan, path)) {
            return;
        }
        let at = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, seen| seen.at.elapsed() < BELIEVED);
        known.insert(sought, Seen { at, paths });
    }
}

impl<E: Engine> Containers<E> {
    /// Starts it, and leaves nothing behind where that cannot be.
    pub(super) async fn begin(&self, plan: &Plan, container: &Ref) -> Result<AgentInfo> {
        let begun = SpawnPhase::Start.time(&plan.marks.id, self.prepare_and_start(plan, container));
        let begun = begun.await;
        match begun {
            // That it runs is answer enough: one question more would be answered a moment later, no more.
            Ok(()) if plan.ports.is_empty() => return Ok(started(plan, container)),
            // But for ports: where they are published only the engine knows.
            Ok(()) => return Ok(self.started_with_ports(plan, container).await),
            Err(trouble) if trouble.class == Class::Lost => {
                self.find_out(container, trouble).await?;
            }
            // It may have been started whatever was said of it, and have ended since.
            Err(_) if self.was_started(container).await => {}
            // Without force: the engine sees to it that nothing that runs goes.
            Err(trouble) => match self.engine().remove(container, false).await {
                // It was started, whatever was said of it.
                Err(left) if left.class == Class::StillRunning => {}
                Err(left) if left.class == Class::Lost => return Err(left.error(Operation::Spawn)),
                removed => {
                    if let Err(left) = removed
                        && left.class != Class::NoContainer
                    {
                        tracing::warn!(container = container.as_str(), words = %left.words, "a container that could not be started is left");
                    }
                    self.0.own.doubt();
                    return Err(trouble.error(Operation::Spawn));
                }
            },
        }
        let found = self.engine().inspect(container).await;
        let lost = |words: String| Trouble::new(Class::Lost, words).error(Operation::Spawn);
        match found.map_err(|trouble| lost(trouble.words))? {
            Some(container) => match self.ours(container) {
                Some(agent) => Ok(self.info(&agent).await),
                None => Err(gone_meanwhile()),
            },
            None => Err(gone_meanwhile()),
        }
    }

    /// That it runs is known; an engine that does not say where its ports are says so at the next look.
    async fn started_with_ports(&self, plan: &Plan, container: &Ref) -> AgentInfo {
        let mut info = started(plan, container);
        match self.engine().inspect(container).await {
            Ok(found) => info.ports = found.map(|found| found.ports).unwrap_or_default(),
            Err(trouble) => {
                tracing::debug!(words = %trouble.words, "where its ports are published is not known yet");
            }
        }
        info
    }

    /// Whether it ran, by the engine's own word.
    async fn was_started(&self, container: &Ref) -> bool {
        let found = self.engine().inspect(container).await;
        found.is_ok_and(|found| {
            found.is_some_and(|found| found.phase != Phase::Created && found.started_at.is_some())
        })
    }

    async fn prepare_and_start(&self, plan: &Plan, container: &Ref) -> Result<(), Trouble> {
        for network in plan.networks.iter().skip(1) {
            let alias = plan.alias_in(network);
            self.engine().connect(container, network, alias).await?;
        }
        self.has_what_it_runs(plan, container).await?;
        self.engine().start(container).await
    }

    /// The answer to the start was lost: it runs, or it certainly will not, or nobody knows.
    async fn find_out(&self, container: &Ref, trouble: Trouble) -> Result<()> {
        let unknown = || Err(trouble.clone().error(Operation::Spawn));
        match self.engine().inspect(container).await {
            Ok(Some(found)) if found.phase != Phase::Created => Ok(()),
            Ok(None) => Err(gone_meanwhile()),
            // Without force: if the start is carried out after all, this is refused.
            Ok(Some(_)) => match self.engine().remove(container, false).await {
                Ok(()) => Err(Error::new(
                    ErrorKind::Timeout,
                    Operation::Spawn,
                    "the engine did not start it in time, and it was taken away again",
                )
                .with_cure(
                    "try again when the engine has less to do, or give `timeout.start` more",
                )),
                Err(refused) if refused.class == Class::StillRunning => Ok(()),
                Err(_) => unknown(),
            },
            Err(_) => unknown(),
        }
    }

    /// With an init before it, a program that is not there would be found out by the init alone, after the
    /// engine has said that all is well; and engines make a working directory that is not there.
    async fn has_what_it_runs(&self, plan: &Plan, container: &Ref) -> Result<(), Trouble> {
        let sought = Sought::of(plan);
        if self.0.known.is(&sought, plan) {
            return Ok(());
        }
        let mut paths = Vec::new();
        if let Some(workdir) = &plan.workdir {
            paths.push(workdir.clone());
            if !is_mounted(plan, workdir) {
                self.has_folder(container, workdir, &mut paths).await?;
            }
        }
        if plan.security.init
            && let Some(made) = self.engine().inspect(container).await?
        {
            self.has_program(plan, &made, &mut paths).await?;
        }
        self.0.known.add(sought, plan, paths);
        Ok(())
    }

    /// Docker makes the folder with the container, Podman when it starts.
    async fn has_folder(
        &self,
        container: &Ref,
        folder: &str,
        paths: &mut Vec<String>,
    ) -> Result<(), Trouble> {
        let added = self.engine().added(container).await?;
        let folder = folder.trim_end_matches('/');
        let made = added.iter().any(|path| path == folder);
        let path = if folder.is_empty() { "/" } else { folder };
        let nothing = Some(Inside::Nothing);
        if made || self.follow(container, path.to_owned(), None, paths).await? == nothing {
            return Err(Trouble::new(Class::NoFolder, ""));
        }
        Ok(())
    }

    async fn has_program(
        &self,
        plan: &Plan,
        made: &Container,
        paths: &mut Vec<String>,
    ) -> Result<(), Trouble> {
        let Some(program) = made.argv.first() else {
            return Err(Trouble::new(
                Class::NoProgram,
                "the image says nothing to run",
            ));
        };
        let said = plan.env.0.get("PATH").or(made.path.as_ref());
        let path = said.map_or(DEFAULT_PATH, String::as_str);
        let candidates: Vec<String> = if program.starts_with('/') {
            vec![program.clone()]
        } else if program.contains('/') {
            let from = plan.workdir.as_deref().unwrap_or("/");
            vec![format!("{}/{program}", from.trim_end_matches('/'))]
        } else {
            path.split(':')
                .filter(|folder| folder.starts_with('/'))
                .map(|folder| format!("{}/{program}", folder.trim_end_matches('/')))
                .collect()
        };
        let podman = self.learn().await?.podman;
        let mut found = Some(Class::NoProgram);
        for path in candidates {
            let unseen = podman.then_some(plan);
            match self.follow(&made.id, path, unseen, paths).await? {
                Some(Inside::File { executable: true }) => return Ok(()),
                Some(Inside::File { .. } | Inside::Folder) => {
                    found = found.and(Some(Class::NotExecutable));
                }
                Some(Inside::Nothing | Inside::Link(_)) => {}
                None => found = None,
            }
        }
        match found {
            // It may be there, and else ends at once.
            None => Ok(()),
            Some(class) if program.contains('/') => Err(Trouble::new(class, program.clone())),
            Some(class) => Err(Trouble::new(class, format!("`{program}`, in its PATH"))),
        }
    }

    /// What is at the end of all links; each path on the way there is noted. `None`: it lies in what this plan mounts. Podman mounts nothing before the
    /// start, and fails to look where something will be.
    async fn follow(
        &self,
        container: &Ref,
        mut path: String,
        unseen: Option<&Plan>,
        paths: &mut Vec<String>,
    ) -> Result<Option<Inside>, Trouble> {
        for _ in 0..MAX_LINKS {
            paths.push(path.clone());
            if unseen.is_some_and(|plan| is_mounted(plan, &path)) {
                return Ok(None);
            }
            match self.engine().look(container, &path).await? {
                Inside::Link(to) if to.starts_with('/') => path = to,
                Inside::Link(to) => {
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    path = format!("{folder}/{to}");
                }
                found => return Ok(Some(found)),
            }
        }
        Ok(Some(Inside::Nothing))
    }
}

/// Whether the path lies in something that is mounted, and so not in the image.
fn is_mounted(plan: &Plan, path: &str) -> bool {
    let beneath = |target: &str| std::path::Path::new(path).starts_with(target);
    plan.mounts.iter().any(|mount| {
        matches!(mount.source, Source::Host(_) | Source::Volume(_)) && beneath(&mount.target)
    }) || plan.tmpfs.iter().any(|tmpfs| beneath(&tmpfs.path))
}

/// What is known of an agent whose start the engine has just told, without asking.
fn started(plan: &Plan, container: &Ref) -> AgentInfo {
    let marks = &plan.marks;
    let mut info = AgentInfo::new(
        marks.id.clone(),
        marks.incarnation,
        marks.name.clone(),
        AgentState::Running,
    );
    info.handle = Some(container.as_str().to_owned());
    info.image = Some(plan.image.clone());
    info.capabilities.clone_from(&marks.capabilities);
    info.spec_hash = marks.spec_hash;
    info.started_at = Some(info.created_at);
    info
}

fn gone_meanwhile() -> Error {
    Error::new(
        ErrorKind::Conflict,
        Operation::Spawn,
        "somebody removed it while it was being started",
    )
    .with_cure("start it again")
}
