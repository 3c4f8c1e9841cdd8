//! One of an agent's two logs, as one who reads it sees it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::SystemTime;

use alveary_core::{AgentId, LogOptions, LogStreamKind};
use bytes::Bytes;

use super::super::LogFolder;
use super::super::book::{self, Extent, Header, Moment, StartMark};

/// The longest piece.
const PIECE: u64 = 64 * 1024;

pub(super) struct Log {
    pub(super) stream: LogStreamKind,
    pub(super) wanted: bool,
    file: Option<File>,
    path: PathBuf,
    book: PathBuf,
    /// What the book said when it was last known to be this log's.
    header: Header,
    /// Whose output is read.
    start: StartMark,
    /// Where the next piece begins, in all that was ever written.
    pub(super) offset: u64,
    /// Where the file's first byte stood when it was last looked at.
    base: u64,
    /// Nothing from here on is wanted. `None`: it is not known where this start's output ends.
    end: Option<u64>,
    /// Nothing younger is wanted.
    until: Option<SystemTime>,
    moments: Vec<Moment>,
}

pub(super) enum Read {
    Nothing,
    /// A later start writes into this log: first find out where this one's output ends.
    Overtaken,
    Lost(u64),
    Bytes(Bytes),
}

impl Log {
    pub(super) fn open(
        folder: &LogFolder,
        id: &AgentId,
        stream: LogStreamKind,
        start: StartMark,
        (from, to): (u64, Option<u64>),
        options: &LogOptions,
    ) -> io::Result<Self> {
        let mut log = Self {
            stream,
            wanted: options.streams.contains(stream),
            file: None,
            path: folder.file(id, stream),
            book: folder.book(id, stream),
            header: Header::default(),
            start,
            offset: from,
            base: 0,
            end: to,
            until: options.until,
            moments: Vec::new(),
        };
        log.refresh()?;
        log.base = log.extent()?.base;
        if let Some(since) = options.since {
            log.offset = log.offset.max(book::offset_at(&log.moments, since));
        }
        if let Some(lines) = options.tail {
            log.offset = log.offset.max(log.start_of_last(lines)?);
        }
        if !options.follow && to.is_none() {
            log.end_here()?;
        }
        Ok(log)
    }

