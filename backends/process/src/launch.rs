//! From a spec to what is started: everything that can be found out before a process is made.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use alveary_core::{
    AgentId, AgentPlan, AgentSpec, Capabilities, Error, ErrorKind, Escaped, Incarnation, Limits,
    MAX_ARGUMENT, Operation, Result, SecretDelivery, SecretSpec, SpecHash, Stop, SwarmUid, User,
};
use serde::{Deserialize, Serialize};

use crate::os::process::{INCARNATION_KEY, SWARM_KEY};

/// What agents are given of the caller's environment without asking.
const HANDED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// Under this name each process of an agent finds its id.
const ID_KEY: &str = "ALVEARY_AGENT_ID";

/// Where a program is looked for when the agent is given no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// One start of one agent, ready to be made: paths are whole, secrets are read, the environment is complete.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) id: AgentId,
    pub(crate) incarnation: Incarnation,
    pub(crate) name: String,
    pub(crate) capabilities: Vec<String>,
    pub(crate) spec_hash: SpecHash,
    pub(crate) program: PathBuf,
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    /// Those that are handed over as files.
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) user: Option<User>,
    pub(crate) limits: Limits,
    pub(crate) stop: Stop,
    /// What the caller's files are not to be.
    #[serde(default = "usual_umask")]
    pub(crate) umask: u32,
}

fn usual_umask() -> u32 {
    0o022
}

/// Without arguments, environment and secrets: none of them belongs into a trace.
impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("id", &self.id)
            .field("incarnation", &self.incarnation)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

impl Launch {
    /// Completes a spec from the caller's own surroundings, and refuses what could not start.
    pub(crate) fn prepare(
        swarm: SwarmUid,
        id: &AgentId,
        incarnation: Incarnation,
        spec: &AgentSpec,
    ) -> Result<Self> {
        let launch = || -> Result<Self> {
            at_most().admit(spec)?;
            let (mut env, secrets) = environment(spec)?;
            for (key, value) in [
                (SWARM_KEY, swarm.to_string()),
                (ID_KEY, id.to_string()),
                (INCARNATION_KEY, incarnation.to_string()),
            ] {
                env.insert(key.to_owned(), value);
            }
            let (program, cwd) = find(spec, env.get("PATH").map(String::as_str))?;
            Ok(Self {
                id: id.clone(),
                incarnation,
                name: spec.name.clone(),
                capabilities: spec.capabilities.clone(),
                spec_hash: spec.hash(),
                program,
                argv: spec.command.clone(),
                env,
                secrets,
                cwd,
                user: spec.user,
                limits: spec.limits.clone(),
                stop: spec.stop.clone(),
                umask: crate::os::process::umask().unwrap_or_else(usual_umask),
            })
        };
        launch().map_err(|error| error.with_agent(id))
    }
}

/// What a spec would come to, for those who only want to know. No secret is read.
pub(crate) fn plan(id: &AgentId, spec: &AgentSpec) -> Result<AgentPlan> {
    let plan = || -> Result<AgentPlan> {
        at_most().admit(spec)?;
        let handed_on = HANDED_ON
            .into_iter()
            .chain(spec.inherit.iter().map(String::as_str))
            .filter(|key| env::var_os(key).is_some());
        let names: BTreeSet<&str> = spec
            .env
            .keys()
            .map(String::as_str)
            .chain(handed_on)
            .chain([SWARM_KEY, ID_KEY, INCARNATION_KEY])
            .collect();
        let path = spec.env.get("PATH").cloned();
        let path = path.or_else(|| env::var("PATH").ok());
        let (program, cwd) = find(spec, path.as_deref())?;
        let limits = &spec.limits;
        let stop = &spec.stop;
        Ok(AgentPlan::default()
            .with("program", program.display())
            .with_each("argument", spec.command.iter().skip(1))
            .with_some("directory", cwd.as_deref().map(Path::display))
            .with_some(
                "user",
                spec.user.map(|user| format!("{}:{}", user.uid, user.gid)),
            )
            .with("environment", Vec::from_iter(names).join(" "))
            .with_each("secret", spec.secrets.iter().map(told))
            .with_some("limits.memory", limits.memory)
            .with_some(
                "limits.cpu_time",
                limits.cpu_time.map(humantime::format_duration),
            )
            .with_some("limits.nofile", limits.nofile)
            .with_some("limits.nproc", limits.nproc)
            .with(
                "stop",
                format!(
                    "{}, and KILL after {}",
                    stop.signal_or_term(),
                    humantime::format_duration(stop.grace)
                ),
            ))
    };
    plan().map_err(|error| error.with_agent(id))
}

/// How an agent gets a secret.
fn told((key, secret): (&String, &SecretSpec)) -> String {
    match secret.delivery {
        SecretDelivery::Env => format!("{key} as a variable"),
        _ => format!("{key} as a file, which {key}_FILE names"),
    }
}

