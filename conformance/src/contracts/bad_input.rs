//! Bad input is refused before the engine sees it; what is accepted arrives as it was given.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use alveary_core::{
    AgentId, AgentSpec, ByteSize, ErrorKind, Limits, ListOptions, MAX_ARGUMENT, Restart, Secret,
    SecretSpec, SpawnOptions, Stop, User,
};

use super::errors::program_that_is_not_there;
use crate::behaviour::Behaviour;
use crate::need::Need;
use crate::swarm::{Swarm, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(BadInput:
    what_cannot_be_right_is_refused_and_nothing_is_begun,
    what_this_backend_cannot_do_is_unsupported_and_nothing_is_begun,
    a_program_that_is_not_there_is_refused_and_nothing_is_begun,
    arguments_arrive_as_they_were_given [Need::Agent(Behaviour::PrintArgs(Vec::new()))],
    an_argument_of_the_full_length_arrives [Need::Agent(Behaviour::PrintArgs(Vec::new()))],
    the_environment_arrives_as_it_was_given [Need::Agent(Behaviour::PrintEnvironment)],
    the_callers_environment_is_not_handed_on [Need::Agent(Behaviour::PrintEnvironment)],
    a_variable_is_inherited_on_request [Need::Agent(Behaviour::PrintEnvironment)],
    the_working_directory_is_the_specs [Need::Cwd, Need::Agent(Behaviour::PrintCwd)],
);

/// Specs that no backend can honour, each with what is wrong with it.
fn bad_specs(good: &AgentSpec) -> Vec<(String, AgentSpec)> {
    let mut bad: Vec<(String, AgentSpec)> = Vec::new();
    let mut add = |what: &str, change: &dyn Fn(&mut AgentSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        bad.push((what.to_owned(), spec));
    };
    let too_long = "x".repeat(MAX_ARGUMENT + 1);
    let name_too_long = "x".repeat(65);
    for name in [
        "",
        "../x",
        "-rm",
        "a b",
        "a/b",
        "a\u{1b}[2J",
        "a\u{202e}b",
        "a\nb",
        &name_too_long,
    ] {
        add(&format!("the name {name:?}"), &|spec| {
            name.clone_into(&mut spec.name);
        });
    }
    for (what, argument) in [
        ("a NUL in an argument", "a\0b"),
        ("an argument too long", &too_long),
    ] {
        add(what, &|spec| spec.command.push(argument.to_owned()));
    }
    add("a program without a name", &|spec| {
        spec.command = vec![String::new()];
    });
    if good.container.image.is_none() {
        add("no command", &|spec| spec.command.clear());
    }
    for (what, key, value) in [
        ("a variable without a name", "", "1"),
        ("a `=` in a key", "A=B", "1"),
        ("a control character in a key", "A\u{1b}", "1"),
        ("a NUL in a key", "A\0", "1"),
        ("a reserved key", "ALVEARY_AGENT_ID", "1"),
        ("a NUL in a value", "A", "a\0b"),
        ("a value too long", "A", &too_long[1..]),
    ] {
        add(what, &|spec| {
            spec.env.insert(key.to_owned(), value.to_owned());
        });
    }
    add("more than any program can be given", &|spec| {
        for n in 0..20 {
            spec.env.insert(format!("A{n}"), too_long[10..].to_owned());
        }
    });
    add("a key that is both a secret and a variable", &|spec| {
        spec.env.insert("A".to_owned(), "1".to_owned());
        let secret = SecretSpec::given(Secret::new("1")).as_env();
        spec.secrets.insert("A".to_owned(), secret);
    });
    add("a relative directory", &|spec| {
        spec.cwd = Some("work".into());
    });
    add("a NUL in a directory", &|spec| {
        spec.cwd = Some("/a\0b".into());
    });
    for capability in ["", "a,b", "a\u{1b}b"] {
        add(&format!("the capability {capability:?}"), &|spec| {
            spec.capabilities.push(capability.to_owned());
        });
    }
    add("less memory than a program needs", &|spec| {
        spec.limits = Limits::default().memory(ByteSize(4096));
    });
    add("no descriptors", &|spec| {
        spec.limits = Limits::default().nofile(0);
    });
    for cpus in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        add(&format!("{cpus} processors"), &|spec| {
            spec.limits.cpus = Some(cpus);
        });
    }
    add("a grace of a thousand years", &|spec| {
        spec.stop = Stop::default().grace(Duration::from_hours(24 * 366 * 1000));
    });
    bad
}

