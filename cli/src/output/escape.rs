//! What agents wrote, made harmless for a terminal.

use std::io::{self, Write};

use alveary::is_unsafe;

/// Writes bytes so that they can drive no terminal: controls and bidirectional overrides as `\u{…}`, what is
/// not UTF-8 as `\xNN`. Tabs pass, since they only move to the right.
pub(crate) fn write_escaped(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        let mut clean = 0;
        for (at, c) in text.char_indices() {
            if c != '\t' && is_unsafe(c) {
                out.write_all(&text.as_bytes()[clean..at])?;
                write!(out, "{}", c.escape_default())?;
                clean = at + c.len_utf8();
            }
        }
        out.write_all(&text.as_bytes()[clean..])?;
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

/// The same for what comes in pieces and may be a prompt: all of it goes out at once but for the beginning of a character,
/// or of a line's end, that the next piece may finish.
#[derive(Debug)]
pub(crate) struct Harmless<W> {
    out: W,
    begun: Vec<u8>,
}

impl<W: Write> Harmless<W> {
    /// Writes to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            begun: Vec::new(),
        }
    }

    /// Takes a piece.
    pub(crate) fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        self.begun.extend_from_slice(piece);
        let rest = self
            .begun
            .split_off(self.begun.len() - unfinished(&self.begun));
        let whole = std::mem::replace(&mut self.begun, rest);
        self.write(&whole)
    }

    /// No more comes: what was begun goes out as it is.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.begun);
        self.write(&rest)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => {
                    write_escaped(&mut self.out, line.strip_suffix(b"\r").unwrap_or(line))?;
                    self.out.write_all(b"\n")?;
                }
                None => write_escaped(&mut self.out, line)?,
            }
        }
        self.out.flush()
    }
}

/// How many bytes at the end may be only the beginning of something.
fn unfinished(bytes: &[u8]) -> usize {
    if bytes.ends_with(b"\r") {
        return 1;
    }
    let last = bytes.utf8_chunks().last();
    let last = last.map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(last) {
        Err(error) if error.error_len().is_none() => last.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(pieces: &[&[u8]]) -> String {
        let mut harmless = Harmless::new(Vec::new());
        for piece in pieces {
            harmless.piece(piece).unwrap();
        }
        harmless.end().unwrap();
        String::from_utf8(harmless.out).unwrap()
    }

    #[test]
    fn what_comes_in_pieces_is_as_if_it_came_at_once() {
        assert_eq!(
            in_pieces(&[b"5 \xe2", b"\x82\xac \xf0\x9f", b"\x90", b"\x9d"]),
            "5 € 🐝"
        );
        assert_eq!(in_pieces(&[b"a\r", b"\nb\r", b"c\r\n"]), "a\nb\\rc\n");
        assert_eq!(
            in_pieces(&[b"\xe2\x82", b"x\xff\xe2", b"\x1b\r"]),
            r"\xe2\x82x\xff\xe2\u{1b}\r"
        );
    }

    #[test]
    fn a_prompt_is_there_before_its_line_is_whole() {
        let mut harmless = Harmless::new(Vec::new());
        harmless.piece(b"name? ").unwrap();
        assert_eq!(harmless.out, b"name? ");
    }

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_escaped(&mut out, bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_text_passes_unchanged() {
        assert_eq!(escaped("a\tb, ä, 蜂".as_bytes()), "a\tb, ä, 蜂");
    }

    #[test]
    fn what_drives_a_terminal_is_shown_instead() {
        assert_eq!(escaped(b"\x1b[2Jx\r\x07"), r"\u{1b}[2Jx\r\u{7}");
        assert_eq!(escaped("a\u{202e}b".as_bytes()), r"a\u{202e}b");
        // The 8-bit forms of the controls are controls too.
        assert_eq!(escaped("\u{9b}31m".as_bytes()), r"\u{9b}31m");
    }

    #[test]
    fn what_is_not_text_is_shown_byte_by_byte() {
        assert_eq!(escaped(b"a\xff\xc3b\0"), r"a\xff\xc3b\u{0}");
    }
}
