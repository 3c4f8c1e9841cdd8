//! The record of a swarm's members on disk: `members.jsonl`.
//!
//! The first line says which record this is. Each later line holds the changes of one verb, so that a verb
//! is recorded whole or not at all, and costs the same in a swarm of ten and of ten thousand. Lines are
//! appended under the lock, by any process; readers need no lock and read only what is new. When most of
//! it has been overtaken it is written anew. Nothing waits for the disk: what is recorded survives the
//! death of every process, not a loss of power, which ends the agents too.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alveary_core::{AgentId, Error, ErrorKind, Incarnation, Operation, Result, SwarmUid};
use serde::{Deserialize, Serialize};

use super::files::{Hold, io_error, keep_corrupt, open_lock, try_lock, write_atomically};
use super::folder::Folder;
use super::records::{Change, Records};
use super::swarm::{Claim, SwarmRecord};

const SCHEMA: u32 = 1;

/// Below this nothing is written anew: it would not pay.
const WORTH_WRITING_ANEW: u64 = 256 * 1024;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    schema: u32,
    uid: SwarmUid,
    /// One life of the swarm, from its first member to `down`.
    life: Incarnation,
}

/// Whom the record says something new about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched {
    These(Vec<AgentId>),
    /// It was read anew from the beginning.
    All,
}

impl Default for Touched {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Touched {
    pub(crate) fn by(changes: &[Change]) -> Self {
        let about: Option<Vec<_>> = changes.iter().map(|c| c.about().cloned()).collect();
        about.map_or(Self::All, Self::These)
    }

    pub(crate) fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::All, _) => {}
            (these, Self::All) => *these = Self::All,
            (Self::These(these), Self::These(more)) => these.extend(more),
        }
    }
}

/// The record, as far as this process has read it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    lock_path: PathBuf,
    lock: Arc<File>,
    uid: SwarmUid,
    /// The file that was read last.
    open: Option<OpenFile>,
    records: Records,
    /// What was known before the file was begun anew: it may hold secrets that no file does.
    before: Option<Records>,
    /// Whom it has said something new about since this was last asked.
    touched: Touched,
    /// What could not be read, for people.
    notes: Vec<String>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    identity: (u64, u64),
    header: Option<Header>,
    /// All before this has been read, and it is the end of a line.
    read: u64,
    /// How long the file was when it was written anew.
    base: u64,
}

