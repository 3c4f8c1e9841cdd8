//! Keepers and clients of other versions: what is frozen they understand of each other, and nothing else harms.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use alveary_core::{
    AgentBackendExt, AgentId, AgentState, EndedBy, ErrorKind, EventOptions, ExitStatus, LogOptions,
    RemoveOptions, SpawnOptions, StopOptions,
};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::hive::{Hive, exists, listed, sh, spawn, spawn_until, state, wait_until};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_newer_keeper_is_understood_in_what_is_frozen",
            a_newer_keeper_is_understood_in_what_is_frozen,
        ),
        trial(
            "an_older_keeper_is_asked_to_give_way_and_is_taken_over",
            an_older_keeper_is_taken_over,
        ),
        trial(
            "an_older_keeper_that_cannot_give_way_is_understood",
            an_older_keeper_that_cannot_give_way_is_understood,
        ),
        trial(
            "a_keeper_is_understood_by_clients_of_other_versions",
            a_keeper_is_understood_by_clients_of_other_versions,
        ),
        trial(
            "a_keeper_answers_what_it_does_not_know_and_goes_on",
            a_keeper_answers_what_it_does_not_know,
        ),
        trial(
            "a_keeper_of_another_swarm_is_a_conflict",
            a_keeper_of_another_swarm_is_a_conflict,
        ),
    ]
}

/// One frame from the wire, or `None` at its end.
fn read_frame(stream: &mut UnixStream) -> io::Result<Option<Value>> {
    let mut len = [0; 4];
    match stream.read_exact(&mut len) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut frame = vec![0; u32::from_le_bytes(len) as usize];
    stream.read_exact(&mut frame)?;
    Ok(Some(serde_json::from_slice(&frame)?))
}

fn write_frame(stream: &mut UnixStream, frame: &[u8]) -> io::Result<()> {
    let len = u32::try_from(frame.len()).expect("a short frame");
    stream.write_all(&len.to_le_bytes())?;
    stream.write_all(frame)
}

/// A keeper of another version: it knows what is frozen, says more than we know even there, and answers
/// everything else in words that nobody understands.
struct OtherKeeper {
    asked: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    life: Option<JoinHandle<()>>,
    hive: std::path::PathBuf,
}

struct Manners {
    version: u32,
    build: &'static str,
    gives_way: bool,
}

impl OtherKeeper {
    fn of(hive: &Hive, manners: Manners) -> Self {
        let lock = File::create(hive.folder().join("keeper.lock")).expect("a lock can be made");
        lock.try_lock().expect("nobody else keeps here");
        let listener = UnixListener::bind(hive.folder().join("keeper.sock")).expect("a socket");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let life = std::thread::spawn({
            let (asked, over) = (Arc::clone(&asked), Arc::clone(&over));
            let socket = hive.folder().join("keeper.sock");
            move || {
                // Held for as long as it lives.
                let _lock = lock;
                let manners = Arc::new(manners);
                for stream in listener.incoming() {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let stream = stream.expect("somebody knocks");
                    let (asked, over) = (Arc::clone(&asked), Arc::clone(&over));
                    let (manners, socket) = (Arc::clone(&manners), socket.clone());
                    std::thread::spawn(move || {
                        // That a client goes away is no concern of a keeper.
                        let _gone = converse(stream, &manners, &asked, &over, &socket);
                    });
                }
                let _gone = fs::remove_file(socket);
            }
        });
        Self {
            asked,
            over,
            life: Some(life),
            hive: hive.folder().to_owned(),
        }
    }

    fn was_asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panicked").clone()
    }

    fn has_ended(&self) -> bool {
        self.life.as_ref().is_some_and(JoinHandle::is_finished)
    }
}

impl Drop for OtherKeeper {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _woken = UnixStream::connect(self.hive.join("keeper.sock"));
        if let Some(life) = self.life.take() {
            let _ended = life.join();
        }
    }
}

