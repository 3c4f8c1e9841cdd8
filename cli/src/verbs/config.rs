//! `config`: checks the file, or shows what comes of it.

use alveary::{Error, Fleet, Registry};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output;
use crate::record::SCHEMA;

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
    #[command(after_help = "Example: alveary config check")]
    Check,
    /// Prints the JSON Schema of fleet files, for editors
    #[command(after_help = "Example: alveary config schema > alveary.schema.json")]
    Schema,
    /// Shows what comes of defaults, file, environment and flags; of secrets, where they come from
    #[command(after_help = "Example: alveary config show --backend process")]
    Show {
        /// How to print it
        #[arg(long, value_name = "FORM", default_value = "toml")]
        format: Format,
    },
}

/// How what results is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    // As a fleet file.
    Toml,
    // As one object.
    Json,
}

impl Config {
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        if let What::Schema = self.what {
            let mut text = Vec::new();
            output::write_pretty(&mut text, &Registry::builtin().schema())?;
            output::print_bytes(&text)?;
            return Ok(Outcome::Done);
        }
        let fleet = context.fleet()?;
        Registry::builtin().prepare(&fleet).map_err(Error::from)?;
        if let What::Show { format } = self.what {
            let mut text = Vec::new();
            match format {
                Format::Toml => text.extend(fleet.to_toml().map_err(Error::from)?.into_bytes()),
                Format::Json => output::write_line(&mut text, &Shown::new(&fleet))?,
            }
            output::print_bytes(&text)?;
        }
        Ok(Outcome::Done)
    }
}

/// The fleet as one JSON object.
#[derive(Serialize)]
struct Shown<'a> {
    schema: u32,
    fleet: &'a Fleet,
}

impl<'a> Shown<'a> {
    fn new(fleet: &'a Fleet) -> Self {
        Self {
            schema: SCHEMA,
            fleet,
        }
    }
}
