//! What is kept of a log, and where in it things are.

use std::collections::VecDeque;
use std::time::SystemTime;

use bytes::Bytes;

use crate::logs::LogStreamKind;

/// A long write is kept in records of this size, so that old output makes room in small steps.
const RECORD: usize = 16 * 1024;

/// What a record costs besides its bytes, so that a million writes of one byte are bounded too.
const RECORD_COST: usize = 64;

pub(super) struct Kept {
    pub(super) records: VecDeque<Record>,
    /// How many bytes each stream has had in all.
    written: [u64; 2],
    /// How many bytes of each stream have made room.
    gone: [u64; 2],
    latest: SystemTime,
    next: u64,
    cost: usize,
    limit: usize,
    pub(super) closed: bool,
}

#[derive(Clone)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) stream: LogStreamKind,
    /// Where in its stream it begins.
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
    pub(super) at: SystemTime,
}

impl Record {
    pub(super) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

pub(super) fn index(stream: LogStreamKind) -> usize {
    match stream {
        LogStreamKind::Stdout => 0,
        LogStreamKind::Stderr => 1,
    }
}

impl Kept {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            records: VecDeque::new(),
            written: [0; 2],
            gone: [0; 2],
            latest: SystemTime::UNIX_EPOCH,
            next: 0,
            cost: 0,
            limit,
            closed: false,
        }
    }

    pub(super) fn write(&mut self, stream: LogStreamKind, bytes: &[u8]) {
        if self.closed {
            return;
        }
        // The clock may be set back; the order of what was written may not.
        let at = SystemTime::now().max(self.latest);
        self.latest = at;
        for part in bytes.chunks(RECORD) {
            self.push(stream, Bytes::copy_from_slice(part), at);
        }
    }

    fn push(&mut self, stream: LogStreamKind, bytes: Bytes, at: SystemTime) {
        let written = &mut self.written[index(stream)];
        let record = Record {
            number: self.next,
            stream,
            offset: *written,
            bytes,
            at,
        };
        *written = record.end();
        self.next += 1;
        self.cost += record.bytes.len() + RECORD_COST;
        self.records.push_back(record);
        while self.cost > self.limit && self.records.len() > 1 {
            if let Some(oldest) = self.records.pop_front() {
                self.cost -= oldest.bytes.len() + RECORD_COST;
                self.gone[index(oldest.stream)] = oldest.end();
            }
        }
    }

    /// The number that the next record will have.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The records from this number on.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = &Record> {
        let oldest = self
            .records
            .front()
            .map_or(self.next, |record| record.number);
        let skip = usize::try_from(number.saturating_sub(oldest)).unwrap_or(usize::MAX);
        self.records.iter().skip(skip)
    }

    /// Where the kept part of a stream begins.
    pub(super) fn begin(&self, stream: LogStreamKind) -> u64 {
        self.gone[index(stream)]
    }

    /// Where the last `lines` lines of a stream begin, among the records that `counts` accepts. A last line
    /// without its line break is a line.
    pub(super) fn tail(
        &self,
        stream: LogStreamKind,
        lines: u64,
        counts: impl Fn(&Record) -> bool,
    ) -> u64 {
        let of_stream = || {
            self.records
                .iter()
                .rev()
                .filter(|record| record.stream == stream && counts(record))
        };
        let Some(last) = of_stream().next() else {
            return self.written[index(stream)];
        };
        if lines == 0 {
            return last.end();
        }
        // The break at the very end closes the last line and begins none.
        let last_break = last.end() - 1;
        let mut breaks = 0;
        for record in of_stream() {
            for (at, byte) in record.bytes.iter().enumerate().rev() {
                let place = record.offset + at as u64;
                if *byte == b'\n' && place != last_break {
                    breaks += 1;
                    if breaks == lines {
                        return place + 1;
                    }
                }
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LogStreamKind::{Stderr, Stdout};

    fn tail(writes: &[&str], lines: u64) -> u64 {
        let mut kept = Kept::new(1 << 20);
        for write in writes {
            kept.write(Stdout, write.as_bytes());
        }
        kept.tail(Stdout, lines, |_| true)
    }

    #[test]
    fn a_tail_counts_lines_across_writes() {
        assert_eq!(tail(&["a\nb\n", "c\n"], 1), 4);
        assert_eq!(tail(&["a\nb\nc"], 1), 4, "a last line without its break");
        assert_eq!(tail(&["a\nb", "b\n"], 1), 2, "a line in two writes");
        assert_eq!(tail(&["a\nb\n"], 7), 0, "more than there is");
        assert_eq!(tail(&["a\nb\n"], 0), 4, "nothing");
        assert_eq!(tail(&["\n\n\n"], 2), 1, "empty lines");
        assert_eq!(tail(&[], 3), 0);
    }

    #[test]
    fn old_output_makes_room_for_new_and_where_it_begins_is_known() {
        let mut kept = Kept::new(1000);
        kept.write(Stderr, b"early");
        for _ in 0..100 {
            kept.write(Stdout, &[b'x'; 100]);
        }
        assert!(kept.cost <= 1000);
        assert_eq!(kept.written, [10_000, 5]);
        assert_eq!(kept.begin(Stderr), 5, "all of it has gone");
        assert_eq!(kept.begin(Stdout), kept.records[0].offset);
    }
}
