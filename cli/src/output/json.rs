//! Records for programs, which a terminal can bear too.

use std::io::{self, Write};

use alveary::is_unsafe;
use serde::Serialize;

/// Writes a record as one line.
pub(crate) fn write_line(out: &mut impl Write, record: &impl Serialize) -> io::Result<()> {
    write_harmless(out, &serde_json::to_string(record)?)
}

/// Writes a record over several lines, for people to read.
pub(crate) fn write_pretty(out: &mut impl Write, record: &impl Serialize) -> io::Result<()> {
    write_harmless(out, &serde_json::to_string_pretty(record)?)
}

/// JSON lets a text hold what drives a terminal, if it is beyond ASCII. Written as `\uXXXX` it is the same to
/// a program.
fn write_harmless(out: &mut impl Write, json: &str) -> io::Result<()> {
    let mut clean = 0;
    for (at, c) in json.char_indices() {
        if c != '\n' && is_unsafe(c) {
            out.write_all(&json.as_bytes()[clean..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            clean = at + c.len_utf8();
        }
    }
    out.write_all(&json.as_bytes()[clean..])?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped_and_means_the_same() {
        let text = "\u{1b}[2J\u{9b}2J\u{202e}\u{e0001}ä\n";
        let mut out = Vec::new();
        write_line(&mut out, &text).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line, "\"\\u001b[2J\\u009b2J\\u202e\\udb40\\udc01ä\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
