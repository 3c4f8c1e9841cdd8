use alveary_core::{ByteSize, HealthCheck, Limits, Mount, Restart, Secret, SecretSpec, SwarmName};

use super::*;

fn plan_with(settings: &Settings, spec: &AgentSpec) -> Result<Plan> {
    let names = Names::new(
        settings.name_prefix.as_deref(),
        &SwarmName::new("demo").unwrap(),
    )?;
    let planning = Planning {
        swarm: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        names: &names,
        settings,
        secrets: Some("/dev/shm/alveary-0/x/echo"),
    };
    let incarnation = "fedcba9876543210fedcba9876543210".parse().unwrap();
    planning.plan(&AgentId::new("echo").unwrap(), incarnation, spec)
}

fn plan(spec: &AgentSpec) -> Result<Plan> {
    plan_with(&settings(), spec)
}

fn settings() -> Settings {
    Settings {
        image: Some("busybox".to_owned()),
        ..Default::default()
    }
}

fn echo() -> AgentSpec {
    AgentSpec::new("echo", ["true"])
}

fn with(change: impl FnOnce(&mut ContainerSpec)) -> AgentSpec {
    let mut spec = echo();
    change(&mut spec.container);
    spec
}

/// The plan of an agent that has this section `container`.
pub(crate) fn of_section(section: serde_json::Value) -> Plan {
    plan(&with(|container| {
        *container = serde_json::from_value(section).unwrap();
    }))
    .unwrap()
}

#[test]
fn an_agent_that_asks_for_nothing_may_do_nothing() {
    let plan = plan(&echo()).unwrap();
    assert_eq!(
        plan.security,
        Security {
            init: true,
            no_new_privileges: true,
            privileged: false,
            cap_add: Vec::new(),
            read_only: false,
            seccomp: None,
            apparmor: None,
        }
    );
    assert_eq!(plan.limits.pids, 4096);
    assert_eq!(plan.name, "alveary-demo-echo");
    assert_eq!(plan.restart, EngineRestart::No);
}

#[test]
fn the_whole_deployment_of_the_original_system_is_one_plan() {
    let settings = Settings {
        name_prefix: Some("timmy-agent".to_owned()),
        image: Some("timmy-time:latest".to_owned()),
        ..Default::default()
    };
    let mut spec = AgentSpec::new(
        "echo",
        ["python", "-m", "swarm.agent_runner", "--agent-id", "echo"],
    )
    .env("COORDINATOR_URL", "http://dashboard:8000")
    .capability("summarise")
    .secret("API_KEY", SecretSpec::given(Secret::new("hunter2")))
    .limits(Limits::default().memory(ByteSize::mib(256)).nofile(1024))
    .restart(Restart::always().by_engine());
    spec.container.networks = vec!["timmy-time_swarm-net".to_owned()];
    spec.container.mounts = vec!["timmy-time_timmy-data:/app/data".parse::<Mount>().unwrap()];
    spec.container.extra_hosts = vec!["host.docker.internal:host-gateway".to_owned()];
    spec.container.ports = vec!["127.0.0.1:8080:80".to_owned()];
    spec.container.health = Some(HealthCheck::default());
    let mut plan = plan_with(&settings, &spec).unwrap();
    // The version grows, and the plan stays.
    plan.labels.remove("alveary.version");
    insta::assert_debug_snapshot!(plan);
}

#[test]
fn no_value_of_the_environment_is_shown() {
    let shown = format!("{:?}", plan(&echo().env("TOKEN", "hunter2")).unwrap());
    assert!(shown.contains("TOKEN") && !shown.contains("hunter2"));
}

fn refused(spec: &AgentSpec) -> String {
    let error = plan(spec).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
    assert!(error.cure().is_some(), "{error}");
    error.to_string()
}

