//! The `alveary` program.

mod args;
mod bench;
mod bulk;
mod coming;
mod complete;
mod context;
#[cfg_attr(not(feature = "coordinator"), path = "no_coordinator.rs")]
mod coordinating;
mod cures;
mod detach;
mod failure;
mod filter;
mod follow;
mod foreground;
#[cfg(feature = "import")]
mod import;
mod interrupt;
mod keyboard;
mod new_file;
mod outcome;
mod output;
mod record;
mod scrape;
mod seat;
mod show;
mod steps;
mod tips;
mod together;
#[cfg(feature = "top")]
mod top;
mod typed;
mod unit;
mod values;
mod verbs;
mod watching;

use std::io::IsTerminal;
use std::process::ExitCode;

use args::{Cli, Verb};
use context::Context;
use failure::Failure;
use outcome::Outcome;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    // This program is its own keeper: started as one, it does not come back from here.
    #[cfg(feature = "process")]
    alveary::keeper::run_if_asked();

    complete::answer_if_asked();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    cli.global.color.choice().write_global();
    let outcome = run(cli).unwrap_or_else(|failure| {
        failure.tell();
        failure.outcome()
    });
    outcome.into()
}

fn run(cli: Cli) -> Result<Outcome, Failure> {
    speak_of_own_doings(&cli.verb)?;
    let context = Context { global: cli.global };
    // One thread is enough for what is mostly waiting, and is there at once.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::system("begin"))?;
    runtime.block_on(verbs::run(&cli.verb, &context))
}

/// On request by `ALVEARY_LOG`. The supervisor, whose stderr is a file of its own, does so unasked; and so does
/// everyone of what nobody would otherwise be told of.
fn speak_of_own_doings(verb: &Verb) -> Result<(), Failure> {
    let (filter, asked) = match (std::env::var(LOG), verb) {
        (Ok(filter), _) => (filter, true),
        (Err(_), Verb::Supervise(_)) => ("info".to_owned(), true),
        // What becomes of its tasks is all that there is to see of it.
        #[cfg(feature = "coordinator")]
        (Err(_), Verb::Agent(_)) => ("warn,alveary_agent=info".to_owned(), false),
        #[cfg(feature = "coordinator")]
        (Err(_), Verb::Coordinator(_)) => ("warn".to_owned(), false),
        (Err(_), _) => (TOLD.to_owned(), false),
    };
    let form = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let filter: Targets = filter.parse().map_err(|_| not_a_filter(&filter))?;
    let phases = matches!(verb, Verb::Bench(_)).then(bench::phases::listener);
    let heard = tracing_subscriber::registry().with(phases);
    #[cfg(feature = "top")]
    if matches!(verb, Verb::Top(_)) && std::io::stderr().is_terminal() {
        // The terminal is a picture meanwhile.
        let form = form.with_writer(top::Aside::writer);
        heard.with(form.with_filter(filter)).init();
        return Ok(());
    }
    if asked {
        heard.with(form.with_filter(filter)).init();
    } else {
        let form = form.without_time().with_target(false);
        heard.with(form.with_filter(filter)).init();
    }
    Ok(())
}

/// How much is told of the program's own doings.
const LOG: &str = "ALVEARY_LOG";

fn not_a_filter(text: &str) -> Failure {
    Failure::input(
        format!("`{LOG}` says `{text}`, which is no level and no list of them"),
        "say `debug`, or levels of parts: `warn,alveary_process=trace`",
    )
}

/// Those who would otherwise say to nobody what is wrong: who reads records, and whoever makes do with less than was asked
/// for.
const TOLD: &str = "alveary::state=warn,alveary::manager::store=warn,alveary_process::keep::journal=warn,\
                    alveary_docker::container::remarks=warn,alveary_docker::api::logins=warn";
