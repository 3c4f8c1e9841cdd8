//! The records of a manager: in memory alone, or in a state folder that others read and write too.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use alveary_core::{Incarnation, Result};
use tokio::sync::watch;

use super::table::Table;
use crate::state::{
    Change, Folder, Gates, Intender, Journal, Patience, Records, SwarmRecord, Touched,
};

/// Where a manager's records are.
#[derive(Debug)]
pub(super) struct Store {
    inner: Mutex<Inner>,
    shared: Option<Shared>,
    life: watch::Sender<Life>,
}

/// Which life of the swarm is recorded, from its first member to `down`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Life {
    /// `None`: there are no members, or the records are in memory.
    pub(super) id: Option<Incarnation>,
    /// Whether it is being ended.
    pub(super) going_down: bool,
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
    /// Where its agents' secrets lie, where there is such a place.
    pub(super) secrets: Option<PathBuf>,
    /// There once this process has recorded a start.
    intender: Mutex<Option<Intender>>,
}

impl Shared {
    fn intender(&self) -> MutexGuard<'_, Option<Intender>> {
        self.intender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn records(&self) -> &Records {
        match self {
            Self::Memory(records) => records,
            Self::Disk(journal) => journal.records(),
        }
    }
}

impl Store {
    pub(super) fn in_memory() -> Self {
        Self::over(Inner::Memory(Records::default()), None)
    }

    pub(super) fn on_disk(
        folder: Folder,
        journal: Journal,
        secrets: Option<PathBuf>,
    ) -> Result<Self> {
        let gates = Gates::new(&folder)?;
        let inner = Inner::Disk(Box::new(journal));
        Ok(Self::over(
            inner,
            Some(Shared {
                folder,
                gates,
                secrets,
                intender: Mutex::default(),
            }),
        ))
    }

    fn over(inner: Inner, shared: Option<Shared>) -> Self {
        Self {
            inner: Mutex::new(inner),
            shared,
            life: watch::Sender::default(),
        }
    }

