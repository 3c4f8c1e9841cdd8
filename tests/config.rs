//! What a fleet file says: defaults, members, order, specs, and what outweighs what.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use alveary::{
    AgentId, AgentSpec, ConfigError, Fleet, LoadOptions, Place, Probe, Ready, ReadyCheck,
    RestartPolicy, SecretDelivery, SecretSource, Signal,
};

fn options() -> LoadOptions {
    let nothing: [(&str, &str); 0] = [];
    LoadOptions::default()
        .with_working_dir("/srv/demo")
        .with_environment(nothing)
}

fn fleet(file: &str) -> Fleet {
    Fleet::parse(file, "alveary.toml", &options()).unwrap()
}

/// The spec of a member on this host, for the agent of the id `id-1`.
fn spec_of(fleet: &Fleet, name: &str) -> AgentSpec {
    let member = fleet.member(name).unwrap();
    let id = AgentId::new("id-1").unwrap();
    fleet
        .spec(&member, &id, &Place::host("/bin/alveary"))
        .unwrap()
}

fn names(fleet: &Fleet) -> Vec<String> {
    fleet
        .members()
        .into_iter()
        .map(|member| member.name)
        .collect()
}

#[test]
fn the_example_of_the_documentation_says_what_it_seems_to_say() {
    let fleet = fleet(
        r#"
        swarm = "demo"
        backend = "process"
        [defaults]
        env = { LOG = "info" }
        [agents.echo]
        count = 5
        command = ["python3", "agent.py", "--id", "{agent_id}"]
        cwd = "work"
        capabilities = ["summarise", "translate"]
        restart = { policy = "on-failure", max = 5, within = "1m" }
        ready = { log = "listening" }
        stop = { grace = "5s", signal = "INT" }
        secrets = { API_KEY = { file = "key.txt" }, TOKEN = { env = "TOKEN", as = "env" } }
        limits = { memory = "256MiB", nofile = 1024 }
        container = { image = "timmy-time:latest" }
        "#,
    );
    assert_eq!(fleet.swarm.as_str(), "demo");
    assert_eq!(fleet.backend.as_str(), "process");
    assert_eq!(
        names(&fleet),
        ["echo-1", "echo-2", "echo-3", "echo-4", "echo-5"]
    );

    let spec = spec_of(&fleet, "echo-2");
    assert_eq!(spec.name, "echo-2");
    assert_eq!(spec.command, ["python3", "agent.py", "--id", "id-1"]);
    assert_eq!(spec.cwd.as_deref(), Some(Path::new("/srv/demo/work")));
    assert_eq!(spec.capabilities, ["summarise", "translate"]);
    assert_eq!(spec.restart.policy, RestartPolicy::OnFailure);
    assert_eq!(
        (spec.restart.max, spec.restart.within),
        (5, Duration::from_mins(1))
    );
    assert_eq!(spec.ready, Some(ReadyCheck::Log("listening".into()).into()));
    assert_eq!(
        (spec.stop.grace, spec.stop.signal),
        (Duration::from_secs(5), Some(Signal::INT))
    );
    assert_eq!(spec.limits.nofile, Some(1024));
    assert_eq!(spec.container.image.as_deref(), Some("timmy-time:latest"));
    let key = &spec.secrets["API_KEY"];
    assert!(
        matches!(&key.source, SecretSource::File(path) if path == Path::new("/srv/demo/key.txt"))
    );
    let token = &spec.secrets["TOKEN"];
    assert!(matches!(&token.source, SecretSource::Env(name) if name == "TOKEN"));
    assert_eq!(token.delivery, SecretDelivery::Env);
}

#[test]
fn each_agent_is_told_who_it_is_and_the_file_has_the_last_word() {
    let fleet = fleet(
        "[agents.echo]\ncommand = ['true']\ncapabilities = ['a', 'b']\nenv = { AGENT_NAME = 'me', X = '{name}' }",
    );
    let env = spec_of(&fleet, "echo").env;
    let expected = [
        ("AGENT_CAPABILITIES", "a,b"),
        ("AGENT_ID", "id-1"),
        ("AGENT_NAME", "me"),
        ("X", "echo"),
    ];
    let env: Vec<_> = env
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(env, expected);
}

