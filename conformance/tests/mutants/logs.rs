//! Backends that change, lose or mix up what was written.

use std::collections::HashSet;
use std::sync::Mutex;

use alveary_core::*;
use async_trait::async_trait;
use futures_util::{StreamExt, future, stream};

use crate::flaw::{Flaw, Inner, cases};

cases! {
    ReplacesWhatIsNotUtf8:
        "logs::what_is_written_is_read_byte_for_byte",
        "terminal::escape_sequences_in_output_are_kept_as_they_are";
    ReadsWholeLinesAlone:
        "logs::output_without_a_line_break_is_read";
    MergesTheStreams:
        "logs::the_two_streams_are_told_apart";
    ReadsBothStreamsAlways:
        "logs::one_stream_alone_can_be_asked_for";
    WritesALineOfItsOwn:
        "logs::a_silent_agent_has_an_empty_log";
    ReadsTheEndedAlone:
        "logs::the_log_of_a_living_agent_is_read";
    ReadsOnce:
        "logs::the_log_of_an_ended_agent_is_read_again_and_again",
        "logs::one_who_stops_reading_harms_nobody";
    HasALogForEverybody:
        "logs::the_log_of_an_unknown_agent_is_not_found";
    KnowsNoTail:
        "logs::a_tail_is_the_last_lines_of_each_stream";
    HasNoLongTails:
        "logs::a_tail_that_is_longer_than_the_log_is_all_of_it";
    KnowsNoTime:
        "logs::what_is_older_and_what_is_younger_is_left_out";
    BlocksAFlood:
        "logs::a_flood_ends_though_nobody_reads";
    LosesSilently:
        "logs::what_a_flood_loses_is_counted";
    ReadsTheLatestStartAlways:
        "logs::another_starts_log_is_never_taken_for_this_ones";
}

/// What is read, each piece as `change` has it.
pub(crate) fn changed(
    logs: LogStream,
    change: impl Fn(LogPiece) -> LogPiece + Send + 'static,
) -> LogStream {
    LogStream::new(logs.map(move |item| match item {
        Ok(LogItem::Piece(piece)) => Ok(LogItem::Piece(change(piece))),
        other => other,
    }))
}

pub(crate) fn nothing() -> LogStream {
    LogStream::new(stream::empty())
}

#[derive(Default)]
struct ReplacesWhatIsNotUtf8;

#[async_trait]
impl Flaw for ReplacesWhatIsNotUtf8 {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        Ok(changed(inner.logs(id, options).await?, |mut piece| {
            let text = String::from_utf8_lossy(&piece.bytes).into_owned();
            piece.bytes = text.into_bytes().into();
            piece
        }))
    }
}

#[derive(Default)]
struct ReadsWholeLinesAlone;

#[async_trait]
impl Flaw for ReadsWholeLinesAlone {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        Ok(changed(inner.logs(id, options).await?, |mut piece| {
            let whole = piece.bytes.iter().rposition(|byte| *byte == b'\n');
            piece.bytes.truncate(whole.map_or(0, |at| at + 1));
            piece
        }))
    }
}

#[derive(Default)]
struct MergesTheStreams;

#[async_trait]
impl Flaw for MergesTheStreams {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        Ok(changed(inner.logs(id, options).await?, |mut piece| {
            piece.stream = LogStreamKind::Stdout;
            piece
        }))
    }
}

#[derive(Default)]
struct ReadsBothStreamsAlways;

#[async_trait]
impl Flaw for ReadsBothStreamsAlways {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        inner.logs(id, options.with_streams(LogStreams::Both)).await
    }
}

#[derive(Default)]
struct WritesALineOfItsOwn;

#[async_trait]
impl Flaw for WritesALineOfItsOwn {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let own = LogPiece::new(
            LogStreamKind::Stderr,
            "started\n".into(),
            None,
            LogCursor::new("0.0.0"),
        );
        let own = stream::iter([Ok(LogItem::Piece(own))]);
        Ok(LogStream::new(own.chain(inner.logs(id, options).await?)))
    }
}

#[derive(Default)]
struct ReadsTheEndedAlone;

#[async_trait]
impl Flaw for ReadsTheEndedAlone {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        inner.logs(id, options.with_follow(true)).await
    }
}

#[derive(Default)]
struct ReadsOnce(Mutex<HashSet<AgentId>>);

#[async_trait]
impl Flaw for ReadsOnce {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        if !self.0.lock().unwrap().insert(id.clone()) {
            return Ok(nothing());
        }
        inner.logs(id, options).await
    }
}

#[derive(Default)]
struct HasALogForEverybody;

#[async_trait]
impl Flaw for HasALogForEverybody {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        Ok(inner.logs(id, options).await.unwrap_or_else(|_| nothing()))
    }
}

#[derive(Default)]
struct KnowsNoTail;

#[async_trait]
impl Flaw for KnowsNoTail {
    async fn logs(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut options: LogOptions,
    ) -> Result<LogStream> {
        options.tail = None;
        inner.logs(id, options).await
    }
}

#[derive(Default)]
struct HasNoLongTails;

#[async_trait]
impl Flaw for HasNoLongTails {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        if options
            .tail
            .is_some_and(|lines| lines.checked_add(1).is_none())
        {
            return Ok(nothing());
        }
        inner.logs(id, options).await
    }
}

#[derive(Default)]
struct KnowsNoTime;

#[async_trait]
impl Flaw for KnowsNoTime {
    async fn logs(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut options: LogOptions,
    ) -> Result<LogStream> {
        (options.since, options.until) = (None, None);
        inner.logs(id, options).await
    }
}

/// An agent whose pipe nobody empties never gets to its end.
#[derive(Default)]
struct BlocksAFlood;

#[async_trait]
impl Flaw for BlocksAFlood {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if spec.command.iter().any(|word| word == "flood") {
            "sleep".clone_into(&mut spec.command[1]);
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct LosesSilently;

#[async_trait]
impl Flaw for LosesSilently {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let logs = inner.logs(id, options).await?;
        Ok(LogStream::new(logs.filter(|item| {
            future::ready(!matches!(item, Ok(LogItem::Lost { .. })))
        })))
    }
}

#[derive(Default)]
struct ReadsTheLatestStartAlways;

#[async_trait]
impl Flaw for ReadsTheLatestStartAlways {
    async fn logs(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut options: LogOptions,
    ) -> Result<LogStream> {
        options.incarnation = None;
        inner.logs(id, options).await
    }
}
