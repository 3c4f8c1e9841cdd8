//! Signals by their names, numbered as Linux numbers them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::Escaped;

/// A signal. Containers are Linux wherever their engine's client runs, so the numbers are Linux's.
///
/// ```
/// use alveary_core::Signal;
///
/// assert_eq!("term".parse(), Ok(Signal::TERM));
/// assert_eq!("SIGTERM".parse(), Ok(Signal::TERM));
/// assert_eq!("15".parse(), Ok(Signal::TERM));
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(u8);

const NAMES: [(&str, u8); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

impl Signal {
    /// Hang up: by custom, "read your settings again".
    pub const HUP: Self = Self(1);
    /// Interrupt, as Ctrl-C sends it.
    pub const INT: Self = Self(2);
    /// Quit.
    pub const QUIT: Self = Self(3);
    /// Kill: cannot be caught.
    pub const KILL: Self = Self(9);
    /// The first signal that a program may use as it likes.
    pub const USR1: Self = Self(10);
    /// The second signal that a program may use as it likes.
    pub const USR2: Self = Self(12);
    /// End, please.
    pub const TERM: Self = Self(15);
    /// Go on after a stop.
    pub const CONT: Self = Self(18);
    /// Stop: cannot be caught.
    pub const STOP: Self = Self(19);

    /// The signal of a Linux number from 1 to 64.
    pub fn from_number(number: i32) -> Option<Self> {
        u8::try_from(number)
            .ok()
            .filter(|n| (1..=64).contains(n))
            .map(Self)
    }

    /// Its number on Linux.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// Its name without `SIG`; `None` for the nameless real-time ones.
    pub fn name(self) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(_, number)| *number == self.0)
            .map(|(name, _)| *name)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SIG{name}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no signal (`TERM`, `SIGTERM` and `15` are)", Escaped(.0))]
pub struct InvalidSignal(String);

impl FromStr for Signal {
    type Err = InvalidSignal;

    fn from_str(text: &str) -> Result<Self, InvalidSignal> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, number)| Self(*number))
            .or_else(|| text.parse().ok().and_then(Self::from_number))
            .ok_or_else(|| InvalidSignal(text.to_owned()))
    }
}

impl TryFrom<String> for Signal {
    type Error = InvalidSignal;

    fn try_from(text: String) -> Result<Self, InvalidSignal> {
        text.parse()
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal
            .name()
            .map_or_else(|| signal.0.to_string(), ToOwned::to_owned)
    }
}
