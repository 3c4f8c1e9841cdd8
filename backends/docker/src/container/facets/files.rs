//! Files of agents: in their containers, and there until these are removed.

use std::time::Duration;

use alveary_core::{
    AgentId, AgentPath, Error, ErrorKind, FileInfo, FileKind, Files, Operation, PutOptions, Result,
    TarStream,
};
use async_trait::async_trait;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::classify::{Class, Trouble};
use crate::container::Containers;
use crate::container::agent::Agent;
use crate::engine::{Answer, Engine};
use crate::http::archive::{self, Failed, Owner, Stat, To, Unpack};
use crate::http::links::Search;
use crate::wire;

/// For so long a link is looked for among what lies beside it.
const PATIENCE: Duration = Duration::from_mins(1);

fn nothing(operation: Operation, id: &AgentId, what: String) -> Error {
    Error::new(ErrorKind::NotFound, operation, what)
        .with_agent(id)
        .with_cure("look at the directory above it")
}

/// What engines say to an archive that does not fit what is there.
fn refuses_kinds(words: &str) -> bool {
    let words = words.to_lowercase();
    let said = [
        "cannot overwrite",
        "read-only",
        "file exists",
        "marked read only",
    ];
    said.iter().any(|said| words.contains(said))
}

/// How the whole file system is asked for, so that names in it begin at its root.
pub(super) fn asked(path: &AgentPath) -> &str {
    if path.as_str() == "/" {
        "/."
    } else {
        path.as_str()
    }
}

