//! How far a verb has come: lines, and a bar where a terminal looks on.

use std::fmt::Display;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Screen, note};

/// On a terminal, what became of so many agents is told one by one; of more there is the bar, and a sum.
const FEW: u64 = 40;

/// How far a verb has come with its agents. Shown on stderr.
///
/// Each step is a line. A terminal shows a bar besides, which goes away at the end, and instead of very many
/// lines.
#[derive(Debug)]
pub(crate) struct Progress {
    screen: Screen,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins: `doing` is shown before the bar.
    pub(crate) fn new(doing: &'static str, total: usize) -> Self {
        Self::on(Screen::new(), doing, total)
    }

    /// As [`new`](Self::new), beside other bars.
    pub(crate) fn on(screen: Screen, doing: &'static str, total: usize) -> Self {
        let bar = screen.add(|| bar(doing, total));
        Self { screen, bar }
    }

    /// One agent is through: `what` became of it.
    pub(crate) fn step(&self, name: &str, what: impl Display) {
        self.advance();
        match &self.bar {
            Some(bar) if bar.length().is_some_and(|total| total > FEW) => {
                bar.set_message(format!("{name} {what}"));
            }
            _ => self.aside(|| note(format_args!("{name} {what}"))),
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
        self.screen.aside(print)
    }
}

fn bar(doing: &'static str, total: usize) -> ProgressBar {
    let bar = Screen::unseen(total as u64);
    let template = "{prefix} {bar:20} {pos}/{len} {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(doing);
    bar
}

/// A bar alone, without a word about any step. It goes away at the end.
#[derive(Debug)]
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// Begins, where a terminal looks on: `doing` is shown before the bar.
    pub(crate) fn on(screen: &Screen, doing: &'static str, total: usize) -> Self {
        Self(screen.add(|| bar(doing, total)))
    }

    /// One step more is done.
    pub(crate) fn advance(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let Some(bar) = &self.bar else { return };
        bar.finish_and_clear();
        if let Some(total) = bar.length()
            && total > FEW
        {
            note(format_args!(
                "{}: {} of {total}",
                bar.prefix(),
                bar.position()
            ));
        }
    }
}
