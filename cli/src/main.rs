//! The `alveary` program.

mod args;
mod bulk;
mod context;
mod detach;
mod failure;
mod filter;
mod follow;
mod foreground;
mod interrupt;
mod outcome;
mod output;
mod record;
mod show;
mod steps;
mod values;
mod verbs;

use std::process::ExitCode;

use args::Cli;
use context::Context;
use failure::Failure;
use outcome::Outcome;

fn main() -> ExitCode {
    // This program is its own keeper: started as one, it does not come back from here.
    #[cfg(feature = "process")]
    alveary_process::keeper::run_if_asked();

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
    if let Ok(filter) = std::env::var("ALVEARY_LOG") {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .init();
    }
    let context = Context { global: cli.global };
    // One thread is enough for what is mostly waiting, and is there at once.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(verbs::run(&cli.verb, &context))
}