impl<E: Engine> Containers<E> {
    /// The agent, where the engine sees what it sees at this path.
    async fn seen(&self, id: &AgentId, path: &AgentPath, operation: Operation) -> Result<Agent> {
        let agent = self.find(id, operation).await?;
        let facts = self.learn().await;
        let facts = facts.map_err(|trouble| trouble.error(operation).with_agent(id))?;
        // Docker looks beneath what is in the memory of a container, and says that all is well.
        let hidden = |folder: &&String| {
            let below = path.as_str().strip_prefix(folder.trim_end_matches('/'));
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        match agent.container.tmpfs.iter().find(hidden) {
            Some(folder) if !facts.podman => Err(Error::unsupported(
                operation,
                format!("Docker does not reach into `{folder}`, which is in the agent's memory"),
                "use a volume, or have a program in the agent copy it",
            )
            .with_agent(id)),
            _ => Ok(agent),
        }
    }

    async fn stat(&self, agent: &Agent, path: &AgentPath) -> Result<Stat> {
        let id = &agent.marks.id;
        let stat = self.stands_at(agent, path).await;
        let stat = stat.map_err(|trouble| trouble.error(Operation::GetFiles).with_agent(id))?;
        stat.ok_or_else(|| {
            nothing(
                Operation::GetFiles,
                id,
                format!("nothing stands at `{path}`"),
            )
        })
    }

    /// What is written in a link, out of the archive of it or, where an engine follows links that it is asked
    /// for, of the directory that it is in.
    async fn written_in(&self, agent: &Agent, path: &AgentPath) -> Answer<Option<String>> {
        let follows = self.learn().await?.podman;
        let (Some(name), Some(parent)) = (path.name(), path.parent()) else {
            return Ok(None);
        };
        let from = if follows { &parent } else { path };
        let depth = usize::from(follows && from.name().is_some());
        let is_it = |entry: &str| {
            let mut parts = entry.split('/').filter(|part| !matches!(*part, "" | "."));
            parts.nth(depth) == Some(name) && parts.next().is_none()
        };
        let mut search = Search::new(&is_it);
        let pieces = self.archive(agent, from).await?;
        let Some(mut pieces) = pieces else {
            return Ok(None);
        };
        let found = async {
            while let Some(piece) = pieces.next().await {
                if let Some(link) = search.push(&piece?) {
                    return Ok(Some(link));
                }
            }
            Ok(None)
        };
        let late = || Trouble::new(Class::Lost, "the link was not found in time");
        timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    /// To whom what is put is given, and whether this engine can do so.
    async fn receiver(&self, agent: &Agent, options: &PutOptions) -> Result<To> {
        let id = &agent.marks.id;
        let facts = self.learn().await;
        let facts = facts.map_err(|trouble| trouble.error(Operation::PutFiles).with_agent(id))?;
        if facts.podman {
            // It gives all to the container's user, asked or not.
            return if options.keep_owners {
                Err(Error::unsupported(
                    Operation::PutFiles,
                    "Podman gives all that is put to the agent's user",
                    "leave out `keep_owners`, and have the agent give the files away",
                )
                .with_agent(id))
            } else {
                Ok(To::OfContainer)
            };
        }
        if options.keep_owners {
            return Ok(To::Named);
        }
        match Owner::read(&agent.container.user) {
            Some(owner) => Ok(To::Number(owner)),
            // It would look for the user on its own host.
            None if facts.is_docker_before(23) => Err(Error::unsupported(
                Operation::PutFiles,
                "an engine before Docker 23 does not know who the agent's user is",
                "say the user by numbers, or keep the archive's owners with `keep_owners`",
            )
            .with_agent(id)),
            None => Ok(To::OfContainer),
        }
    }
}

#[async_trait]
impl<E: Engine> Files for Containers<E> {
    async fn look(&self, id: &AgentId, path: &AgentPath) -> Result<FileInfo> {
        let agent = self.seen(id, path, Operation::GetFiles).await?;
        let stat = self.stat(&agent, path).await?;
        let kind = if stat.is_link() {
            let written = self.written_in(&agent, path).await;
            let written =
                written.map_err(|trouble| trouble.error(Operation::GetFiles).with_agent(id))?;
            let target = written.ok_or_else(|| {
                nothing(
                    Operation::GetFiles,
                    id,
                    format!("the link at `{path}` is gone"),
                )
            })?;
            FileKind::Link { target }
        } else if stat.is_folder() {
            FileKind::Directory
        } else if stat.is_other() {
            FileKind::Other
        } else {
            FileKind::File
        };
        let size = u64::try_from(stat.size).unwrap_or_default();
        let name = path.name().unwrap_or("/");
        let info = FileInfo::new(name, kind, size, stat.permissions());
        Ok(match wire::time(&stat.mtime) {
            Some(modified) => info.with_modified(modified),
            None => info,
        })
    }

    async fn get(&self, id: &AgentId, path: &AgentPath) -> Result<TarStream> {
        let agent = self.seen(id, path, Operation::GetFiles).await?;
        let wrong = |trouble: Trouble| trouble.error(Operation::GetFiles).with_agent(id);
        // Podman answers well, and with nothing, where nothing stands.
        let stat = self.stat(&agent, path).await?;
        if stat.is_link() && self.learn().await.map_err(wrong)?.podman {
            return Err(Error::unsupported(
                Operation::GetFiles,
                format!("Podman follows the link `{path}` instead of copying it"),
                "get the directory that it is in, or what it leads to",
            )
            .with_agent(id));
        }
        let pieces = self.archive(&agent, path).await.map_err(wrong)?;
        let pieces = pieces.ok_or_else(|| {
            nothing(
                Operation::GetFiles,
                id,
                format!("nothing stands at `{path}`"),
            )
        })?;
        let id = id.clone();
        Ok(TarStream::new(pieces.map(move |piece| {
            piece.map_err(|trouble| trouble.error(Operation::GetFiles).with_agent(&id))
        })))
    }

    async fn put(
        &self,
        id: &AgentId,
        into: &AgentPath,
        archive: TarStream,
        options: PutOptions,
    ) -> Result<()> {
        let agent = self.seen(id, into, Operation::PutFiles).await?;
        let how = Unpack {
            replace_kinds: options.replace_kinds,
            owner: self.receiver(&agent, &options).await?,
        };
        let http = self.engine().http();
        let wrong = |trouble: Trouble| trouble.error(Operation::PutFiles).with_agent(id);
        let no_directory = || {
            nothing(
                Operation::PutFiles,
                id,
                format!("there is no directory `{into}`"),
            )
        };
        // Podman would make one.
        if self.learn().await.map_err(wrong)?.podman {
            let looked = self.stands_at(&agent, into).await;
            if looked.map_err(wrong)?.is_none() {
                return Err(no_directory());
            }
        }
        match archive::put(http, &agent.container.id, into.as_str(), archive, how).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(no_directory()),
            Err(Failed::Source(error)) => Err(error.with_agent(id)),
            Err(Failed::Trouble(trouble)) if refuses_kinds(&trouble.words) => Err(Error::new(
                ErrorKind::Conflict,
                Operation::PutFiles,
                "what is there does not give way",
            )
            .with_agent(id)
            .with_cure("let `replace_kinds` replace it, or put elsewhere what cannot be written")
            .with_engine_words(trouble.words)),
            Err(Failed::Trouble(trouble)) => Err(wrong(trouble)),
        }
    }
}
