//! `init`: writes a first fleet file.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use alveary::{Escaped, FILE_NAME, Fleet, LoadOptions, SwarmName};
use clap::{Args, ValueHint};
use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, Select};

use crate::failure::Failure;
use crate::new_file;
use crate::outcome::Outcome;
use crate::output::note;

/// What can run agents, the one that needs nothing first.
const BACKENDS: [&str; 4] = ["process", "docker-api", "docker-cli", "auto"];

/// Asks a few things and writes a fleet file with comments
#[derive(Debug, Args)]
#[command(
    after_help = "Where nobody is there to be asked, or with --yes, the defaults are taken.\n\n\
                  Example: alveary init && alveary up"
)]
pub(crate) struct Init {
    /// Where to write it, which must not be there yet
    #[arg(short, long, value_name = "FILE", default_value = FILE_NAME, value_hint = ValueHint::FilePath)]
    output: PathBuf,

    /// Asks nothing
    #[arg(short, long)]
    yes: bool,
}

/// What the file is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answers {
    swarm: String,
    backend: String,
    agent: String,
    command: Vec<String>,
    image: Option<String>,
    count: u16,
    restarts: bool,
}

impl Init {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        if self.output.exists() {
            return Err(self.is_there());
        }
        let mut answers = Answers::defaults(&self.output);
        if !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal() {
            match answers.asked() {
                Ok(asked) => answers = asked,
                Err(dialoguer::Error::IO(error)) => return broken_off(&error),
            }
        }
        let text = answers.to_toml();
        // What was typed is checked as a file is, before there is one.
        Fleet::parse(&text, FILE_NAME, &LoadOptions::default()).map_err(alveary::Error::from)?;
        let name = self.output.display().to_string();
        match new_file::write(&self.output, &text) {
            Ok(()) => {
                let named = if self.output == Path::new(FILE_NAME) {
                    String::new()
                } else {
                    format!("--file {} ", Escaped(&name))
                };
                note(format_args!(
                    "wrote {}; bring it up by `alveary {named}up`",
                    Escaped(&name)
                ));
                Ok(Outcome::Done)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(self.is_there()),
            Err(error) => Err(Failure::input(
                format!("`{}` cannot be written: {error}", Escaped(&name)),
                new_file::cure(
                    &error,
                    "name a file in a folder that is there, and that you may write to",
                ),
            )),
        }
    }

    fn is_there(&self) -> Failure {
        let name = self.output.display().to_string();
        Failure::input(
            format!("`{}` is there already", Escaped(&name)),
            "edit that one, or name another by --output",
        )
    }
}

impl Answers {
    /// What is written where nobody says otherwise: a swarm called as the file's folder.
    fn defaults(output: &Path) -> Self {
        let whole = std::path::absolute(output).unwrap_or_default();
        let folder = whole.parent().and_then(Path::file_name);
        let folder = folder.map(|name| name.to_string_lossy().into_owned());
        Self {
            swarm: folder
                .filter(|name| name.parse::<SwarmName>().is_ok())
                .unwrap_or_else(|| "swarm".to_owned()),
            backend: BACKENDS[0].to_owned(),
            agent: "echo".to_owned(),
            command: ["sh", "-c", "echo I am $AGENT_NAME; exec sleep 1000"]
                .map(str::to_owned)
                .to_vec(),
            image: None,
            count: 2,
            restarts: true,
        }
    }

