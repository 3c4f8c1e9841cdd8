//! How far images have come: lines, and bars where a terminal looks on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use alveary::{Escaped, Fetch, FetchStage, FetchUnit};
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use super::{Screen, note};

/// Where there are no bars, a line says so often how far it is.
const PACE: Duration = Duration::from_secs(10);

/// What is being fetched. Shown on stderr.
#[derive(Debug)]
pub(crate) struct Fetches {
    screen: Screen,
    under_way: HashMap<String, Shown>,
}

#[derive(Debug)]
struct Shown {
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Fetches {
    pub(crate) fn on(screen: &Screen) -> Self {
        Self {
            screen: screen.clone(),
            under_way: HashMap::new(),
        }
    }

    /// Whether anything is on its way.
    pub(crate) fn is_any(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Shows how far one has come.
    pub(crate) fn show(&mut self, fetch: &Fetch) {
        let what = Escaped(&fetch.what);
        match fetch.stage {
            FetchStage::UnderWay { done, total, unit } => {
                if !self.under_way.contains_key(&fetch.what) {
                    self.say(format_args!("fetching the image {what}"));
                    let shown = Shown {
                        bar: self.screen.add(|| bar(what.to_string())),
                        said: Instant::now(),
                    };
                    self.under_way.insert(fetch.what.clone(), shown);
                }
                self.come(&fetch.what, done, total, unit);
            }
            FetchStage::Here => self.end(&fetch.what, "is here"),
            // Why is told by those who wait for it.
            FetchStage::GivenUp => self.end(&fetch.what, "is not fetched"),
            _ => {}
        }
    }

    fn come(&mut self, what: &str, done: u64, total: Option<u64>, unit: FetchUnit) {
        let Some(shown) = self.under_way.get_mut(what) else {
            return;
        };
        let far = far(done, total, unit);
        if let Some(bar) = &shown.bar {
            bar.set_length(total.unwrap_or_default());
            bar.set_position(total.map_or(0, |total| done.min(total)));
            bar.set_message(far);
        } else if shown.said.elapsed() >= PACE {
            shown.said = Instant::now();
            self.say(format_args!("the image {}: {far}", Escaped(what)));
        }
    }

    fn end(&mut self, what: &str, how: &str) {
        if let Some(shown) = self.under_way.remove(what) {
            if let Some(bar) = shown.bar {
                bar.finish_and_clear();
            }
            self.say(format_args!("the image {} {how}", Escaped(what)));
        }
    }

    fn say(&self, line: std::fmt::Arguments<'_>) {
        self.screen.aside(|| note(line));
    }
}

/// What is under way at the end goes on somewhere else, or is given up: its bar goes.
impl Drop for Fetches {
    fn drop(&mut self) {
        for bar in self.under_way.values().filter_map(|it| it.bar.as_ref()) {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: String) -> ProgressBar {
    let bar = Screen::unseen(0);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:20} {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(what);
    bar
}

fn far(done: u64, total: Option<u64>, unit: FetchUnit) -> String {
    match (unit, total) {
        (FetchUnit::Bytes, Some(total)) => {
            format!("{} of {}", DecimalBytes(done), DecimalBytes(total))
        }
        (FetchUnit::Bytes, None) => DecimalBytes(done).to_string(),
        (_, Some(total)) => format!("{done} of {total} layers"),
        (_, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_is_said_as_far_as_it_is_known() {
        for (done, total, unit, said) in [
            (
                12_300_000,
                Some(45_000_000),
                FetchUnit::Bytes,
                "12.30 MB of 45.00 MB",
            ),
            (12_300_000, None, FetchUnit::Bytes, "12.30 MB"),
            (2, Some(5), FetchUnit::Parts, "2 of 5 layers"),
            (0, None, FetchUnit::Parts, ""),
        ] {
            assert_eq!(far(done, total, unit), said);
        }
    }
}
