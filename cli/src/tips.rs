//! What is typed by those who know other programs, and what it is called here.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Words in the place of a verb.
const VERBS: [(&str, &str); 6] = [
    ("start", "`alveary up NAME` starts an agent of the file"),
    (
        "run",
        "`alveary spawn -- PROGRAM` runs an agent that stands in no file",
    ),
    ("status", "`alveary ps` shows how agents stand"),
    ("list", "`alveary ps` shows agents"),
    (
        "resume",
        "`alveary unpause` lets agents go on that are held still",
    ),
    ("version", "`alveary --version` tells it"),
];

/// Flags, each with the verb behind which it is meant.
const FLAGS: [(&str, &str, &str); 13] = [
    (
        ANY,
        "--json",
        "verbs that print records have `--format json`",
    ),
    (ANY, "-o", "verbs that print records have `--format json`"),
    (
        ANY,
        "--remove-orphans",
        "`alveary up --prune` removes what the file does not name, and `alveary down` everything",
    ),
    (
        "up",
        "--build",
        "images are built by `docker build` or `podman build`; `container.image` names them",
    ),
    ("up", "--scale", "`alveary scale NAME=N` does it"),
    ("exec", "-d", ASIDE),
    ("exec", "--detach", ASIDE),
    ("exec", "-T", NO_TERMINAL),
    ("exec", "--no-tty", NO_TERMINAL),
    ("exec", "--no-TTY", NO_TERMINAL),
    (
        "ps",
        "--sort",
        "`alveary top` puts them in any order, and what a template prints is put in order by `sort`",
    ),
    ("init", "--force", NOT_OVER),
    ("init", "-f", NOT_OVER),
];

/// Behind whichever verb.
const ANY: &str = "";

const ASIDE: &str = "it stays with its program: put `&` behind the command to go on meanwhile";
const NO_TERMINAL: &str = "there is a terminal with -t alone: leave this out";
const NOT_OVER: &str = "it writes over no file: remove that one first, or name another by --output";
const SIGNAL: &str = "the signal is named by -s, as in `alveary kill -s HUP NAME`";

/// Says so where something was typed that has another name here.
pub(crate) fn add(mut error: clap::Error) -> clap::Error {
    let Some(tip) = tip(&error) else {
        return error;
    };
    // Better than what merely looks alike, or than how to hand it over as a value.
    for alike in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
        error.remove(alike);
    }
    let tips = vec![StyledStr::from(tip)];
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}

fn tip(error: &clap::Error) -> Option<&'static str> {
    let typed = |kind| match error.get(kind) {
        Some(ContextValue::String(typed)) => Some(typed.as_str()),
        _ => None,
    };
    let verb = verb(error)?;
    match error.kind() {
        // Within a verb, these words may mean something else.
        ErrorKind::InvalidSubcommand if verb == ANY => {
            let typed = typed(ContextKind::InvalidSubcommand)?;
            let known = VERBS.iter().find(|(word, _)| *word == typed);
            known.map(|(_, tip)| *tip)
        }
        ErrorKind::UnknownArgument => flag(&verb, typed(ContextKind::InvalidArg)?),
        _ => None,
    }
}

fn flag(verb: &str, typed: &str) -> Option<&'static str> {
    // As kill(1) has it: `-9`, and `-HUP`, of which the first letter is taken for a flag.
    if verb == "kill" && !typed.starts_with("--") {
        return Some(SIGNAL);
    }
    let meant = |(of, word, _): &&(&str, &str, &str)| [ANY, verb].contains(of) && *word == typed;
    FLAGS.iter().find(meant).map(|(_, _, tip)| *tip)
}

/// Behind which verb it was typed, as the usage that is shown says.
fn verb(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else {
        return None;
    };
    let usage = usage.to_string();
    if usage.contains("<VERB>") {
        return Some(ANY.to_owned());
    }
    // `Usage: alveary VERB …`
    usage.split_whitespace().nth(2).map(ToOwned::to_owned)
}
