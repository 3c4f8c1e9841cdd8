//! The JSON Schema of fleet files, held against the parser by a validator that knows neither.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use alveary::{ByteSize, Fleet, LoadOptions, Mount, Registry, Signal, User};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

fn validator() -> Validator {
    jsonschema::draft7::new(&Registry::builtin().schema()).unwrap()
}

/// The part of the schema at this pointer, as a schema.
fn part(pointer: &str) -> Validator {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| Registry::builtin().schema());
    jsonschema::draft7::new(SCHEMA.pointer(pointer).unwrap()).unwrap()
}

/// What the validator has against a fleet file.
fn faults(validator: &Validator, file: &str) -> Vec<String> {
    let file: Value = toml::from_str(file).unwrap();
    validator
        .iter_errors(&file)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// What the program has against it, without looking at anything that it names.
fn parse(file: &str) -> Result<(), String> {
    let nothing: [(&str, &str); 0] = [];
    let options = LoadOptions::default()
        .with_working_dir("/srv/demo")
        .with_environment(nothing);
    let fleet = Fleet::parse(file, "alveary.toml", &options).map_err(|error| error.to_string())?;
    let read = Registry::builtin().prepare(&fleet);
    read.map(drop).map_err(|error| error.to_string())
}

/// The agent `echo`, with this line more.
fn with(line: &str) -> String {
    format!("[agents.echo]\ncommand = ['true']\n{line}\n")
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
}

/// The fleet files of a page: its blocks that are called `toml`, and nothing besides.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let block = lines.by_ref().take_while(|line| *line != "```");
        match line {
            "```toml" => blocks.push(block.collect::<Vec<_>>().join("\n")),
            line if line.starts_with("```") => block.for_each(drop),
            _ => drop(block),
        }
    }
    blocks
}

#[test]
fn every_fleet_file_of_the_examples_and_of_the_documents_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut examples, mut pages) = (Vec::new(), vec![root.join("README.md")]);
    files(&root.join("examples"), "toml", &mut examples);
    files(&root.join("docs"), "md", &mut pages);
    let mut seen = 0;
    let validator = validator();
    let written = pages
        .iter()
        .flat_map(|page| blocks(&fs::read_to_string(page).unwrap()));
    let examples = examples
        .iter()
        .map(|file| fs::read_to_string(file).unwrap());
    for file in examples.chain(written) {
        assert_eq!(faults(&validator, &file), [""; 0], "{file}");
        seen += 1;
    }
    assert!(seen > 20, "only {seen} files were found");
}

