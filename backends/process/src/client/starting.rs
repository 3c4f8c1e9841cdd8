//! Finding a keeper's socket, and starting a keeper where there is none.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout};
use std::time::Duration;

use alveary_core::{Error, ErrorKind, Escaped, Operation, Result};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::keeper::Settings;
use crate::keeper::run::{HELD, READY, SOCKET, command};
use crate::os::files::short_path;

/// Another keeper holds the folder and does not listen yet, or is about to end: how often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long no other is started meanwhile: twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Which program becomes the keeper.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// This one, as it runs: even if its file has been replaced since.
    ThisOne,
    At(PathBuf),
}

impl Program {
    fn to_run(&self) -> &Path {
        match self {
            Self::ThisOne => Path::new("/proc/self/exe"),
            Self::At(path) => path,
        }
    }

    /// Its path, for another process to find it.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::ThisOne => std::env::current_exe().ok(),
            Self::At(path) => Some(path.clone()),
        }
    }
}

/// Connects if a keeper listens. `None`: none does.
pub(super) async fn connect(folder: &Path, by: Instant) -> Result<Option<UnixStream>> {
    loop {
        let attempt = async {
            let (_folder, path) = short_path(folder, SOCKET)?;
            UnixStream::connect(path).await
        };
        match attempt.await {
            Ok(stream) => return Ok(Some(stream)),
            Err(error) => match error.kind() {
                // The last: it stopped listening this very moment.
                io::ErrorKind::NotFound
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset => return Ok(None),
                // It listens, and so many have knocked that no more may.
                io::ErrorKind::WouldBlock if Instant::now() < by => sleep(LOOK_EVERY).await,
                io::ErrorKind::WouldBlock => return Err(crowded(folder)),
                _ => return Err(unavailable("the keeper's socket cannot be used", error)),
            },
        }
    }
}

fn crowded(folder: &Path) -> Error {
    let what = format!("the keeper of {} lets nobody in", folder.display());
    Error::new(ErrorKind::EngineUnavailable, Operation::Connect, what)
        .with_cure("look whether its process is stopped or the machine is overloaded; killing it harms no agent")
}

pub(super) async fn connect_or_start(
    settings: &Settings,
    program: &Program,
    by: Instant,
) -> Result<UnixStream> {
    let mut pause = FIRST_PAUSE;
    let mut lock_is_held = false;
    loop {
        if let Some(stream) = connect(&settings.folder, by).await? {
            return Ok(stream);
        }
        if Instant::now() >= by {
            return Err(held(&settings.folder));
        }
        match start(settings, program, by).await? {
            Started::Ready => {}
            Started::Silent if lock_is_held => return Err(held(&settings.folder)),
            Started::Silent => return Err(late()),
            Started::Held => {
                lock_is_held = true;
                let next_start = Instant::now() + pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                while Instant::now() < next_start.min(by) {
                    if let Some(stream) = connect(&settings.folder, by).await? {
                        return Ok(stream);
                    }
                    sleep(LOOK_EVERY).await;
                }
            }
        }
    }
}

fn held(folder: &Path) -> Error {
    let what = "another process holds the keeper's lock and does not answer";
    Error::new(ErrorKind::EngineUnavailable, Operation::Connect, what).with_cure(format!(
        "see who holds {} (`fuser` tells), and end it: that harms no agent",
        folder.join("keeper.lock").display()
    ))
}

fn late() -> Error {
    let what = "the keeper was started and is not ready in time";
    Error::new(ErrorKind::EngineUnavailable, Operation::Connect, what)
        .with_cure("see what the machine is busy with")
}

enum Started {
    Ready,
    /// Another has the folder.
    Held,
    /// It said nothing until the time was over.
    Silent,
}

async fn start(settings: &Settings, program: &Program, by: Instant) -> Result<Started> {
    let mut command = command(program.to_run(), settings)
        .map_err(|error| unavailable("the keeper's settings cannot be written", error.into()))?;
    let mut child = command.spawn().map_err(|error| {
        let what = format!(
            "the keeper's program {} cannot be started",
            program.to_run().display()
        );
        unavailable(&what, error)
    })?;
    let Some(stdout) = child.stdout.take() else {
        return Err(unavailable(
            "the keeper cannot be heard",
            io::ErrorKind::BrokenPipe.into(),
        ));
    };
    let (tell, line) = oneshot::channel();
    // A thread of its own: one of the runtime's would hold that up at its end for as long as the keeper is
    // silent. It outlives this process; should it end before, its parent takes note.
    std::thread::spawn(move || {
        let line = first_line(stdout).unwrap_or_default();
        // How it ended matters only where it ended without a word.
        let was_killed = line.is_empty() && was_killed(&mut child);
        let _nobody_waits = tell.send((line, was_killed));
        child.wait()
    });
    let said = match timeout_at(by, line).await {
        // Nothing is wrong with the program: another may be started at once.
        Ok(Ok((_, true))) => return Ok(Started::Held),
        Ok(said) => said.map(|(line, _)| line).unwrap_or_default(),
        Err(_) => return Ok(Started::Silent),
    };
    match said.as_str() {
        READY => Ok(Started::Ready),
        HELD => Ok(Started::Held),
        "" => Err(Error::new(
            ErrorKind::EngineUnavailable,
            Operation::Connect,
            format!(
                "the program {} did not become a keeper",
                program.to_run().display()
            ),
        )
        .with_cure("call `alveary_process::keeper::run_if_asked()` first in its `main`")),
        trouble => Err(Error::new(
            ErrorKind::EngineUnavailable,
            Operation::Connect,
            format!("the keeper could not start: {}", Escaped(trouble)),
        )
        .with_cure("see that the state folder is there, yours, and has room")),
    }
}

/// Whether somebody has ended it, and not it itself.
fn was_killed(child: &mut Child) -> bool {
    child.wait().is_ok_and(|status| status.signal().is_some())
}

fn first_line(mut from: ChildStdout) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    // A line of ours is short: a program that is no keeper may say anything.
    while line.len() < 4096 && from.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn unavailable(what: &str, error: io::Error) -> Error {
    let told = crate::trouble::from_io(Operation::Connect, what, error);
    match told.kind() {
        ErrorKind::Engine => {
            let words = told.engine_words().unwrap_or_default().to_owned();
            Error::new(ErrorKind::EngineUnavailable, Operation::Connect, what)
                .with_engine_words(words)
                .with_cure("see that the state folder and the keeper's program are there and yours")
        }
        _ => told,
    }
}
