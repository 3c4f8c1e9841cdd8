//! Backends that lose the thread of a log.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alveary_core::*;
use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::logs::{changed, nothing};
use crate::flaw::{Flaw, Inner, cases};

cases! {
    DoesNotFollow:
        "logs::one_who_follows_reads_what_is_written_later";
    FollowsForEver:
        "logs::one_who_follows_an_ended_agent_comes_to_the_end",
        "logs::one_who_follows_comes_to_the_end_when_the_agent_is_stopped";
    FollowsNoTail:
        "logs::a_tail_is_followed_on";
    RepeatsBehindACursor:
        "logs::a_cursor_goes_on_without_gap_or_repetition",
        "logs::a_cursor_at_the_end_has_nothing_behind_it";
    SkipsBehindACursor:
        "logs::a_cursor_goes_on_without_gap_or_repetition",
        "logs::a_cursor_goes_on_while_the_agent_writes";
    KnowsItsOwnCursorsAlone:
        "logs::a_cursor_is_good_for_a_new_manager";
    TakesAnyCursorForAPlace:
        "logs::a_cursor_of_a_removed_agent_hides_nothing_of_the_next_of_its_id";
    HasOneReader:
        "logs::many_readers_read_the_same";
}

#[derive(Default)]
struct DoesNotFollow;

#[async_trait]
impl Flaw for DoesNotFollow {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        inner.logs(id, options.with_follow(false)).await
    }
}

#[derive(Default)]
struct FollowsForEver;

#[async_trait]
impl Flaw for FollowsForEver {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let follow = options.follow;
        let logs = inner.logs(id, options).await?;
        if !follow {
            return Ok(logs);
        }
        Ok(LogStream::new(logs.chain(stream::pending())))
    }
}

#[derive(Default)]
struct FollowsNoTail;

#[async_trait]
impl Flaw for FollowsNoTail {
    async fn logs(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut options: LogOptions,
    ) -> Result<LogStream> {
        options.follow &= options.tail.is_none();
        inner.logs(id, options).await
    }
}

/// Reads the last piece again, as one does who remembers where it began.
#[derive(Default)]
struct RepeatsBehindACursor(Arc<Mutex<Option<LogPiece>>>);

#[async_trait]
impl Flaw for RepeatsBehindACursor {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let again = match options.after {
            Some(_) => self.0.lock().unwrap().take(),
            None => None,
        };
        let last = self.0.clone();
        let logs = changed(inner.logs(id, options).await?, move |piece| {
            *last.lock().unwrap() = Some(piece.clone());
            piece
        });
        let again = stream::iter(again.map(|piece| Ok(LogItem::Piece(piece))));
        Ok(LogStream::new(again.chain(logs)))
    }
}

#[derive(Default)]
struct SkipsBehindACursor;

#[async_trait]
impl Flaw for SkipsBehindACursor {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let skipped = usize::from(options.after.is_some());
        let logs = inner.logs(id, options).await?;
        Ok(LogStream::new(logs.skip(skipped)))
    }
}

#[derive(Default)]
struct KnowsItsOwnCursorsAlone(Arc<Mutex<HashSet<LogCursor>>>);

#[async_trait]
impl Flaw for KnowsItsOwnCursorsAlone {
    async fn logs(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut options: LogOptions,
    ) -> Result<LogStream> {
        options.after = options
            .after
            .filter(|cursor| self.0.lock().unwrap().contains(cursor));
        let own = self.0.clone();
        Ok(changed(inner.logs(id, options).await?, move |piece| {
            own.lock().unwrap().insert(piece.cursor.clone());
            piece
        }))
    }
}

/// Counts how far a reader is, whosever log it was.
#[derive(Default)]
struct TakesAnyCursorForAPlace(Arc<Mutex<HashMap<LogCursor, usize>>>);

#[async_trait]
impl Flaw for TakesAnyCursorForAPlace {
    async fn logs(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut options: LogOptions,
    ) -> Result<LogStream> {
        let behind = options.after.take().map_or(0, |cursor| {
            self.0.lock().unwrap().get(&cursor).copied().unwrap_or(0)
        });
        let (places, place) = (self.0.clone(), AtomicUsize::new(0));
        let logs = changed(inner.logs(id, options).await?, move |piece| {
            let place = place.fetch_add(1, Ordering::SeqCst) + 1;
            places.lock().unwrap().insert(piece.cursor.clone(), place);
            piece
        });
        Ok(LogStream::new(logs.skip(behind)))
    }
}

/// A second reader finds that the first has taken everything.
#[derive(Default)]
struct HasOneReader(AtomicBool);

#[async_trait]
impl Flaw for HasOneReader {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        if self.0.swap(true, Ordering::SeqCst) {
            return Ok(nothing());
        }
        inner.logs(id, options).await
    }
}
