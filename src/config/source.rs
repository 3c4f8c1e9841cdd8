//! A file's text, and what errors may show of it.

use std::fmt;
use std::ops::Range;

use alveary_core::{Escaped, is_unsafe};
use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// The bytes that a value or a key takes up in its file.
pub(crate) type Span = Range<usize>;

/// The most characters of a line that are shown: enough for a key and what surrounds it.
const WIDTH: usize = 100;
/// How many of them stand before what is pointed at.
const BEFORE: usize = 30;

/// A file as it was read.
#[derive(Clone)]
pub(crate) struct Source {
    /// What people call the file: as short as it is clear.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

impl Source {
    pub(crate) fn new(name: impl fmt::Display, text: impl Into<String>) -> Self {
        Self {
            name: Escaped(&name.to_string()).to_string(),
            text: text.into(),
        }
    }

    /// Cuts out what can be shown of the line in which `span` begins.
    pub(crate) fn excerpt(&self, span: &Span) -> Excerpt {
        let start = floor(&self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.text[line_start..];
        let line = rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let end = floor(&self.text, span.end).min(line_start + line.len());

        let before = self.text[line_start..start].chars().count();
        let marked = self.text[start..end.max(start)].chars().count().max(1);
        let cut = cut_line(line, before, marked);
        Excerpt {
            line: self.text[..line_start].matches('\n').count(),
            column: before,
            text: cut.text,
            mark: cut.mark,
        }
    }
}

/// The nearest place at or before `at` where the text can be divided.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

struct Cut {
    text: String,
    mark: Span,
}

/// A window on the line around what is marked. Every character keeps its place, and none can drive a
/// terminal.
fn cut_line(line: &str, before: usize, marked: usize) -> Cut {
    let skipped = if line.chars().count() <= WIDTH {
        0
    } else {
        before.saturating_sub(BEFORE)
    };
    let mut text = String::new();
    let mut mark = 0..0;
    if skipped > 0 {
        text.push('…');
    }
    let mut shown = 0;
    for (at, c) in line.chars().enumerate().skip(skipped).take(WIDTH) {
        if at == before {
            mark.start = text.len();
        }
        text.push(match c {
            '\t' => ' ',
            c if is_unsafe(c) => '\u{fffd}',
            c => c,
        });
        if at < before + marked {
            mark.end = text.len();
        }
        shown = at + 1;
    }
    if shown <= before {
        // The mark is on the end of the line.
        mark = text.len()..text.len();
    }
    if line.chars().nth(skipped + WIDTH).is_some() {
        text.push('…');
    }
    Cut { text, mark }
}

/// One line of a file, cut to a width that can be shown, with a mark on what is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// Counted from nought.
    pub(crate) line: usize,
    /// In characters, counted from nought.
    pub(crate) column: usize,
    pub(crate) text: String,
    /// In bytes of `text`.
    pub(crate) mark: Span,
}

impl Excerpt {
    /// Leaves out what stands behind the mark: it must not be shown.
    pub(crate) fn without_the_rest(mut self) -> Self {
        if self.mark.end < self.text.len() {
            self.text.truncate(self.mark.end);
            self.text.push('…');
        }
        self
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _context_lines_before: usize,
        _context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        if span.offset() + span.len() > self.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        Ok(Box::new(MietteSpanContents::new(
            self.text.as_bytes(),
            (0, self.text.len()).into(),
            self.line,
            self.column,
            1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, span: Span) -> (usize, usize, String, String) {
        let excerpt = Source::new("f", text).excerpt(&span);
        let mark = excerpt.text[excerpt.mark.clone()].to_owned();
        (excerpt.line + 1, excerpt.column + 1, excerpt.text, mark)
    }

    #[test]
    fn the_line_is_shown_and_the_place_in_it_marked() {
        assert_eq!(
            marked("a = 1\nbé = 2\n", 6..9),
            (2, 1, "bé = 2".into(), "bé".into())
        );
        assert_eq!(
            marked("a = 1\r\n", 4..5),
            (1, 5, "a = 1".into(), "1".into())
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}KEY = {}", "x".repeat(5000), "y".repeat(5000));
        let (line, column, shown, mark) = marked(&text, 5000..5003);
        assert_eq!((line, column, mark.as_str()), (1, 5001, "KEY"));
        assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        assert_eq!(shown.chars().count(), WIDTH + 2);
    }

    #[test]
    fn a_value_that_is_longer_than_the_window_is_marked_as_far_as_it_is_shown() {
        let text = format!("a = {}", "y".repeat(5000));
        let (_, _, shown, mark) = marked(&text, 4..5004);
        assert!(mark.starts_with('y') && shown.contains(&mark));
    }

    #[test]
    fn the_end_of_a_file_can_be_pointed_at() {
        assert_eq!(marked("a = ", 4..4), (1, 5, "a = ".into(), String::new()));
        assert_eq!(marked("", 0..0), (1, 1, String::new(), String::new()));
        assert_eq!(marked("a\n", 90..91), (2, 1, String::new(), String::new()));
    }

    #[test]
    fn what_could_drive_a_terminal_is_shown_as_a_mark_of_its_own() {
        let (_, _, shown, _) = marked("a\u{1b}[2J\u{202e}", 0..1);
        assert_eq!(shown, "a\u{fffd}[2J\u{fffd}");
    }
}