#[test]
fn what_no_engine_takes_is_refused_by_its_name() {
    for image in ["-rm", "", "a b", "../x", "ä"] {
        assert!(refused(&with(|c| c.image = Some(image.to_owned()))).contains("image"));
    }
    for source in ["./data", "data/x", "../x", "a"] {
        let mount: Mount = format!("{source}:/data").parse().unwrap();
        assert!(refused(&with(|c| c.mounts = vec![mount])).contains("volume"));
    }
    for host in ["db", "db:", ":1.2.3.4", "-a:1.2.3.4", "db:nowhere"] {
        refused(&with(|c| c.extra_hosts = vec![host.to_owned()]));
    }
    for port in ["80", "x:80", "80:0", "80:80/ftp", "1:2:3:4", "99999:80", ""] {
        refused(&with(|c| c.ports = vec![port.to_owned()]));
    }
    for device in [
        "/etc/passwd",
        "/dev/../etc/passwd",
        "/dev/sda:x",
        "/dev/a:/dev/b:rwm:x",
    ] {
        refused(&with(|c| c.devices = vec![device.to_owned()]));
    }
    for (key, change) in [
        (
            "user",
            (|c| c.user = Some("--privileged".into())) as fn(&mut ContainerSpec),
        ),
        ("runtime", |c| c.runtime = Some("a b".into())),
        ("apparmor", |c| c.apparmor = Some(String::new())),
        ("cap_add", |c| c.cap_add = vec!["A,B".into()]),
        ("gpus", |c| c.gpus = Some("0".into())),
    ] {
        assert!(refused(&with(change)).contains(key));
    }
    refused(&with(|c| c.workdir = Some("work".to_owned())));
    refused(&with(|c| c.tmpfs = vec!["/tmp:a b".to_owned()]));
    refused(&with(|c| {
        c.networks = vec!["host".to_owned(), "other".to_owned()];
    }));
}

#[test]
fn the_host_itself_is_handed_out_only_where_the_settings_name_it() {
    for path in [
        "/",
        "/var/run/docker.sock",
        "/run",
        "/srv/../run/docker.sock",
        "/run/user/1000/docker.sock",
        "/srv/engines/docker.sock",
    ] {
        let mount: Mount = format!("{path}:/outside").parse().unwrap();
        let spec = with(|c| c.mounts = vec![mount]);
        assert!(refused(&spec).contains("the whole host"), "{path}");
    }
    let settings = Settings {
        host_access: vec!["/".to_owned()],
        ..settings()
    };
    let root = with(|c| c.mounts = vec!["/:/outside:ro".parse().unwrap()]);
    assert!(plan_with(&settings, &root).is_ok());
    let inside = with(|c| c.mounts = vec!["/srv/agents:/data".parse().unwrap()]);
    assert!(plan(&inside).is_ok());
    // That of the engine that is used, whatever it is called.
    let settings = Settings {
        host: Some("unix:///srv/agents/engine".to_owned()),
        ..self::settings()
    };
    let refused = plan_with(&settings, &inside).unwrap_err().to_string();
    assert!(refused.contains("the whole host"), "{refused}");
}

#[test]
fn a_port_may_name_an_address_and_a_protocol() {
    let spec = with(|c| c.ports = vec!["[::1]:0:53/udp".to_owned(), "8080:80".to_owned()]);
    let ports = plan(&spec).unwrap().ports;
    assert_eq!(ports[0].address, Some("::1".parse().unwrap()));
    assert_eq!(
        (ports[0].host, ports[0].container, ports[0].protocol),
        (None, 53, "udp")
    );
    assert_eq!((ports[1].address, ports[1].host), (None, Some(8080)));
}

#[test]
fn an_agent_is_found_by_its_name_where_networks_have_names() {
    let called = |name: &str, network: &str| {
        let mut spec = with(|container| container.networks = vec![network.to_owned()]);
        name.clone_into(&mut spec.name);
        plan(&spec).unwrap().alias_in(network).cloned()
    };
    for name in ["echo", "echo-1", "Echo_2", "echo.example"] {
        assert_eq!(called(name, "demo_net"), Some(name.to_owned()));
    }
    for network in ["bridge", "default", "host", "none", "podman", "container:a"] {
        assert_eq!(called("echo", network), None, "{network}");
    }
    // Programs would read a comma as two names, and nobody looks the others up.
    for name in [
        "two words",
        "a,b",
        "käfer",
        "-echo",
        "echo-",
        "a..b",
        &"x".repeat(64),
    ] {
        assert_eq!(called(name, "demo_net"), None, "{name}");
    }
}
