//! How far a verb has come: a bar where a terminal looks on, plain lines where none does.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::note;

/// How far a verb has come with its agents. Shown on stderr.
///
/// A bar goes away at the end and leaves what was worth a line; without a terminal each step is a line.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins: `doing` is shown before the bar.
    pub(crate) fn new(doing: &'static str, total: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64);
            if let Ok(style) =
                ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len} {wide_msg}")
            {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(doing);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    /// One agent is through: `what` became of it.
    pub(crate) fn step(&self, name: &str, what: impl Display) {
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                bar.set_message(format!("{name} {what}"));
            }
            None => note(format_args!("{name} {what}")),
        }
    }

    /// One agent is through, and was spoken of elsewhere.
    pub(crate) fn advance(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Does something that prints, with the bar out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
