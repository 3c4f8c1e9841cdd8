//! Logs are byte-exact, bounded, and outlive their readers; an agent is never blocked by us.

use std::collections::BTreeSet;
use std::time::Duration;

use alveary_core::{
    AgentId, ExitStatus, LogItem, LogOptions, LogPiece, LogStreamKind, LogStreams, Operation,
};
use futures_util::StreamExt;

use crate::behaviour::Behaviour;
use crate::need::Need;
use crate::swarm::{Swarm, not_found};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Logs:
    what_is_written_is_read_byte_for_byte [Need::ByteExactLogs],
    output_without_a_line_break_is_read,
    the_two_streams_are_told_apart,
    one_stream_alone_can_be_asked_for,
    a_silent_agent_has_an_empty_log,
    the_log_of_a_living_agent_is_read,
    the_log_of_an_ended_agent_is_read_again_and_again,
    the_log_of_an_unknown_agent_is_not_found,
    a_tail_is_the_last_lines_of_each_stream,
    a_tail_that_is_longer_than_the_log_is_all_of_it,
    what_is_older_and_what_is_younger_is_left_out [Need::LogTimes, Need::Agent(count(6, 30))],
    a_flood_ends_though_nobody_reads [Need::Agent(Behaviour::Flood(FLOOD))],
    what_a_flood_loses_is_counted [Need::Agent(Behaviour::Flood(FLOOD))],
    another_starts_log_is_never_taken_for_this_ones,
);

/// More than pipes and buffers hold.
const FLOOD: u64 = 8 << 20;

pub(super) fn count(lines: u32, pause: u64) -> Behaviour {
    Behaviour::Count {
        lines,
        pause: Duration::from_millis(pause),
    }
}

/// All pieces of a read that must lose nothing.
pub(super) async fn pieces(
    swarm: &Swarm,
    id: &AgentId,
    options: LogOptions,
) -> Result<Vec<LogPiece>, Failure> {
    let mut logs = swarm.backend().logs(id, options).await?;
    let mut pieces = Vec::new();
    while let Some(item) = logs.next().await {
        match item? {
            LogItem::Piece(piece) => pieces.push(piece),
            lost => return Err(Failure::new(format!("nothing should be lost: {lost:?}"))),
        }
    }
    Ok(pieces)
}

pub(super) fn bytes_of(pieces: &[LogPiece], stream: LogStreamKind) -> Vec<u8> {
    pieces
        .iter()
        .filter(|piece| piece.stream == stream)
        .flat_map(|piece| piece.bytes.to_vec())
        .collect()
}

/// Runs an agent that writes this to its end, and reads what `options` ask for.
async fn read_back(
    swarm: &Swarm,
    (stdout, stderr): (&[u8], &[u8]),
    options: LogOptions,
) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let behaviour = Behaviour::Print {
        stdout: stdout.to_vec(),
        stderr: stderr.to_vec(),
    };
    let agent = swarm.spawn(&behaviour).await?;
    swarm.ended(&agent.id).await?;
    let pieces = pieces(swarm, &agent.id, options).await?;
    Ok((
        bytes_of(&pieces, LogStreamKind::Stdout),
        bytes_of(&pieces, LogStreamKind::Stderr),
    ))
}

async fn what_is_written_is_read_byte_for_byte(swarm: Swarm) -> Verdict {
    // Every byte, so NULs, escapes, carriage returns and invalid UTF-8 too, and a character cut in two.
    let mut written: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    written.extend("ä€🐝".as_bytes());
    written.push(0xe2);
    let expected = (
        written.clone(),
        written.iter().rev().copied().collect::<Vec<_>>(),
    );
    let read = read_back(&swarm, (&expected.0, &expected.1), LogOptions::default()).await?;
    ensure_eq!(read, expected, "what is read is what was written");
    Ok(())
}

async fn output_without_a_line_break_is_read(swarm: Swarm) -> Verdict {
    let read = read_back(&swarm, (b"no break", b"none"), LogOptions::default()).await?;
    ensure_eq!(
        read,
        (b"no break".to_vec(), b"none".to_vec()),
        "all of it is read"
    );
    Ok(())
}

