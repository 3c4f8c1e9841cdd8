//! A plan as the programs take it. No value of the environment stands in an argument: they go in by standard
//! input, line by line, and those that have no line by the program's own environment, where their names mean
//! nothing to it.

use std::time::Duration;

use alveary_core::Escaped;

use super::run::Input;
use crate::classify::{Class, Trouble};
use crate::engine::Ref;
use crate::plan::{
    EngineRestart, Environment, Gpus, Plan, PlannedHealth, PlannedMount, Port, Source,
};

/// The longest line that the programs read.
const MAX_LINE: usize = 60_000;

/// Names, or beginnings of names, of variables that steer the program itself.
const STEERING: [&str; 24] = [
    "DOCKER",
    "CONTAINER",
    "PODMAN",
    "BUILDAH",
    "BUILDKIT",
    "REGISTRY",
    "NOTARY",
    "LD_",
    "GO",
    "GLIBC_",
    "MALLOC_",
    "SSH_",
    "SSL_",
    "XDG_",
    "OTEL_",
    "HOME",
    "PATH",
    "TMPDIR",
    "TERM",
    "COMPOSE_",
    "LANG",
    "LC_",
    "NO_COLOR",
    "USER",
];

/// A call of the program that makes a container.
pub(super) struct Create {
    pub(super) args: Vec<String>,
    pub(super) input: Input,
}

pub(super) fn create(name: &Ref, plan: &Plan, podman: bool) -> Result<Create, Trouble> {
    let mut args = Args(vec!["create".to_owned()]);
    args.add("name", name.as_str());
    // Images are fetched apart: outside the time limit of this.
    args.add("pull", "never");
    for (key, value) in &plan.labels {
        args.add("label", &format!("{key}={value}"));
    }
    args.flag("init", plan.security.init);
    args.maybe("entrypoint", plan.entrypoint.as_ref());
    args.maybe("user", plan.user.as_ref());
    args.maybe("workdir", plan.workdir.as_ref());
    args.surroundings(plan);
    args.limits(plan);
    args.security(plan);
    args.health(plan.health.as_ref());
    if let Some((driver, options)) = plan.log.resolve(podman) {
        args.add("log-driver", &driver);
        for (key, value) in options {
            args.add("log-opt", &format!("{key}={value}"));
        }
    }
    args.maybe(
        "stop-signal",
        plan.stop_signal.map(|signal| signal.to_string()).as_ref(),
    );
    args.add("stop-timeout", &plan.stop_seconds().to_string());
    match plan.restart {
        EngineRestart::No => {}
        EngineRestart::OnFailure { max } => args.add("restart", &format!("on-failure:{max}")),
        EngineRestart::Always => args.add("restart", "always"),
    }
    let input = args.environment(&plan.env)?;
    let Args(mut args) = args;
    args.push(plan.image.clone());
    args.extend(plan.command.iter().cloned());
    Ok(Create { args, input })
}

struct Args(Vec<String>);

impl Args {
    fn add(&mut self, flag: &str, value: &str) {
        self.0.push(format!("--{flag}={value}"));
    }

    fn maybe(&mut self, flag: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.add(flag, value);
        }
    }

    fn flag(&mut self, flag: &str, on: bool) {
        self.add(flag, if on { "true" } else { "false" });
    }

    fn surroundings(&mut self, plan: &Plan) {
        for mount in &plan.mounts {
            self.add("mount", &mount_words(mount));
        }
        for tmpfs in &plan.tmpfs {
            let options = if tmpfs.options.is_empty() { "" } else { ":" };
            self.add(
                "tmpfs",
                &format!("{}{options}{}", tmpfs.path, tmpfs.options),
            );
        }
        self.maybe("network", plan.networks.first());
        for host in &plan.extra_hosts {
            self.add("add-host", &host.as_flag());
        }
        for port in &plan.ports {
            self.add("publish", &port_words(port));
        }
        for device in &plan.devices {
            let words = format!("{}:{}:{}", device.outside, device.inside, device.rights);
            self.add("device", &words);
        }
        match plan.gpus {
            None => {}
            Some(Gpus::All) => self.add("gpus", "all"),
            Some(Gpus::Count(count)) => self.add("gpus", &count.to_string()),
        }
    }

    fn limits(&mut self, plan: &Plan) {
        let limits = &plan.limits;
        if let Some(memory) = limits.memory {
            self.add("memory", &memory.to_string());
            self.add("memory-swap", &memory.to_string());
        }
        if let Some(nanos) = limits.nano_cpus {
            self.add(
                "cpus",
                &format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000),
            );
        }
        self.add("pids-limit", &limits.pids.to_string());
        if let Some(nofile) = limits.nofile {
            self.add("ulimit", &format!("nofile={nofile}:{nofile}"));
        }
        if let Some(seconds) = limits.cpu_seconds {
            self.add("ulimit", &format!("cpu={seconds}:{seconds}"));
        }
        if let Some(shm) = limits.shm {
            self.add("shm-size", &shm.to_string());
        }
        self.maybe("runtime", plan.runtime.as_ref());
    }

    fn security(&mut self, plan: &Plan) {
        let security = &plan.security;
        if security.privileged {
            self.flag("privileged", true);
        } else {
            self.add("cap-drop", "ALL");
        }
        for capability in &security.cap_add {
            self.add("cap-add", capability);
        }
        if security.no_new_privileges {
            self.add("security-opt", "no-new-privileges");
        }
        if let Some(profile) = &security.seccomp {
            self.add("security-opt", &format!("seccomp={profile}"));
        }
        if let Some(profile) = &security.apparmor {
            self.add("security-opt", &format!("apparmor={profile}"));
        }
        if security.read_only {
            self.flag("read-only", true);
        }
    }

    fn health(&mut self, health: Option<&PlannedHealth>) {
        let Some(health) = health else {
            return;
        };
        let Some(script) = &health.script else {
            return self.flag("no-healthcheck", true);
        };
        self.add("health-cmd", script);
        let times: [(&str, Option<Duration>); 3] = [
            ("health-interval", health.interval),
            ("health-timeout", health.timeout),
            ("health-start-period", health.start_period),
        ];
        for (flag, time) in times {
            if let Some(time) = time {
                self.add(flag, &format!("{}ns", time.as_nanos()));
            }
        }
        if let Some(retries) = health.retries {
            self.add("health-retries", &retries.to_string());
        }
    }

    fn environment(&mut self, env: &Environment) -> Result<Input, Trouble> {
        let mut input = Input::none();
        self.add("env-file", "/dev/stdin");
        for (key, value) in &env.0 {
            if is_a_line(key, value) {
                input
                    .stdin
                    .extend_from_slice(format!("{key}={value}\n").as_bytes());
                continue;
            }
            if steers(key) {
                return Err(Trouble::new(
                    Class::NoLine,
                    format!(
                        "`{}` cannot be handed to the program: its value is more than a line, and its name means something to the program itself",
                        Escaped(key)
                    ),
                ));
            }
            self.add("env", key);
            input.env.insert(key.clone(), value.clone());
        }
        Ok(input)
    }
}

