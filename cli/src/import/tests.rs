//! What files of other tools come to, as fleet files that are read.

use std::path::Path;

use alveary::{Fleet, LoadOptions};

use super::{Imported, Kind, Source};
use crate::failure::Failure;

fn read(kind: Kind, text: &str) -> Result<Imported, Failure> {
    let source = Source {
        text,
        variable: &|name| (name == "TAG").then(|| "7".to_owned()),
    };
    source.read(kind)
}

fn imported(kind: Kind, text: &str) -> (Fleet, String, Vec<String>) {
    let imported = read(kind, text).expect("it can be read");
    let made = imported.to_toml("it");
    let fleet = Fleet::parse(&made, "alveary.toml", &LoadOptions::default());
    let fleet = fleet.unwrap_or_else(|error| panic!("{error}\n{made}"));
    let left = imported.left.iter().map(ToString::to_string).collect();
    (fleet, made, left)
}

fn has(left: &[String], place: &str, words: &str) -> bool {
    left.iter()
        .any(|left| left.starts_with(&format!("{place}: ")) && left.contains(words))
}

const SHOP: &str = r#"
name: shop
services:
  db:
    image: postgres:${TAG}
    environment:
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}
      POSTGRES_DB: ${DB:-shop}
      RETRIES: 3
    volumes:
      - data:/var/lib/postgresql/data
      - ./init:/docker-entrypoint-initdb.d:ro
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U shop"]
      interval: 5s
      retries: 5
    stop_grace_period: 1m30s
    restart: unless-stopped
  worker:
    build: .
    image: shop/worker
    command: python -m worker --queue "the long one"
    depends_on:
      db: { condition: service_healthy }
    deploy:
      replicas: 3
      resources:
        limits: { cpus: "0.5", memory: 256M, pids: 64 }
    ports: ["8080:80", "9000", {target: 53, published: 5353, protocol: udp}]
    secrets: [api-key]
    labels: { a: b }
    restart: on-failure:4
    stop_signal: SIGINT
    cap_add: [NET_BIND_SERVICE]
    security_opt: [no-new-privileges:true, "seccomp=unconfined"]
    extra_hosts: ["host.docker.internal:host-gateway"]
    x-note: nothing
networks:
  outer: { external: true, name: shared }
volumes:
  data:
secrets:
  api-key: { file: ./key.txt }
configs:
  nobody: { file: ./x }
"#;

#[test]
fn a_compose_file_becomes_a_fleet_file_that_says_the_same() {
    let (fleet, made, left) = imported(Kind::Compose, SHOP);
    assert_eq!(
        (fleet.swarm.as_str(), fleet.backend.as_str()),
        ("shop", "docker-api")
    );
    insta::assert_snapshot!(made);
    for (place, words) in [
        ("services.db.restart", "`restart.max`"),
        ("services.worker.build", "docker build"),
        ("services.worker.labels", ""),
        ("services.worker.depends_on", "`ready` of `db`"),
        ("services.worker.secrets", "API_KEY_FILE"),
        ("configs", ""),
        ("${TAG}", "what it holds now"),
        ("${DB}", "its default"),
        ("volumes", "external = true"),
    ] {
        assert!(has(&left, place, words), "{place}: {left:#?}");
    }
}

#[test]
fn a_variable_that_is_handed_on_under_its_own_name_stands_in_no_file() {
    let text = "services: { a: { image: x, environment: [TAG, OTHER=$TAG, 'TAG=${TAG}'] } }";
    let (_, made, _) = imported(Kind::Compose, text);
    assert!(made.contains("inherit = [\"TAG\"]"), "{made}");
    assert!(made.contains("OTHER = \"7\""), "{made}");
}

#[test]
fn a_default_may_have_variables_in_it() {
    let text = "services: { a: { image: 'x:${Q:-${R:-deep}}-${TAG+${TAG}}', user: '${U:-$TAG}' } }";
    let (_, made, _) = imported(Kind::Compose, text);
    assert!(made.contains("image = \"x:deep-7\""), "{made}");
    assert!(made.contains("user = \"7\""), "{made}");
    let text = "services: { a: { image: 'x:${TAG/7/8}' } }";
    let error = read(Kind::Compose, text).expect_err("compose knows no such rule");
    assert!(matches!(error, Failure::Input { what, .. } if what.contains("`TAG/7/8`")));
}

#[test]
fn a_dollar_itself_opens_no_variable() {
    for (text, stands_for) in [
        ("${Q:-$${}", "${"),
        ("${Q:-$$${TAG}}", "$7"),
        ("${Q:-$$$${}}", "$${}"),
    ] {
        let text = format!("services: {{ a: {{ image: x, user: '{text}' }} }}");
        let (_, made, _) = imported(Kind::Compose, &text);
        let user = format!("user = \"{stands_for}\"\n");
        assert!(made.contains(&user), "{text}: {made}");
    }
}

#[test]
fn a_file_of_variables_that_need_not_be_there_stays_one() {
    let text = "services: { a: { image: x, env_file: [{ path: no.env, required: false }] } }";
    let (_, made, _) = imported(Kind::Compose, text);
    assert!(made.contains("required = false"), "{made}");
}

#[test]
fn a_variable_that_must_be_set_is_asked_for() {
    let text = "services: { a: { image: 'x:${VERSION:?say which}' } }";
    let error = read(Kind::Compose, text).expect_err("it is not set");
    assert!(matches!(error, Failure::Input { what, .. } if what.contains("VERSION: say which")));
}

