//! What went wrong, and how it is told: a sentence, then the cure.

use std::error::Error as _;
use std::fmt;
use std::io;

use alveary::{ConfigError, Error, ErrorKind, Escaped, Operation};
use anstyle::AnsiColor;

use crate::cures::cure_of;
use crate::outcome::Outcome;
use crate::output::{excerpt, note, paint};

/// Why a verb was not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library says so.
    Alveary(Error),
    /// What was typed cannot be right.
    Input {
        /// What is the matter.
        what: String,
        /// What to do about it: a clause that begins with a verb.
        cure: String,
    },
    /// A coordinator, or the way to it, says so.
    #[cfg(feature = "coordinator")]
    Coordinator {
        /// What is the matter.
        what: String,
        /// What to do about it.
        cure: Option<String>,
        /// What the shell is told.
        outcome: Outcome,
    },
    /// The system refused something that has nothing to do with what was typed.
    System {
        /// What was wanted, as in "failed to …".
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The output could not be written.
    Output(io::Error),
}

impl Failure {
    /// What was typed cannot be right.
    pub(crate) fn input(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::Input {
            what: what.into(),
            cure: cure.into(),
        }
    }

    /// The system refused this, as in "failed to …".
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }

    /// The same of an agent by the name that people know it by.
    pub(crate) fn of(self, name: &str) -> Self {
        match self {
            Self::Alveary(error) => Self::Alveary(error.with_name(name)),
            other => other,
        }
    }

    /// What the library says, where it is that.
    pub(crate) fn as_error(&self) -> Option<&Error> {
        match self {
            Self::Alveary(error) => Some(error),
            _ => None,
        }
    }

    /// What the shell is told.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Alveary(error) => outcome_of(error),
            Self::Input { .. } => Outcome::BadInput,
            #[cfg(feature = "coordinator")]
            Self::Coordinator { outcome, .. } => *outcome,
            // Whoever read our output has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Done,
            Self::System { .. } | Self::Output(_) => Outcome::Backend,
        }
    }

    /// What is the matter, and what to do about it.
    pub(crate) fn in_words(&self) -> (String, Option<String>) {
        match self {
            Self::Alveary(error) => (error.summary(), cure_of(error)),
            Self::Input { what, cure } => (what.clone(), Some(cure.clone())),
            #[cfg(feature = "coordinator")]
            Self::Coordinator { what, cure, .. } => (what.clone(), cure.clone()),
            Self::System { what, error } => {
                let (what, cure) = refused(what, error);
                (what, Some(cure.to_owned()))
            }
            Self::Output(error) => (error.to_string(), None),
        }
    }

    /// Tells the user.
    pub(crate) fn tell(&self) {
        match self {
            Self::Alveary(error) => tell_error(error),
            Self::Input { what, cure } => tell(what, Some(cure)),
            #[cfg(feature = "coordinator")]
            Self::Coordinator { what, cure, .. } => tell(what, cure.as_deref()),
            Self::System { what, error } => {
                let (what, cure) = refused(what, error);
                tell(&what, Some(cure));
            }
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Self::Output(error) => tell(
                &format!("failed to write the output: {error}"),
                Some("make room where the output goes"),
            ),
        }
    }
}

/// What the system refused, and what to do about it.
fn refused(what: &str, error: &io::Error) -> (String, &'static str) {
    let cure = match error.raw_os_error() {
        // EMFILE and ENFILE.
        Some(24 | 23) => "allow more open files: `ulimit -n` says how many there may be",
        _ => "free what others use up, or raise the limits of this user: `ulimit -a` shows them",
    };
    (format!("failed to {what}: {error}"), cure)
}

/// Tells of an error of the library: about a file with the line that is meant, about anything else in a
/// sentence.
fn tell_error(error: &Error) {
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<ConfigError>());
    let Some(config) = source else {
        return tell(&error.summary(), cure_of(error).as_deref());
    };
    let place = match (config.file(), config.position()) {
        (Some(file), Some((line, column))) => format!("{file}:{line}:{column}: "),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    say_error(format_args!("{place}{}", Escaped(config.message())));
    if let Some(picture) = excerpt(config) {
        note(picture);
    }
    if let Some(cure) = config.cure() {
        help(Escaped(cure));
    }
}

