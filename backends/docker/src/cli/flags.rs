//! A plan as the flags of `create`. Every flag is one argument with its value, so that no value is ever read as a
//! flag of its own.

use std::net::IpAddr;

use super::known::{Known, Speaks};
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, Ref};
use crate::plan::{EngineRestart, Gpus, Plan, PlannedHealth, PlannedMount, Port, Source};

/// The arguments of `create`. The environment comes on standard input.
pub(super) fn create(known: &Known, name: &Ref, plan: &Plan) -> Answer<Vec<String>> {
    let mut flags = Flags(vec!["create".to_owned()]);
    // Images are fetched apart, outside the time limit of this.
    flags.add("pull", "never");
    flags.add("name", name.as_str());
    for (key, value) in &plan.labels {
        flags.add("label", &format!("{key}={value}"));
    }
    flags.add("env-file", "/dev/stdin");
    flags.maybe("entrypoint", plan.entrypoint.as_ref());
    flags.maybe("user", plan.user.as_ref());
    flags.maybe("workdir", plan.workdir.as_ref());
    surroundings(&mut flags, known.speaks, plan)?;
    limits(&mut flags, plan);
    if known.podman && known.speaks == Speaks::Docker {
        is_heeded(plan)?;
    }
    security(&mut flags, known.speaks, plan);
    if let Some(health) = &plan.health {
        self::health(&mut flags, health);
    }
    if let Some((driver, options)) = plan.log.resolve(known.podman) {
        flags.add("log-driver", &driver);
        for (key, value) in options {
            flags.add("log-opt", &format!("{key}={value}"));
        }
    }
    flags.maybe(
        "stop-signal",
        plan.stop_signal.map(|signal| signal.to_string()).as_ref(),
    );
    flags.add("stop-timeout", &plan.stop_seconds().to_string());
    match plan.restart {
        EngineRestart::No => {}
        EngineRestart::OnFailure { max } => flags.add("restart", &format!("on-failure:{max}")),
        EngineRestart::Always => flags.add("restart", "unless-stopped"),
    }
    let Flags(mut args) = flags;
    // Behind the image nothing is read as a flag any more.
    args.push(plan.image.clone());
    args.extend(plan.command.iter().cloned());
    Ok(args)
}

struct Flags(Vec<String>);

impl Flags {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push(format!("--{name}={value}"));
    }

    fn maybe(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
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
        flags.maybe("network-alias", plan.alias_in(network));
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
            Class::NoLine,
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
    let colon = if address.is_empty() && host.is_empty() {
        ""
    } else {
        ":"
    };
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

/// Of what Docker's program sends, Podman does not heed everything; and it reads a profile itself where that program
/// sends it.
fn is_heeded(plan: &Plan) -> Answer<()> {
    crate::body::is_heeded_by_podman(plan)?;
    let seccomp = plan.security.seccomp.as_deref();
    if seccomp.is_some_and(|file| file != "unconfined") {
        let words = "Docker's program cannot tell Podman of a seccomp profile";
        return Err(Trouble::new(Class::NoLine, words));
    }
    Ok(())
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

fn health(flags: &mut Flags, health: &PlannedHealth) {
    let Some(script) = &health.script else {
        flags.0.push("--no-healthcheck".to_owned());
        return;
    };
    flags.add("health-cmd", script);
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
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::tests::of_section;

    fn known(speaks: Speaks, podman: bool) -> Known {
        Known {
            speaks,
            podman,
            version: "4.3.1".to_owned(),
            api: "1.41".to_owned(),
        }
    }

    fn made(known: &Known, section: Value) -> Answer<Vec<String>> {
        let name = Ref::new("alveary-demo-echo").unwrap();
        create(known, &name, &of_section(section))
    }

    fn has(args: &[String], flag: &str) -> bool {
        // Behind the image nothing is a flag.
        let image = args.iter().position(|arg| arg == "busybox").unwrap();
        args[..image].iter().any(|arg| arg == flag)
    }

    #[test]
    fn an_agent_that_asks_for_nothing_is_given_no_right() {
        for known in [known(Speaks::Docker, false), known(Speaks::Podman, true)] {
            let args = made(&known, json!({})).unwrap();
            for flag in [
                "--init=true",
                "--security-opt=no-new-privileges",
                "--cap-drop=ALL",
                "--pids-limit=4096",
            ] {
                assert!(has(&args, flag), "{flag}: {args:?}");
            }
            let rights = [
                "--privileged",
                "--cap-add",
                "--device",
                "--gpus",
                "--runtime",
            ];
            let given = |arg: &String| rights.iter().any(|right| arg.starts_with(right));
            assert!(!args.iter().any(given), "{args:?}");
        }
    }

    #[test]
    fn what_is_given_of_the_host_is_asked_for_in_the_programs_words() {
        for (section, flag) in [
            (
                json!({ "seccomp": "/p.json" }),
                "--security-opt=seccomp=/p.json",
            ),
            (
                json!({ "seccomp": "unconfined" }),
                "--security-opt=seccomp=unconfined",
            ),
            (
                json!({ "apparmor": "agents" }),
                "--security-opt=apparmor=agents",
            ),
            (
                json!({ "devices": ["/dev/fuse"] }),
                "--device=/dev/fuse:/dev/fuse:rwm",
            ),
            (
                json!({ "devices": ["/dev/sda:/dev/disk:r"] }),
                "--device=/dev/sda:/dev/disk:r",
            ),
            (json!({ "gpus": "all" }), "--gpus=all"),
            (json!({ "gpus": "2" }), "--gpus=2"),
            (json!({ "privileged": true }), "--privileged=true"),
            (json!({ "cap_add": ["NET_RAW"] }), "--cap-add=NET_RAW"),
        ] {
            for known in [known(Speaks::Docker, false), known(Speaks::Podman, true)] {
                let args = made(&known, section.clone()).unwrap();
                assert!(has(&args, flag), "{flag}: {args:?}");
            }
        }
    }

    #[test]
    fn a_runtime_is_a_flag_of_the_verb_or_of_the_program() {
        let section = || json!({ "runtime": "kata" });
        let docker = made(&known(Speaks::Docker, false), section()).unwrap();
        assert_eq!(docker[0], "create");
        assert!(has(&docker, "--runtime=kata"), "{docker:?}");
        let podman = made(&known(Speaks::Podman, true), section()).unwrap();
        assert_eq!(podman[..2], ["--runtime=kata", "create"]);
    }

    #[test]
    fn one_with_all_rights_is_given_them_and_not_half_of_them() {
        let args = made(&known(Speaks::Docker, false), json!({ "privileged": true })).unwrap();
        assert!(!has(&args, "--cap-drop=ALL"));
        assert!(!has(&args, "--security-opt=no-new-privileges"));
    }

    #[test]
    fn what_podman_would_not_heed_is_refused_where_dockers_program_tells_it() {
        let known = known(Speaks::Docker, true);
        for (section, class) in [
            (json!({ "runtime": "runsc" }), Class::NoRuntime),
            (json!({ "gpus": "all" }), Class::NoDevice),
            (json!({ "seccomp": "/p.json" }), Class::NoLine),
        ] {
            assert_eq!(made(&known, section).unwrap_err().class, class);
        }
        assert!(made(&known, json!({ "seccomp": "unconfined" })).is_ok());
    }
}