fn converse(
    mut stream: UnixStream,
    manners: &Manners,
    asked: &Mutex<Vec<String>>,
    over: &AtomicBool,
    socket: &std::path::Path,
) -> io::Result<()> {
    while let Some(request) = read_frame(&mut stream)? {
        let n = &request["n"];
        let verb = match &request["is"] {
            Value::String(verb) => verb.clone(),
            Value::Object(verb) => verb.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        };
        asked.lock().expect("nobody panicked").push(verb.clone());
        // Nobody has asked for this, and nobody can read it.
        write_frame(&mut stream, b"\x00\xff no JSON at all")?;
        write_frame(&mut stream, br#"{"n":0,"is":{"weather":"fine"}}"#)?;
        let answer = match verb.as_str() {
            "hello" => json!({"hello": {
                "version": manners.version, "build": manners.build, "pid": 1, "colour": "blue", "cgroups": true,
            }}),
            "list" => json!({"list": [
                {"id": "sleeper", "incarnation": "0102030405060708090a0b0c0d0e0f10", "name": "sleeper",
                 "state": "running", "handle": "7", "pid": 7, "image": null, "capabilities": [],
                 "spec_hash": "0".repeat(64), "started_at": null, "mood": "good",
                 "created_at": {"secs_since_epoch": 1, "nanos_since_epoch": 0}},
                {"id": "dreamer", "incarnation": "1102030405060708090a0b0c0d0e0f10", "name": "dreamer",
                 "state": {"dreaming": {"of": "sheep"}}},
            ]}),
            "stop" => json!({"exit": {"status": {"Code": 3}, "by": "us", "because": "you asked"}}),
            "give-way" if manners.gives_way => {
                over.store(true, Ordering::Relaxed);
                let _woken = UnixStream::connect(socket);
                return Ok(());
            }
            _ => json!({"sparkle": [1, 2, 3]}),
        };
        write_frame(
            &mut stream,
            json!({"n": n, "is": answer, "at": "noon"})
                .to_string()
                .as_bytes(),
        )?;
    }
    Ok(())
}

fn newer() -> Manners {
    Manners {
        version: 2,
        build: "99.0.0",
        gives_way: true,
    }
}

fn older(gives_way: bool) -> Manners {
    Manners {
        version: 0,
        build: "0.0.1",
        gives_way,
    }
}

async fn is_understood(hive: &Hive, keeper: &OtherKeeper) {
    let backend = hive.open().await;
    let mut found: Vec<_> = listed(&backend)
        .await
        .into_iter()
        .map(|agent| (agent.id.to_string(), agent.state.as_str()))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            ("dreamer".to_owned(), "unknown"),
            ("sleeper".to_owned(), "running")
        ]
    );
    let sleeper = AgentId::new("sleeper").expect("a good id");
    assert_eq!(state(&backend, &sleeper).await, AgentState::Running);
    let stranger = AgentId::new("stranger").expect("a good id");
    let error = backend.inspect(&stranger).await.expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let exit = backend
        .stop(&sleeper, StopOptions::default())
        .await
        .expect("what is frozen works");
    assert_eq!((exit.status, exit.by), (ExitStatus::Code(3), EndedBy::Us));
    // What is not frozen is not even asked, and who asks hears of both versions.
    let refusals = [
        backend
            .spawn(&AgentId::random(), &sh("exit 0"), SpawnOptions::default())
            .await
            .map(drop),
        backend.remove(&sleeper, RemoveOptions::default()).await,
        backend
            .logs(&sleeper, LogOptions::default())
            .await
            .map(drop),
        backend.events(EventOptions::default()).await.map(drop),
        backend.wait(&sleeper).await.map(drop),
    ];
    for refused in refusals {
        let error = refused.expect_err("nobody knows what it would mean");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("wire"), "{error}");
    }
    let frozen = ["hello", "list", "stop", "give-way"];
    for verb in keeper.was_asked() {
        assert!(frozen.contains(&verb.as_str()), "it was asked {verb}");
    }
    assert!(backend.check().await.is_ok(), "it can be reached");
}

async fn a_newer_keeper_is_understood_in_what_is_frozen(hive: Hive) {
    let keeper = OtherKeeper::of(&hive, newer());
    is_understood(&hive, &keeper).await;
    assert!(
        !keeper.was_asked().contains(&"give-way".to_owned()),
        "a newer one does not give way to an older one"
    );
}

async fn an_older_keeper_that_cannot_give_way_is_understood(hive: Hive) {
    let keeper = OtherKeeper::of(&hive, older(false));
    is_understood(&hive, &keeper).await;
    let asked = keeper.was_asked();
    let times = asked.iter().filter(|verb| *verb == "give-way").count();
    assert_eq!(times, 1, "it is asked, and once");
}

