//! What a shell offers while a command is typed: what is in the state folder and in the file, and nothing that an engine
//! would have to be asked for.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use alveary::{Fleet, LoadOptions, Registry, recorded_names, recorded_swarms};
use clap::CommandFactory;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;

use crate::args::Cli;
use crate::filter;

/// By this a shell's completion calls the program.
pub(crate) const VARIABLE: &str = "ALVEARY_COMPLETE";

/// Answers a shell that completes, and does not come back then.
pub(crate) fn answer_if_asked() {
    CompleteEnv::with_factory(Cli::command)
        .var(VARIABLE)
        .bin("alveary")
        .complete();
}

/// The swarm's agents and groups.
pub(crate) fn agents() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| beginning(typed, &names(), ""))
}

/// The swarm's agents, with a colon behind each.
pub(crate) fn agents_paths() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let mut offered = beginning(typed, &names(), ":");
        offered.extend(clap_complete::engine::ValueCompleter::complete(
            &clap_complete::engine::PathCompleter::any(),
            typed,
        ));
        offered
    })
}

/// The groups of the file, with the sign behind each that a number comes after.
pub(crate) fn counts() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let fleet = Fleet::load(&meant()).ok();
        let groups = fleet.iter().flat_map(Fleet::agents);
        let groups = groups.map(|agent| agent.name.clone()).collect();
        beginning(typed, &groups, "=")
    })
}

/// The backends of this program.
pub(crate) fn backends() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let registry = Registry::builtin();
        let names = registry.names().chain(["auto"]);
        beginning(typed, &names.map(ToOwned::to_owned).collect(), "")
    })
}

/// What agents are picked out by.
pub(crate) fn filters() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| beginning(typed, &filter::examples().collect(), ""))
}

/// The swarms that there have been.
pub(crate) fn swarms() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let records = recorded_swarms(None).unwrap_or_default();
        let names: BTreeSet<String> = records
            .into_iter()
            .flatten()
            .map(|record| record.name.to_string())
            .collect();
        beginning(typed, &names, "")
    })
}

fn beginning(typed: &OsStr, names: &BTreeSet<String>, behind: &str) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    names
        .iter()
        .filter(|name| name.starts_with(&*typed))
        .map(|name| CompletionCandidate::new(format!("{name}{behind}")))
        .collect()
}

/// Of the swarm that is meant by what has been typed before. Where anything is amiss, nothing is offered.
fn names() -> BTreeSet<String> {
    let options = meant();
    let fleet = Fleet::load(&options).ok();
    let mut names = BTreeSet::new();
    if let Some(fleet) = &fleet {
        for member in fleet.members() {
            names.insert(member.group.clone());
            names.insert(member.name);
        }
    }
    let swarm = match &fleet {
        Some(fleet) => Some(fleet.swarm.clone()),
        None => options.swarm.and_then(|name| name.parse().ok()),
    };
    if let Some(swarm) = swarm {
        let root = fleet.as_ref().and_then(|fleet| fleet.state_dir.as_deref());
        names.extend(recorded_names(&swarm, root).unwrap_or_default());
    }
    names
}

/// Which swarm is meant by what has been typed before.
fn meant() -> LoadOptions {
    let words: Vec<OsString> = std::env::args_os().collect();
    let mut options = LoadOptions::default();
    options.swarm = said(&words, &["-p", "--swarm"]);
    // Behind the verb, -f is the verb's own.
    let verb = words.iter().skip(1).position(|word| is_verb(word));
    let before = words.get(..verb.map_or(words.len(), |at| at + 1));
    let file = said(&words, &["--file"]).or_else(|| said(before.unwrap_or_default(), &["-f"]));
    options.file = file.map(Into::into);
    options
}

fn is_verb(word: &OsStr) -> bool {
    let word = word.to_string_lossy();
    let cli = Cli::command();
    cli.get_subcommands()
        .any(|verb| verb.get_name() == word || verb.get_all_aliases().any(|alias| alias == word))
}

/// What one of these flags says among the words, whichever way it is written.
fn said(words: &[OsString], flags: &[&str]) -> Option<String> {
    let words = || words.iter().map(|word| word.to_string_lossy());
    let behind = words()
        .zip(words().skip(1))
        .find(|(flag, _)| flags.contains(&&**flag))
        .map(|(_, value)| value.into_owned());
    behind.or_else(|| {
        words().find_map(|word| {
            let (flag, value) = word.split_once('=')?;
            flags.contains(&flag).then(|| value.to_owned())
        })
    })
}
