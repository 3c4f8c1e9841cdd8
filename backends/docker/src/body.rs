//! A plan as the Engine API takes it: one body, whoever carries it there.

use std::collections::HashMap;
use std::time::Duration;

use alveary_core::Signal;
use bollard_stubs::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointSettings, HealthConfig, HostConfig,
    HostConfigLogConfig, Mount, MountType, NetworkingConfig, PortBinding, ResourcesUlimits,
    RestartPolicy, RestartPolicyNameEnum,
};

use crate::classify::{Class, Trouble};
use crate::plan::{EngineRestart, Gpus, Plan, PlannedHealth, PlannedMount, Port, Source};

/// Refuses what Podman takes by its API and then does not heed: an agent would run without it.
pub(crate) fn is_heeded_by_podman(plan: &Plan) -> Result<(), Trouble> {
    let refuse = |class, words: &str| Err(Trouble::new(class, words));
    if plan.runtime.is_some() {
        return refuse(
            Class::NoRuntime,
            "Podman heeds none that is named by its API; its containers.conf can name one",
        );
    }
    if plan.gpus.is_some() {
        return refuse(
            Class::NoDevice,
            "Podman heeds no wish for graphics processors by its API",
        );
    }
    Ok(())
}

/// The body of a `create`. Holds the environment: never shown.
pub(crate) fn of(plan: &Plan, podman: bool) -> Result<Vec<u8>, Trouble> {
    if podman {
        is_heeded_by_podman(plan)?;
    }
    let env = plan
        .env
        .0
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let body = ContainerCreateBody {
        image: Some(plan.image.clone()),
        env: Some(env.collect()),
        entrypoint: plan.entrypoint.clone().map(|word| vec![word]),
        cmd: unless_empty(&plan.command),
        user: plan.user.clone(),
        working_dir: plan.workdir.clone(),
        labels: Some(plan.labels.clone().into_iter().collect()),
        exposed_ports: unless_empty(&plan.ports.iter().map(exposed).collect::<Vec<_>>()),
        stop_signal: plan.stop_signal.map(signal_name),
        stop_timeout: Some(number(plan.stop_seconds())),
        healthcheck: plan.health.as_ref().map(health),
        attach_stdin: Some(false),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(host(plan, podman)?),
        networking_config: networking(plan),
        ..Default::default()
    };
    serde_json::to_vec(&body).map_err(|error| {
        Trouble::new(
            Class::BadRequest,
            format!("it cannot be written as JSON: {error}"),
        )
    })
}

fn host(plan: &Plan, podman: bool) -> Result<HostConfig, Trouble> {
    let (limits, security) = (&plan.limits, &plan.security);
    let mut ulimits = Vec::new();
    for (name, limit) in [("nofile", limits.nofile), ("cpu", limits.cpu_seconds)] {
        if let Some(limit) = limit {
            ulimits.push(ResourcesUlimits {
                name: Some(name.to_owned()),
                soft: Some(number(limit)),
                hard: Some(number(limit)),
            });
        }
    }
    Ok(HostConfig {
        memory: limits.memory.map(number),
        // Without swap besides: the limit is the limit.
        memory_swap: limits.memory.map(number),
        nano_cpus: limits.nano_cpus.map(number),
        pids_limit: Some(number(limits.pids)),
        shm_size: limits.shm.map(number),
        ulimits: unless_empty(&ulimits),
        init: Some(security.init),
        privileged: Some(security.privileged),
        cap_drop: (!security.privileged).then(|| vec!["ALL".to_owned()]),
        cap_add: unless_empty(&security.cap_add),
        security_opt: unless_empty(&security_options(plan, podman)?),
        readonly_rootfs: Some(security.read_only),
        runtime: plan.runtime.clone(),
        mounts: unless_empty(&plan.mounts.iter().map(mount).collect::<Vec<_>>()),
        tmpfs: (!plan.tmpfs.is_empty()).then(|| {
            let folders = plan.tmpfs.iter();
            folders
                .map(|tmpfs| (tmpfs.path.clone(), tmpfs.options.clone()))
                .collect()
        }),
        network_mode: plan.networks.first().cloned(),
        extra_hosts: unless_empty(
            &plan
                .extra_hosts
                .iter()
                .map(|host| host.as_flag())
                .collect::<Vec<_>>(),
        ),
        port_bindings: (!plan.ports.is_empty()).then(|| bindings(&plan.ports)),
        devices: unless_empty(
            &plan
                .devices
                .iter()
                .map(|device| DeviceMapping {
                    path_on_host: Some(device.outside.clone()),
                    path_in_container: Some(device.inside.clone()),
                    cgroup_permissions: Some(device.rights.clone()),
                })
                .collect::<Vec<_>>(),
        ),
        device_requests: plan.gpus.map(|gpus| vec![request(gpus)]),
        log_config: log(plan, podman),
        restart_policy: Some(restart(plan.restart)),
        ..Default::default()
    })
}

