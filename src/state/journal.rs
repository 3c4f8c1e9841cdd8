//! The record of a swarm's members on disk: `members.jsonl`.
//!
//! The first line says which record this is. Each later line holds the changes of one verb, so that a verb
//! is recorded whole or not at all, and costs the same in a swarm of ten and of ten thousand. Lines are
//! appended under the lock, by any process; readers need no lock and read only what is new. When most of
//! it has been overtaken it is written anew. Nothing waits for the disk: what is recorded survives the
//! death of every process, not a loss of power, which ends the agents too.
//!
//! What cannot be read costs itself alone. It is told once, and kept in `members.jsonl.corrupt`.

mod file;
mod header;
mod touched;
mod write;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alveary_core::{Incarnation, Result, SwarmUid};

use super::files::{Hold, io_error, open_lock, try_lock};
use super::folder::Folder;
use super::records::{Change, Records};
use super::swarm::{Claim, Members, SwarmRecord, Way};
use file::OpenFile;
use header::Header;
pub(crate) use touched::Touched;
use write::Locked;

/// The record, as far as this process has read it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    lock_path: PathBuf,
    lock: Arc<File>,
    /// Whose record it is; `None` until that is claimed or recorded.
    uid: Option<SwarmUid>,
    /// The file that was read last.
    open: Option<OpenFile>,
    /// Which life of the swarm the file is about.
    life: Option<Incarnation>,
    /// On which backend this process starts members; `None` until that is chosen.
    backend: Option<Way<'static>>,
    /// On which backend the file says that they were started.
    members_on: Option<String>,
    /// How much stood in the file when it was written anew.
    base: u64,
    /// The record has been begun anew for another swarm: it is not ours to write.
    others: bool,
    records: Records,
    /// What was known before the file was begun anew: it may hold secrets that no file does.
    before: Option<Records>,
    /// Whom it has said something new about since this was last asked.
    touched: Touched,
    /// The lines of this file that could not be read.
    damaged: Vec<u8>,
    /// What is the matter with it, for people.
    notes: Vec<String>,
}

impl Journal {
    /// Opens the record of a folder; there may be none yet.
    pub(crate) fn open(folder: &Folder) -> Result<Self> {
        let lock_path = folder.path().join("state.lock");
        let mut journal = Self {
            path: folder.path().join("members.jsonl"),
            lock: Arc::new(open_lock(&lock_path)?),
            lock_path,
            uid: None,
            open: None,
            life: None,
            backend: None,
            members_on: None,
            base: 0,
            others: false,
            records: Records::default(),
            before: None,
            touched: Touched::default(),
            damaged: Vec::new(),
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
        let members = Members {
            uid: self.uid,
            any: self.records.len() > 0,
            backend: self.members_on.as_deref(),
        };
        let record = SwarmRecord::claim(folder, claim, &members)?;
        self.uid = Some(record.uid);
        self.backend = claim.backend.clone().map(Way::into_owned);
        Ok(Some(record))
    }

    /// Has the swarm go by another uid from now on, and forgets its members. `false`: another process is writing.
    pub(crate) fn try_adopt(&mut self, folder: &Folder, uid: SwarmUid) -> Result<bool> {
        let lock = Arc::clone(&self.lock);
        if !try_lock(&lock, &self.lock_path, Hold::Alone)? {
            return Ok(false);
        }
        let _locked = Locked(&lock);
        // Before the swarm's own record, which the members' would mend otherwise.
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", &self.path, error));
            }
            _ => self.forget(),
        }
        SwarmRecord::adopt(folder, uid)?;
        self.uid = Some(uid);
        Ok(true)
    }

    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Whose record this is, where that is known.
    pub(crate) fn uid(&self) -> Option<SwarmUid> {
        self.uid
    }

    /// Which life of the swarm this is; `None` before its first member.
    pub(crate) fn life(&self) -> Option<Incarnation> {
        self.life
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

    /// Where that is kept which could not be read.
    fn aside(&self) -> PathBuf {
        let mut path = self.path.as_os_str().to_owned();
        path.push(".corrupt");
        PathBuf::from(path)
    }

    /// Where lines are kept that could not be read, or will be from the next change on; `None` where there are none.
    pub(crate) fn damaged(&self) -> Option<PathBuf> {
        Some(self.aside()).filter(|aside| !self.damaged.is_empty() || aside.exists())
    }

    /// Reads what others have written since. Costs one look at the file where they have not.
    pub(crate) fn sync(&mut self) -> Result<()> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.open.is_some() {
                    self.forget();
                }
                return Ok(());
            }
            Err(error) => return Err(io_error("look at", &self.path, error)),
        };
        if !self.open.as_ref().is_some_and(|open| open.is(&metadata)) {
            self.open = Some(OpenFile::open(&self.path)?);
            self.before = Some(std::mem::take(&mut self.records));
            self.damaged.clear();
            self.members_on = None;
            self.base = 0;
            self.others = false;
            self.touched = Touched::All;
        }
        self.read_new()
    }

    /// There is no file any more, and no member.
    fn forget(&mut self) {
        self.open = None;
        self.life = None;
        self.members_on = None;
        self.base = 0;
        self.others = false;
        self.damaged.clear();
        self.records = Records::default();
        self.touched = Touched::All;
    }

    fn read_new(&mut self) -> Result<()> {
        let mut certain = false;
        while let Some(open) = &mut self.open {
            let text = open.new_lines(&self.path)?;
            if !self.take_lines(&text, certain)? {
                // A line that makes no sense may be two halves, read while a writer cut one off. It is read again.
                certain = true;
                continue;
            }
            break;
        }
        if let Some(before) = self.before.take() {
            self.records.keep_given(&before);
        }
        Ok(())
    }

    /// Takes these lines in. `false`: not those from the first on that makes no sense, unless that is certain.
    fn take_lines(&mut self, text: &[u8], certain: bool) -> Result<bool> {
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let at = self.open.as_ref().map_or(0, |open| open.read);
            let header = if at == 0 {
                Header::read(line, &self.path)?
            } else {
                None
            };
            if let Some(header) = header {
                self.begin(&header);
            } else {
                match serde_json::from_slice::<Vec<Change>>(line) {
                    Ok(changes) => self.apply(changes),
                    Err(_) if !certain => return Ok(false),
                    Err(error) => self.damage(at, line, &error),
                }
            }
            if let Some(open) = &mut self.open {
                open.read += line.len() as u64;
            }
        }
        Ok(true)
    }

    /// Takes over what the first line says.
    fn begin(&mut self, header: &Header) {
        self.others = *self.uid.get_or_insert(header.uid) != header.uid;
        self.life = Some(header.life).filter(|_| !self.others);
        self.members_on.clone_from(&header.backend);
        self.base = header.base;
    }

    fn apply(&mut self, changes: Vec<Change>) {
        if self.others {
            return;
        }
        self.touched.add(Touched::by(&changes));
        for change in changes {
            self.records.apply(change);
        }
    }

    fn damage(&mut self, at: u64, line: &[u8], error: &serde_json::Error) {
        self.damaged.extend_from_slice(line);
        self.notes.push(format!(
            "{} is damaged at byte {at} and was read without that line; the next change keeps it in {} ({error})",
            self.path.display(),
            self.aside().display()
        ));
    }
}

#[cfg(test)]
mod tests;
