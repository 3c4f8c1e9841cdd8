//! What is typed by those who know other programs, and what it is called here.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Words in the place of a verb.
const VERBS: [(&str, &str); 5] = [
    ("start", "`alveary up NAME` starts an agent of the file"),
    (
        "run",
        "`alveary spawn -- PROGRAM` runs an agent that stands in no file",
    ),
    ("status", "`alveary ps` shows how agents stand"),
    ("list", "`alveary ps` shows agents"),
    ("version", "`alveary --version` tells it"),
];

/// Flags.
const FLAGS: [(&str, &str); 3] = [
    ("--json", "verbs that print records have `--format json`"),
    ("-o", "verbs that print records have `--format json`"),
    (
        "--remove-orphans",
        "`alveary up --prune` removes what the file does not name, and `alveary down` everything",
    ),
];

/// Says so where something was typed that has another name here.
pub(crate) fn add(mut error: clap::Error) -> clap::Error {
    let (typed, known) = match error.kind() {
        // Within a verb, these words may mean something else.
        ErrorKind::InvalidSubcommand if is_of_the_program(&error) => {
            (ContextKind::InvalidSubcommand, &VERBS[..])
        }
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, &FLAGS[..]),
        _ => return error,
    };
    let Some(ContextValue::String(typed)) = error.get(typed) else {
        return error;
    };
    if let Some((_, tip)) = known.iter().find(|(word, _)| word == typed) {
        // Better than what merely looks alike.
        for alike in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
            error.remove(alike);
        }
        let tips = vec![StyledStr::from(*tip)];
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

fn is_of_the_program(error: &clap::Error) -> bool {
    match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string().contains("<VERB>"),
        _ => false,
    }
}
