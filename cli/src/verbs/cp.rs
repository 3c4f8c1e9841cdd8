//! `cp`: copies files into an agent's surroundings and out of them.

mod pack;
mod pipe;
mod unpack;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use alveary::{
    Agent, AgentId, AgentPath, Error, ErrorKind, Escaped, FileInfo, FileKind, Files, Operation,
    PutOptions, SwarmManager, TarStream,
};
use clap::Args;
use futures_util::StreamExt;

use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::note;

/// Copies files into an agent's surroundings and out of them
///
/// One of the two is AGENT:PATH. A directory is copied with all beneath it, and what is in it alone if its path ends in
/// `/.`; a link is copied as a link. `-` is a tar archive on standard input, unpacked in the directory AGENT:PATH, or one
/// on standard output.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: alveary cp echo-1:/app/report.txt . and alveary cp - echo-1:/app < app.tar"
)]
pub(crate) struct Cp {
    /// Into an agent: keep the owners, by number, instead of giving it to the agent's user
    #[arg(short, long)]
    archive: bool,

    /// What is copied: AGENT:PATH, a path here, or `-`
    #[arg(value_name = "FROM", add = crate::complete::agents_paths())]
    from: Place,

    /// Where it goes: a path here, AGENT:PATH, or `-`
    #[arg(value_name = "TO", add = crate::complete::agents_paths())]
    to: Place,
}

/// One of the two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Here(PathBuf),
    /// Standard input or output, as a tar archive.
    Stream,
    There {
        agent: String,
        path: AgentPath,
        /// It ended in `/.`: what is in it, and not it.
        contents: bool,
        /// It ended in `/` or `/.`, as only a directory does.
        is_directory: bool,
    },
}

impl FromStr for Place {
    type Err = alveary::InvalidPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Stream);
        }
        match text.split_once(':') {
            // A path here may have a colon in it, behind a `/` or `./`.
            Some((agent, path)) if !agent.is_empty() && !agent.contains('/') => Ok(Self::There {
                agent: agent.to_owned(),
                contents: is_contents(path),
                is_directory: path.ends_with('/') || is_contents(path),
                // As docker has it: from the root, whether that is said or not.
                path: AgentPath::new(format!("/{path}"))?,
            }),
            _ => Ok(Self::Here(PathBuf::from(text))),
        }
    }
}

fn is_contents(path: &str) -> bool {
    path == "." || path.ends_with("/.")
}

impl Cp {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let (agent, is_out) = match (&self.from, &self.to) {
            (Place::There { agent, .. }, Place::Here(_) | Place::Stream) => (agent, true),
            (Place::Here(_) | Place::Stream, Place::There { agent, .. }) => (agent, false),
            (Place::There { .. }, Place::There { .. }) => {
                return Err(Failure::input(
                    "both ends are agents",
                    "copy it here first, or through a pipe: alveary cp A:PATH - | alveary cp - B:PATH",
                ));
            }
            _ => {
                return Err(Failure::input(
                    "neither end is an agent",
                    "write one of the two as AGENT:PATH",
                ));
            }
        };
        let swarm = context.open().await?.swarm;
        let agent = one(&swarm, agent).await?;
        let files = swarm
            .backend()
            .files()
            .ok_or_else(|| no_files_of_its_own(&swarm, &agent, is_out))?;
        let copied = match (&self.from, &self.to) {
            (Place::There { path, contents, .. }, to) => {
                get(files, agent.id(), path, *contents, to).await
            }
            (
                from,
                Place::There {
                    path, is_directory, ..
                },
            ) => {
                let options = PutOptions::default().with_keep_owners(self.archive);
                put(files, agent.id(), from, (path, *is_directory), options).await
            }
            _ => Ok(()),
        };
        copied.map_err(|failure| failure.of(agent.name()))?;
        Ok(Outcome::Done)
    }
}

async fn one(swarm: &SwarmManager, name: &str) -> Result<Agent, Failure> {
    let name = name.to_owned();
    let mut agents = bulk::resolve(swarm, std::slice::from_ref(&name)).await?;
    match (agents.pop(), agents.len()) {
        (Some(agent), 0) => Ok(agent),
        (_, others) => Err(Failure::input(
            format!("`{}` means {} agents", Escaped(&name), others + 1),
            format!("say which, such as `{}-1:…`", Escaped(&name)),
        )),
    }
}

