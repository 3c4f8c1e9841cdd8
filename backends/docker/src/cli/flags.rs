//! A plan as the flags of `create`. Every flag is one argument with its value, so that no value is ever read as a
//! flag of its own.

use std::net::IpAddr;
use std::time::Duration;

use alveary_core::HealthCheck;

use super::Speaks;
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, Ref};
use crate::plan::{EngineRestart, Gpus, Plan, PlannedMount, Port, Source};

/// The arguments of `create`, without the environment; `podman` is the engine's kind, which need not be the
/// program's.
pub(super) fn create(
    speaks: Speaks,
    podman: bool,
    name: &Ref,
    plan: &Plan,
    env_file: Option<&str>,
) -> Answer<Vec<String>> {
    let mut flags = Flags(vec!["create".to_owned(), "--pull=never".to_owned()]);
    flags.add("name", name.as_str());
    for (key, value) in &plan.labels {
        flags.add("label", &format!("{key}={value}"));
    }
    if let Some(file) = env_file {
        flags.add("env-file", file);
    }
    if let Some(user) = &plan.user {
        flags.add("user", user);
    }
    if let Some(workdir) = &plan.workdir {
        flags.add("workdir", workdir);
    }
    surroundings(&mut flags, speaks, plan)?;
    limits(&mut flags, plan);
    security(&mut flags, speaks, plan);
    if let Some(health) = &plan.health {
        self::health(&mut flags, speaks, health)?;
    }
    if let Some((driver, options)) = plan.log.resolve(podman) {
        flags.add("log-driver", &driver);
        for (key, value) in options {
            flags.add("log-opt", &format!("{key}={value}"));
        }
    }
    if let Some(signal) = plan.stop_signal {
        flags.add("stop-signal", &signal.to_string());
    }
    flags.add("stop-timeout", &whole_seconds(plan.stop_grace).to_string());
    match plan.restart {
        EngineRestart::No => {}
        EngineRestart::OnFailure { max } => flags.add("restart", &format!("on-failure:{max}")),
        EngineRestart::Always => flags.add("restart", "always"),
    }
    let Flags(mut args) = flags;
    let before = entrypoint(&mut args, speaks, &plan.entrypoint)?;
    // Behind the image nothing is read as a flag any more.
    args.push(plan.image.clone());
    args.extend(before.iter().chain(&plan.command).cloned());
    Ok(args)
}

struct Flags(Vec<String>);

impl Flags {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push(format!("--{name}={value}"));
    }
}

/// Docker's program takes an entrypoint of one word; what is behind it goes before the command, so that what runs
/// is the same.
fn entrypoint<'a>(
    args: &mut Vec<String>,
    speaks: Speaks,
    entrypoint: &'a [String],
) -> Answer<&'a [String]> {
    let Some((first, rest)) = entrypoint.split_first() else {
        return Ok(&[]);
    };
    match speaks {
        Speaks::Docker => {
            args.push(format!("--entrypoint={first}"));
            Ok(rest)
        }
        Speaks::Podman => {
            args.push(format!("--entrypoint={}", as_json(entrypoint)?));
            Ok(&[])
        }
    }
}

fn as_json(words: &[String]) -> Answer<String> {
    serde_json::to_string(words).map_err(|error| {
        Trouble::new(Class::Unsayable, format!("it cannot be written as JSON: {error}"))
    })
}

/// What it sees of the host, of the engine and of the net.
fn surroundings(flags: &mut Flags, speaks: Speaks, plan: &Plan) -> Answer<()> {
    for mount in &plan.mounts {
        self::mount(flags, speaks, mount)?;
    }
    for tmpfs in &plan.tmpfs {
        let colon = if tmpfs.options.is_empty() { "" } else { ":" };
        flags.add("tmpfs", &format!("{}{colon}{}", tmpfs.path, tmpfs.options));
    }
    // The others are joined one by one.
    if let Some(network) = plan.networks.first() {
        flags.add("network", network);
    }
    for host in &plan.extra_hosts {
        flags.add("add-host", &host.as_flag());
    }
    for port in &plan.ports {
        flags.add("publish", &publish(port));
    }
    for device in &plan.devices {
        let (outside, inside, rights) = (&device.outside, &device.inside, &device.rights);
        flags.add("device", &format!("{outside}:{inside}:{rights}"));
    }
    match plan.gpus {
        None => {}
        Some(Gpus::All) => flags.add("gpus", "all"),
        Some(Gpus::Count(count)) => flags.add("gpus", &count.to_string()),
    }
    Ok(())
}

