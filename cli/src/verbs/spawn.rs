//! `spawn`: starts one agent that stands in no file.

use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use alveary::{
    Agent, AgentId, AgentState, ByteSize, ConfigError, Error, ErrorKind, FILE_NAME, Fleet,
    UpOptions, UpOutcome,
};
use clap::{Args, ValueHint};
use toml::{Table, Value};

use crate::coming;
use crate::context::{Context, note_followed};
use crate::detach::leave_supervisor;
use crate::failure::{Failure, outcome_of, tell_of};
use crate::outcome::Outcome;
use crate::output::{self, note};
use crate::typed;

/// What runs agents in a container, where this program was built with it.
const IN_ONE: &str = if cfg!(feature = "docker-api") {
    "; --backend docker-api runs them in one"
} else {
    ""
};

/// Starts one agent that stands in no file
///
/// It is of the swarm as if it stood in its file, defaults and all, until it is removed: by `rm`, `down` or
/// `up --prune`. Its id is printed.
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
    memory: Option<ByteSize>,

    /// Whether it is started again
    #[arg(long, value_name = "POLICY", value_parser = ["never", "on-failure", "always"])]
    restart: Option<String>,

    /// The program and its arguments; the image's own, without
    #[arg(value_name = "PROGRAM", trailing_var_arg = true)]
    command: Vec<String>,
}

impl Spawn {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let name = self.name.clone().unwrap_or_else(|| self.drawn_name());
        typed::are_there(&self.env_file)?;
        let (file, written) = written(context, &name)?;
        let fleet = self.with_one_more(context, &name, file, written);
        let started = async { self.start(context, &name, fleet?).await }.await;
        started.map_err(|failure| self.as_typed(&name, failure))
    }

    async fn start(&self, context: &Context, name: &str, fleet: Fleet) -> Result<Outcome, Failure> {
        let opened = context.open_fleet_to_start(fleet).await?;
        note_followed(&opened);
        if opened.swarm.find(name).await?.is_some_and(|of| lives(&of)) {
            return Err(lives_already(name));
        }
        let backend = opened.swarm.backend();
        if self.image.is_some() && !backend.capabilities().container {
            // In a file it may stand beside any backend; here somebody wanted it now.
            note(format_args!(
                "--image is not used: agents of {} run in no container{IN_ONE}",
                backend.kind()
            ));
        }
        let options = UpOptions::default()
            .with_names([name])
            .with_refuse_living(true);
        // Somebody else may have started one of this name since.
        let is_taken = |error: &Error| error.kind() == ErrorKind::AlreadyExists;
        let report = match opened.swarm.up(&opened.fleet, options).await {
            Err(error) if is_taken(&error) => return Err(lives_already(name)),
            report => report?,
        };
        let mut outcome = Outcome::Done;
        for up in &report.outcomes {
            match &up.result {
                Ok(_) => {}
                Err(error) if up.step.name == name && is_taken(error) => {
                    return Err(lives_already(name));
                }
                Err(error) => {
                    tell_of(&up.step.name, &about_flags(error));
                    outcome = outcome.or(outcome_of(error));
                }
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
        mut whole: Table,
    ) -> Result<Fleet, Failure> {
        let agents = whole
            .entry("agents")
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(agents) = agents {
            agents.insert(name.to_owned(), Value::Table(self.table()?));
        }
        let fleet = Fleet::parse(&whole.to_string(), file, &context.load_options());
        Ok(fleet.map_err(Error::from)?)
    }

    /// The agent as a file has it.
    fn table(&self) -> Result<Table, Failure> {
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
        let memory = self.memory.map(|size| size.0.to_string());
        for (key, within, value) in [
            ("limits", "memory", &memory),
            ("container", "image", &self.image),
        ] {
            if let Some(value) = value {
                let table = Table::from_iter([(within.to_owned(), value.as_str().into())]);
                agent.insert(key.to_owned(), Value::Table(table));
            }
        }
        Ok(agent)
    }

    /// What is wrong with the agent, without a place: it stands in no file where somebody could look it up.
    fn as_typed(&self, name: &str, failure: Failure) -> Failure {
        let Some(error) = failure.as_error() else {
            return failure;
        };
        let error = about_flags(error);
        let source = error.source();
        let Some(config) = source.and_then(|source| source.downcast_ref::<ConfigError>()) else {
            return error.into();
        };
        match (config.position(), config.file()) {
            (None, Some(file)) if !self.env_file.is_empty() => {
                typed::not_of_variables(file, config.message())
            }
            (None, _) => failure,
            (Some(_), _) => {
                let of_it = format!("the agent `{name}`: ");
                let message = config.message();
                // A name that was drawn tells nobody anything.
                let drawn = message.strip_prefix(&of_it).filter(|_| self.name.is_none());
                Failure::input(
                    drawn.unwrap_or(message),
                    error.cure().unwrap_or("say it otherwise"),
                )
            }
        }
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
fn written(context: &Context, name: &str) -> Result<(PathBuf, Table), Failure> {
    let options = context.load_options();
    let fleet = match Fleet::load(&options) {
        Ok(fleet) => fleet,
        // A swarm of this one agent.
        Err(error) if error.is_no_file() && options.file.is_none() => {
            return Ok((FILE_NAME.into(), Table::new()));
        }
        Err(error) => return Err(Error::from(error).into()),
    };
    if fleet.agent(name).is_some() || fleet.members().iter().any(|member| member.name == name) {
        return Err(Failure::input(
            format!("the file has an agent `{name}` already"),
            format!("bring that one up by `alveary up {name}`, or say another --name"),
        ));
    }
    let unreadable = |why: &dyn std::fmt::Display| {
        let what = format!("{} cannot be read: {why}", fleet.file.display());
        Failure::input(what, "let yourself read it")
    };
    let text = fs::read_to_string(&fleet.file).map_err(|error| unreadable(&error))?;
    let table = text.parse::<Table>().map_err(|error| unreadable(&error))?;
    Ok((fleet.file, table))
}

/// Whether it is there and could be spoken to, or is about to be. One that never was started is not.
fn lives(agent: &Agent) -> bool {
    !agent.is_settled() && !matches!(agent.state(), AgentState::Pending)
}

fn lives_already(name: &str) -> Failure {
    Failure::input(
        format!("an agent `{name}` lives already"),
        format!("say another --name, or end that one first: `alveary rm --force {name}`"),
    )
}

/// The same with a cure that speaks of what was typed.
fn about_flags(error: &Error) -> Error {
    match error.cure() {
        Some(cure) => error.clone().with_cure(typed::cure(cure, "--cwd")),
        None => error.clone(),
    }
}