/// Holds the lock of the state folder.
struct Locked<'a>(&'a File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Only a descriptor that is no file can fail to be unlocked.
        let _ = self.0.unlock();
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Journal {
    /// Opens the record of a folder; there may be none yet.
    pub(crate) fn open(folder: &Folder) -> Result<Self> {
        let lock_path = folder.path().join("state.lock");
        let mut journal = Self {
            path: folder.path().join("members.jsonl"),
            lock: Arc::new(open_lock(&lock_path)?),
            lock_path,
            uid: SwarmUid::random(),
            open: None,
            records: Records::default(),
            before: None,
            touched: Touched::default(),
            notes: Vec::new(),
        };
        journal.sync()?;
        Ok(journal)
    }

    /// Opens the swarm on somebody's behalf. `None`: another process is writing.
    pub(crate) fn try_claim(
        &mut self,
        folder: &Folder,
        claim: &Claim<'_>,
    ) -> Result<Option<SwarmRecord>> {
        let lock = Arc::clone(&self.lock);
        if !try_lock(&lock, &self.lock_path, Hold::Alone)? {
            return Ok(None);
        }
        let _locked = Locked(&lock);
        self.sync()?;
        let recorded = self.header().map(|header| header.uid);
        let record = SwarmRecord::claim(folder, claim, recorded, self.records.len() > 0)?;
        self.uid = record.uid;
        Ok(Some(record))
    }

    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Which life of the swarm this is; `None` before its first member.
    pub(crate) fn life(&self) -> Option<Incarnation> {
        Some(self.header()?.life)
    }

    fn header(&self) -> Option<&Header> {
        self.open.as_ref()?.header.as_ref()
    }

    /// Whom the record has said something new about since this was last asked.
    pub(crate) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// What was found damaged since this was last asked.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    pub(crate) fn lock_path(&self) -> &Path {
        &self.lock_path
    }

    /// Reads what others have written since. Costs one look at the file where they have not.
    pub(crate) fn sync(&mut self) -> Result<()> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.open.take().is_some() {
                    self.records = Records::default();
                    self.touched = Touched::All;
                }
                return Ok(());
            }
            Err(error) => return Err(io_error("look at", &self.path, error)),
        };
        let same = self.open.as_ref().is_some_and(|open| {
            open.identity == identity(&metadata) && metadata.len() >= open.read
        });
        if !same {
            self.reopen()?;
        }
        self.read_new()
    }

    fn reopen(&mut self) -> Result<()> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&self.path)
            .map_err(|error| io_error("open", &self.path, error))?;
        let metadata = file
            .metadata()
            .map_err(|error| io_error("look at", &self.path, error))?;
        self.open = Some(OpenFile {
            file,
            identity: identity(&metadata),
            header: None,
            read: 0,
            base: metadata.len(),
        });
        self.before = Some(std::mem::take(&mut self.records));
        self.touched = Touched::All;
        Ok(())
    }

    fn read_new(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let mut text = Vec::new();
        open.file
            .seek(SeekFrom::Start(open.read))
            .and_then(|_| open.file.read_to_end(&mut text))
            .map_err(|error| io_error("read", &self.path, error))?;
        // What stands behind the last line break is being written, or was never finished.
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        for line in text[..whole].split_inclusive(|byte| *byte == b'\n') {
            let at = open.read;
            if at == 0
                && let Ok(header) = serde_json::from_slice::<Header>(line)
            {
                if header.schema > SCHEMA {
                    return Err(newer(&self.path, header.schema));
                }
                open.header = Some(header);
            } else {
                match serde_json::from_slice::<Vec<Change>>(line) {
                    Ok(changes) => {
                        self.touched.add(Touched::by(&changes));
                        for change in changes {
                            self.records.apply(change);
                        }
                    }
                    Err(error) => self.notes.push(format!(
                        "{} is damaged at byte {at} and was read without that line: {error}",
                        self.path.display()
                    )),
                }
            }
            open.read += line.len() as u64;
        }
        if let Some(before) = self.before.take() {
            self.records.keep_given(&before);
        }
        Ok(())
    }

    /// Decides on changes with the newest record before one's eyes, and records them; nobody else writes in
    /// between. `false`: another process is writing, try again in a moment.
    ///
    /// Where it cannot be recorded, nothing of it is.
    pub(crate) fn try_commit(
        &mut self,
        decide: impl FnOnce(&Records) -> Result<Vec<Change>>,
    ) -> Result<bool> {
        let lock = Arc::clone(&self.lock);
        if !try_lock(&lock, &self.lock_path, Hold::Alone)? {
            return Ok(false);
        }
        let _locked = Locked(&lock);
        self.sync()?;
        let changes = decide(&self.records)?;
        if changes.is_empty() {
            return Ok(true);
        }
        self.append(&changes)?;
        self.touched.add(Touched::by(&changes));
        for change in changes {
            self.records.apply(change);
        }
        self.write_anew_where_worth_it();
        Ok(true)
    }

    /// Ends this life of the swarm, where nothing in the newest records speaks against it: no members, and
    /// the next one to come begins another. `false` as in [`try_commit`](Self::try_commit).
    pub(crate) fn try_clear(&mut self, may: impl FnOnce(&Records) -> Result<()>) -> Result<bool> {
        let lock = Arc::clone(&self.lock);
        if !try_lock(&lock, &self.lock_path, Hold::Alone)? {
            return Ok(false);
        }
        let _locked = Locked(&lock);
        self.sync()?;
        may(&self.records)?;
        match std::fs::remove_file(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error("remove", &self.path, error)),
        }
        self.open = None;
        self.records = Records::default();
        self.touched = Touched::All;
        Ok(true)
    }

    fn append(&mut self, changes: &[Change]) -> Result<()> {
        if self.open.is_none() {
            self.begin()?;
        }
        let empty = self.open.as_ref().is_none_or(|open| open.read == 0);
        // A first line that is not there yet is written with the first changes, in one piece.
        let mut line = if empty {
            self.header_line(Incarnation::random())?
        } else {
            Vec::with_capacity(1024)
        };
        serde_json::to_writer(&mut line, changes).map_err(|error| {
            Error::new(
                ErrorKind::Engine,
                Operation::State,
                "a change cannot be put into words",
            )
            .caused_by(error)
        })?;
        line.push(b'\n');
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let length = open
            .file
            .metadata()
            .map_err(|error| io_error("look at", &self.path, error))?
            .len();
        if length > open.read {
            // We have the lock: whoever wrote this half of a line has died over it.
            self.notes.push(format!(
                "{} ended in the middle of a line, which was cut off",
                self.path.display()
            ));
            open.file
                .set_len(open.read)
                .map_err(|error| io_error("mend", &self.path, error))?;
        }
        if let Err(error) = open.file.write_all(&line) {
            // No half of a record stays. Should even this fail, the next writer cuts it off.
            let _ = open.file.set_len(open.read);
            return Err(io_error("write", &self.path, error));
        }
        if empty {
            let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(0);
            open.header = serde_json::from_slice(&line[..end]).ok();
        }
        open.read += line.len() as u64;
        Ok(())
    }

    /// Makes the file, as yet without a line.
    fn begin(&mut self) -> Result<()> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(|error| io_error("make", &self.path, error))?;
        self.reopen()
    }

    fn header_line(&self, life: Incarnation) -> Result<Vec<u8>> {
        let header = Header {
            schema: SCHEMA,
            uid: self.uid,
            life,
        };
        let mut line = serde_json::to_vec(&header).map_err(|error| {
            Error::new(
                ErrorKind::Engine,
                Operation::State,
                "the record's first line cannot be put into words",
            )
            .caused_by(error)
        })?;
        line.push(b'\n');
        Ok(line)
    }

    /// Leaves out what has been overtaken. To be called under the lock. A failure is no harm: the record is
    /// complete as it is.
    fn write_anew_where_worth_it(&mut self) {
        let Some(open) = &self.open else { return };
        let grown = open.read.saturating_sub(open.base);
        if grown < WORTH_WRITING_ANEW.max(open.base * 2) && self.notes.is_empty() {
            return;
        }
        if let Err(error) = self.write_anew() {
            tracing::warn!(kind = %error.kind(), why = error.message(), "the record of the members was not written anew");
        }
    }

    fn write_anew(&mut self) -> Result<()> {
        if !self.notes.is_empty() {
            keep_corrupt(&self.path)?;
        }
        let mut text = self.header_line(self.life().unwrap_or_else(Incarnation::random))?;
        let mut line = |change: Change| -> Result<()> {
            serde_json::to_writer(&mut text, &[change]).map_err(|error| {
                Error::new(
                    ErrorKind::Engine,
                    Operation::State,
                    "a member cannot be put into words",
                )
                .caused_by(error)
            })?;
            text.push(b'\n');
            Ok(())
        };
        for member in self.records.iter() {
            line(Change::Put(Arc::clone(member)))?;
        }
        if self.records.is_going_down() {
            line(Change::Down)?;
        }
        write_atomically(&self.path, &text)?;
        self.reopen()?;
        self.read_new()
    }
}

fn newer(path: &Path, schema: u32) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        Operation::State,
        format!(
            "{} was written by a newer alveary, in form {schema}",
            path.display()
        ),
    )
    .cure("use that version, or take the swarm down with it first")
}

#[cfg(test)]
mod tests;