/// Not by `--volume` for Docker, which makes a folder of the host that is not there.
fn mount(flags: &mut Flags, speaks: Speaks, mount: &PlannedMount) -> Answer<()> {
    let (kind, source) = match &mount.source {
        Source::Host(path) => ("bind", path),
        Source::Volume(name) => ("volume", name),
    };
    let target = &mount.target;
    // Podman's program cuts a `--mount` at every comma, and its `--volume` makes no folder.
    if speaks == Speaks::Podman && !source.contains(':') && !target.contains(':') {
        let mode = if mount.read_only { ":ro" } else { "" };
        flags.add("volume", &format!("{source}:{target}{mode}"));
        return Ok(());
    }
    let commas = source.contains(',') || target.contains(',');
    if speaks == Speaks::Podman && commas {
        return Err(Trouble::new(
            Class::Unsayable,
            format!("`{source}` has both a colon and a comma in it"),
        ));
    }
    let mut fields = vec![
        format!("type={kind}"),
        format!("source={source}"),
        format!("target={target}"),
    ];
    if mount.read_only {
        fields.push("readonly".to_owned());
    }
    let fields: Vec<String> = fields.iter().map(|field| csv(field)).collect();
    flags.add("mount", &fields.join(","));
    Ok(())
}

/// A field of comma-separated values.
fn csv(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// `[address:]host:container/protocol`, with nothing for a port that the engine chooses.
fn publish(port: &Port) -> String {
    let address = match port.address {
        None => String::new(),
        Some(IpAddr::V4(address)) => format!("{address}:"),
        Some(IpAddr::V6(address)) => format!("[{address}]:"),
    };
    let host = port.host.map_or_else(String::new, |host| host.to_string());
    let colon = if address.is_empty() && host.is_empty() { "" } else { ":" };
    format!("{address}{host}{colon}{}/{}", port.container, port.protocol)
}

fn limits(flags: &mut Flags, plan: &Plan) {
    let limits = &plan.limits;
    if let Some(memory) = limits.memory {
        flags.add("memory", &memory.to_string());
        // Without swap besides: the limit is the limit.
        flags.add("memory-swap", &memory.to_string());
    }
    if let Some(nano) = limits.nano_cpus {
        let (whole, rest) = (nano / 1_000_000_000, nano % 1_000_000_000);
        flags.add("cpus", &format!("{whole}.{rest:09}"));
    }
    flags.add("pids-limit", &limits.pids.to_string());
    for (name, limit) in [("nofile", limits.nofile), ("cpu", limits.cpu_seconds)] {
        if let Some(limit) = limit {
            flags.add("ulimit", &format!("{name}={limit}:{limit}"));
        }
    }
    if let Some(shm) = limits.shm {
        flags.add("shm-size", &shm.to_string());
    }
}

fn security(flags: &mut Flags, speaks: Speaks, plan: &Plan) {
    let security = &plan.security;
    flags.add("init", if security.init { "true" } else { "false" });
    if security.no_new_privileges {
        flags.add("security-opt", "no-new-privileges");
    }
    if security.privileged {
        flags.add("privileged", "true");
    } else {
        flags.add("cap-drop", "ALL");
    }
    for capability in &security.cap_add {
        flags.add("cap-add", capability);
    }
    if security.read_only {
        flags.add("read-only", "true");
    }
    if let Some(seccomp) = &security.seccomp {
        flags.add("security-opt", &format!("seccomp={seccomp}"));
    }
    if let Some(profile) = &security.apparmor {
        flags.add("security-opt", &format!("apparmor={profile}"));
    }
    match (speaks, &plan.runtime) {
        (Speaks::Docker, Some(runtime)) => flags.add("runtime", runtime),
        // Podman's is a flag of the program, before the verb.
        (Speaks::Podman, Some(runtime)) => flags.0.insert(0, format!("--runtime={runtime}")),
        (_, None) => {}
    }
    if speaks == Speaks::Podman {
        // Podman hands on the proxies of its own environment, and makes three folders of a read-only root
        // writable, unless told not to.
        flags.add("http-proxy", "false");
        if security.read_only {
            flags.add("read-only-tmpfs", "false");
        }
    }
}

/// Docker's program hands a health check to the image's shell, whatever it is: the words are quoted for it.
fn health(flags: &mut Flags, speaks: Speaks, health: &HealthCheck) -> Answer<()> {
    if health.command.is_empty() {
        flags.0.push("--no-healthcheck".to_owned());
        return Ok(());
    }
    let command = match speaks {
        Speaks::Docker => {
            let words = health.command.iter().map(|word| quoted(word));
            format!("exec {}", words.collect::<Vec<_>>().join(" "))
        }
        Speaks::Podman => {
            let mut words = vec!["CMD".to_owned()];
            words.extend(health.command.iter().cloned());
            as_json(&words)?
        }
    };
    flags.add("health-cmd", &command);
    for (name, time) in [
        ("health-interval", health.interval),
        ("health-timeout", health.timeout),
        ("health-start-period", health.start_period),
    ] {
        if let Some(time) = time {
            flags.add(name, &format!("{}ns", time.as_nanos()));
        }
    }
    if let Some(retries) = health.retries {
        flags.add("health-retries", &retries.to_string());
    }
    Ok(())
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