/// Tells what went wrong with one agent of several, by the name that people know it by.
pub(crate) fn tell_of(name: &str, error: &Error) {
    let summary = error.summary();
    let summary = match error.agent() {
        Some(id) => summary.replacen(id.as_str(), name, 1),
        None => format!("{name}: {summary}"),
    };
    tell(&summary, cure_of(error).as_deref());
}

/// Prints an error and its cure.
pub(crate) fn tell(what: &str, cure: Option<&str>) {
    say_error(Escaped(what));
    if let Some(cure) = cure {
        help(Escaped(cure));
    }
}

fn say_error(what: impl fmt::Display) {
    let style = AnsiColor::Red.on_default().bold();
    let what = without_numbers(&what.to_string());
    note(format_args!("{} {what}", paint(style, "error:")));
}

const BEFORE_A_NUMBER: &str = " (os error ";

/// Leaves out the number that stands behind what the system calls its error: ` (os error 2)`.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut pieces = text.split(BEFORE_A_NUMBER);
    let mut words = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(')') {
            Some((number, rest)) if number.parse::<u32>().is_ok() => words.push_str(rest),
            _ => words.extend([BEFORE_A_NUMBER, piece]),
        }
    }
    words
}

/// Prints what would help.
pub(crate) fn help(cure: impl fmt::Display) {
    let style = AnsiColor::Green.on_default().bold();
    note(format_args!("{} {cure}", paint(style, "help:")));
}

/// Whether it was the input that was wrong or the backend, of which only the first can be mended by typing
/// something else.
pub(crate) fn outcome_of(error: &Error) -> Outcome {
    match (error.operation(), error.kind()) {
        (Operation::Configure, _)
        | (_, ErrorKind::InvalidSpec | ErrorKind::NotFound | ErrorKind::Unsupported)
        | (
            Operation::State,
            ErrorKind::PermissionDenied | ErrorKind::Conflict | ErrorKind::OutOfResources,
        )
        | (Operation::Remove, ErrorKind::StillRunning)
        | (
            Operation::Signal | Operation::Exec | Operation::Pause | Operation::Resume,
            ErrorKind::Conflict,
        ) => Outcome::BadInput,
        // It came up and ended too early, or another that it comes after did.
        (Operation::Wait, ErrorKind::Timeout | ErrorKind::Conflict)
        | (Operation::Spawn, ErrorKind::Conflict) => Outcome::AgentFailed,
        _ => Outcome::Backend,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Alveary(error)
    }
}

#[cfg(feature = "coordinator")]
impl From<alveary_agent::Error> for Failure {
    fn from(error: alveary_agent::Error) -> Self {
        use alveary_agent::ErrorKind as Kind;
        Self::Coordinator {
            what: error.message().to_owned(),
            cure: error.cure().map(str::to_owned),
            // What a coordinator refuses is mended by saying something else to it, or to another.
            outcome: match error.kind() {
                Kind::Unavailable | Kind::Busy => Outcome::Backend,
                _ => Outcome::BadInput,
            },
        }
    }
}

#[cfg(feature = "coordinator")]
impl From<alveary_coordinator::Error> for Failure {
    fn from(error: alveary_coordinator::Error) -> Self {
        use alveary_agent::protocol::ProblemKind as Kind;
        Self::Coordinator {
            what: error.message().to_owned(),
            cure: error.cure().map(str::to_owned),
            outcome: match error.kind() {
                Kind::Internal => Outcome::Backend,
                // Another file, or other rights to this one, mend it.
                _ => Outcome::BadInput,
            },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_is_told_by_its_name_and_not_by_its_number() {
        let absent = io::Error::from_raw_os_error(2);
        assert!(absent.to_string().contains("(os error 2)"));
        assert_eq!(
            without_numbers(&format!("a: {absent}, and b: {absent}")),
            "a: No such file or directory, and b: No such file or directory"
        );
        for other in [
            "it failed (os error x)",
            "it failed (os error 2",
            "it failed",
            "",
        ] {
            assert_eq!(without_numbers(other), other);
        }
    }
}
