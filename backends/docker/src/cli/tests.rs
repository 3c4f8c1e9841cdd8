//! The program at its worst, played by a script: see `tests/fake_docker/docker`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use alveary_core::{AgentId, AgentSpec, Incarnation, LogStreamKind, SwarmName, SwarmUid};
use tempfile::TempDir;

use super::*;
use crate::names::Names;
use crate::plan::Planning;

const ID: &str = "3d0a9009a5e15771f9373986c942e77cb4e0d0672874894fd2735a0671121900";

/// A program of a test's own.
struct Fake {
    folder: TempDir,
    cli: Cli,
}

impl Fake {
    fn new() -> Self {
        Self::patient(Duration::from_secs(30))
    }

    fn patient(limit: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_docker/docker");
        let program = folder.path().join("docker");
        std::os::unix::fs::symlink(script, &program).unwrap();
        let mut settings = Settings {
            program: Some(program.to_str().unwrap().to_owned()),
            host: Some("unix:///nonexistent.sock".to_owned()),
            ..Settings::default()
        };
        settings.timeout.start = limit;
        settings.timeout.remove = limit;
        settings.timeout.ask = limit;
        Self {
            folder,
            cli: Cli::new(&settings),
        }
    }

    fn on(self, verb: &str, commands: &str) -> Self {
        fs::write(self.folder.path().join(format!("on-{verb}")), commands).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Waits until the script has written a process's number there.
    async fn pid(&self, name: &str) -> u32 {
        until(|| self.read(name).trim().parse().ok()).await
    }
}

async fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < limit, "it does not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for the end of a process, whether or not anybody reaps it.
async fn until_gone(pid: u32) {
    until(|| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.starts_with('Z'));
        state.unwrap_or(true).then_some(())
    })
    .await;
}

fn container() -> Ref {
    Ref::new(ID).unwrap()
}

fn plan_of(spec: &AgentSpec) -> Plan {
    let names = Names::new(None, &SwarmName::new("demo").unwrap()).unwrap();
    let settings = Settings::default();
    let planning = Planning {
        swarm: SwarmUid::random(),
        names: &names,
        settings: &settings,
        secrets: None,
    };
    let id = AgentId::new("echo").unwrap();
    planning.plan(&id, Incarnation::random(), spec).unwrap()
}

fn spec() -> AgentSpec {
    let mut spec = AgentSpec::new("echo", ["sleep", "1000"]);
    spec.container.image = Some("busybox".to_owned());
    spec
}

async fn created(fake: &Fake, spec: &AgentSpec) -> Answer<Created> {
    let name = Ref::new("alveary-demo-echo").unwrap();
    fake.cli.create(&name, &plan_of(spec)).await
}

#[tokio::test]
async fn warnings_around_an_answer_do_not_touch_it() {
    let fake = Fake::new().on(
        "create",
        &format!("cat >/dev/null; echo 'WARNING: no swap limit support' >&2; echo {ID}; echo 'WARNING: deprecated' >&2"),
    );
    let created = created(&fake, &spec()).await.unwrap();
    assert_eq!(created.id, container());
    assert_eq!(created.remarks, ["no swap limit support", "deprecated"]);
}

#[tokio::test]
async fn an_id_that_is_printed_by_a_call_that_fails_is_to_be_looked_for() {
    let fake = Fake::new().on(
        "create",
        &format!(
            "cat >/dev/null; echo {ID}; echo 'Error response from daemon: something' >&2; exit 127"
        ),
    );
    assert_eq!(
        created(&fake, &spec()).await.unwrap_err().class,
        Class::Lost
    );
}

#[tokio::test]
async fn what_is_no_id_is_to_be_looked_for() {
    for printed in ["", "done", "\u{1}\u{2}\u{3}", "../images/json"] {
        let fake = Fake::new().on("create", &format!("cat >/dev/null; printf '{printed}\\n'"));
        let trouble = created(&fake, &spec()).await.unwrap_err();
        assert_eq!(trouble.class, Class::Lost, "{printed}");
    }
}