#[test]
fn what_an_agent_asks_for_a_task_is_a_number_or_a_text_and_it_is_told() {
    let fleet = fleet(
        "[defaults]\ncommand = ['true']\nbid = '10-100'\n[agents.one]\n[agents.two]\nbid = 7\n[agents.three]\nenv = { AGENT_BID = '3' }",
    );
    let bid = |name| spec_of(&fleet, name).env["AGENT_BID"].clone();
    assert_eq!([bid("one"), bid("two"), bid("three")], ["10-100", "7", "3"]);
    let again = fleet.to_toml().unwrap();
    assert!(again.contains("bid = \"7\""), "{again}");
}

#[test]
fn tables_of_the_defaults_merge_and_arrays_are_replaced() {
    let fleet = fleet(
        "
        [defaults]
        command = ['a', 'b']
        env = { LOG = 'info', A = '1' }
        stop = { grace = '3s' }
        capabilities = ['x']
        [agents.one]
        [agents.two]
        command = ['c']
        env = { LOG = 'debug' }
        stop = { signal = 'INT' }
        capabilities = []
        ",
    );
    let one = spec_of(&fleet, "one");
    assert_eq!(one.command, ["a", "b"]);
    assert_eq!(one.env["LOG"], "info");
    let two = spec_of(&fleet, "two");
    assert_eq!(two.command, ["c"]);
    assert_eq!(
        (two.env["LOG"].as_str(), two.env["A"].as_str()),
        ("debug", "1")
    );
    assert_eq!(
        (two.stop.grace, two.stop.signal),
        (Duration::from_secs(3), Some(Signal::INT))
    );
    assert!(two.capabilities.is_empty());
}

#[test]
fn of_alternatives_that_of_the_agent_takes_the_place_of_that_of_the_defaults() {
    let fleet = fleet(
        "
        [defaults]
        command = ['true']
        restart = 'always'
        ready = { log = 'up', timeout = '5s' }
        secrets = { KEY = { file = 'key', as = 'env' } }
        [agents.one]
        restart = { max = 2 }
        ready = { tcp = 'localhost:9{index}' }
        secrets = { KEY = { env = 'KEY' } }
        ",
    );
    let one = spec_of(&fleet, "one");
    assert_eq!(
        (one.restart.policy, one.restart.max),
        (RestartPolicy::Always, 2)
    );
    let tcp = ReadyCheck::Probe(Probe::Tcp("localhost:91".into()));
    assert_eq!(
        one.ready,
        Some(Ready::new(tcp).timeout(Duration::from_secs(5)))
    );
    let key = &one.secrets["KEY"];
    assert!(matches!(key.source, SecretSource::Env(_)));
    assert_eq!(key.delivery, SecretDelivery::Env);
}

#[test]
fn the_order_of_the_file_is_kept_and_those_that_are_waited_for_start_first() {
    let fleet = fleet(
        "
        [defaults]
        command = ['true']
        [agents.web]
        after = ['db', 'cache']
        [agents.zoo]
        [agents.db]
        count = 2
        [agents.cache]
        after = 'db'
        ",
    );
    assert_eq!(names(&fleet), ["web", "zoo", "db-1", "db-2", "cache"]);
    let order: Vec<_> = fleet
        .start_order()
        .map(|agent| agent.name.as_str())
        .collect();
    assert_eq!(order, ["zoo", "db", "cache", "web"]);
}

#[test]
fn a_member_is_found_by_its_name_beyond_the_count_too() {
    let fleet = fleet("[defaults]\ncommand = ['true']\n[agents.echo]\ncount = 2\n[agents.solo]");
    let seventh = fleet.member("echo-7").unwrap();
    assert_eq!((seventh.group.as_str(), seventh.index), ("echo", 7));
    assert_eq!(fleet.member("solo").unwrap().index, 1);
    // What `solo` was scaled to, though the file has no count.
    assert_eq!(fleet.member("solo-2").unwrap().group, "solo");
    for nobody in ["echo", "echo-0", "echo-01", "echo-10001", "echo-x", "x"] {
        assert_eq!(fleet.member(nobody), None, "{nobody}");
    }
    let scaled = fleet.agent("echo").unwrap().members_for(Some(0));
    assert!(scaled.is_empty());
}

#[test]
fn who_is_not_in_the_file_has_no_spec() {
    let member = fleet("[agents.gone]\ncommand = ['true']")
        .member("gone")
        .unwrap();
    let error = fleet("[agents.other]\ncommand = ['true']")
        .spec(&member, &AgentId::random(), &Place::host("/bin/alveary"))
        .unwrap_err();
    assert_eq!(error.kind(), alveary::ErrorKind::NotFound);
    assert!(error.to_string().contains("no agent `gone`"), "{error}");
}

