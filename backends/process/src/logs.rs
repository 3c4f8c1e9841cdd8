//! What agents write: files that they append to themselves, so that no death of ours blocks or kills one.
//!
//! Each stream of an agent is one file. Its head is given back to the disk when it grows too long
//! ([`sampler`]); offsets stay what they were, so that they serve as cursors. Beside it lies a small book
//! ([`book`]) that says how much of the head is gone and when which offset was reached. Whoever reads
//! ([`reader`]) needs no process of ours.

pub(crate) mod book;
pub(crate) mod reader;
pub(crate) mod sampler;
pub(crate) mod wake;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use alveary_core::{AgentId, Incarnation, LogStreamKind};

pub(crate) const STREAMS: [LogStreamKind; 2] = [LogStreamKind::Stdout, LogStreamKind::Stderr];

/// What one start of an agent wrote, as the keeper knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Output {
    /// The first start since the id was free: another life of the id has other logs.
    pub(crate) life: Incarnation,
    pub(crate) start: Incarnation,
    /// Where it begins in each of the two logs.
    pub(crate) from: [u64; 2],
    /// Where it ends, which is where the next start's begins. `None`: there is no next start.
    pub(crate) to: Option<[u64; 2]>,
}

/// The folder that holds the logs of a swarm's agents.
#[derive(Debug, Clone)]
pub(crate) struct LogFolder(PathBuf);

impl LogFolder {
    pub(crate) fn in_state(state: &Path) -> Self {
        Self(state.join("logs"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, id: &AgentId, stream: LogStreamKind) -> PathBuf {
        // An id may end in anything, so what is ours stands behind a character that no id has.
        self.0.join(format!("{id}~{}", stream.as_str()))
    }

    pub(crate) fn book(&self, id: &AgentId, stream: LogStreamKind) -> PathBuf {
        self.0.join(format!("{id}~{}.book", stream.as_str()))
    }

    /// Opens the two files that a start of an agent is to write to, and says how long they are.
    ///
    /// Where there are such files already, an earlier start's, whoever still reads that one is told.
    pub(crate) fn open(
        &self,
        id: &AgentId,
        start: Incarnation,
    ) -> io::Result<([File; 2], [u64; 2])> {
        let open = |stream| -> io::Result<(File, u64)> {
            let opened = match open_log(&self.file(id, stream)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(&self.0)?;
                    open_log(&self.file(id, stream))
                }
                other => other,
            };
            match opened? {
                (file, None) => Ok((file, 0)),
                (file, Some(len)) => {
                    let book = self.book(id, stream);
                    book::note_start(&book, start)?;
                    // In all that was ever written, some of which may have been cut off.
                    Ok((file, book::read_header(&book)?.extent.base + len))
                }
            }
        };
        let (out, out_len) = open(LogStreamKind::Stdout)?;
        let (err, err_len) = open(LogStreamKind::Stderr)?;
        Ok(([out, err], [out_len, err_len]))
    }

    /// Deletes an agent's logs.
    pub(crate) fn remove(&self, id: &AgentId) -> io::Result<()> {
        for stream in STREAMS {
            for path in [self.file(id, stream), self.book(id, stream)] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Opens a log for an agent to write to, and says how long it is if it was there before.
fn open_log(path: &Path) -> io::Result<(File, Option<u64>)> {
    let mut options = OpenOptions::new();
    options.append(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = options.open(path)?;
            let len = file.metadata()?.len();
            Ok((file, Some(len)))
        }
        other => Ok((other?, None)),
    }
}
