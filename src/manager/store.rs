//! The records of a manager: in memory alone, or in a state folder that others read and write too.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alveary_core::{Incarnation, Result};

use super::table::Table;
use crate::state::{Change, Folder, Gates, Journal, Patience, Records, Touched};

/// Where a manager's records are.
#[derive(Debug)]
pub(super) struct Store {
    inner: Mutex<Inner>,
    shared: Option<Shared>,
}

#[derive(Debug)]
enum Inner {
    Memory(Records),
    Disk(Box<Journal>),
}

/// What processes share besides the records.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: Folder,
    pub(super) gates: Gates,
}

impl Store {
    pub(super) fn in_memory() -> Self {
        Self {
            inner: Mutex::new(Inner::Memory(Records::default())),
            shared: None,
        }
    }

    pub(super) fn on_disk(folder: Folder, journal: Journal) -> Result<Self> {
        let gates = Gates::new(&folder)?;
        Ok(Self {
            inner: Mutex::new(Inner::Disk(Box::new(journal))),
            shared: Some(Shared { folder, gates }),
        })
    }

    /// Shows a new table what is recorded.
    pub(super) fn show_all(&self, table: &Table) {
        self.look(|records| table.refresh(&Touched::All, records));
    }

    /// What is shared with other processes; `None` where nothing is.
    pub(super) fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        self.shared.as_ref().map(|shared| shared.folder.path())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the records as this process knows them.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Records) -> R) -> R {
        match &*self.lock() {
            Inner::Memory(records) => look(records),
            Inner::Disk(journal) => look(journal.records()),
        }
    }

    /// Which life of the swarm is recorded; `None` where none is, or nothing is shared.
    pub(super) fn life(&self) -> Option<Incarnation> {
        match &*self.lock() {
            Inner::Memory(_) => None,
            Inner::Disk(journal) => journal.life(),
        }
    }

    /// Reads what other processes have recorded since.
    pub(super) fn sync(&self, table: &Table) -> Result<()> {
        let mut inner = self.lock();
        if let Inner::Disk(journal) = &mut *inner {
            let touched = journal.sync()?;
            report(journal);
            table.refresh(&touched, journal.records());
        }
        Ok(())
    }

    /// Decides on changes with the newest records before one's eyes and records them, all or none. The
    /// table shows them when this returns.
    pub(super) async fn commit(
        &self,
        table: &Table,
        mut decide: impl FnMut(&Records) -> Result<Vec<Change>>,
    ) -> Result<()> {
        let mut patience = None;
        loop {
            let busy = {
                let mut inner = self.lock();
                match &mut *inner {
                    Inner::Memory(records) => {
                        let touched = apply(records, decide(records)?);
                        table.refresh(&touched, records);
                        return Ok(());
                    }
                    Inner::Disk(journal) => {
                        if let Some(touched) = journal.try_commit(&mut decide)? {
                            report(journal);
                            table.refresh(&touched, journal.records());
                            return Ok(());
                        }
                        journal.lock_path().to_owned()
                    }
                }
            };
            patience
                .get_or_insert_with(Patience::new)
                .pause(&busy)
                .await?;
        }
    }

    /// Forgets every record: the swarm is down.
    pub(super) async fn clear(&self, table: &Table) -> Result<()> {
        let mut patience = None;
        loop {
            let busy = {
                let mut inner = self.lock();
                match &mut *inner {
                    Inner::Memory(records) => {
                        *records = Records::default();
                        table.refresh(&Touched::All, records);
                        return Ok(());
                    }
                    Inner::Disk(journal) => {
                        if let Some(touched) = journal.try_clear()? {
                            table.refresh(&touched, journal.records());
                            return Ok(());
                        }
                        journal.lock_path().to_owned()
                    }
                }
            };
            patience
                .get_or_insert_with(Patience::new)
                .pause(&busy)
                .await?;
        }
    }
}

fn apply(records: &mut Records, changes: Vec<Change>) -> Touched {
    let about: Option<Vec<_>> = changes
        .iter()
        .map(|change| change.about().cloned())
        .collect();
    for change in changes {
        records.apply(change);
    }
    about.map_or(Touched::All, Touched::These)
}

fn report(journal: &mut Journal) {
    for note in journal.take_notes() {
        tracing::warn!("{note}");
    }
}
