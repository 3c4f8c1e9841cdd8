//! Refusing what cannot be right before any engine sees it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{
    AgentSpec, Alive, ByteSize, HttpTarget, InvalidHttpTarget, Limits, Probe, ReadyCheck, Restart,
    RestartBy,
};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::text::{Escaped, is_unsafe};

/// The longest argument, and the longest `KEY=VALUE`, in bytes: Linux's `MAX_ARG_STRLEN` without the NUL.
pub const MAX_ARGUMENT: usize = 131_071;

/// What the names of variables begin with that are ours to set.
pub const RESERVED_PREFIX: &str = "ALVEARY_";

/// The most that arguments and environment may take together. Linux grants a quarter of the stack limit,
/// 2 MiB by default, and wants a pointer for each.
const MAX_TOTAL: usize = 1_900_000;

const MAX_CAPABILITIES: usize = 256;
const A_YEAR: Duration = Duration::from_hours(366 * 24);

pub(super) fn spec(spec: &AgentSpec) -> Result<()> {
    name(&spec.name)?;
    command(spec)?;
    environment(spec)?;
    capabilities(spec)?;
    limits(&spec.limits)?;
    if let Some(cwd) = &spec.cwd {
        working_directory(cwd)?;
    }
    restart(&spec.restart)?;
    probes(spec)?;
    for (what, time) in [
        ("stop.grace", spec.stop.grace),
        ("restart.within", spec.restart.within),
        ("restart.max_delay", spec.restart.max_delay),
    ] {
        if time > A_YEAR {
            return Err(
                invalid(format!("`{what}` is longer than a year")).with_cure("give a shorter time")
            );
        }
    }
    Ok(())
}

fn working_directory(cwd: &Path) -> Result<()> {
    if !cwd.is_absolute() {
        return Err(invalid(format!(
            "the working directory {} is not absolute",
            cwd.display()
        ))
        .with_cure("give the whole path"));
    }
    no_nul("the working directory", &cwd.to_string_lossy())
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSpec, Operation::Spawn, message)
}

fn name(name: &str) -> Result<()> {
    super::check_name(name).map_err(|why| {
        invalid(format!(
            "`{}` cannot be an agent's name: {why}",
            Escaped(name)
        ))
        .with_cure("choose another `name`")
    })
}

fn command(spec: &AgentSpec) -> Result<()> {
    if spec.command.is_empty() {
        return if spec.container.image.is_some() {
            Ok(())
        } else {
            Err(no_command())
        };
    }
    words(&spec.command)
}

/// What holds for every program, an agent's and one that is run beside it.
pub(crate) fn program(
    command: &[String],
    env: &BTreeMap<String, String>,
    cwd: Option<&Path>,
) -> Result<()> {
    if command.is_empty() {
        return Err(no_command());
    }
    words(command)?;
    env.keys().try_for_each(|key| check_key(key))?;
    values(command, env)?;
    cwd.map_or(Ok(()), working_directory)
}

fn no_command() -> Error {
    invalid("it has no command").with_cure("give `command` a program")
}

/// A program and its arguments.
fn words(command: &[String]) -> Result<()> {
    if command.first().is_some_and(|program| program.is_empty()) {
        return Err(
            invalid("the program's name is empty").with_cure("name a program first in `command`")
        );
    }
    for (at, argument) in command.iter().enumerate() {
        let what = format!("argument {at} of its command");
        no_nul(&what, argument)?;
        not_too_long(&what, argument.len())?;
    }
    Ok(())
}

fn environment(spec: &AgentSpec) -> Result<()> {
    let named = spec
        .env
        .keys()
        .chain(&spec.inherit)
        .chain(spec.secrets.keys());
    for key in named {
        check_key(key)?;
    }
    for key in spec.secrets.keys() {
        if spec.env.contains_key(key) || spec.env.contains_key(&format!("{key}_FILE")) {
            return Err(
                invalid(format!("`{key}` is a secret, and `env` sets it too"))
                    .with_cure("keep it in one of the two"),
            );
        }
    }
    values(&spec.command, &spec.env)
}

