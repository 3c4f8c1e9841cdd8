//! A container's log by the program: its two outputs, put into one order again.

use std::collections::VecDeque;
use std::time::Duration;

use alveary_core::LogStreamKind;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use jiff::Timestamp;

use super::cutter::{Cut, Cutter, Pieces};
use super::feed::Feed;
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, LogEntry};

/// How much of an output is held before it is taken from: more waits in the pipe.
const ENOUGH: usize = 256 << 10;

/// How many of the program's own words are kept.
const MAX_WORDS: usize = 16;

/// Which of the streams are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) stdout: bool,
    pub(super) stderr: bool,
}

struct Log {
    feed: Feed,
    wanted: Wanted,
    patience: Option<Duration>,
    cutters: [Cutter; 2],
    /// What was cut off and not given out, for either stream.
    ready: [VecDeque<(Timestamp, Bytes)>; 2],
    /// What the program itself says.
    words: VecDeque<String>,
    /// Nothing more is written.
    all: bool,
    done: bool,
}

/// The entries of a log. `patience` is how long the next is waited for at the most.
pub(super) fn entries(
    feed: Feed,
    pieces: Pieces,
    wanted: Wanted,
    patience: Option<Duration>,
) -> impl Stream<Item = Answer<LogEntry>> + Send {
    let log = Log {
        feed,
        wanted,
        patience,
        cutters: [Cutter::new(pieces), Cutter::new(pieces)],
        ready: [VecDeque::new(), VecDeque::new()],
        words: VecDeque::new(),
        all: false,
        done: false,
    };
    stream::unfold(log, |mut log| async {
        if log.done {
            return None;
        }
        match log.next().await {
            Ok(Some(entry)) => Some((Ok(entry), log)),
            Ok(None) => None,
            Err(trouble) => {
                log.done = true;
                Some((Err(trouble), log))
            }
        }
    })
}

impl Log {
    async fn next(&mut self) -> Answer<Option<LogEntry>> {
        loop {
            // The program writes in the order of the log. What it wrote to the one output before what was read
            // from the other is there: it is read first, so that neither stream runs ahead.
            if !self.all && self.holds_little() {
                self.feed.take()?;
            }
            self.cut()?;
            if let Some(entry) = self.earliest() {
                return Ok(Some(entry));
            }
            if self.all {
                return self.end().await.map(|()| None);
            }
            if !self.feed.more(self.patience).await? {
                self.all = true;
            }
        }
    }

    fn holds_little(&self) -> bool {
        self.feed.out.held.len() < ENOUGH && self.feed.err.held.len() < ENOUGH
    }

    fn cut(&mut self) -> Answer<()> {
        let [out, err] = &mut self.cutters;
        for (stream, cutter, pipe) in [(0, out, &mut self.feed.out), (1, err, &mut self.feed.err)] {
            let ready = &mut self.ready[stream];
            // One at a time is enough to know which of the two streams is first.
            let is_all = self.all || pipe.is_closed();
            while ready.is_empty() {
                match cutter.cut(&mut pipe.held, is_all) {
                    None => break,
                    Some(Cut::Entry { at, bytes }) => ready.push_back((at, bytes)),
                    Some(Cut::Words(words)) if stream == 1 => {
                        if self.words.len() >= MAX_WORDS {
                            self.words.pop_front();
                        }
                        self.words.push_back(words);
                    }
                    // Nothing but the agent's own writes to it.
                    Some(Cut::Words(_)) => {
                        return Err(Trouble::new(
                            Class::Other,
                            "the program prints a log without times",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn earliest(&mut self) -> Option<LogEntry> {
        loop {
            let [out, err] = [0, 1].map(|stream| self.ready[stream].front().map(|(at, _)| *at));
            let stream = match (out, err) {
                (None, None) => return None,
                (Some(_), None) => 0,
                (None, Some(_)) => 1,
                (Some(out), Some(err)) => usize::from(err < out),
            };
            let (at, bytes) = self.ready[stream].pop_front()?;
            let (kind, wanted) = if stream == 0 {
                (LogStreamKind::Stdout, self.wanted.stdout)
            } else {
                (LogStreamKind::Stderr, self.wanted.stderr)
            };
            if wanted {
                return Some(LogEntry {
                    stream: kind,
                    at,
                    bytes,
                });
            }
        }
    }

    /// The log is at its end, or the program could not read it to its end.
    async fn end(&mut self) -> Answer<()> {
        let words: Vec<String> = self.words.drain(..).collect();
        self.feed.err.held = words.join("\n").as_bytes().into();
        self.feed.finish().await?.well().map(|_| ())
    }
}
