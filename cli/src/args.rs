//! What can be typed.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

use alveary::SwarmName;
use clap::error::ErrorKind;
use clap::{
    ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint,
};

use crate::{complete, tips, verbs};

/// Runs swarms of agent processes on interchangeable backends.
#[derive(Debug, Parser)]
#[command(
    name = "alveary",
    version,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    max_term_width = 100,
    after_help = epilogue()
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    /// The same as --file, before the verb only: after it, -f is the verb's own
    #[arg(
        short = 'f',
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    file_before_the_verb: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What is said behind the flags: an example, the exit codes, the variables.
fn epilogue() -> String {
    let mut text = "\
Example: `alveary up --detach`, then `alveary ps` and `alveary logs -f echo`.

Exit codes: 0 done, 1 an agent failed, 2 bad input, 124 the time of `wait --timeout` was over, 125 the backend, \
130 interrupted; of `exec` those of its program.

Variables, above the file and below the flags:
"
    .to_owned();
    let ours = [(
        "ALVEARY_LOG",
        "what the program says of its own doings, as `debug` or `alveary=trace`",
    )];
    let config = alveary::VARIABLES
        .iter()
        .map(|variable| (variable.name, variable.meaning));
    for (name, meaning) in config.into_iter().chain(ours) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {name:17} {meaning}");
    }
    text
}

impl Cli {
    /// What each verb takes is made up only where that verb is typed, since all of it takes longer than many a verb;
    /// but for help, which says something of each.
    fn typed(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<_> = words.into_iter().collect();
        match Self::try_parse_from(&words) {
            Err(error) if is_help(error.kind()) => {
                let matches = Self::whole().try_get_matches_from(words)?;
                Self::from_arg_matches(&matches)
            }
            typed => typed.map_err(tips::add),
        }
    }

    /// All that can be typed.
    fn whole() -> clap::Command {
        let mut command = Self::command();
        command.build();
        command
    }

    /// Reads what was typed, and makes the two spellings of the file one.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut cli = Self::typed(words)?;
        let Some(file) = cli.file_before_the_verb.take() else {
            return Ok(cli);
        };
        match cli.global.file.replace(file) {
            None => Ok(cli),
            Some(_) => Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                "the file is named twice: by -f and by --file",
            )),
        }
    }
}

fn is_help(kind: ErrorKind) -> bool {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand};
    matches!(kind, DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand)
}

/// What can be said before and after any verb.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Global {
    /// The swarm's file; without it, `alveary.toml` here or in a folder above
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Everywhere",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) file: Option<PathBuf>,

    /// Another name for the swarm than its file says
    #[arg(
        short = 'p',
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Everywhere",
        add = complete::swarms()
    )]
    pub(crate) swarm: Option<SwarmName>,

    /// Another backend than the file says
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Everywhere",
        add = complete::backends()
    )]
    pub(crate) backend: Option<String>,

    /// When to colour what is printed
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    pub(crate) color: Color,
}

/// When to colour what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    // On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    pub(crate) fn choice(self) -> anstream::ColorChoice {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
    }
}

/// The verbs, in the order of a swarm's life.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Verb {
    Up(verbs::up::Up),
    Spawn(verbs::spawn::Spawn),
    Down(verbs::down::Down),
    Gc(verbs::gc::Gc),
    #[command(visible_alias = "ls")]
    Ps(verbs::ps::Ps),
    Swarms(verbs::swarms::Swarms),
    Logs(verbs::logs::Logs),
    Inspect(verbs::inspect::Inspect),
    Exec(verbs::exec::Exec),
    Cp(verbs::cp::Cp),
    Events(verbs::events::Events),
    Stats(verbs::stats::Stats),
    #[cfg(feature = "top")]
    Top(verbs::top::Top),
    Wait(verbs::wait::Wait),
    Stop(verbs::stop::Stop),
    Kill(verbs::kill::Kill),
    Pause(verbs::pause::Pause),
    Unpause(verbs::unpause::Unpause),
    Restart(verbs::restart::Restart),
    Rm(verbs::rm::Rm),
    Scale(verbs::scale::Scale),
    #[cfg(feature = "coordinator")]
    Task(verbs::task::Task),
    #[cfg(feature = "coordinator")]
    Agent(verbs::agent::Agent),
    #[cfg(feature = "coordinator")]
    Coordinator(verbs::coordinator::Coordinator),
    Bench(verbs::bench::Bench),
    Doctor(verbs::doctor::Doctor),
    Config(verbs::config::Config),
    Init(verbs::init::Init),
    #[cfg(feature = "import")]
    Import(verbs::import::Import),
    Startup(verbs::startup::Startup),
    Completions(verbs::completions::Completions),
    Man(verbs::man::Man),
    #[command(name = "__supervise", hide = true)]
    Supervise(verbs::supervise::Supervise),
}

