//! The lower edge of a terminal, where bars are.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

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

    /// Adds a bar beneath those that there are, where there can be any, and keeps it moving.
    pub(crate) fn add(&self, bar: impl FnOnce() -> ProgressBar) -> Option<ProgressBar> {
        let bar = self.0.as_ref()?.add(bar());
        bar.enable_steady_tick(Duration::from_millis(100));
        Some(bar)
    }

    /// A bar to be added. Until it is, it is not seen: one that is drawn on its own is a line that nobody takes away
    /// again.
    pub(crate) fn unseen(length: u64) -> ProgressBar {
        ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden())
    }

    /// Does something that prints, with the bars out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}
