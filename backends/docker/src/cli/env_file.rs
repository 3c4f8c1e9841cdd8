//! An environment as the program reads it from its standard input: `--env-file /dev/stdin`.
//!
//! Values do not stand in the arguments, which any user of the host can read. They do not stand in the program's
//! own environment either (`--env NAME` would take them from there), because there they would steer it.

use crate::plan::Environment;

/// What programs read into a line at a time is 64 KiB, with its end.
const MAX_LINE: usize = (64 << 10) - 2;

/// A line for each variable; `None` where one of them cannot be said so.
///
/// Lines end at a newline and lose a carriage return before it. A name that begins like a comment is one, and
/// one with white space in it is an error.
pub(super) fn lines(env: &Environment) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for (key, value) in &env.0 {
        let strange = |c: char| c.is_whitespace() || c == '\u{feff}';
        let sayable = !key.starts_with('#')
            && !key.contains(strange)
            && !value.contains('\n')
            && !value.ends_with('\r')
            && key.len() + 1 + value.len() <= MAX_LINE;
        if !sayable {
            return None;
        }
        for part in [key, "=", value, "\n"] {
            text.extend_from_slice(part.as_bytes());
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: &str, value: &str) -> Option<String> {
        let env = Environment([(key.to_owned(), value.to_owned())].into());
        lines(&env).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_value_is_said_as_it_is() {
        assert_eq!(
            said("A", " 'x'=\"$y\"\t#z ").as_deref(),
            Some("A= 'x'=\"$y\"\t#z \n")
        );
        assert_eq!(said("A", "").as_deref(), Some("A=\n"));
        assert_eq!(said("A", "a\rb").as_deref(), Some("A=a\rb\n"));
    }

    #[test]
    fn what_would_arrive_as_something_else_is_not_said() {
        for (key, value) in [
            ("A", "1\n2"),
            ("A", "1\r"),
            ("#A", "1"),
            ("A B", "1"),
            ("\u{feff}A", "1"),
        ] {
            assert_eq!(said(key, value), None, "{key}={value}");
        }
        let longest = "x".repeat(MAX_LINE - 2);
        assert!(said("A", &longest).is_some());
        assert_eq!(said("A", &format!("{longest}x")), None);
    }
}
