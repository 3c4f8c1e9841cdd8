//! `config`: checks the file, or shows what comes of it.

use clap::{Args, Subcommand, ValueEnum};

/// Checks the swarm's file, or shows what comes of it
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary config check && alveary config show --format json")]
pub(crate) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Says what is wrong with the file, and is silent where nothing is
    Check,
    /// Shows what comes of defaults, file, environment and flags; secrets are masked
    Show {
        /// How to print it
        #[arg(long, value_name = "FORM", default_value = "toml")]
        format: Format,
    },
}

/// How what results is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As a file that gives the same swarm
    Toml,
    /// As one JSON object
    Json,
}