/// Whether it is read back from a line of the file as it was written.
fn is_a_line(key: &str, value: &str) -> bool {
    !key.starts_with('#')
        && !key.contains(char::is_whitespace)
        && !value.contains(['\n', '\r'])
        && key.len() + value.len() < MAX_LINE
}

fn steers(key: &str) -> bool {
    let upper = key.to_uppercase();
    upper.ends_with("_PROXY") || STEERING.iter().any(|steering| upper.starts_with(steering))
}

/// The value of `--mount`: fields of a line of CSV.
fn mount_words(mount: &PlannedMount) -> String {
    let (kind, source) = match &mount.source {
        Source::Host(path) => ("bind", path),
        Source::Volume(name) => ("volume", name),
    };
    let mut fields = vec![
        format!("type={kind}"),
        format!("source={source}"),
        format!("target={}", mount.target),
    ];
    if mount.read_only {
        fields.push("readonly".to_owned());
    }
    let quoted: Vec<String> = fields.iter().map(|field| csv(field)).collect();
    quoted.join(",")
}

fn csv(field: &str) -> String {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn port_words(port: &Port) -> String {
    let address = match port.address {
        None => String::new(),
        Some(std::net::IpAddr::V6(address)) => format!("[{address}]:"),
        Some(address) => format!("{address}:"),
    };
    let host = port.host.map_or_else(String::new, |host| host.to_string());
    format!("{address}{host}:{}/{}", port.container, port.protocol)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn environment(key: &str, value: &str) -> Result<(Vec<String>, Input), Trouble> {
        let env = Environment(BTreeMap::from([(key.to_owned(), value.to_owned())]));
        let mut args = Args(Vec::new());
        let input = args.environment(&env)?;
        Ok((args.0, input))
    }

    #[test]
    fn no_value_stands_in_an_argument() {
        for (key, value) in [
            ("TOKEN", "hunter2"),
            ("KEY", "hunter2\nmore"),
            ("#K", "hunter2"),
        ] {
            let (args, _) = environment(key, value).unwrap();
            assert!(!args.join(" ").contains("hunter2"), "{args:?}");
        }
    }

    #[test]
    fn what_is_no_line_goes_by_a_name_that_means_nothing_to_the_program() {
        let (args, input) = environment("KEY", "one\ntwo").unwrap();
        assert!(args.contains(&"--env=KEY".to_owned()));
        assert_eq!(input.env["KEY"], "one\ntwo");
        assert!(input.stdin.is_empty());
        for key in ["DOCKER_HOST", "LD_PRELOAD", "PATH", "https_proxy", "HOME"] {
            let trouble = environment(key, "a\nb").err().unwrap();
            assert_eq!(trouble.class, Class::NoLine, "{key}");
            let (_, input) = environment(key, "a line").unwrap();
            assert!(input.env.is_empty(), "{key}");
        }
    }

    #[test]
    fn a_path_with_a_comma_is_one_field() {
        let mount = PlannedMount {
            source: Source::Host("/a,readonly".to_owned()),
            target: "/b".to_owned(),
            read_only: false,
        };
        assert_eq!(
            mount_words(&mount),
            "type=bind,\"source=/a,readonly\",target=/b"
        );
    }
}
