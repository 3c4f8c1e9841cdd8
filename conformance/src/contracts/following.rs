//! Following a log, and going on from a cursor: no gap, no repetition, and an end.

use alveary_core::{
    AgentId, ErrorKind, LogCursor, LogItem, LogOptions, LogPiece, LogStreamKind, LogStreams,
    RemoveOptions, StopOptions,
};
use futures_util::StreamExt;

use super::logs::{bytes_of, count, pieces};
use crate::behaviour::Behaviour;
use crate::need::Need;
use crate::swarm::Swarm;
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Logs:
    one_who_follows_reads_what_is_written_later [Need::Agent(count(LINES, 2))],
    one_who_follows_an_ended_agent_comes_to_the_end,
    one_who_follows_comes_to_the_end_when_the_agent_is_stopped,
    a_tail_is_followed_on [Need::Agent(Behaviour::IgnoreTerm)],
    a_cursor_goes_on_without_gap_or_repetition,
    a_cursor_goes_on_while_the_agent_writes [Need::Agent(count(LINES, 2))],
    a_cursor_at_the_end_has_nothing_behind_it,
    a_cursor_is_good_for_a_new_manager [Need::SecondManager],
    a_cursor_of_a_removed_agent_hides_nothing_of_the_next_of_its_id,
    many_readers_read_the_same [Need::Agent(count(LINES, 2))],
    one_who_stops_reading_harms_nobody [Need::Agent(count(LINES, 2))],
);

const LINES: u32 = 60;

fn counted(lines: u32) -> Vec<u8> {
    (1..=lines)
        .flat_map(|line| format!("{line}\n").into_bytes())
        .collect()
}

fn following() -> LogOptions {
    LogOptions::default().with_follow(true)
}

async fn one_who_follows_reads_what_is_written_later(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&count(LINES, 2)).await?;
    let all = pieces(&swarm, &agent.id, following()).await?;
    ensure_eq!(
        bytes_of(&all, LogStreamKind::Stdout),
        counted(LINES),
        "all of it, to the end"
    );
    Ok(())
}

async fn one_who_follows_an_ended_agent_comes_to_the_end(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::print("all")).await?;
    swarm.ended(&agent.id).await?;
    let all = pieces(&swarm, &agent.id, following()).await?;
    ensure_eq!(
        bytes_of(&all, LogStreamKind::Stdout),
        b"all",
        "all of it, to the end"
    );
    Ok(())
}

async fn one_who_follows_comes_to_the_end_when_the_agent_is_stopped(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let follow = pieces(&swarm, &agent.id, following());
    let stop = swarm.backend().stop(&agent.id, StopOptions::default());
    let (followed, stopped) = futures_util::future::join(follow, stop).await;
    stopped?;
    let read = bytes_of(&followed?, LogStreamKind::Stdout);
    ensure_eq!(read, b"ready\n", "all of it, to the end");
    Ok(())
}

async fn a_tail_is_followed_on(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    let mut logs = swarm
        .backend()
        .logs(&agent.id, following().with_tail(0))
        .await?;
    let grace = std::time::Duration::from_millis(300);
    let options = StopOptions::default().with_grace(grace);
    swarm.backend().stop(&agent.id, options).await?;
    let mut read = Vec::new();
    while let Some(item) = logs.next().await {
        if let LogItem::Piece(piece) = item? {
            read.extend(piece.bytes);
        }
    }
    ensure_eq!(
        read,
        b"term\n",
        "what was written after the reading began, and no more"
    );
    Ok(())
}

/// Reads one piece at a time, each from the cursor of the last.
async fn piece_by_piece(
    swarm: &Swarm,
    id: &AgentId,
    options: &LogOptions,
) -> Result<Vec<LogPiece>, Failure> {
    let mut read: Vec<LogPiece> = Vec::new();
    loop {
        let mut options = options.clone();
        options.after = read.last().map(|piece| piece.cursor.clone());
        let mut logs = swarm.backend().logs(id, options).await?;
        match logs.next().await {
            Some(item) => match item? {
                LogItem::Piece(piece) => read.push(piece),
                lost => return Err(Failure::new(format!("nothing should be lost: {lost:?}"))),
            },
            None => return Ok(read),
        }
    }
}

