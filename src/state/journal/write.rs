//! Writing the journal: a line at its end, or the whole of it anew.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use alveary_core::{Error, ErrorKind, Incarnation, Operation, Result, SwarmUid};

use super::Journal;
use super::file::{OpenFile, keep_aside};
use super::header::Header;
use crate::state::files::{Hold, io_error, try_lock};
use crate::state::records::{Change, Records};
use crate::state::swarm::on_another_backend;

/// Below this nothing is written anew: it would not pay.
pub(super) const WORTH_WRITING_ANEW: u64 = 256 * 1024;

/// Holds the lock of the state folder.
pub(super) struct Locked<'a>(pub(super) &'a File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Only a descriptor that is no file can fail to be unlocked.
        let _ = self.0.unlock();
    }
}

impl Journal {
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
        if self.others {
            return Err(another_swarms(&self.path));
        }
        let changes = decide(&self.records)?;
        if changes.is_empty() {
            return Ok(true);
        }
        self.see_to_backend()?;
        self.append(&changes)?;
        self.apply(changes);
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
        if self.others {
            return Err(another_swarms(&self.path));
        }
        self.refuse_others_members()?;
        may(&self.records)?;
        match std::fs::remove_file(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error("remove", &self.path, error)),
        }
        self.forget();
        Ok(true)
    }

    /// Refuses to record anything of agents that another backend runs.
    fn refuse_others_members(&self) -> Result<()> {
        match (&self.members_on, &self.backend) {
            (Some(theirs), Some(ours))
                if !ours.leads_to_agents_of(theirs) && self.records.len() > 0 =>
            {
                Err(on_another_backend(None, theirs, &ours.word))
            }
            _ => Ok(()),
        }
    }

    /// As [`refuse_others_members`](Self::refuse_others_members). Where there are none any more, the file says from
    /// now on that those to come are ours.
    fn see_to_backend(&mut self) -> Result<()> {
        self.refuse_others_members()?;
        match (&self.members_on, &self.backend) {
            (Some(theirs), Some(ours)) if !ours.leads_to_agents_of(theirs) => self.write_anew(),
            _ => Ok(()),
        }
    }

    fn append(&mut self, changes: &[Change]) -> Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => OpenFile::make(&self.path)?,
        };
        let appended = self.append_to(&mut open, changes);
        self.open = Some(open);
        appended
    }

    fn append_to(&mut self, open: &mut OpenFile, changes: &[Change]) -> Result<()> {
        let half = open.half_a_line(&self.path)?;
        if !half.is_empty() {
            let aside = self.aside();
            keep_aside(&aside, &[&half[..], b"\n"].concat())?;
            open.cut(&self.path)?;
            self.notes.push(format!(
                "whoever was writing the last line of {} died over it: that change was not recorded, and what there is of it is kept in {}",
                self.path.display(),
                aside.display()
            ));
        }
        let mut lines = Vec::with_capacity(1024);
        // A first line that is not there yet is written with the first changes, in one piece.
        let first = (open.read == 0).then(|| self.header(0));
        if let Some(first) = &first {
            write_line(&mut lines, first)?;
        }
        write_line(&mut lines, changes)?;
        open.append(&self.path, &lines)?;
        if let Some(first) = &first {
            self.begin(first);
        }
        Ok(())
    }

    fn header(&self, base: u64) -> Header {
        let uid = self.uid.unwrap_or_else(SwarmUid::random);
        let life = self.life.unwrap_or_else(Incarnation::random);
        let old = self.members_on.as_ref().filter(|_| self.records.len() > 0);
        let ours = self.backend.as_ref().map(|ours| ours.word.as_ref());
        let backend = old.map(String::as_str).or(ours).map(ToOwned::to_owned);
        Header::new(uid, life, backend, base)
    }

    /// Leaves out what has been overtaken. To be called under the lock. A failure is no harm: the record is
    /// complete as it is.
    fn write_anew_where_worth_it(&mut self) {
        let read = self.open.as_ref().map_or(0, |open| open.read);
        let grown = read.saturating_sub(self.base);
        if grown < WORTH_WRITING_ANEW.max(self.base * 2) && self.damaged.is_empty() {
            return;
        }
        if let Err(error) = self.write_anew() {
            tracing::warn!(kind = %error.kind(), why = error.message(), "the record of the members was not written anew");
        }
    }

    fn write_anew(&mut self) -> Result<()> {
        if !self.damaged.is_empty() {
            keep_aside(&self.aside(), &self.damaged)?;
        }
        let mut members = Vec::new();
        for member in self.records.iter() {
            write_line(&mut members, &[Change::Put(Arc::clone(member))])?;
        }
        if self.records.is_going_down() {
            write_line(&mut members, &[Change::Down])?;
        }
        let header = self.header(members.len() as u64);
        let mut text = Vec::with_capacity(members.len() + 256);
        write_line(&mut text, &header)?;
        text.append(&mut members);
        self.open = Some(OpenFile::replace(&self.path, &text)?);
        self.begin(&header);
        self.damaged.clear();
        Ok(())
    }
}

fn write_line<T: serde::Serialize + ?Sized>(text: &mut Vec<u8>, line: &T) -> Result<()> {
    serde_json::to_writer(&mut *text, line).map_err(|error| {
        Error::new(
            ErrorKind::Engine,
            Operation::State,
            "a change cannot be put into words",
        )
        .with_cure("report this")
        .with_source(error)
    })?;
    text.push(b'\n');
    Ok(())
}

fn another_swarms(path: &Path) -> Error {
    Error::new(
        ErrorKind::Conflict,
        Operation::State,
        format!(
            "{} belongs to another swarm by now: the state folder was made anew",
            path.display()
        ),
    )
    .with_cure("open the swarm once more")
}