async fn the_two_streams_are_told_apart(swarm: Swarm) -> Verdict {
    let read = read_back(&swarm, (b"out\n", b"err\n"), LogOptions::default()).await?;
    ensure_eq!(
        read,
        (b"out\n".to_vec(), b"err\n".to_vec()),
        "each is in its stream"
    );
    Ok(())
}

async fn one_stream_alone_can_be_asked_for(swarm: Swarm) -> Verdict {
    let streams = |streams| LogOptions::default().with_streams(streams);
    let out = read_back(&swarm, (b"out\n", b"err\n"), streams(LogStreams::Stdout)).await?;
    ensure_eq!(
        out,
        (b"out\n".to_vec(), Vec::new()),
        "standard output alone"
    );
    let err = read_back(&swarm, (b"out\n", b"err\n"), streams(LogStreams::Stderr)).await?;
    ensure_eq!(err, (Vec::new(), b"err\n".to_vec()), "standard error alone");
    Ok(())
}

async fn a_silent_agent_has_an_empty_log(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::Exit(0)).await?;
    swarm.ended(&agent.id).await?;
    for follow in [false, true] {
        let options = LogOptions::default().with_follow(follow);
        ensure_eq!(
            pieces(&swarm, &agent.id, options).await?,
            [],
            "it wrote nothing"
        );
    }
    Ok(())
}

async fn the_log_of_a_living_agent_is_read(swarm: Swarm) -> Verdict {
    // Reading ends, though the agent goes on.
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    ensure_eq!(
        swarm.stdout(&agent.id).await?,
        b"ready\n",
        "what it wrote so far"
    );
    Ok(())
}

async fn the_log_of_an_ended_agent_is_read_again_and_again(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::print("kept\n")).await?;
    swarm.ended(&agent.id).await?;
    for _ in 0..3 {
        ensure_eq!(
            swarm.stdout(&agent.id).await?,
            b"kept\n",
            "reading takes nothing away"
        );
    }
    Ok(())
}

async fn the_log_of_an_unknown_agent_is_not_found(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    for follow in [false, true] {
        let options = LogOptions::default().with_follow(follow);
        not_found(
            swarm.backend().logs(&id, options).await,
            Operation::Logs,
            &id,
        )?;
    }
    Ok(())
}

async fn a_tail_is_the_last_lines_of_each_stream(swarm: Swarm) -> Verdict {
    let written: (&[u8], &[u8]) = (b"1\n2\n\n4\nlast", b"a\nb\n");
    for (lines, out, err) in [
        (0, "", ""),
        (1, "last", "b\n"),
        (2, "4\nlast", "a\nb\n"),
        (3, "\n4\nlast", "a\nb\n"),
    ] {
        let read = read_back(&swarm, written, LogOptions::default().with_tail(lines)).await?;
        let expected = (out.as_bytes().to_vec(), err.as_bytes().to_vec());
        ensure_eq!(read, expected, "the last {lines} lines");
    }
    Ok(())
}

async fn a_tail_that_is_longer_than_the_log_is_all_of_it(swarm: Swarm) -> Verdict {
    for lines in [5, u64::MAX] {
        let read = read_back(
            &swarm,
            (b"1\n2\n", b"3"),
            LogOptions::default().with_tail(lines),
        );
        ensure_eq!(
            read.await?,
            (b"1\n2\n".to_vec(), b"3".to_vec()),
            "all of it"
        );
    }
    Ok(())
}

