//! Which backend is wanted, and who said so.

use std::fmt;

use super::source::Span;

/// Which backend is wanted: one word, or `auto`.
#[derive(Debug, Clone)]
pub struct BackendChoice {
    word: String,
    pub(crate) said: Said,
}

/// Who said it: an error about the word points there.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    InFile(Span),
    ByVariable(&'static str),
    ByCaller,
    ByNobody,
}

/// What runs agents where nobody says anything.
const DEFAULT: &str = "process";
const AUTO: &str = "auto";

impl BackendChoice {
    /// This backend and no other.
    pub fn named(word: impl Into<String>) -> Self {
        Self::said(word, Said::ByCaller)
    }

    /// The first of a written order that can be reached.
    pub fn auto() -> Self {
        Self::named(AUTO)
    }

    pub(crate) fn said(word: impl Into<String>, said: Said) -> Self {
        Self {
            word: word.into(),
            said,
        }
    }

    /// Whether the first that can be reached is wanted.
    pub fn is_auto(&self) -> bool {
        self.word == AUTO
    }

    /// Whether it was said on this occasion, by whoever asks or by a variable: no file's word stands against it.
    pub(crate) fn is_demanded(&self) -> bool {
        matches!(self.said, Said::ByCaller | Said::ByVariable(_))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.word
    }
}

/// `process`, which needs no engine.
impl Default for BackendChoice {
    fn default() -> Self {
        Self::said(DEFAULT, Said::ByNobody)
    }
}

/// Equal choices want the same, whoever said it.
impl PartialEq for BackendChoice {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl Eq for BackendChoice {}

impl fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.word)
    }
}
