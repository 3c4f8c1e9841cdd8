//! `import`: makes a fleet file of another tool's.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use alveary::{Escaped, FILE_NAME, Fleet, LoadOptions};
use clap::{Args, ValueHint};

use crate::failure::{Failure, without_numbers};
use crate::import::{Kind, Source};
use crate::new_file;
use crate::outcome::Outcome;
use crate::output::{self, note};

/// Makes a fleet file of a compose file or a Procfile
#[derive(Debug, Args)]
#[command(
    after_help = "What cannot be carried over is said, and stands at the head of what is made.\n\n\
                  Example: alveary import compose.yaml --output alveary.toml"
)]
pub(crate) struct Import {
    /// The file: compose.yaml, docker-compose.yml or Procfile
    #[arg(value_name = "FOREIGN", value_hint = ValueHint::FilePath)]
    from: PathBuf,

    /// Where to write the fleet file, which must not be there yet; to the output without
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// What kind of file it is, where its name does not say it
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<Kind>,
}

impl Import {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let from = self.from.display().to_string();
        let text = fs::read_to_string(&self.from).map_err(|error| {
            let what = format!("`{}` cannot be read: {error}", Escaped(&from));
            Failure::input(what, "name a file that is there, and that you may read")
        })?;
        let kind = self.kind.or_else(|| Kind::of(&self.from)).ok_or_else(|| {
            Failure::input(
                format!(
                    "the name `{}` does not say what kind of file it is",
                    Escaped(&from)
                ),
                "say it by `--as compose` or `--as procfile`",
            )
        })?;
        let folder = std::path::absolute(&self.from)
            .ok()
            .and_then(|whole| whole.parent().map(Path::to_owned))
            .unwrap_or_default();
        let beside = match kind {
            Kind::Compose => variables_beside(&folder)?,
            Kind::Procfile => HashMap::new(),
        };
        let source = Source {
            text: &text,
            variable: &|name| {
                std::env::var(name)
                    .ok()
                    .or_else(|| beside.get(name).cloned())
            },
        };
        let imported = source.read(kind)?;
        let made = imported.to_toml(&from);
        self.write(&made)?;
        for left in &imported.left {
            note(format_args!(
                "not as it was: {}",
                Escaped(&left.to_string())
            ));
        }
        say_what_is_wrong(&made);
        Ok(Outcome::Done)
    }

    fn write(&self, made: &str) -> Result<(), Failure> {
        let Some(output) = &self.output else {
            return Ok(output::print_bytes(made.as_bytes())?);
        };
        new_file::write(output, made).map_err(|error| {
            let name = output.display().to_string();
            let what = format!("`{}` cannot be written: {error}", Escaped(&name));
            let otherwise = "name a file that is not there yet, in a folder that is";
            Failure::input(what, new_file::cure(&error, otherwise))
        })
    }
}

/// What compose takes for variables that the environment does not have: those of `.env` beside the file.
fn variables_beside(folder: &Path) -> Result<HashMap<String, String>, Failure> {
    let file = folder.join(".env");
    if !file.exists() {
        return Ok(HashMap::new());
    }
    let variables = alveary::read_env_file(&file).map_err(alveary::Error::from)?;
    Ok(variables.into_iter().collect())
}

/// What a fleet file cannot be made of is in it all the same, for a person to mend.
fn say_what_is_wrong(made: &str) {
    if let Err(error) = Fleet::parse(made, FILE_NAME, &LoadOptions::default()) {
        let error = without_numbers(&error.to_string());
        note(format_args!("the fleet file is not right yet: {error}"));
    }
}