/// The program and where it works, if it could be started and stopped.
fn find(spec: &AgentSpec, path: Option<&str>) -> Result<(PathBuf, Option<PathBuf>)> {
    let signal = spec.stop.signal_or_term();
    crate::os::process::can_be_sent(signal).map_err(|error| {
        Error::unsupported(
            Operation::Spawn,
            format!("`stop.signal = {signal}` cannot be sent: {error}"),
            "use a signal that has a name",
        )
    })?;
    if let Some(cwd) = &spec.cwd {
        check_cwd(cwd)?;
    }
    // Where the caller stands, not where a keeper does.
    let cwd = spec.cwd.clone().or_else(|| env::current_dir().ok());
    let Some(name) = spec.command.first() else {
        return Err(Error::new(
            ErrorKind::InvalidSpec,
            Operation::Spawn,
            "it has no command",
        )
        .with_cure("give `command` a program: a local process has no image to take one from"));
    };
    let program = find_program(name, cwd.as_deref(), path)?;
    Ok((program, cwd))
}

/// What a local process can be given anywhere. What this machine lacks is said by whoever keeps.
fn at_most() -> Capabilities {
    let mut can = Capabilities::default();
    can.limits.memory = true;
    can.limits.cpu_time = true;
    can.limits.nofile = true;
    can.limits.nproc = true;
    can.secret_files = true;
    can.user = true;
    can.cwd = true;
    can
}

type Strings = BTreeMap<String, String>;

/// The whole environment, and the secrets that go into files.
fn environment(spec: &AgentSpec) -> Result<(Strings, Strings)> {
    let mut env = Strings::new();
    for key in HANDED_ON
        .into_iter()
        .chain(spec.inherit.iter().map(String::as_str))
    {
        if let Ok(value) = env::var(key) {
            env.insert(key.to_owned(), value);
        }
    }
    env.extend(spec.env.clone());
    let mut files = Strings::new();
    for (key, secret) in &spec.secrets {
        let value = secret.read(key)?;
        match secret.delivery {
            SecretDelivery::Env => {
                if key.len() + 1 + value.expose().len() > MAX_ARGUMENT {
                    return Err(Error::new(
                        ErrorKind::InvalidSpec,
                        Operation::Spawn,
                        format!("the secret `{key}` is too long for an environment variable"),
                    )
                    .with_cure("hand it over as a file"));
                }
                env.insert(key.clone(), value.expose().to_owned());
            }
            _ => {
                files.insert(key.clone(), value.expose().to_owned());
            }
        }
    }
    Ok((env, files))
}

pub(crate) fn check_cwd(cwd: &Path) -> Result<()> {
    if cwd.is_dir() {
        return Ok(());
    }
    let shown = Escaped(&cwd.to_string_lossy()).to_string();
    let problem = if cwd.exists() {
        "is not a folder"
    } else {
        "does not exist"
    };
    Err(Error::new(
        ErrorKind::InvalidSpec,
        Operation::Spawn,
        format!("the working directory {shown} {problem}"),
    )
    .with_cure("make it, or correct `cwd`"))
}

/// The program's whole path: looked for in the agent's own `PATH` unless its name has a `/`, which is then
/// seen from the agent's working directory.
pub(crate) fn find_program(name: &str, cwd: Option<&Path>, path: Option<&str>) -> Result<PathBuf> {
    let refuse = |message: String, cure: &str| {
        Err(Error::new(ErrorKind::InvalidSpec, Operation::Spawn, message).with_cure(cure))
    };
    let shown = Escaped(name);
    if name.contains('/') {
        let from = match cwd {
            Some(cwd) => cwd.to_owned(),
            None => env::current_dir().unwrap_or_default(),
        };
        let program = from.join(name);
        return match program.metadata() {
            Err(_) => refuse(format!("there is no program {shown}"), "correct `command`"),
            Ok(meta) if !meta.is_file() => {
                refuse(format!("{shown} is not a file"), "correct `command`")
            }
            Ok(meta) if meta.permissions().mode() & 0o111 == 0 => refuse(
                format!("{shown} is not executable"),
                "make it so with `chmod +x`",
            ),
            Ok(_) => Ok(program),
        };
    }
    let path = path.unwrap_or(DEFAULT_PATH);
    let mut not_executable = None;
    for folder in env::split_paths(path) {
        let program = folder.join(name);
        match program.metadata() {
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => {
                // A relative entry of PATH means another folder in every working directory.
                return Ok(std::path::absolute(&program).unwrap_or(program));
            }
            Ok(meta) if meta.is_file() => not_executable = Some(program),
            _ => {}
        }
    }
    match not_executable {
        Some(program) => refuse(
            format!("{} is not executable", Escaped(&program.to_string_lossy())),
            "make it so with `chmod +x`",
        ),
        None => refuse(
            format!("there is no program `{shown}` in the agent's PATH"),
            "install it, or correct `command`",
        ),
    }
}