fn no_files_of_its_own(swarm: &SwarmManager, agent: &Agent, is_out: bool) -> Error {
    let operation = if is_out {
        Operation::GetFiles
    } else {
        Operation::PutFiles
    };
    Error::unsupported(
        operation,
        format!(
            "agents of `{}` have no files of their own: theirs are this host's",
            swarm.backend().kind()
        ),
        "copy them by `cp`; where an agent is, `alveary exec NAME pwd` tells",
    )
    .with_agent(agent.id())
    .with_name(agent.name())
}

/// Out of an agent.
async fn get(
    files: &dyn Files,
    id: &AgentId,
    path: &AgentPath,
    contents: bool,
    to: &Place,
) -> Result<(), Failure> {
    let Place::Here(to) = to else {
        if io::stdout().is_terminal() {
            return Err(Failure::input(
                "standard output is a terminal, and what comes is an archive",
                "send it into a file or a pipe, as in `… - | tar -t`",
            ));
        }
        let mut archive = files.get(id, path).await?;
        let mut out = io::stdout();
        while let Some(piece) = archive.next().await {
            out.write_all(&piece?)?;
        }
        return Ok(out.flush()?);
    };
    let what = files.look(id, path).await?;
    let is_directory = what.kind == FileKind::Directory;
    let root = landing(to, path.name(), is_directory, contents)?;
    let archive = files.get(id, path).await?;
    let passed_over =
        pipe::into_reader(archive, move |reader| unpack::beneath(reader, &root)).await?;
    for name in passed_over {
        note(format_args!(
            "{} is left out: it is no file, directory or link",
            Escaped(&name)
        ));
    }
    Ok(())
}

/// Where here the thing itself lands, by the rules of `cp -r`.
fn landing(
    to: &Path,
    name: Option<&str>,
    is_directory: bool,
    contents: bool,
) -> Result<PathBuf, Failure> {
    let wants_directory = to.as_os_str().to_string_lossy().ends_with('/');
    match std::fs::metadata(to) {
        Ok(there) if there.is_dir() => Ok(match name {
            Some(name) if !contents => to.join(name),
            _ => std::fs::canonicalize(to).unwrap_or_else(|_| to.to_owned()),
        }),
        Ok(_) if is_directory || wants_directory => Err(Failure::input(
            format!("{} is no directory", to.display()),
            "name a directory, or a path where nothing is yet",
        )),
        // Through a link to what it leads to, as a shell's `>` would.
        Ok(_) => Ok(std::fs::canonicalize(to).unwrap_or_else(|_| to.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent_is_there = parent.is_none_or(Path::is_dir);
            if !parent_is_there || (wants_directory && !is_directory) {
                return Err(Failure::input(
                    format!("there is no directory {}", parent.unwrap_or(to).display()),
                    "make it first, by mkdir -p",
                ));
            }
            Ok(to.to_owned())
        }
        Err(error) => Err(Failure::input(
            format!("{} cannot be looked at: {error}", to.display()),
            "let yourself look there, or name another place",
        )),
    }
}

/// Into an agent.
async fn put(
    files: &dyn Files,
    id: &AgentId,
    from: &Place,
    (to, wants_directory): (&AgentPath, bool),
    options: PutOptions,
) -> Result<(), Failure> {
    let Place::Here(from) = from else {
        if io::stdin().is_terminal() {
            return Err(Failure::input(
                "standard input is a terminal, and an archive is to come from it",
                "pipe one in, as in `tar -c app | alveary cp - NAME:/`",
            ));
        }
        let archive = TarStream::reading(pipe::from_stdin());
        return Ok(files.put(id, to, archive, options).await?);
    };
    let what = std::fs::symlink_metadata(from).map_err(|error| {
        Failure::input(
            format!("{} cannot be copied: {error}", from.display()),
            "name what is there, and let yourself read it",
        )
    })?;
    let name = from
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let contents = name.is_none() || is_contents(&from.to_string_lossy());
    // Where a link leads upwards, the engine finds out.
    let is_one = |there: &FileInfo| match there.kind {
        FileKind::Directory => true,
        FileKind::Link { .. } => wants_directory,
        _ => false,
    };
    let there = seen(files, id, to).await;
    let (into, name) = match there.map_err(|error| error.with_operation(Operation::PutFiles))? {
        Some(there) if is_one(&there) => (to.clone(), name.filter(|_| !contents)),
        Some(_) if what.is_dir() || wants_directory => {
            return Err(Failure::input(
                format!("{to} is no directory"),
                "name a directory, or a path where nothing is yet",
            ));
        }
        None if wants_directory && !what.is_dir() => {
            return Err(Failure::input(
                format!("there is no directory {to}"),
                "make it first, by mkdir -p",
            ));
        }
        _ => {
            let into = to.parent().unwrap_or_else(|| to.clone());
            (into, to.name().map(ToOwned::to_owned))
        }
    };
    let (archive, packing) = pack::archive(from.clone(), name);
    let done = files.put(id, &into, archive, options).await;
    match (done, packing.await) {
        // What could not be read here is why it did not arrive there; but for a pipe that is closed there.
        (Err(_), Ok(Err(error))) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::input(
                format!("{} cannot be copied: {error}", from.display()),
                "let yourself read all of it",
            ))
        }
        (done, _) => Ok(done?),
    }
}