async fn an_older_keeper_is_taken_over(hive: Hive) {
    // What it keeps is in the journal, whoever has written that.
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    hive.kill_keeper();
    drop(backend);
    let _gone = fs::remove_file(hive.folder().join("keeper.sock"));
    let keeper = OtherKeeper::of(&hive, older(true));
    let backend = hive.open().await;
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
    wait_until(|| keeper.has_ended(), "the older one to end");
    assert!(keeper.was_asked().contains(&"give-way".to_owned()));
    assert!(exists(agent.pid.expect("it has a number")), "it was harmed");
    spawn(&backend, &sh("sleep 1000")).await;
    assert_eq!(listed(&backend).await.len(), 2);
}

/// One who speaks to a keeper, frame by frame.
struct Raw(UnixStream);

impl Raw {
    fn to(hive: &Hive) -> Self {
        let stream = UnixStream::connect(hive.folder().join("keeper.sock")).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a limit can be set");
        Self(stream)
    }

    fn say(&mut self, frame: &[u8]) {
        write_frame(&mut self.0, frame).expect("it takes a frame");
    }

    fn hear(&mut self) -> Value {
        read_frame(&mut self.0)
            .expect("it answers in JSON")
            .expect("it has not hung up")
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.say(json!({"n": 5, "is": request}).to_string().as_bytes());
        let answer = self.hear();
        assert_eq!(answer["n"], 5);
        answer["is"].clone()
    }
}

async fn a_keeper_is_understood_by_clients_of_other_versions(hive: Hive) {
    let backend = hive.open().await;
    for version in [0, 2, 4_000_000_000_u32] {
        let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done";
        let agent = spawn_until(&backend, &sh(script), "ready").await;
        let mut raw = Raw::to(&hive);
        let hello = raw.ask(&json!({"hello": {
            "version": version, "swarm": hive.uid().to_string(), "since": "then",
        }}));
        assert!(hello["hello"]["version"].is_u64(), "{hello}");
        let list = raw.ask(&json!("list"));
        let found = list["list"].as_array().expect("a list");
        assert!(
            found.iter().any(|found| found["id"] == agent.id.as_str()),
            "{list}"
        );
        // What it leaves out and what it adds are both taken as they are meant.
        let exit = raw.ask(&json!({"stop": {"id": agent.id.as_str(), "softly": true}}));
        assert_eq!(exit["exit"]["status"]["Code"], 9, "{exit}");
    }
}

async fn a_keeper_answers_what_it_does_not_know(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    let keeper = hive.keeper().expect("there is a keeper");
    let mut raw = Raw::to(&hive);
    let uid = hive.uid().to_string();
    raw.ask(&json!({"hello": {"version": 1, "swarm": uid}}));
    let unknown = [
        json!("dance"),
        json!({"teleport": {"id": agent.id.as_str(), "to": "mars"}}),
        json!({"inspect": {"name": "no id"}}),
        json!({"stop": {"id": "../x"}}),
        json!(null),
    ];
    for request in unknown {
        let answer = raw.ask(&request);
        let problem = &answer["error"];
        assert_eq!(problem["kind"], "unsupported", "{answer}");
        let message = problem["message"].as_str().expect("a message");
        assert!(message.contains("unknown request"), "{message}");
    }
    // What has not even a number is answered under none.
    for garbage in [&b"\xff\x00\xfe"[..], b"[]", b"", b"{\"is\":\"list\"}"] {
        raw.say(garbage);
        assert_eq!(raw.hear()["n"], 0);
    }
    let list = raw.ask(&json!("list"));
    assert_eq!(list["list"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(hive.keeper(), Some(keeper));
    assert!(exists(agent.pid.expect("it has a number")));
}

async fn a_keeper_of_another_swarm_is_a_conflict(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    let other = hive.open_as_another_swarm().await;
    for refused in [
        other.inspect(&agent.id).await.map(drop),
        other
            .stop(&agent.id, StopOptions::by_force())
            .await
            .map(drop),
        other
            .list(alveary_core::ListOptions::default())
            .await
            .map(drop),
    ] {
        let error = refused.expect_err("these are not its agents");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert!(exists(agent.pid.expect("it has a number")));
}