#[tokio::test]
async fn a_program_that_hangs_and_ignores_term_is_ended_with_all_it_has_started() {
    let fake = Fake::patient(Duration::from_secs(2)).on(
        "create",
        "trap '' TERM HUP INT; sleep 1000 & echo $! >$here/child; echo $$ >$here/pid; while :; do wait; done",
    );
    // What it is, so that only `create` has to hurry.
    fake.cli.facts().await.unwrap();
    let trouble = created(&fake, &spec()).await.unwrap_err();
    assert_eq!(trouble.class, Class::Lost);
    until_gone(fake.pid("pid").await).await;
    until_gone(fake.pid("child").await).await;
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_no_program() {
    let fake = Fake::new().on(
        "start",
        "sleep 1000 & echo $! >$here/child; echo $$ >$here/pid; wait",
    );
    let container = container();
    let (pid, child) = tokio::select! {
        _ = fake.cli.start(&container) => panic!("it hangs"),
        pids = async { (fake.pid("pid").await, fake.pid("child").await) } => pids,
    };
    until_gone(pid).await;
    until_gone(child).await;
}

#[tokio::test]
async fn who_holds_the_output_after_the_end_is_not_waited_for_and_is_ended() {
    let fake = Fake::new().on(
        "start",
        "(trap '' TERM HUP; exec sleep 1000) & echo $! >$here/child; echo started",
    );
    let before = Instant::now();
    fake.cli.start(&container()).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(10));
    until_gone(fake.pid("child").await).await;
}

#[tokio::test]
async fn who_has_left_the_group_is_not_waited_for_either() {
    let fake = Fake::new().on(
        "start",
        "setsid sleep 1000 & echo $! >$here/child; echo started",
    );
    let before = Instant::now();
    fake.cli.start(&container()).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(10));
    let left = fake.pid("child").await;
    let left = rustix::process::Pid::from_raw(i32::try_from(left).unwrap()).unwrap();
    rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_and_its_program_ended() {
    let fake = Fake::new().on(
        "create",
        "cat >/dev/null; echo $$ >$here/pid; exec yes 0123456789abcdef",
    );
    let trouble = created(&fake, &spec()).await.unwrap_err();
    assert_eq!(trouble.class, Class::Lost);
    until_gone(fake.pid("pid").await).await;
}

#[tokio::test]
async fn a_word_about_an_image_that_never_ends_is_not_waited_for() {
    let fake = Fake::new().on(
        "pull",
        "echo $$ >$here/pid; echo 'layer: Downloading'; head -c 8000000 /dev/zero | tr '\\0' x; echo; exit 0",
    );
    let trouble = fake.cli.pull("far:1", &mut |_| {}).await.unwrap_err();
    assert_eq!(trouble.class, Class::Other, "{}", trouble.words);
    until_gone(fake.pid("pid").await).await;
}

#[tokio::test]
async fn words_without_end_are_cut_and_an_answer_is_heard_all_the_same() {
    let fake = Fake::new().on(
        "start",
        "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo started",
    );
    fake.cli.start(&container()).await.unwrap();
    let fake = Fake::new().on(
        "start",
        "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1",
    );
    let trouble = fake.cli.start(&container()).await.unwrap_err();
    assert!(trouble.words.len() < 100_000);
}

#[tokio::test]
async fn codes_of_shells_and_of_the_program_are_told_apart() {
    for (commands, class) in [
        ("exit 126", Class::NoClient),
        ("echo 'docker: not found' >&2; exit 127", Class::NoClient),
        ("exit 125", Class::Lost),
        ("echo 'unknown flag: --x' >&2; exit 125", Class::NoLine),
        (
            "echo 'Error: no such container x' >&2; exit 125",
            Class::NoContainer,
        ),
        ("kill -9 $$", Class::Lost),
    ] {
        let fake = Fake::new().on("start", commands);
        let trouble = fake.cli.start(&container()).await.unwrap_err();
        assert_eq!(trouble.class, class, "{commands}");
    }
}

#[tokio::test]
async fn garbage_is_no_container_and_no_list() {
    for garbage in ["", "{", "[{}]", "{\"Id\":1}", "\u{0}"] {
        let fake = Fake::new()
            .on("inspect", &format!("printf '%s' '{garbage}'"))
            .on("ps", &format!("echo {ID}"));
        assert!(fake.cli.inspect(&container()).await.is_err(), "{garbage}");
        assert!(fake.cli.list("a=b", "").await.is_err(), "{garbage}");
    }
}

#[tokio::test]
async fn those_that_went_meanwhile_hide_no_others() {
    let other = ID.replace('3', "4");
    let fake = Fake::new().on("ps", &format!("echo {ID}; echo {other}")).on(
        "inspect",
        &format!(
            r#"echo '[{{"Id":"{ID}","Name":"/a","State":{{"Status":"running"}},"Config":{{}}}}]'; echo 'Error: No such container: {other}' >&2; exit 1"#
        ),
    );
    let found = fake.cli.list("a=b", "").await.unwrap();
    assert_eq!(
        found
            .iter()
            .map(|found| found.id.as_str())
            .collect::<Vec<_>>(),
        [ID]
    );
    let fake = Fake::new().on("ps", &format!("echo {ID}")).on(
        "inspect",
        "echo '[]'; echo 'Cannot connect to the Docker daemon' >&2; exit 1",
    );
    let trouble = fake.cli.list("a=b", "").await.unwrap_err();
    assert_eq!(trouble.class, Class::Unreachable);
}

