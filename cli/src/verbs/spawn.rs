//! `spawn`: starts one agent that stands in no file.

use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use alveary::{AgentId, ConfigError, Error, FILE_NAME, Fleet, UpOptions, UpOutcome};
use clap::{Args, ValueHint};
use toml::{Table, Value};

use crate::coming;
use crate::context::{Context, note_followed};
use crate::detach::leave_supervisor;
use crate::failure::{Failure, tell_of};
use crate::outcome::Outcome;
use crate::output::{self, note};

/// Starts one agent that stands in no file
///
/// It is of the swarm as if it stood in its file, defaults and all, until it is removed. Its id is printed.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary spawn --name scribe -e LOG=debug -- python3 agent.py")]
pub(crate) struct Spawn {
    /// What it is called; after its program, with a few letters behind it, unless said
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// A variable; without a value, as it is in the caller's environment
    #[arg(short, long = "env", value_name = "KEY[=VALUE]")]
    env: Vec<String>,

    /// A file of variables
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    env_file: Vec<String>,

    /// The image that it runs in, where the backend is one of containers
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,

    /// The directory that it runs in
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    cwd: Option<String>,

    /// What it says it can do
    #[arg(long, value_name = "WORD")]
    capability: Vec<String>,

    /// How much memory it may hold, such as 256MiB
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,

    /// Whether it is started again: never, on-failure or always
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,

    /// The program and its arguments; the image's own, without
    #[arg(
        value_name = "PROGRAM",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl Spawn {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let name = self.name.clone().unwrap_or_else(|| self.drawn_name());
        let (file, text) = written(context, &name)?;
        let fleet = self.with_one_more(context, &name, file, text);
        let started = async { self.start(context, &name, fleet?).await }.await;
        started.map_err(without_place)
    }

    async fn start(&self, context: &Context, name: &str, fleet: Fleet) -> Result<Outcome, Failure> {
        let opened = context.open_fleet_to_start(fleet).await?;
        note_followed(&opened);
        let options = UpOptions::default().with_names([name]);
        let report = opened.swarm.up(&opened.fleet, options).await?;
        let mut outcome = Outcome::Done;
        for up in &report.outcomes {
            if let Err(error) = &up.result {
                tell_of(&up.step.name, error);
                outcome = outcome.or(crate::failure::outcome_of(error));
            }
        }
        let started: Vec<_> = report
            .outcomes
            .iter()
            .filter_map(UpOutcome::started)
            .collect();
        let on_their_way = started
            .iter()
            .map(|info| (info.id.clone(), info.state.clone()));
        outcome = outcome.or(coming::arrived(&opened.swarm, on_their_way).await);
        let mut out = output::stdout();
        for info in &started {
            writeln!(out, "{}", info.id)?;
        }
        out.flush()?;
        if self.restart.is_some() && !started.is_empty() {
            leave_supervisor(&opened).await?;
        }
        if self.name.is_none() && !started.is_empty() {
            note(format_args!("it is called {name}"));
        }
        Ok(outcome)
    }

    /// The swarm as its file says, and this agent.
    fn with_one_more(
        &self,
        context: &Context,
        name: &str,
        file: PathBuf,
        mut text: String,
    ) -> Result<Fleet, Failure> {
        text.push('\n');
        text.push_str(&self.table(name)?);
        Ok(Fleet::parse(&text, file, &context.load_options()).map_err(Error::from)?)
    }

    /// The agent as a file has it.
    fn table(&self, name: &str) -> Result<String, Failure> {
        let array =
            |words: &[String]| Value::Array(words.iter().cloned().map(Value::String).collect());
        let mut agent = Table::new();
        if !self.command.is_empty() {
            agent.insert("command".to_owned(), array(&self.command));
        }
        let (mut env, mut inherit) = (Table::new(), Vec::new());
        for variable in &self.env {
            match variable.split_once('=') {
                Some((key, value)) => {
                    env.insert(key.to_owned(), value.into());
                }
                None => inherit.push(variable.clone()),
            }
        }
        let here = std::env::current_dir().map_err(|error| {
            let what = format!("where this is cannot be told: {error}");
            Failure::input(what, "change into a directory that is there")
        })?;
        let from_here = |path: &String| here.join(path).display().to_string();
        let files: Vec<String> = self.env_file.iter().map(from_here).collect();
        for (key, words) in [
            ("inherit", &inherit),
            ("env_file", &files),
            ("capabilities", &self.capability),
        ] {
            if !words.is_empty() {
                agent.insert(key.to_owned(), array(words));
            }
        }
        let cwd = self.cwd.as_ref().map(from_here);
        if let Some(cwd) = cwd {
            agent.insert("cwd".to_owned(), cwd.into());
        }
        if let Some(policy) = &self.restart {
            agent.insert("restart".to_owned(), policy.as_str().into());
        }
        if !env.is_empty() {
            agent.insert("env".to_owned(), Value::Table(env));
        }
        for (key, within, value) in [
            ("limits", "memory", &self.memory),
            ("container", "image", &self.image),
        ] {
            if let Some(value) = value {
                let table = Table::from_iter([(within.to_owned(), value.as_str().into())]);
                agent.insert(key.to_owned(), Value::Table(table));
            }
        }
        let agents = Table::from_iter([(name.to_owned(), Value::Table(agent))]);
        let whole = Table::from_iter([("agents".to_owned(), Value::Table(agents))]);
        Ok(whole.to_string())
    }

    /// The name of its program, and letters that nobody else has.
    fn drawn_name(&self) -> String {
        let program = self.command.first().map_or("agent", String::as_str);
        let program = program.rsplit('/').next().unwrap_or_default();
        let letters = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let program: String = program.chars().filter(letters).take(32).collect();
        let program = program.trim_start_matches(['_', '-']);
        let program = if program.is_empty() { "agent" } else { program };
        let drawn = AgentId::random().to_string();
        format!("{program}-{}", drawn.get(..6).unwrap_or_default())
    }
}

/// The swarm's file, and what is written in it. Nobody of this name is.
fn written(context: &Context, name: &str) -> Result<(PathBuf, String), Failure> {
    let options = context.load_options();
    let fleet = match Fleet::load(&options) {
        Ok(fleet) => fleet,
        // A swarm of this one agent.
        Err(error) if error.is_no_file() && options.file.is_none() => {
            return Ok((FILE_NAME.into(), String::new()));
        }
        Err(error) => return Err(Error::from(error).into()),
    };
    if fleet.agent(name).is_some() || fleet.members().iter().any(|member| member.name == name) {
        return Err(Failure::input(
            format!("the file has an agent `{name}` already"),
            format!("bring that one up by `alveary up {name}`, or say another --name"),
        ));
    }
    let text = fs::read_to_string(&fleet.file).map_err(|error| {
        let what = format!("{} cannot be read: {error}", fleet.file.display());
        Failure::input(what, "let yourself read it")
    })?;
    Ok((fleet.file, text))
}

/// What is wrong with the agent, without a place: it stands in no file where somebody could look it up.
fn without_place(failure: Failure) -> Failure {
    let config = failure
        .as_error()
        .and_then(|error| error.source()?.downcast_ref::<ConfigError>());
    match config {
        Some(config) if config.position().is_some() => Failure::input(
            config.message(),
            config.cure().unwrap_or("say it otherwise"),
        ),
        _ => failure,
    }
}
