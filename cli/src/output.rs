//! What is printed: data on stdout, progress and notes on stderr.

mod canvas;
mod escape;
mod excerpt;
mod fetches;
mod form;
mod json;
mod lines;
mod progress;
mod screen;
mod style;
mod table;
mod time;

use std::io::{self, BufWriter, StdoutLock, Write};

pub(crate) use canvas::Canvas;
pub(crate) use escape::Harmless;
pub(crate) use excerpt::excerpt;
pub(crate) use fetches::Fetches;
pub(crate) use form::{Field, Form, Record, about, form};
pub(crate) use json::{write_line, write_pretty};
pub(crate) use lines::{LinePrinter, LineStyle};
pub(crate) use progress::{Bar, Progress};
pub(crate) use screen::Screen;
pub(crate) use style::paint;
pub(crate) use table::Table;
#[cfg(feature = "top")]
pub(crate) use time::span;
pub(crate) use time::{age, lasting, rfc3339};

/// The standard output, buffered. What is written goes out as it is: whoever writes for a terminal escapes.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 * 1024, io::stdout().lock())
}

/// Writes data to stdout at once.
pub(crate) fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes what somebody else wrote to stdout: to a terminal so that it cannot drive it, else as it is.
#[cfg(feature = "coordinator")]
pub(crate) fn print_harmless(bytes: &[u8]) -> io::Result<()> {
    use std::io::IsTerminal;
    if !io::stdout().is_terminal() {
        return print_bytes(bytes);
    }
    let mut out = stdout();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        escape::write_escaped(&mut out, text)?;
        writeln!(out)?;
    }
    out.flush()
}

/// Prints a line on stderr. Where nobody reads it there is nobody to tell.
pub(crate) fn note(line: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}
