//! The lower edge of a terminal, where bars are.

use std::io::{IsTerminal, stderr};

use indicatif::{MultiProgress, ProgressBar};

/// Where bars are shown: at the lower edge of the terminal that stderr is. Where it is none there are no bars.
///
/// Cloning gives another handle on the same.
#[derive(Debug, Clone)]
pub(crate) struct Screen(Option<MultiProgress>);

impl Screen {
    /// That of stderr.
    pub(crate) fn new() -> Self {
        Self(stderr().is_terminal().then(MultiProgress::new))
    }

    /// Adds a bar beneath those that there are, where there can be any.
    pub(crate) fn add(&self, bar: impl FnOnce() -> ProgressBar) -> Option<ProgressBar> {
        self.0.as_ref().map(|bars| bars.add(bar()))
    }

    /// Does something that prints, with the bars out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}
