//! What was meant, what became of it, how it ended: one line each, appended and never changed.
//!
//! A line that was cut off by a full disk or a power cut is reported and passed over. Each write begins on a
//! line of its own, so that it costs nothing but itself. When the journal is rewritten, such lines go into a
//! file beside it: what cannot be read here may be read by somebody else, a newer version or a person.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use alveary_core::{AgentId, Exit, Incarnation, SpecHash, Stop, SwarmUid, User};
use serde::{Deserialize, Serialize};

use crate::os::cgroup::Cgroup;
use crate::os::process::Identity;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(crate) enum Entry {
    /// A keeper began. What follows happened on this start of the machine.
    Began {
        /// Whose agents these are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        swarm: Option<SwarmUid>,
        boot: String,
        keeper: u32,
        version: String,
    },
    /// An agent is about to be started. Durable before anything else happens.
    Intent(Intent),
    /// Its main process is there.
    Started {
        id: AgentId,
        incarnation: Incarnation,
        process: Identity,
        at: SystemTime,
    },
    /// We were asked to end it.
    Stopping {
        id: AgentId,
        incarnation: Incarnation,
    },
    /// Its grace was over, and we ended it by force.
    Forced {
        id: AgentId,
        incarnation: Incarnation,
    },
    /// It has ended.
    Exited {
        id: AgentId,
        incarnation: Incarnation,
        exit: Exit,
    },
    /// It could not be started: the incarnation before it, if there was one, stands as it stood.
    NotStarted {
        id: AgentId,
        incarnation: Incarnation,
    },
    /// Nobody needs to know of it any more.
    Removed { id: AgentId },
}

/// An agent that is about to be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: AgentId,
    pub(crate) incarnation: Incarnation,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) capabilities: Vec<String>,
    pub(crate) spec_hash: SpecHash,
    pub(crate) at: SystemTime,
    #[serde(default)]
    pub(crate) stop: Stop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<User>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cgroup: Option<Cgroup>,
    /// The first start since its id was free, if this is a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) life: Option<Incarnation>,
    /// Where each of its two logs stood when it began.
    #[serde(default)]
    pub(crate) logs_from: [u64; 2],
    /// The starts before it whose output is still told apart, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) earlier: Vec<Earlier>,
}

/// An earlier start of an agent, and where each of its logs stood when it began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Earlier {
    pub(crate) incarnation: Incarnation,
    pub(crate) logs_from: [u64; 2],
}

/// The journal, open for writing. One process at a time has it so: the holder of the keeper's lock.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    len: u64,
    /// How long it was when it said no more than it had to.
    tidy_len: u64,
    /// Whether it may end in the middle of a line.
    is_cut: bool,
    unreadable: Vec<Vec<u8>>,
    /// Lines that a full disk has refused and that must not be lost.
    owed: Vec<Entry>,
    line: Vec<u8>,
}

/// What a journal says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Past {
    pub(crate) entries: Vec<Entry>,
    /// Lines that are none of ours, or not whole.
    pub(crate) unreadable: Vec<Vec<u8>>,
}

const NAME: &str = "journal";

/// Where lines go that could not be read.
const ASIDE: &str = "journal.unreadable";

/// A journal of this size is left alone.
const SHORT: u64 = 1 << 20;

impl Journal {
    /// Whether most of it tells of what is past, so that it should be rewritten.
    pub(crate) fn is_long(&self) -> bool {
        self.len > SHORT && self.len > 4 * self.tidy_len
    }