/// Its name in the network that it is made in.
fn networking(plan: &Plan) -> Option<NetworkingConfig> {
    let network = plan.networks.first()?;
    let endpoint = EndpointSettings {
        aliases: Some(vec![plan.alias_in(network)?.clone()]),
        ..Default::default()
    };
    Some(NetworkingConfig {
        endpoints_config: Some(HashMap::from([(network.clone(), endpoint)])),
    })
}

fn unless_empty<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn signal_name(signal: Signal) -> String {
    signal.to_string()
}

fn exposed(port: &Port) -> String {
    format!("{}/{}", port.container, port.protocol)
}

fn bindings(ports: &[Port]) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in ports {
        let binding = PortBinding {
            host_ip: port.address.map(|address| address.to_string()),
            host_port: Some(port.host.map_or_else(String::new, |host| host.to_string())),
        };
        bindings
            .entry(exposed(port))
            .or_default()
            .get_or_insert_default()
            .push(binding);
    }
    bindings
}

fn mount(mount: &PlannedMount) -> Mount {
    let (typ, source) = match &mount.source {
        Source::Host(path) => (MountType::BIND, path),
        Source::Volume(name) => (MountType::VOLUME, name),
    };
    Mount {
        typ: Some(typ),
        source: Some(source.clone()),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        ..Default::default()
    }
}

fn security_options(plan: &Plan, podman: bool) -> Result<Vec<String>, Trouble> {
    let security = &plan.security;
    let mut options = Vec::new();
    if security.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match security.seccomp.as_deref() {
        None => {}
        Some("unconfined") => options.push("seccomp=unconfined".to_owned()),
        // Podman reads the file itself, on its host.
        Some(file) if podman => options.push(format!("seccomp={file}")),
        // Docker's API takes the profile itself, where the program takes its file.
        Some(file) => {
            let profile = std::fs::read_to_string(file)
                .map_err(|error| Trouble::new(Class::BadProfile, format!("{file}: {error}")))?;
            options.push(format!("seccomp={profile}"));
        }
    }
    if let Some(profile) = &security.apparmor {
        options.push(format!("apparmor={profile}"));
    }
    Ok(options)
}

fn health(health: &PlannedHealth) -> HealthConfig {
    let test = match &health.script {
        None => vec!["NONE".to_owned()],
        Some(script) => vec!["CMD-SHELL".to_owned(), script.clone()],
    };
    HealthConfig {
        test: Some(test),
        interval: health.interval.map(nanos),
        timeout: health.timeout.map(nanos),
        start_period: health.start_period.map(nanos),
        retries: health.retries.map(i64::from),
        ..Default::default()
    }
}

fn request(gpus: Gpus) -> DeviceRequest {
    DeviceRequest {
        count: Some(match gpus {
            Gpus::All => -1,
            Gpus::Count(count) => i64::from(count),
        }),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..Default::default()
    }
}

fn log(plan: &Plan, podman: bool) -> Option<HostConfigLogConfig> {
    let (driver, options) = plan.log.resolve(podman)?;
    Some(HostConfigLogConfig {
        typ: Some(driver),
        config: Some(options.into_iter().collect()),
    })
}