async fn spawn_is_refused(
    swarm: &Swarm,
    what: &str,
    spec: &AgentSpec,
    kinds: &[ErrorKind],
) -> Verdict {
    let id = AgentId::random();
    let spawned = swarm
        .backend()
        .spawn(&id, spec, SpawnOptions::default())
        .await;
    match spawned {
        Err(error) if kinds.contains(&error.kind()) => {}
        other => {
            return Err(Failure::new(format!(
                "{what} should be refused as one of {kinds:?}, and gave {other:?}"
            )));
        }
    }
    ensure_eq!(swarm.listed().await?, [], "nothing was begun with {what}");
    ensure_eq!(swarm.living_of(&id).await, [], "nothing runs with {what}");
    Ok(())
}

async fn what_cannot_be_right_is_refused_and_nothing_is_begun(swarm: Swarm) -> Verdict {
    for (what, spec) in bad_specs(&swarm.spec(&Behaviour::Sleep)?) {
        let kinds = [ErrorKind::InvalidSpec, ErrorKind::Unsupported];
        spawn_is_refused(&swarm, &what, &spec, &kinds).await?;
    }
    Ok(())
}

async fn what_this_backend_cannot_do_is_unsupported_and_nothing_is_begun(swarm: Swarm) -> Verdict {
    let capabilities = swarm.probe().capabilities().clone();
    let limits = capabilities.limits;
    let good = swarm.spec(&Behaviour::Sleep)?;
    let limit = |limits: Limits| good.clone().limits(limits);
    let mut cpus = Limits::default();
    cpus.cpus = Some(0.5);
    let user: User = "65534:65534"
        .parse()
        .map_err(|error| Failure::new(format!("65534:65534 should be a user: {error}")))?;
    let secret = SecretSpec::given(Secret::new("1"));
    let minute = Duration::from_mins(1);
    for (can, what, spec) in [
        (
            limits.memory,
            "limits.memory",
            limit(Limits::default().memory(ByteSize::mib(256))),
        ),
        (limits.cpus, "limits.cpus", limit(cpus)),
        (
            limits.cpu_time,
            "limits.cpu_time",
            limit(Limits::default().cpu_time(minute)),
        ),
        (
            limits.nofile,
            "limits.nofile",
            limit(Limits::default().nofile(256)),
        ),
        (
            limits.nproc,
            "limits.nproc",
            limit(Limits::default().nproc(256)),
        ),
        (capabilities.user, "user", good.clone().user(user)),
        (capabilities.cwd, "cwd", good.clone().cwd("/")),
        (
            capabilities.secret_files,
            "a secret as a file",
            good.clone().secret("A", secret),
        ),
        (
            capabilities.engine_restarts,
            "restarts by the engine",
            good.clone().restart(Restart::always().by_engine()),
        ),
    ] {
        if !can {
            spawn_is_refused(&swarm, what, &spec, &[ErrorKind::Unsupported]).await?;
        }
    }
    Ok(())
}

async fn a_program_that_is_not_there_is_refused_and_nothing_is_begun(swarm: Swarm) -> Verdict {
    let spec = program_that_is_not_there(&swarm.spec(&Behaviour::Sleep)?);
    let what = "a program that is not there";
    spawn_is_refused(&swarm, what, &spec, &[ErrorKind::InvalidSpec]).await
}

async fn arguments_arrive_as_they_were_given(swarm: Swarm) -> Verdict {
    let arguments = [
        "",
        " a  b ",
        "$HOME",
        "`id`",
        "'\"",
        "--rm",
        "-e",
        "a\nb",
        "*",
        "{name}",
        "ä🐝",
        "\u{1b}[2J",
    ];
    let behaviour = Behaviour::PrintArgs(arguments.map(ToOwned::to_owned).to_vec());
    let printed = swarm.output_of(&behaviour).await?;
    let expected: String = arguments
        .iter()
        .flat_map(|argument| [argument, "\0"])
        .collect();
    ensure_eq!(
        String::from_utf8_lossy(&printed),
        expected,
        "each argument as it is"
    );
    Ok(())
}

async fn an_argument_of_the_full_length_arrives(swarm: Swarm) -> Verdict {
    let behaviour = Behaviour::PrintArgs(vec!["x".repeat(MAX_ARGUMENT)]);
    let printed = swarm.output_of(&behaviour).await?;
    ensure_eq!(printed.len(), MAX_ARGUMENT + 1, "all of it, and a NUL");
    Ok(())
}