    /// Reads what there is. `None` where there has never been a journal.
    pub(crate) fn read(folder: &Path) -> io::Result<Option<Past>> {
        let bytes = match fs::read(folder.join(NAME)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut past = Past::default();
        for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(entry) => past.entries.push(entry),
                Err(error) => {
                    tracing::warn!(
                        line = number + 1,
                        %error,
                        "a line of the journal cannot be read and is passed over"
                    );
                    past.unreadable.push(line.to_owned());
                }
            }
        }
        Ok(Some(past))
    }

    /// Opens it with these lines and no others: what the entries of the past come to. What is unreadable is
    /// put aside first.
    pub(crate) fn rewrite(
        folder: &Path,
        entries: &[Entry],
        unreadable: &[Vec<u8>],
    ) -> io::Result<Self> {
        put_aside(folder, unreadable)?;
        let path = folder.join(NAME);
        let fresh = folder.join("journal.new");
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        let mut file = options.open(&fresh)?;
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        let written = file
            .write_all(&text)
            .and_then(|()| fs::rename(&fresh, &path));
        if let Err(error) = written {
            // The old one stays whole; what was begun beside it is of no use.
            let _best_effort = fs::remove_file(&fresh);
            return Err(error);
        }
        Ok(Self {
            path,
            file,
            len: text.len() as u64,
            tidy_len: text.len() as u64,
            is_cut: false,
            unreadable: Vec::new(),
            owed: Vec::new(),
            line: Vec::new(),
        })
    }

    /// Opens the one that is there to go on in it, behind whatever it ends with.
    pub(crate) fn reopen(folder: &Path, unreadable: Vec<Vec<u8>>) -> io::Result<Self> {
        let path = folder.join(NAME);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        let len = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            len,
            tidy_len: len,
            // What came before may have been cut off in the middle of a line.
            is_cut: len > 0,
            unreadable,
            owed: Vec::new(),
            line: Vec::new(),
        })
    }

    /// Lines of the past that still stand in it and could not be read.
    pub(crate) fn unreadable(&self) -> &[Vec<u8>] {
        &self.unreadable
    }

    /// Appends a line, whole or not at all.
    pub(crate) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        self.pay()?;
        self.write(entry)
    }

    /// Appends a line that must not be lost: what a full disk refuses is kept in memory and written as soon
    /// as there is room.
    pub(crate) fn append_surely(&mut self, entry: Entry) {
        if let Err(error) = self.append(&entry) {
            tracing::error!(
                journal = %self.path.display(), %error,
                "the journal cannot be written; what happens is kept in memory until it can"
            );
            self.owed.push(entry);
        }
    }

    /// Writes what a full disk has refused so far.
    pub(crate) fn pay(&mut self) -> io::Result<()> {
        while let Some(entry) = self.owed.first().cloned() {
            self.write(&entry)?;
            self.owed.remove(0);
        }
        Ok(())
    }

    /// Whether there is nothing that only this process knows.
    pub(crate) fn is_whole(&self) -> bool {
        self.owed.is_empty()
    }

    fn write(&mut self, entry: &Entry) -> io::Result<()> {
        self.line.clear();
        if self.is_cut {
            self.line.push(b'\n');
        }
        serde_json::to_writer(&mut self.line, entry)?;
        self.line.push(b'\n');
        match self.file.write_all(&self.line) {
            Ok(()) => {
                self.len += self.line.len() as u64;
                self.is_cut = false;
                Ok(())
            }
            Err(error) => {
                // No half record: what follows must find the end of a line.
                let tidied = self
                    .file
                    .set_len(self.len)
                    .and_then(|()| io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.len)));
                self.is_cut |= tidied.is_err();
                Err(error)
            }
        }
    }
}

fn put_aside(folder: &Path, lines: &[Vec<u8>]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let path = aside(folder);
    let mut text = lines.join(&b'\n');
    text.push(b'\n');
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.open(&path)?.write_all(&text)?;
    tracing::warn!(
        lines = lines.len(),
        file = %path.display(),
        "lines of the journal that cannot be read were put aside"
    );
    Ok(())
}

fn aside(folder: &Path) -> PathBuf {
    folder.join(ASIDE)
}

/// The file in which lines of this folder's journal lie that could not be read, if there are any.
pub(crate) fn put_aside_in(folder: &Path) -> Option<PathBuf> {
    Some(aside(folder)).filter(|file| file.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(id: &str) -> Entry {
        Entry::Removed {
            id: id.parse().unwrap(),
        }
    }

    #[test]
    fn a_journal_that_tells_of_the_past_is_long_until_it_is_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::rewrite(folder.path(), &[removed("a")], &[]).unwrap();
        assert!(!journal.is_long());
        while journal.len <= SHORT {
            journal.append(&removed("b")).unwrap();
        }
        assert!(journal.is_long());
        let journal = Journal::rewrite(folder.path(), &[removed("a")], &[]).unwrap();
        assert!(!journal.is_long());
        assert_eq!(
            Journal::read(folder.path()).unwrap().unwrap().entries,
            [removed("a")]
        );
    }

    #[test]
    fn a_line_that_was_cut_off_costs_nothing_but_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::rewrite(folder.path(), &[removed("a")], &[]).unwrap();
        journal.append(&removed("b")).unwrap();
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        Journal::reopen(folder.path(), Vec::new())
            .unwrap()
            .append(&removed("c"))
            .unwrap();
        let read = Journal::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.entries, [removed("a"), removed("c")]);
        assert_eq!(read.unreadable.len(), 1);
    }

    #[test]
    fn what_cannot_be_put_aside_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let lines = [b"of another version".to_vec()];
        fs::write(folder.path().join(NAME), "of another version\n").unwrap();
        // No file can be there.
        fs::create_dir(aside(folder.path())).unwrap();
        Journal::rewrite(folder.path(), &[removed("a")], &lines).unwrap_err();
        let read = Journal::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.unreadable, lines);
        fs::remove_dir(aside(folder.path())).unwrap();
        Journal::rewrite(folder.path(), &[removed("a")], &lines).unwrap();
        let aside = fs::read_to_string(aside(folder.path())).unwrap();
        assert_eq!(aside, "of another version\n");
    }
}
