//! What is said of the program's own doings while the terminal is a picture: it is said afterwards.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// How much is kept: the first of it, which is where a matter began.
const MOST: usize = 256 * 1024;

/// Takes what would be written onto the picture.
#[derive(Debug)]
pub(crate) struct Aside;

impl Aside {
    pub(crate) fn writer() -> Self {
        Self
    }

    /// Says on the standard error what was kept from it.
    pub(crate) fn say() {
        // Where nobody reads it there is nobody to tell.
        let _ = io::stderr().write_all(&std::mem::take(&mut *kept()));
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = kept();
        let room = MOST.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn kept() -> MutexGuard<'static, Vec<u8>> {
    // Bytes are bytes, whoever panicked while there was a hold on them.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}
