//! The line of a file that is meant, with a mark beneath it.

use std::fmt;
use std::io::{IsTerminal, stderr};

use alveary::ConfigError;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeCharacters,
    ThemeStyles,
};

/// The line that the error is about, for stderr; `None` where it is about no line.
pub(crate) fn excerpt(error: &ConfigError) -> Option<String> {
    error.source_code()?;
    let colour = anstream::AutoStream::choice(&stderr()) != anstream::ColorChoice::Never;
    let theme = GraphicalTheme {
        characters: if stderr().is_terminal() {
            ThemeCharacters::unicode()
        } else {
            ThemeCharacters::ascii()
        },
        styles: if colour {
            ThemeStyles::ansi()
        } else {
            ThemeStyles::none()
        },
    };
    let mut text = String::new();
    GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .render_report(&mut text, &Picture(error))
        .ok()?;
    // The first line is the sentence, which is told otherwise.
    let (_, picture) = text.split_once('\n')?;
    Some(picture.trim_end().to_owned())
}

/// An error without its words.
#[derive(Debug)]
struct Picture<'a>(&'a ConfigError);

impl fmt::Display for Picture<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Picture<'_> {}

impl Diagnostic for Picture<'_> {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.labels()
    }
}
