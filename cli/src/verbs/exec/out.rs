//! Where what a program writes goes.

use std::io::{self, IsTerminal, Write};

use crate::output::Harmless;

/// As it comes, or harmless.
#[derive(Debug)]
pub(super) enum Out<W> {
    Raw(W),
    Escaped(Harmless<W>),
}

impl<W: Write + IsTerminal> Out<W> {
    /// What goes to a terminal is escaped, unless the terminal is the program's own.
    pub(super) fn new(out: W, own_terminal: bool) -> Self {
        if !own_terminal && out.is_terminal() {
            Self::Escaped(Harmless::new(out))
        } else {
            Self::Raw(out)
        }
    }

    pub(super) fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Raw(out) => {
                out.write_all(bytes)?;
                out.flush()
            }
            Self::Escaped(out) => out.piece(bytes),
        }
    }

    pub(super) fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Raw(_) => Ok(()),
            Self::Escaped(out) => out.end(),
        }
    }
}