async fn environment_of(
    swarm: &Swarm,
    spec: &AgentSpec,
    options: &SpawnOptions,
    id: &AgentId,
) -> Result<BTreeMap<String, String>, Failure> {
    swarm.backend().spawn(id, spec, options.clone()).await?;
    swarm.ended(id).await?;
    let printed = swarm.stdout(id).await?;
    let text = String::from_utf8_lossy(&printed).into_owned();
    Ok(text
        .split_terminator('\0')
        .filter_map(|variable| variable.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect())
}

async fn the_environment_arrives_as_it_was_given(swarm: Swarm) -> Verdict {
    let given = [
        ("EMPTY", ""),
        ("EQUALS", "a=b=c"),
        ("LINES", "one\ntwo\n"),
        ("QUOTES", "'\"$HOME` \\"),
        ("UNICODE", "ä🐝"),
        ("lower.case-key", "1"),
    ];
    let mut spec = swarm.spec(&Behaviour::PrintEnvironment)?;
    for (key, value) in given {
        spec = spec.env(key, value);
    }
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    let found = environment_of(&swarm, &spec, &options, &id).await?;
    let (uid, start) = (swarm.uid().to_string(), options.incarnation.to_string());
    let ours = [
        ("ALVEARY_SWARM", uid.as_str()),
        ("ALVEARY_AGENT_ID", id.as_str()),
        ("ALVEARY_INCARNATION", start.as_str()),
    ];
    for (key, value) in given.into_iter().chain(ours) {
        ensure_eq!(
            found.get(key).map(String::as_str),
            Some(value),
            "the variable `{key}`"
        );
    }
    Ok(())
}

/// Variables of this process that no agent has by itself, and that can be handed on.
fn own_variables() -> Vec<(String, String)> {
    const COMMON: [&str; 12] = [
        "PATH", "HOME", "LANG", "TZ", "TERM", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL",
        "HOSTNAME",
    ];
    std::env::vars()
        .filter(|(key, value)| {
            let common = COMMON.contains(&key.as_str()) || key.starts_with("LC_") || key == "_";
            !common && !key.starts_with("ALVEARY_") && !value.is_empty()
        })
        .collect()
}

async fn the_callers_environment_is_not_handed_on(swarm: Swarm) -> Verdict {
    let spec = swarm.spec(&Behaviour::PrintEnvironment)?;
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    let found = environment_of(&swarm, &spec, &options, &id).await?;
    for (key, value) in own_variables() {
        ensure!(
            found.get(&key) != Some(&value) || spec.env.contains_key(&key),
            "`{key}` of the caller's environment reached the agent"
        );
    }
    Ok(())
}

async fn a_variable_is_inherited_on_request(swarm: Swarm) -> Verdict {
    // A test program is run with variables of cargo's; without any there is PATH.
    let (key, value) = own_variables()
        .into_iter()
        .find(|(key, value)| {
            value.len() < 1000 && key.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        })
        .or_else(|| Some(("PATH".to_owned(), std::env::var("PATH").ok()?)))
        .ok_or_else(|| Failure::new("this process has no variable at all"))?;
    let spec = swarm
        .spec(&Behaviour::PrintEnvironment)?
        .inherit(&key)
        .inherit("NO_SUCH_VARIABLE_IN_CONFORMANCE");
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    let found = environment_of(&swarm, &spec, &options, &id).await?;
    // Whatever the value is, it is not for the output of a test.
    ensure!(
        found.get(&key) == Some(&value),
        "the variable `{key}` is not handed on"
    );
    ensure!(
        !found.contains_key("NO_SUCH_VARIABLE_IN_CONFORMANCE"),
        "a variable that is not set was made up"
    );
    Ok(())
}

async fn the_working_directory_is_the_specs(swarm: Swarm) -> Verdict {
    for dir in ["/", "/tmp"] {
        let spec = swarm.spec(&Behaviour::PrintCwd)?.cwd(Path::new(dir));
        let printed = swarm.output_of_spec(&spec).await?;
        ensure_eq!(String::from_utf8_lossy(&printed), dir, "it runs in {dir}");
    }
    let spec = swarm.spec(&Behaviour::Sleep)?.cwd("/nonexistent/alveary");
    let spawned = swarm
        .backend()
        .spawn(&AgentId::random(), &spec, SpawnOptions::default())
        .await;
    refused(
        spawned,
        ErrorKind::InvalidSpec,
        "a directory that is not there",
    )?;
    ensure_eq!(
        swarm.backend().list(ListOptions::default()).await?.len(),
        2,
        "nothing was begun"
    );
    Ok(())
}
