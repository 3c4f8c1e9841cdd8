//! One swarm that two hosts know, on an engine that both reach by tcp: two state folders here.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::TestEngine;
use crate::ground::Ground;
use crate::hive::{Ran, finish, is_alive, signal};

/// Longer than it takes until one who is gone is taken for gone.
const PATIENCE: Duration = Duration::from_secs(90);

/// The engine's socket, on a port of loopback for as long as this program runs.
pub(crate) fn by_tcp(engine: &TestEngine) -> String {
    let socket = engine.host.trim_start_matches("unix://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = UnixStream::connect(&socket) else {
                continue;
            };
            let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || carry(near_too, far));
            std::thread::spawn(move || carry_back(far_too, near));
        }
    });
    format!("tcp://{address}")
}

fn carry(mut from: TcpStream, mut to: UnixStream) {
    let _ended_some_way = std::io::copy(&mut from, &mut to);
    let _gone_already = to.shutdown(std::net::Shutdown::Write);
}

fn carry_back(mut from: UnixStream, mut to: TcpStream) {
    let _ended_some_way = std::io::copy(&mut from, &mut to);
    let _gone_already = to.shutdown(std::net::Shutdown::Both);
}

/// A host: a state folder, and the way to the engine.
struct Host<'a> {
    ground: &'a Ground,
    engine: &'a str,
    state: PathBuf,
    file: &'a Path,
}

impl Host<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.ground.command();
        command
            .env("ALVEARY_STATE_DIR", &self.state)
            .env("ALVEARY_LOG", "info")
            .env("DOCKER_HOST", self.engine)
            .env("CONTAINER_HOST", self.engine)
            .args(["--backend", self.ground.way, "--file"])
            .arg(self.file)
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        finish(&mut self.command(args))
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code(), Some(0), "{args:?}: {ran}");
        ran.stdout()
    }

    /// The agent as this host has it.
    #[track_caller]
    fn agent(&self) -> Value {
        let lines = self.ok(&["ps", "-a", "--format", "json"]);
        serde_json::from_str(lines.lines().next().unwrap()).unwrap()
    }

    fn restarts(&self) -> u64 {
        self.agent()["restarts"].as_u64().unwrap()
    }

    fn supervisor(&self) -> Option<u32> {
        let lease = std::fs::read(self.state.join("shared/lease")).ok()?;
        let pid = serde_json::from_slice::<Value>(&lease).ok()?["pid"].as_u64()?;
        let pid = u32::try_from(pid).ok()?;
        is_alive(pid).then_some(pid)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.state.join("shared/supervisor.log")).unwrap_or_default()
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        if let Some(pid) = self.supervisor() {
            signal(pid, Signal::CONT);
        }
        let _best_effort = self.command(&["down", "--time", "0"]).output();
    }
}

#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn terms(engine: &TestEngine) -> Vec<String> {
    let listed = engine.client(&[
        "volume",
        "ls",
        "--filter=label=alveary.lease",
        "--format={{.Name}}",
    ]);
    listed.lines().map(ToOwned::to_owned).collect()
}

/// Which process has the newest term.
fn holder(engine: &TestEngine) -> Option<u32> {
    let number = |name: &String| name.rsplit('-').next()?.parse::<u64>().ok();
    let newest = terms(engine).into_iter().max_by_key(number)?;
    // It may be gone by now, for a newer one.
    let format = "--format={{index .Labels \"alveary.holder\"}}";
    let said = engine.try_client(&["volume", "inspect", format, &newest]);
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    said.rsplit('/').next()?.parse().ok()
}

/// The agent's container that runs, in the engine's own words.
fn running(engine: &TestEngine) -> Option<String> {
    let filters = [
        "--filter=label=alveary.name=clock",
        "--filter=status=running",
    ];
    let listed = engine.client(&[
        "ps",
        "--no-trunc",
        filters[0],
        filters[1],
        "--format={{.ID}}",
    ]);
    listed.lines().next().map(ToOwned::to_owned)
}

/// Kills the agent behind everybody's back, and waits for the next.
#[track_caller]
fn kill_and_see_another(engine: &TestEngine, who: &str) {
    let before = until("the agent runs", || running(engine));
    engine.client(&["kill", &before]);
    until(&format!("{who} starts it again"), || {
        running(engine).filter(|now| *now != before)
    });
}

pub(crate) fn one_host_restarts_agents_and_the_other_takes_over(ground: &Ground) {
    let _image = ground.busybox();
    let file = ground.file(
        r#"
        swarm = "shared"
        [agents.clock]
        command = ["sh", "-c", "sleep 1000"]
        container = { image = "busybox" }
        restart = { policy = "always", delay = "100ms", max_delay = "200ms", max = 100 }
        "#,
    );
    let engine = &ground.engine;
    let address = by_tcp(engine);
    let host = |name: &str| Host {
        ground,
        engine: &address,
        state: ground.path().join(name),
        file: &file,
    };
    let first = host("first");
    first.ok(&["up", "--detach"]);
    let one = until("the first host has a supervisor", || first.supervisor());
    until("the first host has the lease", || {
        (holder(engine) == Some(one)).then_some(())
    });
    // The second host has the folder as it was then.
    let second = host("second");
    let copied = Command::new("cp")
        .arg("-a")
        .args([&first.state, &second.state])
        .status();
    assert!(copied.unwrap().success());
    second.ok(&["up", "--detach"]);
    let two = until("the second host has a supervisor", || {
        second.supervisor().filter(|pid| *pid != one)
    });
    until("the second host waits for the first", || {
        second
            .log()
            .contains(&format!("process {one} on"))
            .then_some(())
    });
    kill_and_see_another(engine, "the first host");
    until("it is the first host's", || {
        (first.restarts() == 1).then_some(())
    });
    assert_eq!(second.restarts(), 0, "the second has restarted nothing");

    // Stopped, it cannot keep what it has; the agent ends meanwhile.
    signal(one, Signal::STOP);
    kill_and_see_another(engine, "the second host");
    assert_eq!(holder(engine), Some(two));
    until("it is the second host's", || {
        (second.restarts() == 1).then_some(())
    });
    // It wakes up to an agent that has just ended.
    let before = until("the agent runs", || running(engine));
    engine.client(&["kill", &before]);
    signal(one, Signal::CONT);
    until("it is started again", || {
        running(engine).filter(|now| *now != before)
    });
    until("the first host waits for the second", || {
        first
            .log()
            .contains(&format!("process {two} on"))
            .then_some(())
    });
    until("that was the second host, too", || {
        (second.restarts() == 2).then_some(())
    });
    assert_eq!(first.restarts(), 1, "who woke up has restarted nothing");

    signal(two, Signal::KILL);
    kill_and_see_another(engine, "the first host");
    assert_eq!(holder(engine), Some(one));
    until("it is the first host's again", || {
        (first.restarts() == 2).then_some(())
    });

    first.ok(&["down", "--time", "0"]);
    assert_eq!(
        terms(engine),
        Vec::<String>::new(),
        "nothing is left of the lease"
    );
    assert_eq!(running(engine), None);
}
