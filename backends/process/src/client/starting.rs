//! Finding a keeper's socket, and starting a keeper where there is none.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::time::Duration;

use alveary_core::{Error, ErrorKind, Escaped, Operation, Result};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use crate::keeper::Settings;
use crate::keeper::run::{HELD, READY, SOCKET, command};
use crate::os::files::short_path;

/// How long a keeper may take until it can be asked.
const START_TAKES_AT_MOST: Duration = Duration::from_secs(20);

/// Another keeper holds the folder and does not answer yet, or is about to end.
const PAUSE: Duration = Duration::from_millis(5);

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
pub(crate) async fn connect(folder: &Path) -> io::Result<Option<UnixStream>> {
    let attempt = async {
        let (_folder, path) = short_path(folder, SOCKET)?;
        UnixStream::connect(path).await
    };
    match attempt.await {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(crate) async fn connect_or_start(settings: &Settings, program: &Program) -> Result<UnixStream> {
    let give_up_at = Instant::now() + START_TAKES_AT_MOST;
    loop {
        match connect(&settings.folder).await {
            Ok(Some(stream)) => return Ok(stream),
            Ok(None) => {}
            Err(error) => return Err(unavailable("the keeper's socket cannot be used", error)),
        }
        if Instant::now() >= give_up_at {
            return Err(Error::new(
                ErrorKind::EngineUnavailable,
                Operation::Connect,
                "another process holds the keeper's lock and does not answer",
            )
            .cure(format!(
                "see who holds {} (`fuser` tells), and end it: that harms no agent",
                settings.folder.join("keeper.lock").display()
            )));
        }
        if start(settings, program).await? == Started::Held {
            sleep(PAUSE).await;
        }
    }
}

#[derive(PartialEq)]
enum Started {
    Ready,
    Held,
}

async fn start(settings: &Settings, program: &Program) -> Result<Started> {
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
    let line = tokio::task::spawn_blocking(move || first_line(stdout));
    // It outlives this process; should it end before, its parent takes note.
    std::thread::spawn(move || child.wait());
    let said = match tokio::time::timeout(START_TAKES_AT_MOST, line).await {
        Ok(Ok(line)) => line.unwrap_or_default(),
        Ok(Err(error)) => {
            return Err(unavailable(
                "the keeper cannot be heard",
                io::Error::other(error),
            ));
        }
        Err(_) => {
            return Err(Error::new(
                ErrorKind::EngineUnavailable,
                Operation::Connect,
                format!("the keeper was not ready within {START_TAKES_AT_MOST:?}"),
            )
            .cure("see what the machine is busy with"));
        }
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
        .cure("call `alveary_process::keeper::run_if_asked()` first in its `main`")),
        trouble => Err(Error::new(
            ErrorKind::EngineUnavailable,
            Operation::Connect,
            format!("the keeper could not start: {}", Escaped(trouble)),
        )
        .cure("see that the state folder is there, yours, and has room")),
    }
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
            let words = told.engine().unwrap_or_default().to_owned();
            Error::new(ErrorKind::EngineUnavailable, Operation::Connect, what).engine_words(words)
        }
        _ => told,
    }
}