fn restart(restart: EngineRestart) -> RestartPolicy {
    let (name, max) = match restart {
        EngineRestart::No => (RestartPolicyNameEnum::NO, None),
        EngineRestart::OnFailure { max } => {
            (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(max)))
        }
        EngineRestart::Always => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
    };
    RestartPolicy {
        name: Some(name),
        maximum_retry_count: max,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::tests::of_section;

    fn body(section: Value, podman: bool) -> Result<Value, Trouble> {
        let body = of(&of_section(section), podman)?;
        Ok(serde_json::from_slice(&body).unwrap())
    }

    fn host(section: Value) -> Value {
        body(section, false).unwrap()["HostConfig"].clone()
    }

    #[test]
    fn an_agent_that_asks_for_nothing_is_given_no_right() {
        for podman in [false, true] {
            let host = &body(json!({}), podman).unwrap()["HostConfig"];
            assert_eq!(host["Init"], json!(true));
            assert_eq!(host["CapDrop"], json!(["ALL"]));
            assert_eq!(host["SecurityOpt"], json!(["no-new-privileges"]));
            assert_eq!(host["PidsLimit"], json!(4096));
            assert_eq!(host["Privileged"], json!(false));
            for absent in ["CapAdd", "Devices", "DeviceRequests", "Runtime"] {
                assert_eq!(host[absent], Value::Null, "{absent}");
            }
        }
    }

    #[test]
    fn a_seccomp_profile_is_sent_whole_to_docker_and_by_its_name_to_podman() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profile.json");
        let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#;
        std::fs::write(&file, profile).unwrap();
        let path = file.to_str().unwrap();
        let options = |podman| {
            let body = body(json!({ "seccomp": path }), podman).unwrap();
            body["HostConfig"]["SecurityOpt"].clone()
        };
        let with = |option: String| json!(["no-new-privileges", option]);
        assert_eq!(options(false), with(format!("seccomp={profile}")));
        assert_eq!(options(true), with(format!("seccomp={path}")));
        let unconfined = host(json!({ "seccomp": "unconfined" }));
        assert_eq!(unconfined["SecurityOpt"], with("seccomp=unconfined".into()));
    }

    #[test]
    fn a_profile_that_cannot_be_read_is_told_with_its_name() {
        let section = json!({ "seccomp": "/nonexistent/profile.json" });
        let trouble = body(section, false).unwrap_err();
        assert_eq!(trouble.class, Class::BadProfile);
        assert!(trouble.words.contains("/nonexistent/profile.json"));
    }

    #[test]
    fn what_is_given_of_the_host_is_asked_for_in_the_engines_words() {
        let apparmor = host(json!({ "apparmor": "agents" }));
        let options = json!(["no-new-privileges", "apparmor=agents"]);
        assert_eq!(apparmor["SecurityOpt"], options);
        assert_eq!(host(json!({ "runtime": "kata" }))["Runtime"], "kata");
        let device = |text: &str| host(json!({ "devices": [text] }))["Devices"][0].clone();
        assert_eq!(
            device("/dev/fuse"),
            json!({ "PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm" })
        );
        assert_eq!(
            device("/dev/sda:/dev/disk:r"),
            json!({ "PathOnHost": "/dev/sda", "PathInContainer": "/dev/disk", "CgroupPermissions": "r" })
        );
        for (gpus, count) in [("all", -1), ("2", 2)] {
            let wish = &host(json!({ "gpus": gpus }))["DeviceRequests"][0];
            assert_eq!(wish["Count"], json!(count));
            assert_eq!(wish["Capabilities"], json!([["gpu"]]));
        }
    }

    #[test]
    fn one_with_all_rights_is_given_them_and_not_half_of_them() {
        let host = host(json!({ "privileged": true }));
        assert_eq!(host["Privileged"], json!(true));
        assert_eq!(host["CapDrop"], Value::Null);
        assert_eq!(host["SecurityOpt"], Value::Null);
    }

    #[test]
    fn what_podman_would_not_heed_is_refused() {
        for (section, class) in [
            (json!({ "runtime": "runsc" }), Class::NoRuntime),
            (json!({ "gpus": "all" }), Class::NoDevice),
        ] {
            let trouble = body(section, true).unwrap_err();
            assert_eq!(trouble.class, class);
            let error = trouble.error(alveary_core::Operation::Spawn);
            assert_eq!(error.kind(), alveary_core::ErrorKind::Unsupported);
        }
    }
}