/// Whom a verb means. An agent's name, the name of a group, an id, or the beginning of an id that only one
/// agent has.
#[derive(Debug, Clone, Args)]
pub(crate) struct Names {
    /// Agents, by name, by group, by id or by the beginning of an id
    #[arg(value_name = "NAME", required = true, action = ArgAction::Append, add = complete::agents())]
    pub(crate) names: Vec<String>,
}

/// Whom a verb means that may mean everybody.
#[derive(Debug, Clone, Args)]
pub(crate) struct Whom {
    /// Agents, by name, by group, by id or by the beginning of an id
    #[arg(value_name = "NAME", required_unless_present = "all", action = ArgAction::Append, add = complete::agents())]
    pub(crate) names: Vec<String>,

    /// Every agent of the swarm that has not ended
    #[arg(short, long, conflicts_with = "names")]
    pub(crate) all: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn f_is_the_file_before_the_verb_and_the_verbs_own_after_it() {
        let cli = parse("alveary -f a.toml logs -f echo").unwrap();
        assert_eq!(cli.global.file.unwrap().to_str(), Some("a.toml"));
        assert!(matches!(cli.verb, Verb::Logs(logs) if logs.follow));
    }

    #[test]
    fn what_is_global_may_stand_on_either_side_of_the_verb() {
        for line in [
            "alveary --file a.toml -p x --backend process --color never ps",
            "alveary ps --file a.toml -p x --backend process --color never",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!(cli.global.file.unwrap().to_str(), Some("a.toml"), "{line}");
            assert_eq!(cli.global.swarm.unwrap().as_str(), "x", "{line}");
            assert_eq!(cli.global.backend.as_deref(), Some("process"), "{line}");
            assert_eq!(cli.global.color, Color::Never, "{line}");
        }
    }

    #[test]
    fn what_a_verb_takes_is_not_mistaken_for_what_is_global() {
        fn walk(verb: &clap::Command, global: &[String]) {
            // By their ids clap hands on what is global, where a verb has none of that id.
            for own in verb.get_arguments().filter(|one| !one.is_global_set()) {
                let id = own.get_id().to_string();
                assert!(!global.contains(&id), "`{id}` of {}", verb.get_name());
            }
            for verb in verb.get_subcommands() {
                walk(verb, global);
            }
        }
        let command = Cli::whole();
        let global = command.get_arguments().filter(|one| one.is_global_set());
        let global: Vec<_> = global.map(|one| one.get_id().to_string()).collect();
        assert!(global.contains(&"file".to_owned()), "{global:?}");
        for verb in command.get_subcommands() {
            walk(verb, &global);
        }
    }

    #[test]
    fn a_file_is_named_once() {
        assert!(parse("alveary -f a.toml --file b.toml ps").is_err());
        assert!(parse("alveary -f a.toml ps --file b.toml").is_err());
    }

    #[test]
    fn a_verb_that_takes_no_file_refuses_f() {
        assert_eq!(parse("alveary down -f a.toml").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn every_verb_shows_an_example() {
        for verb in Cli::whole().get_subcommands_mut() {
            // clap's own is its `help`.
            if verb.is_hide_set() || verb.get_name() == "help" {
                continue;
            }
            let help = verb.render_help().to_string();
            assert!(help.contains("Example"), "{} has none", verb.get_name());
        }
    }
}