#[test]
fn placeholders_expand_where_they_should_and_json_is_left_alone() {
    let fleet = fleet(
        r#"
        swarm = "demo"
        [agents.echo]
        count = 2
        command = ["{exe}", '{"name": "x"}', "{swarm}-{index}", "${name}"]
        cwd = "work/{name}"
        "#,
    );
    let spec = spec_of(&fleet, "echo-2");
    assert_eq!(
        spec.command,
        ["/bin/alveary", r#"{"name": "x"}"#, "demo-2", "${name}"]
    );
    assert_eq!(
        spec.cwd.as_deref(),
        Some(Path::new("/srv/demo/work/echo-2"))
    );
}

#[test]
fn this_program_is_put_into_a_container_that_speaks_of_it_to_be_read_alone() {
    let fleet = fleet(
        "[agents.ours]\ncommand = ['{exe}', 'agent']\ncontainer = { mounts = ['data:/data'] }\n\
         [agents.theirs]\ncommand = ['true']",
    );
    let place = Place::container("/usr/bin/alveary");
    let spec = |name: &str| {
        let member = fleet.member(name).unwrap();
        fleet.spec(&member, &AgentId::random(), &place).unwrap()
    };
    let ours = spec("ours");
    let mounts: Vec<_> = ours
        .container
        .mounts
        .iter()
        .map(|m| (&*m.source, &*m.target, m.read_only))
        .collect();
    assert_eq!(
        mounts,
        [
            ("data", "/data", false),
            ("/usr/bin/alveary", "/opt/alveary/alveary", true),
        ]
    );
    assert_eq!(ours.command, ["/opt/alveary/alveary", "agent"]);
    assert!(spec("theirs").container.mounts.is_empty());
}

#[test]
fn an_agent_that_names_no_directory_works_in_the_files_folder_but_in_a_container_in_its_images() {
    let fleet = fleet("[agents.echo]\ncommand = ['true']");
    let cwd = |place: &Place| {
        let member = fleet.member("echo").unwrap();
        fleet.spec(&member, &AgentId::random(), place).unwrap().cwd
    };
    assert_eq!(cwd(&Place::host("/x")), Some(PathBuf::from("/srv/demo")));
    assert_eq!(cwd(&Place::container("/x")), None);
}

#[test]
fn files_of_variables_lie_beneath_env_and_are_not_interpolated() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.env"), "A=1\nB=1\nC={name}\n").unwrap();
    std::fs::write(folder.path().join("b.env"), "B=2\nAGENT_NAME=file\n").unwrap();
    let file =
        "[agents.echo]\ncommand = ['true']\nenv_file = ['a.env', 'b.env']\nenv = { A = 'env' }";
    let fleet = Fleet::parse(file, folder.path().join("alveary.toml"), &options()).unwrap();
    let env = spec_of(&fleet, "echo").env;
    let values = ["A", "B", "C", "AGENT_NAME"].map(|key| env[key].as_str());
    assert_eq!(values, ["env", "2", "{name}", "file"]);
}

#[test]
fn a_file_of_variables_that_is_not_there_is_told_with_the_agent() {
    let file = "[agents.echo]\ncommand = ['true']\nenv_file = 'no.env'";
    let error = Fleet::parse(file, "alveary.toml", &options()).unwrap_err();
    let sentence = error.to_string();
    assert!(
        sentence.contains("/srv/demo/no.env") && sentence.contains("`echo`"),
        "{sentence}"
    );
}

#[test]
fn flags_outweigh_variables_and_those_outweigh_the_file() {
    let file = "swarm = 'file'\nbackend = 'file'\nstate_dir = 'state'";
    let settled = |options: &LoadOptions| {
        let fleet = Fleet::parse(file, "alveary.toml", options).unwrap();
        let state = fleet.state_dir.unwrap().display().to_string();
        (fleet.swarm.to_string(), fleet.backend.to_string(), state)
    };
    let is = |swarm: &str, backend: &str, state: &str| {
        (swarm.to_owned(), backend.to_owned(), state.to_owned())
    };
    assert_eq!(settled(&options()), is("file", "file", "/srv/demo/state"));
    let variables = options().with_environment([
        ("ALVEARY_SWARM", "variable"),
        ("ALVEARY_BACKEND", "variable"),
        ("ALVEARY_STATE_DIR", "/variable"),
    ]);
    assert_eq!(settled(&variables), is("variable", "variable", "/variable"));
    let flags = variables
        .with_swarm("flag")
        .with_backend("flag")
        .with_state_dir("flag");
    assert_eq!(settled(&flags), is("flag", "flag", "/srv/demo/flag"));
    // A variable that is set to nothing says nothing.
    let empty = options().with_environment([("ALVEARY_SWARM", ""), ("ALVEARY_BACKEND", "")]);
    assert_eq!(settled(&empty), is("file", "file", "/srv/demo/state"));
}