/// The values of variables, and the room that they take together with the arguments.
fn values(command: &[String], env: &BTreeMap<String, String>) -> Result<()> {
    let mut total: usize = command.iter().map(|argument| argument.len() + 9).sum();
    for (key, value) in env {
        let what = format!("the variable `{key}`");
        no_nul(&what, value)?;
        not_too_long(&what, key.len() + 1 + value.len())?;
        total += key.len() + value.len() + 10;
    }
    if total > MAX_TOTAL {
        return Err(invalid(format!(
            "its command and environment take {total} bytes, and {MAX_TOTAL} is the most"
        ))
        .with_cure("put the larger values into files"));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<()> {
    let problem = if key.is_empty() {
        "is empty"
    } else if key.contains('=') {
        "has a `=` in it"
    } else if key.chars().any(is_unsafe) {
        "has a control character in it"
    } else if key.starts_with(RESERVED_PREFIX) {
        "is reserved: alveary sets the variables that begin with `ALVEARY_`"
    } else {
        return Ok(());
    };
    Err(
        invalid(format!("the variable's name `{}` {problem}", Escaped(key)))
            .with_cure("choose another name"),
    )
}

fn capabilities(spec: &AgentSpec) -> Result<()> {
    if spec.capabilities.len() > MAX_CAPABILITIES {
        return Err(invalid(format!(
            "it has {} capabilities, and {MAX_CAPABILITIES} is the most",
            spec.capabilities.len()
        ))
        .with_cure("name fewer"));
    }
    for capability in &spec.capabilities {
        let bad = |c: char| is_unsafe(c) || c == ',';
        if capability.is_empty() || capability.len() > 256 || capability.contains(bad) {
            return Err(
                invalid(format!("`{}` cannot be a capability", Escaped(capability)))
                    .with_cure("use 1 to 256 characters without commas and control characters"),
            );
        }
    }
    Ok(())
}

fn limits(limits: &Limits) -> Result<()> {
    let smallest = ByteSize::mib(1);
    if let Some(memory) = limits.memory
        && memory < smallest
    {
        return Err(
            invalid(format!("a memory limit of {memory} lets no program start"))
                .with_cure(format!("give it {smallest} or more")),
        );
    }
    if let Some(cpus) = limits.cpus
        && !(0.01..=4096.0).contains(&cpus)
    {
        return Err(invalid(format!("`limits.cpus = {cpus}` is out of range"))
            .with_cure("give 0.01 to 4096"));
    }
    if let Some(time) = limits.cpu_time
        && (time < Duration::from_secs(1) || time > A_YEAR)
    {
        return Err(
            invalid("`limits.cpu_time` is out of range").with_cure("give one second to one year")
        );
    }
    if limits.nofile.is_some_and(|n| n < 3) {
        return Err(
            invalid("`limits.nofile` below 3 lets no program start").with_cure("give 3 or more")
        );
    }
    if limits.nproc == Some(0) {
        return Err(invalid("`limits.nproc = 0` lets no program start").with_cure("give 1 or more"));
    }
    Ok(())
}

fn probes(spec: &AgentSpec) -> Result<()> {
    if let Some(ReadyCheck::Probe(check)) = spec.ready.as_ref().map(|ready| &ready.check) {
        probe("ready", check)?;
    }
    let Some(alive) = &spec.alive else {
        return Ok(());
    };
    probe("alive", &alive.probe)?;
    if spec.restart.by == RestartBy::Engine {
        return Err(invalid(
            "an engine that restarts its agents does not look whether they answer, as `alive` asks",
        )
        .with_cure("leave `alive` out, or leave restarts to the supervisor"));
    }
    let Alive {
        interval, timeout, ..
    } = alive;
    if interval.is_zero() || timeout.is_zero() || alive.failures == 0 {
        return Err(
            invalid("an agent that is to be alive is given no time to show it")
                .with_cure("give `interval`, `timeout` and `failures` of `alive` more than zero"),
        );
    }
    if *interval > A_YEAR || *timeout > A_YEAR {
        return Err(
            invalid("a time of `alive` is longer than a year").with_cure("give a shorter time")
        );
    }
    Ok(())
}

fn probe(key: &str, probe: &Probe) -> Result<()> {
    match probe {
        Probe::Http(url) => match url.parse::<HttpTarget>() {
            Ok(_) => Ok(()),
            Err(why) => {
                let cure = match why {
                    InvalidHttpTarget::LinkLocal => {
                        "name the agent's own port: http://127.0.0.1:8000/"
                    }
                    InvalidHttpTarget::Form => {
                        "write it as http://127.0.0.1:8000/path; what speaks TLS is looked at by `tcp` or `command`"
                    }
                };
                let url = Escaped(url);
                Err(invalid(format!("`{key}.http` cannot be `{url}`: {why}")).with_cure(cure))
            }
        },
        Probe::Command(command) if command.is_empty() => {
            Err(invalid(format!("`{key}.command` names no program"))
                .with_cure("write an array: the program and its arguments"))
        }
        Probe::Command(command) => words(command),
        Probe::Tcp(address) if !has_host_and_port(address) => {
            let address = Escaped(address);
            Err(invalid(format!(
                "`{key}.tcp` cannot be `{address}`: it is not of the form host:port"
            ))
            .with_cure("write it as 127.0.0.1:8000"))
        }
        Probe::Tcp(_) => Ok(()),
    }
}

fn has_host_and_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        let odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
        !host.is_empty() && !host.contains(odd) && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

fn restart(restart: &Restart) -> Result<()> {
    match restart.only_supervised() {
        Some(key) if restart.by == RestartBy::Engine => Err(invalid(format!(
            "an engine that restarts its agents does so in its own way, without `restart.{key}`"
        ))
        .with_cure(format!(
            "leave `{key}` out, or leave restarts to the supervisor"
        ))),
        _ => Ok(()),
    }
}

fn no_nul(what: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(invalid(format!(
            "{what} has a NUL in it, which no program can be given"
        ))
        .with_cure("take it out, or put the value into a file"));
    }
    Ok(())
}

fn not_too_long(what: &str, len: usize) -> Result<()> {
    if len > MAX_ARGUMENT {
        return Err(invalid(format!(
            "{what} has {len} bytes, and {MAX_ARGUMENT} is the most"
        ))
        .with_cure("put it into a file"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(spec: &AgentSpec) -> String {
        let error = spec.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSpec);
        error.to_string()
    }

    fn echo() -> AgentSpec {
        AgentSpec::new("echo", ["true"])
    }

    #[test]
    fn what_no_engine_can_take_is_refused_with_its_name() {
        for (spec, words) in vec![
            (AgentSpec::new("", ["true"]), "it is empty"),
            (AgentSpec::new("../x", ["true"]), "`.` may not stand in it"),
            (AgentSpec::new("a\u{1b}b", ["true"]), r"\u{1b}"),
            (AgentSpec::new("a", Vec::<String>::new()), "no command"),
            (AgentSpec::new("a", [""]), "name is empty"),
            (
                AgentSpec::new("a", ["true", "x\0y"]),
                "argument 1 of its command has a NUL",
            ),
            (echo().env("A=B", "1"), "has a `=`"),
            (echo().env("", "1"), "is empty"),
            (echo().env("ALVEARY_AGENT_ID", "1"), "reserved"),
            (echo().env("A", "x\0"), "NUL"),
            (echo().cwd("work"), "not absolute"),
            (
                echo().ready(Probe::Tcp("8000".to_owned())),
                "not of the form host:port",
            ),
            (
                echo().alive(Probe::Tcp("localhost:0".to_owned())),
                "`alive.tcp` cannot be `localhost:0`",
            ),
            (echo().capability("a,b"), "cannot be a capability"),
            (
                echo().restart(
                    Restart::on_failure()
                        .at_most(5, Duration::from_secs(7))
                        .by_engine(),
                ),
                "without `restart.within`",
            ),
            (
                echo().restart(
                    Restart::always()
                        .at_most(3, Duration::from_mins(1))
                        .by_engine(),
                ),
                "without `restart.max`",
            ),
            (
                echo().limits(Limits::default().memory(ByteSize(4096))),
                "memory limit",
            ),
        ] {
            let sentence = refused(&spec);
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    #[test]
    fn an_engine_may_restart_up_to_so_many_failures() {
        let failures = Restart::on_failure().at_most(3, Duration::from_mins(1));
        assert!(echo().restart(failures.by_engine()).validate().is_ok());
        assert!(
            echo()
                .restart(Restart::always().by_engine())
                .validate()
                .is_ok()
        );
    }

    #[test]
    fn the_longest_argument_and_variable_pass_and_one_byte_more_does_not() {
        let of = |len: usize| "x".repeat(len);
        assert!(
            AgentSpec::new("a", ["true".to_owned(), of(MAX_ARGUMENT)])
                .validate()
                .is_ok()
        );
        refused(&AgentSpec::new(
            "a",
            ["true".to_owned(), of(MAX_ARGUMENT + 1)],
        ));
        assert!(echo().env("K", of(MAX_ARGUMENT - 2)).validate().is_ok());
        refused(&echo().env("K", of(MAX_ARGUMENT - 1)));
    }
}