#[test]
fn what_the_parser_refuses_for_its_key_or_its_form_the_schema_refuses_too() {
    let agents = [
        "comand = ['true']",
        "stop = { grase = '1s' }",
        "secrets = { KEY = { fiel = 'k' } }",
        "secrets = { KEY = { file = 'k', env = 'K' } }",
        "secrets = { KEY = 'hunter2' }",
        "depends_on = ['db']",
        "env = { PORT = 12345 }",
        "env_file = 3",
        "capabilities = 'a'",
        "bid = -1",
        "bid = 2.5",
        "bid = ' '",
        "bid = [10, 100]",
        "stop = { grace = 5 }",
        "stop = { grace = '5 parsecs' }",
        "stop = { grace = '' }",
        "stop = 'TERM'",
        "stop = { signal = 'TREM' }",
        "stop = { signal = '65' }",
        "restart = 'allways'",
        "restart = { policy = 'no' }",
        "restart = { max = -1 }",
        "limits = { memory = '1 parsec' }",
        "limits = { memory = 1024 }",
        "limits = { cpus = 'half' }",
        "user = 'root'",
        "ready = { log = 'a', tcp = 'b:1' }",
        "ready = { lgo = 'a' }",
        "ready = { http = 'http://localhost/', command = ['true'] }",
        "alive = { log = 'a' }",
        "alive = { tcp = 'a:1', command = ['true'] }",
        "alive = { tcp = 'a:1', failures = 0 }",
        "alive = { tcp = 'a:1', interval = '0s' }",
        "alive = { command = 'true' }",
        "env_file = [{ path = 'a', requierd = false }]",
        "env_file = [{ required = false }]",
        "count = 'three'",
        "count = 0",
        "count = 10001",
        "container = { mounts = ['x'] }",
        "container = { imag = 'x' }",
        "container = { pull = 'sometimes' }",
        "container = { health = { retries = 'x' } }",
        "container = { init = 'yes' }",
    ];
    let tops = [
        "bakend = 'process'",
        "backend = 'proces'",
        "swarm = '../x'",
        "agents = 3",
        "[agents]\necho = ['true']",
        "[agents.'a b']\ncommand = ['true']",
        "[agents.echo]\ncommand = 'python3 agent.py'",
        "[defaults]\nenvv = {}",
        "defaults = 'x'",
        "[backends.proces]",
        "[backends.process]\nlog_siez = '1MiB'",
        "[backends.docker-api]\ntimeout = { start = 5 }",
        "[backends.docker-cli.log]\nfiles = -1",
        "[calls]\ntimeout = { spwan = '1s' }",
        "[calls]\ntimeout = { spawn = '0s' }",
        "[calls]\nretry = { attempts = 0 }",
        "[networks.net]\ninternal = 'no'",
        "[volumes.data]\ninternal = true",
        "[coordinator]\nauth = 'password'",
        "[coordinator]\nlisten = 'localhost:80'",
        "[metrics]\nlisten = 'localhost:80'",
        "[metrics]\nport = 80",
        "[coordinator]\nauction = '0s'",
        "[coordinator]\nno_bids = { retry = -1 }",
        "[coordinator]\nattempts = 0",
    ];
    let agents = agents.iter().map(|line| with(line));
    let validator = validator();
    for file in agents.chain(tops.map(ToOwned::to_owned)) {
        assert!(parse(&file).is_err(), "the parser takes {file}");
        assert_ne!(
            faults(&validator, &file),
            [""; 0],
            "the schema takes {file}"
        );
    }
}

#[test]
fn whatever_form_the_parser_takes_the_schema_takes_too() {
    let agents = [
        "restart = 'always'",
        "restart = { policy = 'on-failure', max = 3 }",
        "after = []",
        "after = ['echo-db']\n[agents.echo-db]\ncommand = ['true']",
        "inherit = ['SSH_AUTH_SOCK']",
        "limits = { cpus = 1 }",
        "limits = { cpus = 0.5, cpu_time = '5s', nofile = 64, nproc = 8 }",
        "stop = { signal = 'SIGTERM', grace = '1m 30s' }",
        "stop = { signal = '15' }",
        "ready = { tcp = '127.0.0.1:80', timeout = '1h' }",
        "container = { health = {} }",
        "ready = { command = ['true'] }",
        "alive = { http = 'http://[::1]:80/', interval = '1s', timeout = '1s', failures = 1 }",
        "env_file = { path = '/nowhere/at/all', required = false }",
        "env_file = [{ path = '/nowhere/at/all', required = false }]",
        "user = '1000:100'",
    ];
    let tops = [
        "",
        "backend = 'auto'",
        "[coordinator]\nno_bids = { retry = 3 }\nlisten = '[::1]:8000'",
        "[metrics]",
        "[metrics]\nlisten = '0.0.0.0:9464'",
        "[coordinator]\nno_bids = 'fail'",
        "[backends.docker-api.log.options]\ncompress = 'true'",
        "[networks.net]\n[volumes.data]\nexternal = true",
    ];
    let agents = agents.iter().map(|line| with(line));
    let validator = validator();
    for file in agents.chain(tops.map(ToOwned::to_owned)) {
        assert_eq!(parse(&file), Ok(()), "{file}");
        assert_eq!(faults(&validator, &file), [""; 0], "{file}");
    }
}

