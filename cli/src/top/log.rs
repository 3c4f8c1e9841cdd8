//! What the agent that is meant has written, as much as is kept of it, and which part of it is seen.

use std::collections::VecDeque;
use std::io;

use alveary::{AgentId, Incarnation, LogItem, LogOptions};

use crate::output::{LinePrinter, LineStyle};

/// How many lines can be looked back upon.
const KEPT: usize = 2_000;

/// How many are asked for at first, of each of an agent's two streams.
const FIRST: u64 = 500;

/// How much of a line is kept: nobody's screen is wider.
const LONGEST: usize = 4_000;

/// How far a line moves at once to the side.
const ASIDE: usize = 8;

/// Whose output is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    /// Which start of it, once the ones before it are over for good.
    pub(crate) start: Option<Incarnation>,
}

/// An agent's output.
#[derive(Debug)]
pub(crate) struct Log {
    /// Whose it is.
    pub(crate) of: Option<Wanted>,
    /// Why there is no more of it, where there is none.
    pub(crate) end: Option<String>,
    lines: VecDeque<String>,
    printer: LinePrinter<Vec<u8>>,
    /// How many lines lie below those that are seen.
    below: usize,
    /// How many columns lie to the left.
    left: usize,
}

impl Default for Log {
    fn default() -> Self {
        let style = LineStyle {
            escape: true,
            ..LineStyle::default()
        };
        Self {
            of: None,
            end: None,
            lines: VecDeque::new(),
            printer: LinePrinter::new(Vec::new(), style),
            below: 0,
            left: 0,
        }
    }
}

impl Log {
    /// That of another, of which nothing has been read yet.
    pub(crate) fn of(wanted: Wanted) -> Self {
        Self {
            of: Some(wanted),
            ..Self::default()
        }
    }

    /// How it is to be asked for.
    pub(crate) fn options() -> LogOptions {
        let mut options = LogOptions::default();
        options.tail = Some(FIRST);
        options
    }

    /// Takes what was written.
    pub(crate) fn hear(&mut self, item: &LogItem) -> io::Result<()> {
        match item {
            LogItem::Piece(piece) => self.printer.piece("", piece)?,
            LogItem::Lost { .. } => self.add("… what was written here is not kept any more"),
            _ => {}
        }
        self.take();
        Ok(())
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self, why: impl Into<String>) -> io::Result<()> {
        self.printer.end("")?;
        self.take();
        self.end = Some(why.into());
        Ok(())
    }

    fn take(&mut self) {
        let written = self.printer.taken();
        for line in String::from_utf8_lossy(&written).lines() {
            self.add(line);
        }
    }

    fn add(&mut self, line: &str) {
        let mut line = line.replace('\t', "    ");
        if let Some((end, _)) = line.char_indices().nth(LONGEST) {
            line.truncate(end);
        }
        self.lines.push_back(line);
        if self.below > 0 {
            // Whoever looks back goes on seeing what is seen.
            self.below += 1;
        }
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
        self.below = self.below.min(self.lines.len());
    }

    /// The lines for which there is room.
    pub(crate) fn seen(&self, room: usize) -> impl Iterator<Item = &str> {
        let below = self.below.min(self.lines.len().saturating_sub(room));
        let end = self.lines.len() - below;
        let lines = self.lines.range(end.saturating_sub(room)..end);
        lines.map(|line| {
            let begin = line.char_indices().nth(self.left);
            begin.map_or("", |(begin, _)| &line[begin..])
        })
    }

    /// Whether what comes is seen at once.
    pub(crate) fn follows(&self) -> bool {
        self.below == 0
    }

    /// Whether nothing was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Looks so many lines further back, or ahead, where there is room for so many.
    pub(crate) fn step(&mut self, back: isize, room: usize) {
        let furthest = self.lines.len().saturating_sub(room);
        self.below = self.below.saturating_add_signed(back).min(furthest);
    }

    /// Looks further to the right, or to the left.
    pub(crate) fn shift(&mut self, right: bool) {
        self.left = if right {
            (self.left + ASIDE).min(LONGEST)
        } else {
            self.left.saturating_sub(ASIDE)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alveary::{LogCursor, LogPiece, LogStreamKind};

    fn written(text: &[u8]) -> LogItem {
        let text = text.to_vec().into();
        LogItem::Piece(LogPiece::new(
            LogStreamKind::Stdout,
            text,
            None,
            LogCursor::new(""),
        ))
    }

    fn seen(log: &Log, room: usize) -> Vec<&str> {
        log.seen(room).collect()
    }

    #[test]
    fn what_drives_a_terminal_is_shown_and_a_line_in_two_pieces_is_one() {
        let mut log = Log::default();
        log.hear(&written(b"a\tb\x1b[2J")).unwrap();
        assert!(log.is_empty());
        log.hear(&written(b"c\nd")).unwrap();
        assert_eq!(seen(&log, 9), [r"a    b\u{1b}[2Jc"]);
        log.end("it has ended").unwrap();
        assert_eq!(seen(&log, 9)[1], "d");
    }

    #[test]
    fn whoever_looks_back_goes_on_seeing_what_is_seen() {
        let mut log = Log::default();
        log.hear(&written(b"1\n2\n3\n4\n5\n")).unwrap();
        assert_eq!(seen(&log, 2), ["4", "5"]);
        log.step(2, 2);
        assert_eq!(seen(&log, 2), ["2", "3"]);
        log.hear(&written(b"6\n7\n")).unwrap();
        assert_eq!(seen(&log, 2), ["2", "3"]);
        assert!(!log.follows());
        log.step(isize::MAX, 2);
        assert_eq!(seen(&log, 2), ["1", "2"]);
        log.step(isize::MIN, 2);
        assert_eq!(seen(&log, 2), ["6", "7"]);
        assert!(log.follows());
    }

    #[test]
    fn no_more_is_kept_than_can_be_looked_back_upon() {
        let mut log = Log::default();
        let long = vec![b'x'; 10_000];
        for _ in 0..KEPT + 5 {
            log.hear(&written(b"short\n")).unwrap();
        }
        log.hear(&written(&long)).unwrap();
        log.end("").unwrap();
        assert_eq!(seen(&log, usize::MAX).len(), KEPT);
        assert_eq!(seen(&log, 1)[0].len(), LONGEST);
    }

    #[test]
    fn long_lines_move_to_the_side() {
        let mut log = Log::default();
        log.hear(&written("蜂蜂蜂蜂蜂蜂蜂蜂蜂end\nx\n".as_bytes()))
            .unwrap();
        log.shift(true);
        assert_eq!(seen(&log, 2), ["蜂end", ""]);
        log.shift(false);
        log.shift(false);
        assert_eq!(seen(&log, 2)[1], "x");
    }
}