#[test]
fn inside_an_agent_the_uid_of_its_swarm_is_not_taken_for_a_name() {
    let inside = [
        ("ALVEARY_SWARM", "0123456789abcdef0123456789abcdef"),
        ("ALVEARY_INCARNATION", "0123456789abcdef0123456789abcdef"),
    ];
    let fleet = Fleet::parse(
        "swarm = 'file'",
        "alveary.toml",
        &options().with_environment(inside),
    );
    assert_eq!(fleet.unwrap().swarm.as_str(), "file");
}

#[test]
fn a_bad_word_in_a_variable_is_told_with_the_variable() {
    let bad = options().with_environment([("ALVEARY_SWARM", "../x")]);
    let error = Fleet::parse("", "alveary.toml", &bad).unwrap_err();
    assert!(error.to_string().contains("ALVEARY_SWARM"), "{error}");
}

#[test]
fn what_nobody_says_is_as_documented() {
    let fleet = fleet("");
    assert_eq!(fleet.swarm.as_str(), "demo");
    assert_eq!(fleet.backend.as_str(), "process");
    assert_eq!(fleet.file, Path::new("/srv/demo/alveary.toml"));
    assert_eq!(fleet.state_dir, None);
    assert!(fleet.members().is_empty());
}

#[test]
fn a_folder_with_an_unusual_name_still_names_its_swarm() {
    let swarm = |folder: &str| {
        let file = format!("{folder}/alveary.toml");
        Fleet::parse("", file, &options()).map(|fleet| fleet.swarm.to_string())
    };
    assert_eq!(swarm("/srv/my project").unwrap(), "my-project");
    assert_eq!(swarm("/srv/.hidden").unwrap(), "hidden");
    assert_eq!(
        swarm(&format!("/srv/{}", "x".repeat(200))).unwrap().len(),
        64
    );
    let error = swarm("/").unwrap_err().to_string();
    assert!(error.contains("write `swarm = \"NAME\"`"), "{error}");
}

fn load(folder: &Path, options: LoadOptions) -> Result<Fleet, ConfigError> {
    let nothing: [(&str, &str); 0] = [];
    let options = match options.environment {
        Some(_) => options,
        None => options.with_environment(nothing),
    };
    Fleet::load(&options.with_working_dir(folder))
}

#[test]
fn the_file_is_looked_for_upward() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let deep = root.join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(root.join("alveary.toml"), "swarm = 'root'").unwrap();
    let fleet = load(&deep, LoadOptions::default()).unwrap();
    assert_eq!(fleet.swarm.as_str(), "root");
    assert_eq!(fleet.folder(), root);
    std::fs::write(root.join("a/alveary.toml"), "swarm = 'nearer'").unwrap();
    let fleet = load(&deep, LoadOptions::default()).unwrap();
    assert_eq!(fleet.swarm.as_str(), "nearer");
}

#[test]
fn a_file_is_named_by_flag_or_variable() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.toml"), "swarm = 'one'").unwrap();
    std::fs::write(folder.path().join("two.toml"), "swarm = 'two'").unwrap();
    let variable = LoadOptions::default().with_environment([("ALVEARY_FILE", "one.toml")]);
    let fleet = load(folder.path(), variable.clone()).unwrap();
    assert_eq!(fleet.swarm.as_str(), "one");
    let fleet = load(folder.path(), variable.with_file("two.toml")).unwrap();
    assert_eq!(fleet.swarm.as_str(), "two");
}

#[test]
fn a_file_that_is_not_there_is_told_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = load(folder.path(), LoadOptions::default()).unwrap_err();
    assert!(nowhere.is_no_file());
    let sentence = nowhere.to_string();
    for words in ["no alveary.toml in", "any folder above", "`--file`"] {
        assert!(sentence.contains(words), "{sentence}");
    }
    let named = load(folder.path(), LoadOptions::default().with_file("no.toml")).unwrap_err();
    assert!(
        named.is_no_file() && named.to_string().contains("no.toml"),
        "{named}"
    );
    let variable = LoadOptions::default().with_environment([("ALVEARY_FILE", "no.toml")]);
    let named = load(folder.path(), variable).unwrap_err();
    assert!(
        named.to_string().contains("ALVEARY_FILE names it"),
        "{named}"
    );
    let dir = load(folder.path(), LoadOptions::default().with_file(".")).unwrap_err();
    assert!(dir.to_string().contains("a folder"), "{dir}");
}

