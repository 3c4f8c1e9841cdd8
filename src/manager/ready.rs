//! Seeing that an agent is up: by a line of its output, by asking it, or by time.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentState, Incarnation, LogItem, LogOptions, LogStreamKind, Probe,
    Ready, ReadyCheck,
};
use futures_util::StreamExt;
use tokio::time::sleep;

use super::core::Core;
use super::row::Row;
use crate::state::Change;

/// The first pause between two looks, and the longest.
const LOOK: Duration = Duration::from_millis(25);
const LOOK_AT_LEAST: Duration = Duration::from_secs(1);
/// How long an agent may take to answer each time.
const ANSWER: Duration = Duration::from_secs(5);

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Begins to look whether the agent's present start is ready, if that has a check, has not been seen
    /// yet, and nobody here looks already.
    pub(super) fn probe(self: &Arc<Self>, id: &AgentId) {
        let begun = self.table.note(id, |row| {
            let due = row.probe_due()?;
            row.probed = Some(due.0);
            Some(due)
        });
        let Some((incarnation, ready, ran)) = begun.flatten() else {
            return;
        };
        let core = Arc::clone(self);
        let id = id.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = core.closing.cancelled() => {}
                () = core.until_it_is_over(&id, incarnation) => {}
                () = core.see(&id, incarnation, &ready, ran) => core.seen(&id, incarnation).await,
            }
        });
    }

    async fn see(&self, id: &AgentId, incarnation: Incarnation, ready: &Ready, ran: Duration) {
        match &ready.check {
            ReadyCheck::Log(text) => self.see_line(id, incarnation, text.as_bytes()).await,
            ReadyCheck::Probe(probe) => self.see_answer(id, incarnation, probe).await,
            ReadyCheck::Delay(delay) => {
                self.until(id, |row| row.is_running_start(incarnation))
                    .await;
                sleep(delay.saturating_sub(ran)).await;
            }
            // A check that this version does not know is never seen; waiting for it times out and says so.
            _ => std::future::pending().await,
        }
    }

    async fn see_line(&self, id: &AgentId, incarnation: Incarnation, text: &[u8]) {
        let options = LogOptions::default()
            .with_follow(true)
            .with_incarnation(incarnation);
        let mut pause = LOOK;
        loop {
            // Read from the beginning each time: no line is missed for a stream that broke.
            let (mut out, mut err) = (LineSearch::new(text), LineSearch::new(text));
            match self.backend.logs(id, options.clone()).await {
                Ok(mut items) => {
                    while let Some(item) = items.next().await {
                        let found = match item {
                            Ok(LogItem::Piece(piece)) if piece.stream == LogStreamKind::Stderr => {
                                err.feed(&piece.bytes)
                            }
                            Ok(LogItem::Piece(piece)) => out.feed(&piece.bytes),
                            Ok(_) => {
                                (out, err) = (LineSearch::new(text), LineSearch::new(text));
                                false
                            }
                            Err(error) => {
                                tracing::debug!(kind = %error.kind(), why = error.message(), "output is read again to see whether it is ready");
                                break;
                            }
                        };
                        if found {
                            return;
                        }
                    }
                }
                Err(error) => {
                    tracing::debug!(kind = %error.kind(), why = error.message(), "output is not there yet");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_AT_LEAST);
        }
    }

    async fn see_answer(&self, id: &AgentId, incarnation: Incarnation, probe: &Probe) {
        let mut pause = LOOK;
        while let Err(why) = self.look_at(id, incarnation, probe, ANSWER).await {
            tracing::debug!(agent = %id, why, "it is not ready yet");
            self.table.note(id, |row| row.not_ready = Some(why));
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_AT_LEAST);
        }
    }

    async fn seen(self: &Arc<Self>, id: &AgentId, incarnation: Incarnation) {
        // It counts once the agent runs.
        self.until(id, |row| row.is_running_start(incarnation))
            .await;
        self.table.ready(id, incarnation);
        let recorded = self
            .store
            .commit(&self.table, |records| {
                let fresh = records
                    .get(id)
                    .is_some_and(|record| record.ready != Some(incarnation));
                let change = || Change::Ready {
                    id: id.clone(),
                    incarnation,
                };
                Ok(fresh.then(change).into_iter().collect())
            })
            .await;
        if let Err(error) = recorded {
            tracing::warn!(kind = %error.kind(), why = error.message(), "it could not be recorded that an agent is ready");
        }
        if self.leads() {
            self.watch_over(id);
        }
    }

    /// Until this start of it has ended, or another has been made.
    pub(super) async fn until_it_is_over(&self, id: &AgentId, incarnation: Incarnation) {
        self.until(id, |row| {
            row.info
                .as_ref()
                .is_none_or(|info| info.incarnation != incarnation || info.state.has_ended())
        })
        .await;
    }

    /// Waits until this holds of the agent's row, or there is none any more.
    pub(super) async fn until(&self, id: &AgentId, mut holds: impl FnMut(&Row) -> bool) {
        self.when(id, |row| holds(row).then_some(())).await;
    }

    /// Waits until this finds something in the agent's row. `None`: there is no such row (any more).
    pub(super) async fn when<R>(
        &self,
        id: &AgentId,
        mut find: impl FnMut(&Row) -> Option<R>,
    ) -> Option<R> {
        loop {
            let changed = self.table.waiters(id)?;
            let changed = changed.notified();
            tokio::pin!(changed);
            // Listening first, looking second: a change between the two is seen.
            changed.as_mut().enable();
            if let Some(found) = self.table.look(id, &mut find)? {
                return Some(found);
            }
            changed.await;
        }
    }
}