async fn a_cursor_goes_on_without_gap_or_repetition(swarm: Swarm) -> Verdict {
    let behaviour = Behaviour::Print {
        stdout: counted(60),
        stderr: counted(40),
    };
    let agent = swarm.spawn(&behaviour).await?;
    swarm.ended(&agent.id).await?;
    for streams in [LogStreams::Both, LogStreams::Stdout, LogStreams::Stderr] {
        let options = LogOptions::default().with_streams(streams);
        let read = piece_by_piece(&swarm, &agent.id, &options).await?;
        for (stream, lines) in [(LogStreamKind::Stdout, 60), (LogStreamKind::Stderr, 40)] {
            let expected = if streams.contains(stream) {
                counted(lines)
            } else {
                Vec::new()
            };
            ensure_eq!(
                String::from_utf8_lossy(&bytes_of(&read, stream)),
                String::from_utf8_lossy(&expected),
                "the {} in pieces is the whole of it",
                stream.as_str()
            );
        }
    }
    Ok(())
}

async fn a_cursor_goes_on_while_the_agent_writes(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&count(LINES, 2)).await?;
    let read = piece_by_piece(&swarm, &agent.id, &following()).await?;
    ensure_eq!(
        String::from_utf8_lossy(&bytes_of(&read, LogStreamKind::Stdout)),
        String::from_utf8_lossy(&counted(LINES)),
        "the pieces are the whole of it"
    );
    Ok(())
}

async fn last_cursor(swarm: &Swarm, id: &AgentId) -> Result<LogCursor, Failure> {
    let all = pieces(swarm, id, LogOptions::default()).await?;
    all.last()
        .map(|piece| piece.cursor.clone())
        .ok_or_else(|| Failure::new("the log is empty"))
}

async fn a_cursor_at_the_end_has_nothing_behind_it(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::print("1\n2\n")).await?;
    swarm.ended(&agent.id).await?;
    let end = last_cursor(&swarm, &agent.id).await?;
    for options in [LogOptions::default(), following()] {
        let behind = pieces(&swarm, &agent.id, options.with_after(end.clone())).await?;
        ensure_eq!(behind, [], "all was read before");
    }
    Ok(())
}

async fn a_cursor_is_good_for_a_new_manager(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let cursor = last_cursor(&swarm, &agent.id).await?;
    swarm
        .backend()
        .stop(&agent.id, StopOptions::default())
        .await?;
    let second = swarm.new_manager().await?;
    let behind = LogOptions::default().with_after(cursor);
    let behind = second.logs(&agent.id, behind).await?;
    ensure_eq!(
        behind.collect_bytes(LogStreamKind::Stdout).await?,
        b"",
        "all was read before, by another manager"
    );
    let all = second.logs(&agent.id, LogOptions::default()).await?;
    ensure_eq!(
        all.collect_bytes(LogStreamKind::Stdout).await?,
        b"ready\n",
        "all of it"
    );
    Ok(())
}

async fn a_cursor_of_a_removed_agent_hides_nothing_of_the_next_of_its_id(swarm: Swarm) -> Verdict {
    let first = swarm.spawn(&Behaviour::print("1\n2\n")).await?;
    swarm.ended(&first.id).await?;
    let old = last_cursor(&swarm, &first.id).await?;
    swarm
        .backend()
        .remove(&first.id, RemoveOptions::default())
        .await?;
    let lines = String::from_utf8_lossy(&counted(LINES)).into_owned();
    swarm.spawn_as(&first.id, &Behaviour::print(&lines)).await?;
    swarm.ended(&first.id).await?;
    let behind = LogOptions::default().with_after(old);
    let mut logs = match swarm.backend().logs(&first.id, behind).await {
        Ok(logs) => logs,
        Err(error) if error.kind() == ErrorKind::InvalidSpec => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut read = Vec::new();
    while let Some(item) = logs.next().await {
        // What is lost of the first one's log may be told.
        if let LogItem::Piece(piece) = item? {
            read.extend(piece.bytes);
        }
    }
    ensure_eq!(
        String::from_utf8_lossy(&read),
        lines,
        "all that the second one wrote, or a refusal of the cursor"
    );
    Ok(())
}

async fn many_readers_read_the_same(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&count(LINES, 2)).await?;
    let readers = (0..10).map(|_| pieces(&swarm, &agent.id, following()));
    for read in futures_util::future::join_all(readers).await {
        let bytes = bytes_of(&read?, LogStreamKind::Stdout);
        ensure_eq!(bytes, counted(LINES), "each reads all of it");
    }
    Ok(())
}

async fn one_who_stops_reading_harms_nobody(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&count(LINES, 2)).await?;
    for _ in 0..10 {
        let mut logs = swarm.backend().logs(&agent.id, following()).await?;
        let first = logs.next().await;
        ensure!(first.is_some(), "there is something to read");
    }
    let all = pieces(&swarm, &agent.id, following()).await?;
    ensure_eq!(
        bytes_of(&all, LogStreamKind::Stdout),
        counted(LINES),
        "all of it"
    );
    Ok(())
}
