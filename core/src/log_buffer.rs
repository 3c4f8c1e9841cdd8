//! A log in memory, for backends that hold their agents' output themselves.

mod kept;
mod reader;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::error::Result;
use crate::logs::{LogStream, LogStreamKind};
use crate::options::LogOptions;
use kept::Kept;

/// The output of one start of an agent, held in memory: bounded, byte-exact, and with every loss counted.
///
/// For backends that hold their agents' output themselves. Writing never waits: what does not fit takes the
/// place of the oldest, and whoever reads is told how much that was. Cloning gives another handle on the
/// same log.
///
/// ```
/// use alveary_core::{LogBuffer, LogOptions, LogStreamKind};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), alveary_core::Error> {
/// let log = LogBuffer::new(1 << 20);
/// log.write(LogStreamKind::Stdout, b"one\ntwo\n");
/// log.close();
/// let last = log.read(&LogOptions::default().with_tail(1).with_follow(true))?;
/// assert_eq!(last.collect_bytes(LogStreamKind::Stdout).await?, b"two\n");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LogBuffer(Arc<Shared>);

struct Shared {
    /// Which log it is: no cursor of another one finds a place in it.
    number: u64,
    kept: Mutex<Kept>,
    grown: Notify,
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogBuffer {
    /// An empty log that keeps about so many bytes.
    pub fn new(bytes: usize) -> Self {
        static LOGS: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Shared {
            number: LOGS.fetch_add(1, Ordering::Relaxed),
            kept: Mutex::new(Kept::new(bytes)),
            grown: Notify::new(),
        }))
    }

    /// Adds what was written. Never waits; after [`close`](Self::close) nothing is added.
    pub fn write(&self, stream: LogStreamKind, bytes: &[u8]) {
        self.0.kept().write(stream, bytes);
        self.0.grown.notify_waiters();
    }

    /// Says that nothing more will come: whoever follows comes to the end.
    pub fn close(&self) {
        self.0.kept().closed = true;
        self.0.grown.notify_waiters();
    }

    /// Reads what the options ask for, but for [`incarnation`](LogOptions::incarnation), which is for the
    /// caller to find the right log by. `InvalidSpec`: the cursor is none of this log's.
    pub fn read(&self, options: &LogOptions) -> Result<LogStream> {
        reader::read(&self.0, options)
    }
}

impl fmt::Debug for LogBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogBuffer")
    }
}