#[test]
fn a_file_that_no_person_wrote_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alveary.toml");
    std::fs::write(&file, b"swarm = '\xff'").unwrap();
    let error = load(folder.path(), LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
    std::fs::File::create(&file)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let error = load(folder.path(), LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
}

#[test]
fn one_file_has_one_path_however_its_folder_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap().join("real");
    std::fs::create_dir(&real).unwrap();
    std::fs::write(real.join("alveary.toml"), "").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let fleet = load(&link, LoadOptions::default()).unwrap();
    assert_eq!(fleet.file, real.join("alveary.toml"));
}

#[test]
fn what_results_can_be_shown_and_says_the_same() {
    let file = r#"
        swarm = "demo"
        [calls]
        timeout = { spawn = "20s" }
        [backends.process]
        log_size = "1MiB"
        [defaults]
        command = ["true", "{name}"]
        restart = "on-failure"
        env = { LOG = "info" }
        [agents.b]
        count = 2
        after = "a"
        ready = { log = "up" }
        stop = { grace = "1m 30s", signal = "HUP" }
        limits = { memory = "256MiB", cpus = 0.5, cpu_time = "2s" }
        user = "1000:100"
        secrets = { KEY = { file = "key.txt" }, TOKEN = { env = "TOKEN", as = "env" } }
        [agents.a]
        inherit = ["PATH"]
        container = { image = "x", mounts = ["v:/data:ro"], ports = ["80:80"] }
    "#;
    let first = fleet(file);
    let shown = first.to_toml().unwrap();
    assert!(!shown.contains("defaults"), "{shown}");
    assert!(shown.contains("/srv/demo/key.txt"), "{shown}");
    let json = serde_json::to_value(&first).unwrap();
    assert_eq!(json["agents"]["b"]["count"], 2);
    let second = fleet(&shown);
    assert_eq!(second.to_toml().unwrap(), shown);
    assert_eq!(names(&first), names(&second));
    assert_eq!(first.calls, second.calls);
    for member in first.members() {
        assert_eq!(
            spec_of(&first, &member.name),
            spec_of(&second, &member.name)
        );
    }
}

#[test]
fn what_is_shown_holds_no_secret_and_nothing_from_a_file_of_variables() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key.txt"), "hunter2").unwrap();
    std::fs::write(folder.path().join(".env"), "TOKEN=hunter2").unwrap();
    let file = "[agents.echo]\ncommand = ['true']\nenv_file = '.env'\nsecrets = { KEY = { file = 'key.txt' } }";
    let fleet = Fleet::parse(file, folder.path().join("alveary.toml"), &options()).unwrap();
    assert_eq!(spec_of(&fleet, "echo").env["TOKEN"], "hunter2");
    assert!(!fleet.to_toml().unwrap().contains("hunter2"));
    assert!(!format!("{fleet:?}").contains("hunter2"));
}

#[test]
fn a_mount_that_begins_at_the_files_folder_is_known_by_its_whole_path() {
    let mounts = "['./in:/in', '.:/all', '../up:/up:ro', './a/./b:/b', '/abs:/abs', 'data:/data', '.hidden:/h']";
    let text = format!("[agents.a]\ncommand = ['true']\ncontainer = {{ mounts = {mounts} }}\n");
    let fleet = fleet(&text);
    let spec = fleet
        .spec(
            &fleet.member("a").unwrap(),
            &AgentId::random(),
            &Place::host("/bin/alveary"),
        )
        .unwrap();
    let folder = fleet.folder().display().to_string();
    let sources: Vec<_> = spec
        .container
        .mounts
        .iter()
        .map(|m| m.source.clone())
        .collect();
    assert_eq!(
        sources,
        [
            format!("{folder}/in"),
            folder.clone(),
            format!("{folder}/../up"),
            format!("{folder}/a/b"),
            "/abs".into(),
            "data".into(),
            ".hidden".into(),
        ]
    );
    assert!(spec.container.mounts[2].read_only);
}
