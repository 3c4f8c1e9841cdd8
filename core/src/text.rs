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
