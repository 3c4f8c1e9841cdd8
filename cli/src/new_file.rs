//! A file that somebody wants written, and that is not there yet.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Writes it whole or not at all: half of one would be in the way of the next.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes()).inspect_err(|_| {
        let _it_stays_then = fs::remove_file(path);
    })
}

/// What to do where it could not be written: make room, or else this.
pub(crate) fn cure(error: &io::Error, otherwise: &'static str) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, or name a file elsewhere"
        }
        _ => otherwise,
    }
}