impl Row {
    /// Which start is to be looked at, by which check, and for how long it has run; `None` where that is
    /// done already, or not called for.
    pub(super) fn probe_due(&self) -> Option<(Incarnation, Ready, Duration)> {
        let info = self.info.as_ref()?;
        let ready = self.record.as_ref()?.spec.ready.as_ref()?;
        let up = matches!(
            info.state,
            AgentState::Running | AgentState::Starting { .. }
        );
        if !up || self.is_ready() || self.probed == Some(info.incarnation) {
            return None;
        }
        let ran = info.started_at.and_then(|at| at.elapsed().ok());
        Some((info.incarnation, ready.clone(), ran.unwrap_or_default()))
    }

    fn is_running_start(&self, incarnation: Incarnation) -> bool {
        self.info.as_ref().is_some_and(|info| {
            info.incarnation == incarnation && matches!(info.state, AgentState::Running)
        })
    }
}

/// What was not seen, in words; of an agent that is asked, what came of it last.
pub(super) fn in_words(check: &ReadyCheck, last: Option<String>) -> String {
    match check {
        ReadyCheck::Log(text) => format!("no line of its output contained `{text}`"),
        ReadyCheck::Probe(probe) => last.unwrap_or_else(|| match probe {
            Probe::Tcp(address) => format!("nothing accepted a connection at {address}"),
            Probe::Http(url) => format!("{url} did not answer"),
            _ => "its check did not end".to_owned(),
        }),
        ReadyCheck::Delay(delay) => format!(
            "it did not run for {} on end",
            humantime::format_duration(*delay)
        ),
        _ => "this version of alveary does not know its check".to_owned(),
    }
}

/// Looks for a text in a stream that comes in pieces, within a line, keeping no more than the text's length.
struct LineSearch<'a> {
    text: &'a [u8],
    tail: Vec<u8>,
}

impl<'a> LineSearch<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            tail: Vec::new(),
        }
    }

    fn feed(&mut self, piece: &[u8]) -> bool {
        let keep = self.text.len().saturating_sub(1);
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let line = part.strip_suffix(b"\n").unwrap_or(part);
            // Only what spans the border needs the bytes from before it.
            let border = &line[..line.len().min(keep)];
            self.tail.extend_from_slice(border);
            if contains(&self.tail, self.text) || contains(line, self.text) {
                return true;
            }
            if line.len() < part.len() {
                self.tail.clear();
            } else {
                if line.len() > keep {
                    self.tail.clear();
                    self.tail.extend_from_slice(&line[line.len() - keep..]);
                }
                let excess = self.tail.len().saturating_sub(keep);
                self.tail.drain(..excess);
            }
        }
        false
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty()
        || haystack
            .windows(needle.len())
            .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_found_across_pieces_and_not_across_lines() {
        let mut search = LineSearch::new(b"listening");
        assert!(!search.feed(b"now list"));
        assert!(search.feed(b"ening on 80"));

        let mut search = LineSearch::new(b"listening");
        assert!(!search.feed(b"list\nening"));
        assert!(!search.feed(b"\nlistenin"));
        assert!(!search.feed(b"\ng"));
    }

    proptest! {
        #[test]
        fn however_the_output_is_cut_the_answer_is_that_of_the_whole(
            output in "[ab\n]{0,40}",
            text in "[ab]{1,4}",
            cuts in proptest::collection::vec(0usize..8, 0..20),
        ) {
            let whole = output.lines().any(|line| line.contains(&text));
            let mut search = LineSearch::new(text.as_bytes());
            let mut rest = output.as_bytes();
            let mut found = false;
            for cut in cuts {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                found |= search.feed(piece);
                rest = more;
            }
            found |= search.feed(rest);
            prop_assert_eq!(found, whole);
        }
    }
}