#[tokio::test]
async fn the_beginning_of_an_id_is_not_the_id() {
    let fake = Fake::new().on(
        "inspect",
        &format!(r#"echo '[{{"Id":"{ID}","Name":"/b","State":{{}},"Config":{{}}}}]'"#),
    );
    let found = fake
        .cli
        .inspect(&Ref::new(&ID[..12]).unwrap())
        .await
        .unwrap();
    assert!(found.is_none());
    assert!(fake.cli.inspect(&container()).await.unwrap().is_some());
    assert!(
        fake.cli
            .inspect(&Ref::new("b").unwrap())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn an_agents_environment_neither_steers_the_program_nor_stands_in_its_arguments() {
    let fake = Fake::new().on("create", &format!("cat >$here/stdin; echo {ID}"));
    let names = [
        "DOCKER_HOST",
        "PATH",
        "LD_PRELOAD",
        "HOME",
        "HTTPS_PROXY",
        "GODEBUG",
        "TOKEN",
    ];
    let mut spec = spec();
    for name in names {
        spec = spec.env(name, format!("hunter2-{name}"));
    }
    created(&fake, &spec).await.unwrap();
    let stdin = fake.read("stdin");
    for name in names {
        assert!(
            stdin.contains(&format!("{name}=hunter2-{name}\n")),
            "{name}"
        );
    }
    assert!(!fake.read("calls").contains("hunter2"));
    assert!(!fake.read("environ").contains("hunter2"));
}

#[tokio::test]
async fn a_variable_of_more_than_one_line_goes_by_the_api_over_standard_input() {
    let response = format!(
        r#"head -c 600 >$here/stdin; printf 'HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n{{"Id":"{ID}","W":""}}'"#
    );
    let fake = Fake::new().on("system", &response);
    let spec = spec().env("DOCKER_HOST", "hunter2\nsecond");
    assert_eq!(created(&fake, &spec).await.unwrap().id, container());
    assert!(fake.read("calls").ends_with("system dial-stdio\n"));
    assert!(!fake.read("calls").contains("hunter2"));
    assert!(!fake.read("environ").contains("hunter2"));
    let stdin = fake.read("stdin");
    assert!(stdin.starts_with("POST /v1.41/containers/create?name=alveary-demo-echo HTTP/1.1\r\n"));
    assert!(stdin.contains(r"DOCKER_HOST=hunter2\nsecond"));
}

#[tokio::test]
async fn where_no_connection_is_carried_a_variable_of_more_than_one_line_is_refused() {
    let fake = Fake::new();
    let spec = spec().env("KEY", "hunter2\nsecond");
    let trouble = created(&fake, &spec).await.unwrap_err();
    assert_eq!(trouble.class, Class::NoLine);
    assert!(!trouble.words.contains("hunter2"));

    let down = "echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2; exit 1";
    let trouble = created(&fake.on("system", down), &spec).await.unwrap_err();
    assert_eq!(trouble.class, Class::Unreachable);
}

#[tokio::test]
async fn force_that_removes_nothing_has_found_nobody() {
    let fake = Fake::new().on("rm", "echo 'Error: No such container: x' >&2; exit 0");
    let trouble = fake.cli.remove(&container(), true).await.unwrap_err();
    assert_eq!(trouble.class, Class::NoContainer);
    let fake = Fake::new().on("rm", &format!("echo {ID}"));
    fake.cli.remove(&container(), true).await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_with_its_cure() {
    let settings = Settings {
        program: Some("/nonexistent/docker".to_owned()),
        ..Settings::default()
    };
    let trouble = Cli::new(&settings).facts().await.unwrap_err();
    assert_eq!(trouble.class, Class::NoClient);
    assert!(trouble.words.contains("/nonexistent/docker"));
}

#[tokio::test]
async fn a_path_is_told_by_the_first_block_and_the_rest_is_not_waited_for() {
    let fake = Fake::new().on(
        "cp",
        "echo $$ >$here/pid; cd $here; mkdir bin; tar cf - bin; exec cat /dev/zero",
    );
    assert_eq!(
        fake.cli.look(&container(), "/bin").await.unwrap(),
        Inside::Folder
    );
    until_gone(fake.pid("pid").await).await;
    let fake = Fake::new().on(
        "cp",
        "echo 'Error: No such container:path: x:/y' >&2; exit 1",
    );
    assert_eq!(
        fake.cli.look(&container(), "/y").await.unwrap(),
        Inside::Nothing
    );
    let fake = Fake::new().on(
        "cp",
        "echo 'dial unix /x: no such file or directory' >&2; exit 1",
    );
    let trouble = fake.cli.look(&container(), "/y").await.unwrap_err();
    assert_eq!(trouble.class, Class::Unreachable);
}

#[tokio::test]
async fn events_are_told_until_the_program_ends_and_then_its_words_are() {
    let event = |action: &str| {
        format!(
            r#"echo '{{"Action":"{action}","Actor":{{"ID":"{ID}","Attributes":{{"name":"a"}}}}}}'"#
        )
    };
    let fake = Fake::new().on(
        "events",
        &format!(
            "{}; {}; {}; echo 'unexpected EOF' >&2; exit 1",
            event("start"),
            event("exec_start: x"),
            event("destroy")
        ),
    );
    let events: Vec<_> = fake.cli.events("a=b").await.unwrap().collect().await;
    let gone: Vec<_> = events[..2]
        .iter()
        .map(|event| event.as_ref().unwrap().gone)
        .collect();
    assert_eq!(gone, [false, true]);
    assert_eq!(events[2].as_ref().unwrap_err().class, Class::Lost);
    assert_eq!(events.len(), 3);
}

#[tokio::test]
async fn podmans_program_goes_on_when_it_ends_without_a_word_and_not_for_ever() {
    let event = format!(
        r#"{{"ID":"{ID}","Name":"a","Status":"start","Time":"2026-11-25T01:00:00.5Z","Attributes":{{}}}}"#
    );
    let podman = "echo '{\"Client\":{\"Version\":\"4.3.1\",\"APIVersion\":\"4.3.1\"}}'";
    let fake = Fake::new().on("version", podman).on(
        "events",
        &format!("[ -e $here/once ] || echo '{event}'; : >$here/once"),
    );
    let events: Vec<_> = fake.cli.events("a=b").await.unwrap().collect().await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].as_ref().unwrap_err().class, Class::Unreachable);
    let calls = fake.read("calls");
    let asked = calls.lines().filter(|call| call.starts_with("events "));
    assert!(asked.count() > 2, "{calls}");
}

#[tokio::test]
async fn a_listener_that_is_dropped_leaves_no_program() {
    let fake = Fake::new().on("events", "echo $$ >$here/pid; exec sleep 1000");
    let mut events = fake.cli.events("a=b").await.unwrap();
    let pid = tokio::select! {
        _ = events.next() => panic!("nothing happens"),
        pid = fake.pid("pid") => pid,
    };
    drop(events);
    until_gone(pid).await;
}

async fn log_of(commands: &str) -> Vec<Answer<LogEntry>> {
    let fake = Fake::new().on("logs", commands);
    let query = LogQuery {
        follow: true,
        since: None,
        stdout: true,
        stderr: true,
    };
    fake.cli
        .logs(&container(), query)
        .await
        .unwrap()
        .collect()
        .await
}

#[tokio::test]
async fn the_two_outputs_are_put_into_one_order_again() {
    let mut commands = String::new();
    for second in 10..50 {
        let to = if second % 3 == 0 { " >&2" } else { "" };
        let line = format!("echo 2026-11-25T01:00:{second}.000000000Z {second}{to}\n");
        commands.push_str(&line);
    }
    let log = log_of(&commands).await;
    let read: Vec<_> = log.iter().map(|entry| entry.as_ref().unwrap()).collect();
    assert!(read.is_sorted_by_key(|entry| entry.at));
    assert_eq!(read.len(), 40);
    for entry in read {
        let text = str::from_utf8(&entry.bytes).unwrap().trim();
        let err = text.parse::<u32>().unwrap() % 3 == 0;
        assert_eq!(entry.stream == LogStreamKind::Stderr, err);
    }
}

#[tokio::test]
async fn the_programs_own_words_are_no_agents() {
    let log =
        log_of("echo 2026-11-25T01:00:00.000000000Z a >&2; echo 'unexpected EOF' >&2; exit 1")
            .await;
    assert_eq!(log[0].as_ref().unwrap().bytes, "a\n");
    let trouble = log[1].as_ref().unwrap_err();
    assert_eq!((trouble.class, log.len()), (Class::Lost, 2));
    let warned = log_of("echo 'WARNING: x' >&2; echo 2026-11-25T01:00:00.000000000Z a").await;
    assert_eq!(warned.len(), 1);
}

#[tokio::test]
async fn a_log_without_times_is_none() {
    let log = log_of("echo hello").await;
    assert!(log[0].is_err());
    assert_eq!(log.len(), 1);
}