    /// Looks again at what the book says, and for the file if it was not there.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        if !self.is_deleted() {
            (_, self.moments) = book::read(&self.book)?;
        }
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether its agent has been removed: what bears its name now, and the book beside that, are another's.
    fn is_deleted(&self) -> bool {
        let links = |file: &File| file.metadata().map(|file| file.nlink());
        self.file
            .as_ref()
            .is_some_and(|file| links(file).is_ok_and(|links| links == 0))
    }

    fn look(&mut self) -> io::Result<Header> {
        let header = book::read_header(&self.book)?;
        // Looked at after the reading: had it been deleted before, the book may be another's.
        if !self.is_deleted() {
            self.header = header;
        }
        Ok(self.header)
    }

    fn extent(&mut self) -> io::Result<Extent> {
        Ok(self.look()?.extent)
    }

    /// Whether a later start has come. Where it is known how far this one's output goes, it is no matter.
    fn is_overtaken(&self) -> bool {
        let is_another = |latest| latest != self.start;
        self.end.is_none() && self.header.latest.is_some_and(is_another)
    }

    /// Nothing from here on is this start's.
    pub(super) fn end_at(&mut self, end: u64) {
        self.end = Some(self.end.map_or(end, |known| known.min(end)));
    }

    /// Nothing that is written from now on is wanted, or will be written. `false`: a later start may have
    /// written already.
    pub(super) fn end_here(&mut self) -> io::Result<bool> {
        let end = self.len()?;
        let is_sure = self.end.is_some() || {
            self.look()?;
            !self.is_overtaken()
        };
        if is_sure {
            self.end_at(end);
        }
        Ok(is_sure)
    }

    /// As `end_here`, where there is no later start, whatever the book says: one was begun and came to nothing.
    pub(super) fn end_here_surely(&mut self) -> io::Result<()> {
        let end = self.len()?;
        self.end_at(end);
        Ok(())
    }

    /// How much has ever been written.
    fn len(&mut self) -> io::Result<u64> {
        let base = self.extent()?.base;
        match &self.file {
            Some(file) => Ok(base + file.metadata()?.len()),
            None => Ok(0),
        }
    }

    /// Nothing from this offset on is wanted, as far as that can be told now.
    fn limit(&self) -> u64 {
        let end = self.end.unwrap_or(u64::MAX);
        match self.until {
            Some(until) if until <= SystemTime::now() => end.min(end_at(&self.moments, until)),
            _ => end,
        }
    }

    pub(super) fn has_more(&mut self) -> io::Result<bool> {
        if self.offset >= self.limit() {
            return Ok(false);
        }
        let extent = self.extent()?;
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let len = file.metadata()?.len();
        Ok(
            extent.base != self.base
                || self.offset < extent.head
                || self.offset < extent.base + len,
        )
    }

    /// When what comes next was written.
    pub(super) fn time_of_next(&self) -> Option<SystemTime> {
        book::time_of(&self.moments, self.offset)
    }

    pub(super) fn take(&mut self) -> io::Result<Read> {
        let before = self.extent()?;
        if before.base != self.base {
            // It was cut off. What we had read of it is more than was known of it when that was noticed: what
            // has come since stands behind the head.
            self.base = before.base;
            self.offset = self.offset.min(before.head);
        }
        if self.is_overtaken() {
            return Ok(Read::Overtaken);
        }
        let limit = self.limit();
        if self.offset >= limit {
            return Ok(Read::Nothing);
        }
        if self.offset < before.head {
            let lost = before.head.min(limit) - self.offset;
            self.offset += lost;
            return Ok(Read::Lost(lost));
        }
        let Some(file) = &self.file else {
            return Ok(Read::Nothing);
        };
        // A piece ends where the time changes, so that the two streams can be told in their order.
        let next_moment = self
            .moments
            .partition_point(|moment| moment.offset <= self.offset);
        let boundary = self
            .moments
            .get(next_moment)
            .map_or(u64::MAX, |moment| moment.offset);
        let most = PIECE.min(boundary - self.offset).min(limit - self.offset);
        let mut bytes = vec![0; usize::try_from(most).unwrap_or(usize::MAX)];
        let len = file.read_at(&mut bytes, self.offset - before.base)?;
        if len == 0 {
            return Ok(Read::Nothing);
        }
        bytes.truncate(len);
        // Had the head gone while we read, we should have read zeros that nobody wrote.
        let after = self.extent()?;
        if after.base != before.base {
            // It was cut off this very moment: what was read may be of either time.
            return self.take();
        }
        if self.is_overtaken() {
            // What was read may be the later one's.
            return Ok(Read::Overtaken);
        }
        if after.head > self.offset {
            let lost = after.head.min(self.offset + len as u64) - self.offset;
            self.offset += lost;
            return Ok(Read::Lost(lost));
        }
        self.offset += len as u64;
        Ok(Read::Bytes(bytes.into()))
    }

    /// Where the last so many lines begin. A line without its end counts as one.
    fn start_of_last(&mut self, lines: u64) -> io::Result<u64> {
        let end = self.len()?.min(self.limit());
        let extent = self.extent()?;
        let Some(file) = &self.file else {
            return Ok(end);
        };
        let mut wanted = lines;
        let mut at = end;
        let mut bytes = vec![0; 64 * 1024];
        while at > extent.head && wanted > 0 {
            let from = extent.head.max(at.saturating_sub(bytes.len() as u64));
            let chunk = &mut bytes[..usize::try_from(at - from).unwrap_or(usize::MAX)];
            file.read_exact_at(chunk, from - extent.base)?;
            for (number, &byte) in chunk.iter().enumerate().rev() {
                let place = from + number as u64;
                // The line break at the very end belongs to the last line.
                if byte == b'\n' && place + 1 != end {
                    wanted -= 1;
                    if wanted == 0 {
                        return Ok(place + 1);
                    }
                }
            }
            at = from;
        }
        Ok(if lines == 0 { end } else { extent.head })
    }
}

/// Up to where the log is not younger than `time`.
fn end_at(moments: &[Moment], time: SystemTime) -> u64 {
    let younger = moments.partition_point(|moment| moment.at <= time);
    younger
        .checked_sub(1)
        .and_then(|last| moments.get(last))
        .map_or(0, |moment| moment.offset)
}
