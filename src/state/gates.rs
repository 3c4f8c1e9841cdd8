//! Between a stop in one process and a start in another.
//!
//! Whoever starts an agent holds its gate from the moment in which it reads what is desired until the
//! engine has answered. Whoever stops it writes down first that it is to be stopped, and then passes the
//! gate: every start that had not read this has ended by then, and every later one reads it. So a stop is
//! never undone by a start that had been decided before it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use alveary_core::{AgentId, Result};

use super::files::{Hold, Patience, open_lock, try_lock};
use super::folder::Folder;

/// Agents share gates, so that their number is bounded and no file has to be cleaned up.
const GATES: usize = 64;

/// The gates of a swarm.
#[derive(Debug)]
pub(crate) struct Gates {
    dir: PathBuf,
    /// The same gates among this process's own starts. They wait here for as long as it takes: only another
    /// process, which may be a stopped one, is waited for with a limit.
    own: Vec<Arc<RwLock<()>>>,
}

/// A gate that is held; it opens when this is dropped.
#[derive(Debug)]
pub(crate) struct StartGuard {
    // Dropped first, so that whoever of this process comes next finds the file free.
    _file: File,
    _own: Own,
}

#[derive(Debug)]
enum Own {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Alone { _guard: OwnedRwLockWriteGuard<()> },
}

impl Gates {
    pub(crate) fn new(folder: &Folder) -> Result<Self> {
        let dir = folder.subfolder("starts")?;
        let mut own = Vec::new();
        own.resize_with(GATES, Arc::default);
        Ok(Self { dir, own })
    }

    /// Which gate is this agent's.
    fn number(id: &AgentId) -> usize {
        // The sum of the bytes: the same in every version, and even enough.
        let sum: usize = id.as_str().bytes().map(usize::from).sum();
        sum % GATES
    }

    fn path(&self, id: &AgentId) -> PathBuf {
        self.dir.join(format!("{:02x}", Self::number(id)))
    }

    /// Held while a new agent is started, beside others.
    pub(crate) async fn first_start(&self, id: &AgentId) -> Result<StartGuard> {
        self.hold(id, Hold::Shared).await
    }

    /// Held alone while an agent is started again, so that two processes do not both do it.
    pub(crate) async fn next_start(&self, id: &AgentId) -> Result<StartGuard> {
        self.hold(id, Hold::Alone).await
    }

    /// Whether the agent is being started by nobody at this moment.
    pub(crate) fn is_open(&self, id: &AgentId) -> Result<bool> {
        let path = self.path(id);
        try_lock(&open_lock(&path)?, &path, Hold::Alone)
    }

    async fn hold(&self, id: &AgentId, hold: Hold) -> Result<StartGuard> {
        let own = Arc::clone(&self.own[Self::number(id)]);
        let own = match hold {
            Hold::Shared => Own::Shared {
                _guard: own.read_owned().await,
            },
            Hold::Alone => Own::Alone {
                _guard: own.write_owned().await,
            },
        };
        let path = self.path(id);
        let file = open_lock(&path)?;
        let mut patience = Patience::new();
        while !try_lock(&file, &path, hold)? {
            patience.pause(&path).await?;
        }
        Ok(StartGuard {
            _file: file,
            _own: own,
        })
    }
}