/// What stands there, at the end of the links; none where nothing does.
async fn seen(
    files: &dyn Files,
    id: &AgentId,
    path: &AgentPath,
) -> Result<Option<FileInfo>, Error> {
    /// As many as Linux follows.
    const LINKS: usize = 40;
    let mut path = path.clone();
    for _ in 0..LINKS {
        let info = match files.look(id, &path).await {
            Ok(info) => info,
            Err(error) if error.kind() == ErrorKind::NotFound && error.agent().is_some() => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let FileKind::Link { target } = &info.kind else {
            return Ok(Some(info));
        };
        let parent = path.parent().unwrap_or_else(|| path.clone());
        let next = if target.starts_with('/') {
            target.clone()
        } else {
            format!("{parent}/{target}")
        };
        match AgentPath::new(next) {
            Ok(next) => path = next,
            // It goes upwards: the engine finds its way, and says if it does not.
            Err(_) => return Ok(Some(info)),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_path_has_a_colon_before_any_slash() {
        let there = |path: &str, contents, is_directory| Place::There {
            agent: "echo-1".to_owned(),
            path: AgentPath::new(path).unwrap(),
            contents,
            is_directory,
        };
        for (text, place) in [
            ("echo-1:/app", there("/app", false, false)),
            ("echo-1:app/", there("/app", false, true)),
            ("echo-1:/app/.", there("/app", true, true)),
            ("echo-1:", there("/", false, false)),
            ("-", Place::Stream),
            ("./a:b", Place::Here("./a:b".into())),
            ("/a:b", Place::Here("/a:b".into())),
            ("file", Place::Here("file".into())),
        ] {
            assert_eq!(text.parse::<Place>().unwrap(), place, "{text}");
        }
        assert!("echo-1:/../etc".parse::<Place>().is_err());
    }

    #[test]
    fn it_lands_where_cp_would_have_put_it() {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path();
        std::fs::write(here.join("file"), "").unwrap();
        let land = |to: &str, is_directory, contents| {
            landing(&here.join(to), Some("thing"), is_directory, contents)
                .map(|path| {
                    path.strip_prefix(here.canonicalize().unwrap())
                        .or_else(|_| path.strip_prefix(here))
                        .unwrap()
                        .to_owned()
                })
                .ok()
        };
        assert_eq!(land("", false, false), Some("thing".into()));
        assert_eq!(land("", true, true), Some("".into()));
        assert_eq!(land("new", true, false), Some("new".into()));
        assert_eq!(land("file", false, false), Some("file".into()));
        assert_eq!(land("file", true, false), None);
        assert_eq!(land("new/", false, false), None);
        assert_eq!(land("no/such", false, false), None);
    }
}
