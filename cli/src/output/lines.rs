//! What agents write, line by line, with the name before each.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::time::SystemTime;

use alveary::{LogPiece, LogStreamKind};
use anstyle::Style;

use super::escape::write_escaped;
use super::style::name_style;
use super::time::rfc3339;

/// A line that grows beyond this is printed in parts, so that an agent that never ends its line costs no more
/// memory than this.
const LONGEST_LINE: usize = 64 * 1024;

/// What stands before a line, and what becomes of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LineStyle {
    /// The agent's name before each line.
    pub(crate) names: bool,
    /// The time before each line.
    pub(crate) times: bool,
    /// In colour.
    pub(crate) colour: bool,
    /// What could drive a terminal is shown instead of sent.
    pub(crate) escape: bool,
}

impl LineStyle {
    /// As fits what the standard output is connected to: neither names nor times, colour where it is wanted,
    /// and nothing raw to a terminal.
    pub(crate) fn of_stdout() -> Self {
        let stdout = io::stdout();
        Self {
            names: false,
            times: false,
            colour: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            escape: stdout.is_terminal(),
        }
    }

    /// Whether bytes go out as they come, lines or not.
    fn is_exact(self) -> bool {
        !self.names && !self.times && !self.escape
    }
}

/// Prints what agents write so that no line of one is mixed with another's.
///
/// With neither names nor times nor a terminal, the bytes go out exactly as they came. Otherwise a line goes
/// out when it is whole, when it is too long to be kept, or when its agent will write no more.
#[derive(Debug)]
pub(crate) struct LinePrinter<W> {
    out: W,
    style: LineStyle,
    /// How wide the names' column is. It only grows.
    width: usize,
    begun: HashMap<(String, LogStreamKind), Begun>,
}

/// A line that is not whole yet.
#[derive(Debug, Default)]
struct Begun {
    bytes: Vec<u8>,
    at: Option<SystemTime>,
}

impl<W: Write> LinePrinter<W> {
    /// Prints to `out`.
    pub(crate) fn new(out: W, style: LineStyle) -> Self {
        Self {
            out,
            style,
            width: 0,
            begun: HashMap::new(),
        }
    }

    /// Makes room for a name, so that the lines that come before its first are aligned too.
    pub(crate) fn expect(&mut self, name: &str) {
        self.width = self.width.max(name.len());
    }

    /// Takes what an agent wrote.
    pub(crate) fn piece(&mut self, name: &str, piece: &LogPiece) -> io::Result<()> {
        if self.style.is_exact() {
            return self.out.write_all(&piece.bytes);
        }
        self.expect(name);
        let key = (name.to_owned(), piece.stream);
        let mut begun = self.begun.remove(&key).unwrap_or_default();
        for part in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
            if begun.bytes.is_empty() {
                begun.at = piece.at;
            }
            begun.bytes.extend_from_slice(part);
            while begun.bytes.len() > LONGEST_LINE {
                let rest = begun.bytes.split_off(LONGEST_LINE);
                self.line(name, &begun)?;
                begun.bytes = rest;
            }
            if begun.bytes.ends_with(b"\n") {
                begun.bytes.pop();
                self.line(name, &begun)?;
                begun.bytes.clear();
            }
        }
        if !begun.bytes.is_empty() {
            self.begun.insert(key, begun);
        }
        Ok(())
    }

    /// The agent will write no more: what it left unfinished is printed.
    pub(crate) fn end(&mut self, name: &str) -> io::Result<()> {
        for stream in [LogStreamKind::Stdout, LogStreamKind::Stderr] {
            if let Some(begun) = self.begun.remove(&(name.to_owned(), stream)) {
                self.line(name, &begun)?;
            }
        }
        Ok(())
    }

    /// Hands on what has been printed.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn line(&mut self, name: &str, line: &Begun) -> io::Result<()> {
        let Self {
            out, style, width, ..
        } = self;
        if style.times {
            let at = line.at.map_or_else(|| "-".to_owned(), rfc3339);
            write!(out, "{at} ")?;
        }
        if style.names {
            let colour = if style.colour {
                name_style(name)
            } else {
                Style::new()
            };
            write!(out, "{colour}{name:width$} |{colour:#} ")?;
        }
        if style.escape {
            let bytes = line.bytes.strip_suffix(b"\r").unwrap_or(&line.bytes);
            write_escaped(out, bytes)?;
        } else {
            out.write_all(&line.bytes)?;
        }
        out.write_all(b"\n")
    }
}

#[cfg(feature = "top")]
impl LinePrinter<Vec<u8>> {
    /// What has been printed since this was last asked.
    pub(crate) fn taken(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alveary::LogCursor;

    const NAMED: LineStyle = LineStyle {
        names: true,
        times: false,
        colour: false,
        escape: false,
    };

    fn piece(stream: LogStreamKind, bytes: &[u8]) -> LogPiece {
        LogPiece::new(stream, bytes.to_vec().into(), None, LogCursor::new(""))
    }

    fn printed(style: LineStyle, write: impl FnOnce(&mut LinePrinter<Vec<u8>>)) -> Vec<u8> {
        let mut printer = LinePrinter::new(Vec::new(), style);
        write(&mut printer);
        printer.out
    }

    #[test]
    fn a_line_in_parts_is_printed_once_it_is_whole_and_not_inside_another() {
        let out = printed(NAMED, |printer| {
            printer.expect("b-10");
            printer
                .piece("a", &piece(LogStreamKind::Stdout, b"one, "))
                .unwrap();
            printer
                .piece("b-10", &piece(LogStreamKind::Stdout, b"two\n"))
                .unwrap();
            printer
                .piece("a", &piece(LogStreamKind::Stderr, b"three\n"))
                .unwrap();
            printer
                .piece("a", &piece(LogStreamKind::Stdout, b"four\nfi"))
                .unwrap();
            printer.end("a").unwrap();
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "b-10 | two\na    | three\na    | one, four\na    | fi\n"
        );
    }

    #[test]
    fn without_names_and_a_terminal_the_bytes_go_out_as_they_came() {
        let bytes = b"\x1b[31m\0\xff no end";
        let out = printed(LineStyle::default(), |printer| {
            printer
                .piece("a", &piece(LogStreamKind::Stdout, bytes))
                .unwrap();
            printer.end("a").unwrap();
        });
        assert_eq!(out, bytes);
    }

    #[test]
    fn on_a_terminal_escapes_are_shown_and_a_character_cut_in_two_pieces_is_whole() {
        let style = LineStyle {
            escape: true,
            ..LineStyle::default()
        };
        let out = printed(style, |printer| {
            printer
                .piece("a", &piece(LogStreamKind::Stdout, b"\x1b[2J\xc3"))
                .unwrap();
            printer
                .piece("a", &piece(LogStreamKind::Stdout, b"\xa4\r\n"))
                .unwrap();
        });
        assert_eq!(String::from_utf8(out).unwrap(), "\\u{1b}[2Jä\n");
    }

    #[test]
    fn a_line_without_end_is_not_kept_whole() {
        let mut printer = LinePrinter::new(io::sink(), NAMED);
        for _ in 0..10 {
            printer
                .piece(
                    "a",
                    &piece(LogStreamKind::Stdout, &vec![b'x'; LONGEST_LINE]),
                )
                .unwrap();
        }
        let kept: usize = printer.begun.values().map(|begun| begun.bytes.len()).sum();
        assert!(kept <= LONGEST_LINE, "{kept}");
    }
}
