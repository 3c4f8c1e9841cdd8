//! Cuts what `logs --timestamps` prints into the entries that the engine has.
//!
//! The engine puts a time before every entry; the program prints one behind the other. An entry ends at a newline.
//! Those that are pieces of a longer line have none: the time of the next piece stands in the midst of the line,
//! and is told from what the agent wrote by where it stands and by what it says.

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;

/// Docker cuts long lines into pieces of this length, and gives each the same time.
const PIECE: usize = 16 << 10;

/// No entry is longer. What is, is handed on in parts that bear the same time.
const MAX_ENTRY: usize = 64 << 10;

/// The longest time that is printed, with the space behind it.
const MAX_TIME: usize = 36;

/// The most of its own words that a program has in a line.
const MAX_WORDS: usize = 8 << 10;

/// How pieces of one line are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pieces {
    /// Of a fixed length, all with the time of the first.
    Docker,
    /// Of any length, each with its own time. Podman makes a piece of whatever came without a newline, so that a
    /// time in the midst of a line is a piece's, if it is neither before the line's own nor still to come.
    ///
    /// An agent that writes in the midst of a line the very second in which it writes it, in just this form, is
    /// misread by that. The other way round, every long line and every prompt would be.
    Podman,
}

/// What was cut off.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Entry {
        at: Timestamp,
        bytes: Bytes,
    },
    /// No entry: the program's own words.
    Words(String),
}

/// One stream of a log.
#[derive(Debug)]
pub(super) struct Cutter {
    pieces: Pieces,
    /// The time of an entry of which a part was handed on.
    within: Option<Timestamp>,
    /// What was cut off last was a piece of a line that goes on.
    in_pieces: bool,
}

impl Cutter {
    pub(super) fn new(pieces: Pieces) -> Self {
        Self {
            pieces,
            within: None,
            in_pieces: false,
        }
    }

    /// Takes the first entry out of `held`; `None` where more is needed to know its end. Nothing more comes after
    /// what is held where it `is_all`.
    pub(super) fn cut(&mut self, held: &mut BytesMut, is_all: bool) -> Option<Cut> {
        if held.is_empty() {
            return None;
        }
        if let Some(at) = self.within {
            return self.rest_of(at, held, is_all);
        }
        let Some((at, length)) = time(held) else {
            return words(held, is_all);
        };
        let content = &held[length..];
        let newline = content.iter().position(|byte| *byte == b'\n');
        let line = &content[..newline.unwrap_or(content.len())];
        let next = self.next_entry(line, at, &held[..length]);
        let end = match next {
            Some((next, _)) => next,
            None => match newline {
                Some(newline) => newline + 1,
                None if is_all => content.len(),
                None if content.len() > MAX_ENTRY => {
                    self.within = Some(at);
                    MAX_ENTRY
                }
                None => return None,
            },
        };
        self.in_pieces = next.is_some_and(|(_, is_piece)| is_piece);
        let mut entry = held.split_to(length + end).freeze();
        Some(Cut::Entry {
            at,
            bytes: entry.split_off(length),
        })
    }

    fn rest_of(&mut self, at: Timestamp, held: &mut BytesMut, is_all: bool) -> Option<Cut> {
        let newline = held.iter().position(|byte| *byte == b'\n');
        let end = match newline {
            Some(newline) => {
                self.within = None;
                newline + 1
            }
            None if is_all || held.len() >= MAX_ENTRY => held.len(),
            None => return None,
        };
        let bytes = held.split_to(end).freeze();
        Some(Cut::Entry { at, bytes })
    }