    /// What is shared with other processes; `None` where nothing is.
    pub(super) fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        self.shared.as_ref().map(|shared| shared.folder.path())
    }

    /// Where records are kept that could not be read; `None` where there are none.
    pub(super) fn damaged(&self) -> Option<PathBuf> {
        match &*self.lock() {
            Inner::Memory(_) => None,
            Inner::Disk(journal) => journal.damaged(),
        }
    }

    /// By which name this process records that it is to make a first start; `None` where nobody else could know of
    /// it.
    pub(super) fn intender(&self) -> Result<Option<Incarnation>> {
        let Some(shared) = &self.shared else {
            return Ok(None);
        };
        let mut intender = shared.intender();
        let intender = match &mut *intender {
            Some(intender) => intender,
            none => none.insert(Intender::new(&shared.folder)?),
        };
        Ok(Some(intender.name()))
    }

    /// Says that whatever start this process has recorded and not made, it will not make.
    pub(super) fn intend_no_more(&self) {
        if let Some(shared) = &self.shared {
            *shared.intender() = None;
        }
    }

    /// Whether the one of this name is still there to make the starts that he has recorded. What cannot be seen
    /// is taken for so.
    pub(super) fn intender_lives(&self, name: Incarnation) -> bool {
        self.shared.as_ref().is_some_and(|shared| {
            Intender::lives(&shared.folder, name).unwrap_or_else(|error| {
                tracing::debug!(kind = %error.kind(), why = error.message(), "it cannot be seen who lives");
                true
            })
        })
    }

    /// Whether the folder is still that of this swarm, and not one that was made anew since. What cannot be seen
    /// is taken for unchanged.
    pub(super) fn is_ours(&self) -> bool {
        let Some(shared) = &self.shared else {
            return true;
        };
        let (uid, has_members) = match &*self.lock() {
            Inner::Memory(_) => (None, false),
            Inner::Disk(journal) => (journal.uid(), journal.life().is_some()),
        };
        match SwarmRecord::read(&shared.folder) {
            Ok(Some(record)) => Some(record.uid) == uid,
            // The members' own record is enough to go on by.
            Ok(None) => has_members,
            Err(_) => true,
        }
    }

    /// Which life of the swarm is recorded, and what becomes of it.
    pub(super) fn life(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the records as this process knows them.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Records) -> R) -> R {
        look(self.lock().records())
    }

    /// Shows a new table what is recorded.
    pub(super) fn show_all(&self, table: &Table) {
        let mut inner = self.lock();
        self.show(&mut inner, Touched::All, table);
    }

    /// Reads what other processes have recorded since.
    pub(super) fn sync(&self, table: &Table) -> Result<()> {
        let mut inner = self.lock();
        let synced = match &mut *inner {
            Inner::Memory(_) => return Ok(()),
            Inner::Disk(journal) => journal.sync(),
        };
        self.show(&mut inner, Touched::default(), table);
        synced
    }

    /// Decides on changes with the newest records before one's eyes and records them, all or none. The
    /// table shows them when this returns.
    pub(super) async fn commit(
        &self,
        table: &Table,
        mut decide: impl FnMut(&Records) -> Result<Vec<Change>>,
    ) -> Result<()> {
        let attempt = |inner: &mut Inner| match inner {
            Inner::Memory(records) => Ok(Ok(apply(records, decide(records)?))),
            Inner::Disk(journal) => Ok(if journal.try_commit(&mut decide)? {
                Ok(Touched::default())
            } else {
                Err(journal.lock_path().to_owned())
            }),
        };
        self.write(table, attempt).await
    }

    /// Forgets every record, where nothing in the newest ones speaks against it: the swarm is down.
    pub(super) async fn clear(
        &self,
        table: &Table,
        mut may: impl FnMut(&Records) -> Result<()>,
    ) -> Result<()> {
        let attempt = |inner: &mut Inner| match inner {
            Inner::Memory(records) => {
                may(records)?;
                *records = Records::default();
                Ok(Ok(Touched::All))
            }
            Inner::Disk(journal) => Ok(if journal.try_clear(&mut may)? {
                Ok(Touched::default())
            } else {
                Err(journal.lock_path().to_owned())
            }),
        };
        self.write(table, attempt).await
    }

    /// Writes as soon as no other process does; until then an attempt gives the lock that it found taken.
    async fn write(
        &self,
        table: &Table,
        mut attempt: impl FnMut(&mut Inner) -> Result<Result<Touched, PathBuf>>,
    ) -> Result<()> {
        let mut patience = None;
        loop {
            let taken = {
                let mut inner = self.lock();
                let attempted = attempt(&mut inner);
                // What was read on the way is shown also where the change was refused.
                let (touched, outcome) = match attempted {
                    Ok(Ok(touched)) => (touched, Ok(None)),
                    Ok(Err(taken)) => (Touched::default(), Ok(Some(taken))),
                    Err(error) => (Touched::default(), Err(error)),
                };
                self.show(&mut inner, touched, table);
                outcome?
            };
            let Some(taken) = taken else { return Ok(()) };
            patience
                .get_or_insert_with(Patience::new)
                .pause(&taken)
                .await?;
        }
    }

    /// Shows the table what is new, in the order in which it became so.
    fn show(&self, inner: &mut Inner, mut touched: Touched, table: &Table) {
        let mut life = Life::default();
        if let Inner::Disk(journal) = inner {
            touched.add(journal.take_touched());
            for note in journal.take_notes() {
                tracing::warn!("{note}");
            }
            life.id = journal.life();
        }
        let records = inner.records();
        life.going_down = records.is_going_down();
        table.refresh(&touched, records);
        self.life.send_if_modified(|known| {
            let changed = *known != life;
            *known = life;
            changed
        });
    }
}

fn apply(records: &mut Records, changes: Vec<Change>) -> Touched {
    let touched = Touched::by(&changes);
    for change in changes {
        records.apply(change);
    }
    touched
}