    fn asked(self) -> Result<Self, dialoguer::Error> {
        let theme = theme();
        let theme = theme.as_ref();
        let swarm = Input::with_theme(theme)
            .with_prompt("The swarm's name")
            .default(self.swarm)
            .validate_with(|name: &String| is_name(name))
            .interact_text()?;
        let backend = Select::with_theme(theme)
            .with_prompt("What runs its agents")
            .items(BACKENDS)
            .default(0)
            .interact()?;
        let agent = Input::with_theme(theme)
            .with_prompt("The name of a first agent")
            .default(self.agent)
            .validate_with(|name: &String| is_name(name))
            .interact_text()?;
        let command: String = Input::with_theme(theme)
            .with_prompt("Its command")
            .default(shell_words::join(&self.command))
            .validate_with(|line: &String| match shell_words::split(line) {
                Ok(words) if !words.is_empty() => Ok(()),
                Ok(_) => Err("name a program"),
                Err(_) => Err("close the quote"),
            })
            .interact_text()?;
        let image = if backend == 0 {
            None
        } else {
            let image: String = Input::with_theme(theme)
                .with_prompt("The image that it runs in")
                .default("busybox".to_owned())
                .interact_text()?;
            Some(image)
        };
        let count = Input::with_theme(theme)
            .with_prompt("How many of it")
            .default(self.count)
            .validate_with(|count: &u16| match count {
                1..=10_000 => Ok(()),
                _ => Err("from 1 to 10000"),
            })
            .interact_text()?;
        let restarts = Confirm::with_theme(theme)
            .with_prompt("Start it again when it fails")
            .default(self.restarts)
            .interact()?;
        Ok(Self {
            swarm,
            backend: BACKENDS[backend].to_owned(),
            agent,
            command: shell_words::split(&command).unwrap_or_default(),
            image,
            count,
            restarts,
        })
    }

    /// The file, with the keys that people look for next as comments.
    fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let words: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
        let image = self.image.as_deref().unwrap_or("busybox");
        let engine = if self.backend == "docker-cli" {
            "docker-cli"
        } else {
            "docker-api"
        };
        let off = if self.image.is_some() { "" } else { "# " };
        let (count, restart) = (
            if self.count == 1 {
                "# count = 5"
            } else {
                "count = "
            },
            if self.restarts { "" } else { "# " },
        );
        let count = match self.count {
            1 => count.to_owned(),
            more => format!("{count}{more}"),
        };
        format!(
            r#"# A swarm of agents. All keys are explained in docs/configuration.md.

swarm = {swarm}
backend = {backend}               # or "process", "docker-api", "docker-cli", "auto"

# What agents run in, where the backend is one of containers.
{off}[backends.{engine}]
{off}image = {image}

# What each agent has unless it says otherwise.
# [defaults]
# env = {{ LOG = "info" }}

[agents.{agent}]
command = [{words}]
{count}                              # {agent}-1, {agent}-2, …
{restart}restart = {{ policy = "on-failure", max = 5, within = "1m" }}
# env = {{ KEY = "value" }}
# secrets = {{ API_KEY = {{ file = "key.txt" }} }}   # found at the path that API_KEY_FILE holds
# cwd = "work"
# limits = {{ memory = "256MiB" }}
# ready = {{ log = "listening" }}                 # up once a line of its output has this
# after = "db"                                  # starts when that one is up
# stop = {{ grace = "10s" }}
"#,
            swarm = quoted(&self.swarm),
            backend = quoted(&self.backend),
            image = quoted(image),
            agent = toml_key(&self.agent),
            words = words.join(", "),
        )
    }
}

/// What is said where a question was not answered. The cursor stands behind it, and may be hidden.
fn broken_off(error: &io::Error) -> Result<Outcome, Failure> {
    let terminal = Term::stderr();
    terminal.show_cursor()?;
    terminal.write_line("")?;
    if error.kind() == io::ErrorKind::Interrupted {
        note("interrupted: nothing is written");
        return Ok(Outcome::Interrupted);
    }
    Err(Failure::input(
        format!("the questions were not answered to their end: {error}"),
        "take the defaults by `alveary init --yes`",
    ))
}

/// A name as the key of a table: one with a dot in it would be two.
fn toml_key(name: &str) -> String {
    if name.contains('.') {
        toml::Value::from(name).to_string()
    } else {
        name.to_owned()
    }
}

fn theme() -> Box<dyn Theme> {
    if anstream::stderr().current_choice() == anstream::ColorChoice::Never {
        Box::new(SimpleTheme)
    } else {
        Box::new(ColorfulTheme::default())
    }
}

/// Swarms and agents are named by the same rules.
fn is_name(text: &str) -> Result<(), String> {
    text.parse::<SwarmName>()
        .map(|_| ())
        .map_err(|error| error.to_string())
}