    /// Where in a line the next entry begins all the same, and whether that is a piece of the same line.
    fn next_entry(&self, line: &[u8], at: Timestamp, printed: &[u8]) -> Option<(usize, bool)> {
        let length = printed.len();
        match self.pieces {
            Pieces::Docker => {
                let later = line.get(PIECE..).unwrap_or_default();
                let same = later.windows(length).position(|part| part == printed);
                let piece = same.map(|found| (PIECE + found, true));
                // Some engines keep no newline behind a line that they keep in pieces. No agent has written there
                // when the engine, to the nanosecond, was to have received it.
                let next = || time_in(line, 0, printed, |then| then > at);
                piece.or_else(|| {
                    self.in_pieces
                        .then(next)
                        .flatten()
                        .map(|next| (next, false))
                })
            }
            // No piece is empty.
            Pieces::Podman => time_in(line, 1, printed, |then| then >= at).map(|next| (next, true)),
        }
    }
}

/// Where in a line, from there on, a time stands that is printed in the form of the one before it, is not still to
/// come, and is one of those that are meant.
fn time_in(
    line: &[u8],
    mut from: usize,
    printed: &[u8],
    is_meant: impl Fn(Timestamp) -> bool,
) -> Option<usize> {
    let century = printed.get(..2)?;
    while let Some(more) = line.get(from..) {
        let begins = from
            + more
                .windows(century.len())
                .position(|part| part == century)?;
        let then = line.get(begins..begins + printed.len()).and_then(time);
        if let Some((then, length)) = then
            && length == printed.len()
            && is_meant(then)
            && then <= Timestamp::now()
        {
            return Some(begins);
        }
        from = begins + 1;
    }
    None
}

/// The time at the beginning, and how long it is with the space behind it.
fn time(held: &[u8]) -> Option<(Timestamp, usize)> {
    let near = &held[..held.len().min(MAX_TIME)];
    let length = near.iter().position(|byte| *byte == b' ')?;
    let text = str::from_utf8(&near[..length]).ok()?;
    // Nothing shorter has a date, a time and a zone, as engines print them.
    let whole = text.len() >= 20 && text.as_bytes()[10] == b'T';
    let at = text.parse().ok().filter(|_| whole)?;
    Some((at, length + 1))
}