#[test]
fn what_no_fleet_file_says_is_named_and_nothing_is_silent() {
    let text = "
services:
  a:
    image: x
    hostname: h
    dns: 1.1.1.1
    volumes: [/only/inside, ~/home:/home, /srv:/srv:ro,z, {type: bind, source: /a, target: /b, bind: {propagation: shared}}]
    ports: ['3000-3005:3000-3005']
    network_mode: service:b
    deploy: { replicas: 0, placement: {} }
    ulimits: { nofile: { soft: 64, hard: 128 }, core: 0 }
    command: echo {name}
    environment: { WHO: '{agent_id}' }
    tty: true
    stdin_open: true
    develop: { watch: [] }
    links: [b]
    depends_on: { b: { condition: service_started, restart: true, required: false } }
  b:
    image: y
    user: on
    networks: { default: { aliases: [z] } }
";
    let (_, made, left) = imported(Kind::Compose, text);
    // Words that older readers of YAML take for truths.
    assert!(
        made.contains("image = \"y\"") && made.contains("user = \"on\""),
        "{made}"
    );
    for place in [
        "hostname",
        "dns",
        "volumes",
        "ports",
        "network_mode",
        "deploy.replicas",
        "deploy.placement",
        "ulimits",
    ] {
        assert!(
            has(&left, &format!("services.a.{place}"), ""),
            "{place}: {left:#?}"
        );
    }
    for (place, words) in [
        ("a.volumes", "`z`"),
        ("a.volumes", "`bind`"),
        ("a.ulimits", "the hard one"),
        ("a.command", "`{name}`"),
        ("a.environment", "`{agent_id}`"),
        ("a.tty", "exec -it"),
        ("a.stdin_open", "exec -i"),
        ("a.develop", "--watch"),
        ("a.links", "by their names"),
        ("a.depends_on", "starts nobody else"),
        ("a.depends_on", "has to be in the file"),
        ("b.networks", "aliases"),
    ] {
        assert!(
            has(&left, &format!("services.{place}"), words),
            "{place}: {left:#?}"
        );
    }
}

/// As compose has it: where none is named for the host, any that is free.
#[test]
fn a_port_of_the_host_that_is_not_said_is_any() {
    for (said, port) in [
        ("9090", "0:9090"),
        (":80", "0:80"),
        ("::80", "0:80"),
        ("127.0.0.1::80", "127.0.0.1:0:80"),
        ("127.0.0.1::53/udp", "127.0.0.1:0:53/udp"),
        ("[::1]::80", "[::1]:0:80"),
        ("[::1]:8080:80", "[::1]:8080:80"),
        ("{ target: 80, published: '' }", "0:80"),
        ("{ target: 80, host_ip: '::1' }", "::1:0:80"),
    ] {
        let said = if said.starts_with('{') {
            said.to_owned()
        } else {
            format!("'{said}'")
        };
        let text = format!("services: {{ a: {{ image: x, ports: [{said}] }} }}");
        let (_, made, left) = imported(Kind::Compose, &text);
        assert!(
            made.contains(&format!("ports = [\"{port}\"]")),
            "{said}: {made}{left:#?}"
        );
    }
}

#[test]
fn what_is_no_compose_file_is_refused_with_its_place() {
    for (text, words) in [
        ("services: [", "cannot be read"),
        ("version: '3'", "no `services`"),
        (
            "services: { a: { image: x, command: \"'\" } }",
            "services.a.command",
        ),
        (
            "services: { 'a b': { image: x }, 'a-b': { image: x } }",
            "two services",
        ),
        ("services: { a: { image: '${X' } }", "not closed"),
    ] {
        let error = read(Kind::Compose, text).expect_err(text);
        let Failure::Input { what, .. } = error else {
            panic!("{text}: {error:?}");
        };
        assert!(what.contains(words), "{text}: {what}");
    }
}

#[test]
fn a_procfile_becomes_processes_under_a_shell() {
    let text = "# the web\nweb: bundle exec puma -p $PORT\n\nworker: rake jobs:work\n";
    let (fleet, made, left) = imported(Kind::Procfile, text);
    assert_eq!(fleet.backend.as_str(), "process");
    assert!(
        made.contains(r#"command = ["sh", "-c", "rake jobs:work"]"#),
        "{made}"
    );
    assert!(has(&left, "web", "PORT"), "{left:#?}");
}

#[test]
fn a_procfile_that_cannot_be_right_is_refused_with_its_line() {
    for (text, words) in [
        ("web bundle", "line 1"),
        ("a: b\na: c", "line 2"),
        ("", "no process"),
    ] {
        let Err(Failure::Input { what, .. }) = read(Kind::Procfile, text) else {
            panic!("{text}");
        };
        assert!(what.contains(words), "{text}: {what}");
    }
}

#[test]
fn a_files_name_says_its_kind() {
    for (file, kind) in [
        ("docker-compose.yml", Some(Kind::Compose)),
        ("x/compose.YAML", Some(Kind::Compose)),
        ("Procfile.dev", Some(Kind::Procfile)),
        ("alveary.toml", None),
    ] {
        assert_eq!(Kind::of(Path::new(file)), kind, "{file}");
    }
}
