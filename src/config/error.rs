//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::path::Path;

use alveary_core::{Error, ErrorKind, Escaped, Operation};
use miette::{Diagnostic, LabeledSpan, SourceCode};

use super::source::{Excerpt, Source, Span};

/// A configuration that cannot be used.
///
/// `Display` is one sentence: the file with line and column where there is one, what is wrong, and the cure.
/// As a [`Diagnostic`] it shows the line besides, cut to a readable width, with a mark under what is meant.
#[derive(Clone)]
pub struct ConfigError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    message: String,
    cure: Option<String>,
    file: Option<String>,
    excerpt: Option<Excerpt>,
    label: Option<String>,
    no_file: bool,
}

impl ConfigError {
    /// Something is wrong, told in `message`: one clause without a full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            message: message.into(),
            cure: None,
            file: None,
            excerpt: None,
            label: None,
            no_file: false,
        }))
    }

    /// Says what to do about it: a clause that begins with a verb.
    #[must_use]
    pub fn with_cure(mut self, cure: impl Into<String>) -> Self {
        self.0.cure = Some(cure.into());
        self
    }

    /// Says in which file, where no place in it can be named.
    pub(crate) fn in_file(mut self, file: &Path) -> Self {
        self.0.file = Some(Escaped(&file.display().to_string()).to_string());
        self
    }

    /// Says where. A place that is already known stays.
    pub(crate) fn at(mut self, source: &Source, span: &Span) -> Self {
        if self.0.excerpt.is_none() {
            self.0.file = Some(source.name.clone());
            self.0.excerpt = Some(source.excerpt(span));
        }
        self
    }

    /// Says where, and shows nothing of what stands behind it on the line.
    pub(crate) fn at_secret(self, source: &Source, span: &Span) -> Self {
        let mut error = self.at(source, span);
        error.0.excerpt = error.0.excerpt.map(Excerpt::without_the_rest);
        error
    }

    /// Puts a word or two under the mark.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = Some(label.into());
        self
    }

    /// Says that there is no fleet file at all.
    pub(crate) fn no_file(mut self) -> Self {
        self.0.no_file = true;
        self
    }

    /// What is wrong, without place and cure.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn cure(&self) -> Option<&str> {
        self.0.cure.as_deref()
    }

    /// The file that is meant, as people call it.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The line and the column, both counted from one, the column in characters.
    pub fn position(&self) -> Option<(usize, usize)> {
        let excerpt = self.0.excerpt.as_ref()?;
        Some((excerpt.line + 1, excerpt.column + 1))
    }

    /// Whether it is that no fleet file was found or named: a caller that knows its swarm by name can do
    /// without.
    pub fn is_no_file(&self) -> bool {
        self.0.no_file
    }
}

/// What is wrong and where, without the cure.
struct Sentence<'a>(&'a ConfigError);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        if let Some(file) = error.file() {
            write!(f, "{file}:")?;
            if let Some((line, column)) = error.position() {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        write!(f, "{}", Escaped(&error.0.message))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Sentence(self))?;
        match &self.0.cure {
            Some(cure) => write!(f, " ({})", Escaped(cure)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigError")
            .field(&self.to_string())
            .finish()
    }
}

impl std::error::Error for ConfigError {}

/// The sentence has file, line and cure in it, so the picture beneath it repeats none of them.
impl Diagnostic for ConfigError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0
            .excerpt
            .as_ref()
            .map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let mark = &self.0.excerpt.as_ref()?.mark;
        let label = LabeledSpan::new_primary_with_span(
            self.0.label.clone(),
            (mark.start, mark.end - mark.start),
        );
        Some(Box::new(std::iter::once(label)))
    }
}

/// For those who open a swarm in one step: `InvalidSpec` while reading the configuration, with this error
/// beneath it.
impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        let sentence = Sentence(&error).to_string();
        let whole = Self::new(ErrorKind::InvalidSpec, Operation::Configure, sentence);
        let whole = match &error.0.cure {
            Some(cure) => whole.with_cure(cure.clone()),
            None => whole,
        };
        whole.with_source(error)
    }
}