/// What does not begin with a time, to the end of its line.
fn words(held: &mut BytesMut, is_all: bool) -> Option<Cut> {
    let newline = held.iter().position(|byte| *byte == b'\n');
    let end = match newline {
        Some(newline) => newline + 1,
        None if is_all => held.len(),
        None if held.len() > MAX_WORDS => held.len(),
        None => return None,
    };
    let line = held.split_to(end);
    let short = &line[..line.len().min(MAX_WORDS)];
    let text = String::from_utf8_lossy(short).trim_end().to_owned();
    Some(Cut::Words(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-25T01:29:53.869619202Z";

    fn cut_in(pieces: Pieces, text: &[u8], step: usize) -> Vec<Cut> {
        let mut cutter = Cutter::new(pieces);
        let mut held = BytesMut::new();
        let mut cuts = Vec::new();
        for part in text.chunks(step) {
            held.extend_from_slice(part);
            while let Some(cut) = cutter.cut(&mut held, false) {
                cuts.push(cut);
            }
        }
        while let Some(cut) = cutter.cut(&mut held, true) {
            cuts.push(cut);
        }
        assert!(held.is_empty());
        cuts
    }

    fn entries(pieces: Pieces, text: &[u8], step: usize) -> Vec<(String, Vec<u8>)> {
        cut_in(pieces, text, step)
            .into_iter()
            .map(|cut| match cut {
                Cut::Entry { at, bytes } => (at.to_string(), bytes.to_vec()),
                Cut::Words(words) => panic!("{words}"),
            })
            .collect()
    }

    #[test]
    fn lines_are_entries_however_they_come() {
        let mut text = format!("{TIME} a\n{TIME} \n{TIME} {TIME} b\n{TIME} ").into_bytes();
        text.extend_from_slice(b"\0\xff last");
        for step in [1, 7, 1000] {
            let contents: Vec<_> = entries(Pieces::Docker, &text, step)
                .into_iter()
                .map(|(_, bytes)| bytes)
                .collect();
            let own = format!("{TIME} b\n");
            assert_eq!(
                contents,
                [b"a\n", &b"\n"[..], own.as_bytes(), b"\0\xff last"]
            );
        }
    }

    #[test]
    fn a_long_line_is_cut_where_docker_cut_it() {
        let whole = "x".repeat(PIECE);
        let text = format!("{TIME} {whole}{TIME} {whole}{TIME} rest\n{TIME} {whole}{TIME} \n");
        for step in [1000, PIECE, 1 << 20] {
            let lengths: Vec<_> = entries(Pieces::Docker, text.as_bytes(), step)
                .into_iter()
                .map(|(_, bytes)| bytes.len())
                .collect();
            assert_eq!(lengths, [PIECE, PIECE, 5, PIECE, 1]);
        }
    }

    #[test]
    fn behind_a_line_in_pieces_an_entry_may_begin_without_a_newline() {
        let (whole, next) = ("x".repeat(PIECE), TIME.replace("53.8", "53.9"));
        let text = format!(
            "{TIME} {whole}{TIME} rest{next} next\n{next} {whole}{next} {next} a {TIME} b\n"
        );
        for step in [1000, 1 << 20] {
            let ends: Vec<_> = entries(Pieces::Docker, text.as_bytes(), step)
                .into_iter()
                .map(|(_, bytes)| {
                    String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned()
                })
                .collect();
            assert_eq!(ends.len(), 5, "{ends:?}");
            assert_eq!((ends[1].as_str(), ends[2].as_str()), ("rest", "next\n"));
            assert_eq!(ends[4], format!("{next} a {TIME} b\n"));
        }
    }

    #[test]
    fn a_piece_that_grew_in_an_engines_hands_is_still_one() {
        // What was no UTF-8 is three bytes for each.
        let whole = "\u{fffd}".repeat(PIECE);
        let text = format!("{TIME} {whole}{TIME} rest\n");
        let lengths: Vec<_> = entries(Pieces::Docker, text.as_bytes(), 5000)
            .into_iter()
            .map(|(_, bytes)| bytes.len())
            .collect();
        assert_eq!(lengths, [3 * PIECE, 5]);
    }

    #[test]
    fn podmans_pieces_bear_their_own_times_and_an_agents_times_are_its_own() {
        let text = b"2026-11-25T01:32:55Z a2026-11-25T01:32:56Z b2026-11-25T01:32:56Z c\n\
            2026-11-25T01:32:57Z 2026-11-25T01:32:57Z from 2026-11-25T01:32:50Z to 2999-01-01T00:00:00Z x\n";
        let found = entries(Pieces::Podman, text, 3);
        let contents: Vec<_> = found
            .iter()
            .map(|(at, bytes)| (&at[17..19], str::from_utf8(bytes).unwrap()))
            .collect();
        assert_eq!(
            contents,
            [
                ("55", "a"),
                ("56", "b"),
                ("56", "c\n"),
                (
                    "57",
                    "2026-11-25T01:32:57Z from 2026-11-25T01:32:50Z to 2999-01-01T00:00:00Z x\n"
                ),
            ]
        );
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_in_memory() {
        let text = format!("{TIME} {}\n{TIME} next\n", "y".repeat(300_000));
        let found = entries(Pieces::Podman, text.as_bytes(), 10_000);
        assert!(
            found
                .iter()
                .all(|(_, bytes)| bytes.len() <= MAX_ENTRY + 10_000)
        );
        let all: usize = found.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(all, 300_001 + 5);
        assert_eq!(found.last().unwrap().1, b"next\n");
    }

    #[test]
    fn what_has_no_time_is_the_programs_own() {
        let text = format!("{TIME} a\nunexpected EOF\n");
        let cuts = cut_in(Pieces::Docker, text.as_bytes(), 9);
        assert_eq!(cuts[1], Cut::Words("unexpected EOF".into()));
        let endless = cut_in(Pieces::Docker, &vec![b'z'; 100_000], 1000);
        assert!(
            endless
                .iter()
                .all(|cut| matches!(cut, Cut::Words(words) if words.len() <= MAX_WORDS))
        );
    }
}
