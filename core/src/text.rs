//! Showing what others wrote without letting it drive a terminal.

use std::fmt;

/// Shows a text with every character escaped that could drive a terminal or reorder what is read:
/// controls (line breaks and tabs too), bidirectional overrides and their like.
///
/// ```
/// assert_eq!(alveary_core::Escaped("a\u{1b}[31m\u{202e}b").to_string(), r"a\u{1b}[31m\u{202e}b");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut clean = 0;
        for (at, c) in self.0.char_indices() {
            if is_unsafe(c) {
                f.write_str(&self.0[clean..at])?;
                write!(f, "{}", c.escape_default())?;
                clean = at + c.len_utf8();
            }
        }
        f.write_str(&self.0[clean..])
    }
}

/// Whether a character could drive a terminal, hide, or reorder what stands around it.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use crate::{AgentId, ByteSize, Mount, Signal, User};

    #[test]
    fn what_cannot_be_read_is_shown_as_it_was_written_and_drives_no_terminal() {
        let refused = |text: &str| {
            [
                text.parse::<AgentId>().unwrap_err().to_string(),
                text.parse::<Signal>().unwrap_err().to_string(),
                text.parse::<Mount>().unwrap_err().to_string(),
                text.parse::<ByteSize>().unwrap_err().to_string(),
                text.parse::<User>().unwrap_err().to_string(),
            ]
        };
        for (written, shown) in [("ø", "`ø`"), ("\u{1b}", r"`\u{1b}`")] {
            for message in refused(written) {
                assert!(message.starts_with(shown), "{message}");
            }
        }
    }
}
