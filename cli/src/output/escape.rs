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

#[cfg(test)]
mod tests {
    use super::*;

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
