//! What an engine takes for the same with nothing around it: what the ratios are ratios to.

mod bare;
mod engine;
mod process;
mod program;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::report::{BURST, SPAWN};

pub(crate) use engine::ByApi;
pub(crate) use process::ByFork;
pub(crate) use program::{ByProgram, Caught};

/// So many are started at once, at the most: more than an engine makes any use of.
const WIDTH: usize = 16;

/// A way to start the same agent without alveary.
pub(crate) trait Way: Send + Sync {
    /// What it does, in words.
    fn what(&self) -> String;
    /// Starts one. What there is of it is ended by [`end`](Self::end), whichever step failed.
    fn start(&self) -> io::Result<Started>;
    fn end(&self, handle: Handle) -> io::Result<()>;
}

/// One that was started.
pub(crate) struct Started {
    /// How long its steps took, where there are several.
    pub(crate) steps: Vec<(&'static str, Duration)>,
    pub(crate) handle: Handle,
}

pub(crate) enum Handle {
    Child(std::process::Child),
    Container(String),
}

/// The times of one round.
pub(crate) type Steps = Vec<(&'static str, Duration)>;

/// A floor, and what there is of it at the moment. Clones are one.
#[derive(Clone)]
pub(crate) struct Floor {
    way: Arc<dyn Way>,
    /// Held while something is under way, so that what ends all waits for it.
    there: Arc<Mutex<Vec<Handle>>>,
}

impl fmt::Debug for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Floor")
            .field("what", &self.way.what())
            .finish_non_exhaustive()
    }
}

impl Floor {
    pub(crate) fn new(way: impl Way + 'static) -> Self {
        Self {
            way: Arc::new(way),
            there: Arc::default(),
        }
    }

    pub(crate) fn what(&self) -> String {
        self.way.what()
    }

    /// Starts so many at once, and ends them. Dropping the call does not break it off: [`settle`](Self::settle) waits for it.
    pub(crate) async fn round(&self, at_once: usize) -> io::Result<Steps> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.round_here(at_once))
            .await
            .map_err(io::Error::other)?
    }

    /// Ends what is left of a round that was broken off.
    pub(crate) async fn settle(&self) -> io::Result<()> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut there = this.there.lock().unwrap_or_else(PoisonError::into_inner);
            there.drain(..).try_for_each(|handle| this.way.end(handle))
        })
        .await
        .map_err(io::Error::other)?
    }

    fn round_here(&self, at_once: usize) -> io::Result<Steps> {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        let started = together(at_once, &|| self.way.start());
        let took = begun.elapsed();
        let mut steps = Steps::new();
        let mut failed = None;
        for started in started {
            match started {
                Ok(started) => {
                    steps.extend(started.steps);
                    there.push(started.handle);
                }
                Err(error) => failed = Some(error),
            }
        }
        steps.push((if at_once > 1 { BURST } else { SPAWN }, took));
        while let Some(handle) = there.pop() {
            self.way.end(handle)?;
        }
        failed.map_or(Ok(steps), Err)
    }
}

/// Does it so many times, several at once.
fn together<T: Send>(times: usize, act: &(dyn Fn() -> T + Sync)) -> Vec<T> {
    if times == 1 {
        return vec![act()];
    }
    let width = times.min(WIDTH);
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..width)
            .map(|hand| {
                let share = times / width + usize::from(hand < times % width);
                scope.spawn(move || (0..share).map(|_| act()).collect::<Vec<T>>())
            })
            .collect();
        hands
            .into_iter()
            .filter_map(|hand| hand.join().ok())
            .flatten()
            .collect()
    })
}

/// A body or a word with every mark of one swarm's agent made another's.
fn renamed(text: &str, changes: &BTreeMap<String, String>) -> String {
    changes
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