async fn what_is_older_and_what_is_younger_is_left_out(swarm: Swarm) -> Verdict {
    let resolution = swarm
        .probe()
        .capabilities()
        .logs
        .time_resolution
        .unwrap_or_default();
    // Lines that lie further apart than the times are off.
    let pause = resolution.as_millis().saturating_mul(3).max(30);
    let agent = swarm
        .spawn(&count(6, u64::try_from(pause).unwrap_or(30)))
        .await?;
    swarm.ended(&agent.id).await?;
    let all = pieces(&swarm, &agent.id, LogOptions::default()).await?;
    let times: BTreeSet<_> = all.iter().filter_map(|piece| piece.at).collect();
    ensure!(
        times.len() >= 3,
        "six lines with pauses have {} times",
        times.len()
    );
    let Some(middle) = times.iter().nth(times.len() / 2).copied() else {
        return Ok(());
    };
    let younger = pieces(&swarm, &agent.id, LogOptions::default().with_since(middle)).await?;
    let older = pieces(&swarm, &agent.id, LogOptions::default().with_until(middle)).await?;
    let off = |time| times.iter().filter(move |at| **at < time).count();
    ensure!(
        !younger.is_empty() && younger.len() < all.len(),
        "since the middle there are {} of {} pieces",
        younger.len(),
        all.len()
    );
    ensure!(
        !older.is_empty() && older.len() < all.len(),
        "until the middle there are {} of {} pieces ({} are older)",
        older.len(),
        all.len(),
        off(middle)
    );
    for piece in &younger {
        let at = piece.at.unwrap_or(middle);
        ensure!(
            at + resolution >= middle,
            "a piece of {at:?} is not since {middle:?}"
        );
    }
    for piece in &older {
        let at = piece.at.unwrap_or(middle);
        ensure!(
            at <= middle + resolution,
            "a piece of {at:?} is not until {middle:?}"
        );
    }
    let last = bytes_of(&younger, LogStreamKind::Stdout);
    ensure!(
        last.ends_with(b"6\n"),
        "the last line is younger than the middle"
    );
    let first = bytes_of(&older, LogStreamKind::Stdout);
    ensure!(
        first.starts_with(b"1\n"),
        "the first line is older than the middle"
    );
    Ok(())
}

async fn a_flood_ends_though_nobody_reads(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::Flood(FLOOD)).await?;
    // One who opens the log and does not read must not hold it up either.
    let options = LogOptions::default().with_follow(true);
    let unread = swarm.backend().logs(&agent.id, options).await?;
    let exit = swarm.ended(&agent.id).await?;
    drop(unread);
    ensure_eq!(
        exit.status,
        ExitStatus::Code(0),
        "it wrote all that it had to"
    );
    Ok(())
}

async fn what_a_flood_loses_is_counted(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::Flood(FLOOD)).await?;
    swarm.ended(&agent.id).await?;
    let mut logs = swarm
        .backend()
        .logs(&agent.id, LogOptions::default())
        .await?;
    let (mut read, mut lost) = (0, 0);
    while let Some(item) = logs.next().await {
        match item? {
            LogItem::Piece(piece) => {
                let foreign = piece.bytes.iter().find(|byte| **byte != b'x');
                ensure_eq!(foreign, None, "it wrote nothing else");
                read += piece.bytes.len() as u64;
            }
            LogItem::Lost {
                bytes: Some(bytes), ..
            } => lost += bytes,
            // This engine cannot say how much.
            _ => return Ok(()),
        }
    }
    ensure_eq!(
        read + lost,
        FLOOD,
        "{read} bytes were read, and {lost} told as lost"
    );
    ensure!(read > 0, "the newest is kept");
    Ok(())
}

async fn another_starts_log_is_never_taken_for_this_ones(swarm: Swarm) -> Verdict {
    let first = swarm.spawn(&Behaviour::print("first")).await?;
    swarm.ended(&first.id).await?;
    let second = swarm
        .spawn_as(&first.id, &Behaviour::print("second"))
        .await?;
    swarm.ended(&first.id).await?;
    ensure_eq!(
        swarm.stdout(&first.id).await?,
        b"second",
        "the latest start is meant"
    );
    let of = |incarnation| LogOptions::default().with_incarnation(incarnation);
    let latest = pieces(&swarm, &first.id, of(second.incarnation)).await?;
    ensure_eq!(
        bytes_of(&latest, LogStreamKind::Stdout),
        b"second",
        "this start's own"
    );
    // What the earlier one wrote need not be kept, but is not made up.
    if let Ok(logs) = swarm.backend().logs(&first.id, of(first.incarnation)).await {
        let bytes = logs.collect_bytes(LogStreamKind::Stdout).await?;
        ensure_eq!(bytes, b"first", "the earlier start's own");
    }
    Ok(())
}