/// Every key that the schema knows, and whether it says anything of it.
fn keys(schema: &Value, found: &mut Vec<(String, bool)>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                // The one key of a way to say a thing is that way.
                let way = properties.len() == 1 && map.contains_key("description");
                let said = |of: &Value| way || of["description"].is_string();
                found.extend(properties.iter().map(|(key, of)| (key.clone(), said(of))));
            }
            map.values().for_each(|value| keys(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn every_key_is_described_in_the_schema_and_stands_in_the_documents() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = ["docs/configuration.md", "docs/backends.md"];
    let pages: String = pages
        .map(|page| fs::read_to_string(root.join(page)).unwrap())
        .concat();
    let words: HashSet<_> = pages
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .collect();
    let mut found = Vec::new();
    keys(&Registry::builtin().schema(), &mut found);
    assert!(found.len() > 100, "only {} keys were found", found.len());
    for (key, described) in found {
        let backend = Registry::builtin().names().any(|name| name == key);
        assert!(backend || described, "`{key}` has no description");
        assert!(words.contains(key.as_str()), "`{key}` stands in no page");
    }
}

#[test]
fn nothing_of_the_types_documentation_that_is_no_prose_reaches_an_editor() {
    let text = Registry::builtin().schema().to_string();
    for leftover in ["::", "```", "\"null\"", "$schema\":null", "uint"] {
        assert!(!text.contains(leftover), "{leftover}");
    }
}

proptest! {
    #[test]
    fn a_time_is_one_for_the_schema_where_it_is_one_for_the_parser(
        text in r"( ?[0-9]{1,3}(\.[0-9]{1,2})? ?(ns|us|µs|ms|millis|s|sec|secs|second|m|min|mins|minute|h|hr|hours|d|day|w|wk|M|months|month|y|yr|years|parsec|S|H|)){0,3} ?"
    ) {
        // What is shorter than a nanosecond has a form and no length.
        let parses = humantime::parse_duration(&text).is_ok();
        let precise = text.contains('.');
        let takes = part("/definitions/agent/properties/stop/properties/grace").is_valid(&json!(text));
        prop_assert!(takes == parses || (takes && precise), "{text:?}: {takes} and {parses}");
    }

    #[test]
    fn a_size_is_one_for_the_schema_where_it_is_one_for_the_parser(
        text in r"\+?[0-9]{0,4}\.?[0-9]{0,2} ?(|b|B|k|K|kb|KiB|kib|Ki|M|MiB|mB|GB|GiB|T|TiB|PB|E|EiB|X|MBit)"
    ) {
        let takes = part("/definitions/agent/properties/limits/properties/memory").is_valid(&json!(text));
        prop_assert_eq!(takes, text.parse::<ByteSize>().is_ok(), "{:?}", text);
    }

    #[test]
    fn a_signal_a_user_and_a_mount_are_ones_for_the_schema_where_they_are_ones_for_the_parser(
        signal in "((SIG|sig|Sig|)(TERM|term|Int|USR1|RTMIN|SYS|)|\\+?0{0,2}[0-9]{1,3})",
        user in r"\+?[0-9]{0,4}:?\+?[0-9]{0,4}",
        mount in "/?[a-z]{0,2}:?/?[a-z]{0,2}:?(ro|rw|rx|)",
    ) {
        let agent = "/definitions/agent/properties";
        let takes = part(&format!("{agent}/stop/properties/signal")).is_valid(&json!(signal));
        prop_assert_eq!(takes, signal.parse::<Signal>().is_ok(), "{:?}", signal);
        let takes = part(&format!("{agent}/user")).is_valid(&json!(user));
        prop_assert_eq!(takes, user.parse::<User>().is_ok(), "{:?}", user);
        let mounts = part(&format!("{agent}/container/properties/mounts"));
        prop_assert_eq!(mounts.is_valid(&json!([mount])), mount.parse::<Mount>().is_ok(), "{:?}", mount);
    }
}
