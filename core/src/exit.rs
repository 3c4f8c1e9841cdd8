//! How an agent ended.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::signal::Signal;

/// How an agent ended: never a guess. What is not known is said to be unknown.
///
/// ```
/// use alveary_core::{EndedBy, Exit, ExitStatus};
///
/// let exit = Exit::new(ExitStatus::Code(7), EndedBy::Itself);
/// assert_eq!(exit.to_string(), "exited with code 7");
/// assert!(!exit.is_success());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exit {
    /// Code or signal, or why neither is known.
    pub status: ExitStatus,
    /// Who ended it.
    pub by: EndedBy,
    /// Whether memory ran out, as the engine itself flags it. A code of 137 alone is not that.
    #[serde(default)]
    pub oom: bool,
    /// When it ended, by the engine's clock where there is one.
    #[serde(default)]
    pub at: Option<SystemTime>,
    /// What would perhaps have helped, in a few words, where what the agent has left behind shows it; or what it wrote
    /// last, where it has hardly lived. For showing only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Code or signal, or why neither is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ExitStatus {
    /// It ended with this code.
    Code(i32),
    /// This signal ended it.
    Signal(Signal),
    /// It has ended, and how cannot be known any more.
    Unknown {
        /// What took the knowledge away, such as a reboot.
        why: String,
    },
}

impl From<i32> for ExitStatus {
    fn from(code: i32) -> Self {
        Self::Code(code)
    }
}

/// Who ended an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EndedBy {
    /// The agent itself, or somebody outside who sent it a signal.
    Itself,
    /// We asked it to end, and it did within its grace.
    Us,
    /// We asked, and then ended it by force.
    UsByForce,
    /// The engine, of its own accord: memory, a limit, its own shutdown.
    Engine,
    /// It cannot be known.
    Unknown,
}

impl EndedBy {
    /// The word that stands in a table and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "itself",
            Self::Us => "us",
            Self::UsByForce => "us-by-force",
            Self::Engine => "engine",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for EndedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Exit {
    /// An end of this status, brought about by `by`.
    pub fn new(status: ExitStatus, by: EndedBy) -> Self {
        Self {
            status,
            by,
            oom: false,
            at: None,
            hint: None,
        }
    }

    /// An end of which nothing is known but that it happened.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::new(ExitStatus::Unknown { why: why.into() }, EndedBy::Unknown)
    }

    /// Says that memory ran out, on the engine's word.
    #[must_use]
    pub fn with_oom(mut self, oom: bool) -> Self {
        self.oom = oom;
        self
    }

    /// Says when.
    #[must_use]
    pub fn with_at(mut self, at: SystemTime) -> Self {
        self.at = Some(at);
        self
    }

    /// Says what would perhaps have helped.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it ended with code 0. An unknown end is no success.
    pub fn is_success(&self) -> bool {
        self.status == ExitStatus::Code(0)
    }

    /// Whether it ended well in the eyes of a user: code 0, or because we asked it to.
    pub fn is_clean(&self) -> bool {
        self.is_success() || (self.by == EndedBy::Us && !self.oom)
    }

    /// The code, where it ended with one.
    pub fn code(&self) -> Option<i32> {
        match self.status {
            ExitStatus::Code(code) => Some(code),
            _ => None,
        }
    }

    /// The signal, where one ended it.
    pub fn signal(&self) -> Option<Signal> {
        match self.status {
            ExitStatus::Signal(signal) => Some(signal),
            _ => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.status {
            ExitStatus::Code(code) => write!(f, "exited with code {code}")?,
            ExitStatus::Signal(signal) => write!(f, "ended by {signal}")?,
            ExitStatus::Unknown { why } => {
                write!(f, "ended, how is unknown: {}", crate::Escaped(why))?;
            }
        }
        if self.oom {
            f.write_str(", out of memory")?;
        }
        let unknown = matches!(self.status, ExitStatus::Unknown { .. });
        match self.by {
            EndedBy::Us if unknown => Ok(()),
            EndedBy::Us => f.write_str(", as asked"),
            EndedBy::UsByForce => f.write_str(", by force"),
            EndedBy::Engine => f.write_str(", by the engine"),
            EndedBy::Itself | EndedBy::Unknown => Ok(()),
        }?;
        match &self.hint {
            Some(hint) => write!(f, "; {}", crate::Escaped(hint)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_reads_as_a_sentence_and_what_would_have_helped_comes_last() {
        let by_itself = |code| Exit::new(ExitStatus::Code(code), EndedBy::Itself);
        for (exit, reads) in [
            (by_itself(0), "exited with code 0"),
            (
                by_itself(1).with_hint("perhaps it needs a capability"),
                "exited with code 1; perhaps it needs a capability",
            ),
            (
                Exit::new(ExitStatus::Signal(Signal::KILL), EndedBy::UsByForce),
                "ended by SIGKILL, by force",
            ),
            (
                Exit::new(ExitStatus::Code(137), EndedBy::Engine).with_oom(true),
                "exited with code 137, out of memory, by the engine",
            ),
            (
                Exit::unknown("the engine\x1b[2J was away"),
                "ended, how is unknown: the engine\\u{1b}[2J was away",
            ),
        ] {
            assert_eq!(exit.to_string(), reads);
        }
    }

    #[test]
    fn an_end_is_clean_where_it_was_asked_for_and_a_hint_does_not_change_what_it_was() {
        let asked = Exit::new(ExitStatus::Signal(Signal::TERM), EndedBy::Us);
        assert!(asked.is_clean() && !asked.is_success());
        assert!(!asked.clone().with_oom(true).is_clean());
        let hinted = Exit::new(ExitStatus::Code(1), EndedBy::Itself).with_hint("chown");
        assert!(!hinted.is_clean());
        let read: Exit = serde_json::from_str(&serde_json::to_string(&hinted).unwrap()).unwrap();
        assert_eq!(read, hinted);
    }
}
