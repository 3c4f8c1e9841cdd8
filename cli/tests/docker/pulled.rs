//! Images that have to be fetched, from a registry of the trial's own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::common::{IMAGE, TestEngine};
use crate::ground::Ground;
use crate::hive::{PATIENCE, eventually, finish};
use crate::pty::Pty;

/// So much has to be fetched of what is in it and nowhere else.
const BYTES: usize = 12_000_000;

/// So many bytes at a time, so often: the image is on its way for some seconds.
const AT_ONCE: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(15);

/// The image, without its registry.
const NAME: &str = "alveary-test/pulled:1";

/// A start is accepted after five seconds: with this the image is not there by then.
pub(crate) const LONGER_THAN_A_START_WAITS: Duration = Duration::from_millis(120);

fn fleet(image: &str) -> String {
    format!(
        r#"
        swarm = "pulled"
        [defaults]
        stop = {{ grace = "0s" }}
        container = {{ image = "{image}" }}
        [agents.one]
        count = 3
        command = ["sleep", "1000"]
        "#
    )
}

pub(crate) fn lines_say_that_an_image_comes_and_is_there(ground: &Ground) {
    let registry = Registry::with_an_image(ground);
    let swarm = ground.swarm(ground.file(&fleet(&registry.image)));
    let up = swarm.run(&["up", "--detach"]);
    assert_eq!(up.code(), Some(0), "{up}");
    let said = up.stderr();
    for line in [
        format!("fetching the image {}", registry.image),
        format!("the image {} is here", registry.image),
    ] {
        // Once for all three of them.
        assert_eq!(said.matches(&line).count(), 1, "{line} in {said}");
    }
    swarm.ok(&["down"]);
}

pub(crate) fn a_terminal_shows_how_far_an_image_is(ground: &Ground) {
    let registry = Registry::with_an_image(ground);
    let swarm = ground.swarm(ground.file(&fleet(&registry.image)));
    let mut pty = Pty::run(&swarm.command(&["up", "--detach"]));
    // Only the API tells of bytes.
    pty.expect(if ground.way == "docker-api" {
        " MB of 12."
    } else {
        " of 2 layers"
    });
    pty.expect("is here");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
    swarm.ok(&["down"]);
}

pub(crate) fn a_bench_tells_how_long_an_image_takes(ground: &Ground) {
    let registry = Registry::with_an_image(ground);
    ground.file(&fleet(&registry.image));
    let args = [
        "bench",
        "-n",
        "1",
        "--warm-up",
        "0",
        "--no-floor",
        "--out",
        "a.json",
    ];
    let ran = finish(ground.command().args(args).args(["--backend", ground.way]));
    assert_eq!(ran.code(), Some(0), "{ran}");
    let report = fs::read(ground.path().join("a.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let phases = &report["runs"][0]["phases"];
    let at = |step: &str| phases[step]["samples_ms"][0].as_f64().unwrap();
    // As long as its bytes are held back.
    let times = u32::try_from(BYTES / AT_ONCE).unwrap();
    let least = (PAUSE * times / 2).as_secs_f64() * 1e3;
    assert!(at("pull") > least, "{phases}");
    assert!(
        at("pull") > at("create") && at("pull") < at("spawn"),
        "{phases}"
    );
}

pub(crate) fn what_a_detached_up_has_accepted_has_started_when_it_returns(ground: &Ground) {
    let registry = Registry::with_an_image_in(ground, LONGER_THAN_A_START_WAITS);
    let swarm = ground.swarm(ground.file(&fleet(&registry.image)));
    let up = swarm.run(&["up", "--detach"]);
    assert_eq!(up.code(), Some(0), "{up}");
    assert!(up.stderr().contains("is on its way"), "{up}");
    let states = swarm.agents();
    let states: Vec<_> = states.iter().map(|agent| &agent["state"]).collect();
    assert_eq!(states, ["running"; 3]);
    swarm.ok(&["down"]);
}

pub(crate) fn an_image_that_cannot_be_had_is_asked_for_once_and_told_in_one_sentence(
    ground: &Ground,
) {
    let registry = EmptyRegistry::open();
    let up = |count: usize| {
        let fleet = fleet(&registry.image).replace("count = 3", &format!("count = {count}"));
        let swarm = ground.swarm(ground.file(&fleet));
        let before = registry.asked();
        let ran = swarm.run(&["up", "--detach"]);
        assert_eq!(ran.code(), Some(125), "{ran}");
        (registry.asked() - before, ran.stderr())
    };
    let (asked, said) = up(1);
    assert!(asked > 0, "{said}");
    let (asked_by_all, said) = up(7);
    assert_eq!(asked_by_all, asked, "{said}");
    let sentence = format!(
        "failed to spawn 7 agents (one-1, one-2, one-3, 4 more): the image `{}` is not there",
        registry.image
    );
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    // In whichever order they were refused.
    let (counted, why) = sentence
        .split_once(" (one-1, one-2, one-3, 4 more)")
        .unwrap();
    assert!(said.contains(counted) && said.contains(why), "{said}");
}

/// The login is what Docker's program would have brought along, whichever way the engine is told to fetch.
pub(crate) fn a_registry_that_wants_a_login_is_given_the_one_that_was_kept(ground: &Ground) {
    let open = Registry::with_an_image(ground);
    let registry = open.behind_a_login();
    let swarm = ground.swarm(ground.file(&fleet(&registry.image)));
    let home = tempfile::tempdir().unwrap();
    let up = |config: &Value| {
        let docker = home.path().join(".docker");
        fs::create_dir_all(&docker).unwrap();
        fs::write(docker.join("config.json"), config.to_string()).unwrap();
        let mut command = swarm.command(&["up", "--detach"]);
        command.env("HOME", home.path()).env("ALVEARY_LOG", "trace");
        let ran = finish(&mut command);
        if ran.code() == Some(0) {
            swarm.ok(&["down"]);
            ground.engine.client(&["rmi", "--force", &registry.image]);
        }
        ran
    };
    let kept = |name_and_password: &str| {
        let auth = BASE64_STANDARD.encode(name_and_password);
        json!({ "auths": { registry.server(): { "auth": auth } } })
    };
    for config in [json!({}), kept("queen:wax")] {
        let ran = up(&config);
        assert_eq!(ran.code(), Some(125), "{ran}");
        for words in ["wants another login", "docker login"] {
            assert!(ran.stderr().contains(words), "{ran}");
        }
        assert!(!ran.stderr().contains("wax"), "{ran}");
    }
    let ran = up(&kept("queen:honey"));
    assert_eq!(ran.code(), Some(0), "{ran}");
    // Neither the password nor what bears it is in a trace.
    let header = BASE64_STANDARD.encode(r#"{"password":"honey""#);
    for secret in [
        "honey",
        &BASE64_STANDARD.encode("queen:honey"),
        &header[..20],
    ] {
        assert!(!ran.stderr().contains(secret), "{secret}");
    }

    // The same from who keeps it for the program.
    let helper = ground.path().join("bin/docker-credential-pantry");
    let script = "#!/bin/sh\n[ \"$(cat)\" = 127.0.0.1:PORT ] && printf '{\"Username\":\"queen\",\"Secret\":\"honey\"}'\n";
    fs::write(&helper, script.replace("127.0.0.1:PORT", registry.server())).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = up(&json!({ "credHelpers": { registry.server(): "pantry" } }));
    assert_eq!(ran.code(), Some(0), "{ran}");
    // One that fails is told, and what it printed is not: it may be a password.
    fs::write(&helper, "#!/bin/sh\ncat >/dev/null; echo wax; exit 3\n").unwrap();
    let ran = up(&json!({ "credHelpers": { registry.server(): "pantry" } }));
    assert_eq!(ran.code(), Some(125), "{ran}");
    if ground.way == "docker-api" {
        let failed = "docker-credential-pantry get` failed";
        assert!(ran.stderr().contains(failed), "{ran}");
        assert!(!ran.stderr().contains("wax"), "{ran}");
    }
}

/// A registry that has no image, and counts how often one is asked for.
struct EmptyRegistry {
    image: String,
    asked: Arc<AtomicUsize>,
}

impl EmptyRegistry {
    fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&asked);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let counts = Arc::clone(&counts);
                thread::spawn(move || refuse(&connection, &counts));
            }
        });
        Self {
            image: format!("127.0.0.1:{port}/alveary-test/absent:1"),
            asked,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Says of each request of a connection that there is no such image; who begins with TLS is turned away.
fn refuse(connection: &TcpStream, asked: &AtomicUsize) {
    let mut lines = BufReader::new(connection).lines();
    while let Some(Ok(first)) = lines.next() {
        for line in lines.by_ref() {
            match line {
                Ok(line) if !line.is_empty() => {}
                Ok(_) => break,
                Err(_) => return,
            }
        }
        let text = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        let there = first.contains(" /v2/ ");
        if first.contains("/manifests/") {
            asked.fetch_add(1, Ordering::SeqCst);
        }
        let body = if first.starts_with("HEAD") { "" } else { text };
        let answer = format!(
            "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            if there { "200 OK" } else { "404 Not Found" },
            text.len(),
        );
        let mut connection = connection;
        if connection.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A registry that takes its time, with an image in it that no engine has.
pub(crate) struct Registry {
    serves: Child,
    pub(crate) image: String,
    engine: TestEngine,
    folder: Arc<tempfile::TempDir>,
}

/// The name `queen` and the password `honey`, as registries keep them.
const QUEEN: &str = "queen:$2b$04$Nn5bwEoh0L2z6x/VqgSqeOGRDZWDvLFwlobJOBH4D9hLG1b3DP3Am\n";

impl Registry {
    fn with_an_image(ground: &Ground) -> Self {
        Self::with_an_image_in(ground, PAUSE)
    }

    pub(crate) fn with_an_image_in(ground: &Ground, pause: Duration) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let (serves, port) = serve(folder.path(), "");
        let engine = ground.engine.clone();
        let pushed = format!("127.0.0.1:{port}/{NAME}");
        grow(&engine, folder.path(), &pushed);
        engine.client(&["push", &pushed]);
        engine.client(&["rmi", &pushed]);
        let slow = slow_way_to(port, pause);
        Self {
            serves,
            image: format!("127.0.0.1:{slow}/{NAME}"),
            engine,
            folder,
        }
    }

    /// Another that has the same, for who logs in.
    fn behind_a_login(&self) -> Self {
        let users = self.folder.path().join("users");
        fs::write(&users, QUEEN).unwrap();
        let login = format!(
            "auth: {{ htpasswd: {{ realm: hive, path: {} }} }}\n",
            users.display()
        );
        let (serves, port) = serve(self.folder.path(), &login);
        Self {
            serves,
            image: format!("127.0.0.1:{port}/{NAME}"),
            engine: self.engine.clone(),
            folder: Arc::clone(&self.folder),
        }
    }

    /// What an image's name begins with.
    fn server(&self) -> &str {
        self.image.split_once('/').unwrap().0
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _gone = self.serves.kill();
        let _reaped = self.serves.wait();
        self.engine.try_client(&["rmi", "--force", &self.image]);
    }
}

/// Debian's registry over the images of this folder, and where it answers.
fn serve(folder: &Path, login: &str) -> (Child, u16) {
    // Nobody else takes a port between its being free and its being used, but the one who is asked to.
    let port = free_port();
    let config = folder.join(format!("{port}.yml"));
    let text = format!(
        "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"127.0.0.1:{port}\" }}\n{login}",
        folder.join("images").display()
    );
    fs::write(&config, text).unwrap();
    let serves = Command::new(program())
        .arg("serve")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the registry answers", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    (serves, port)
}

/// The test's image and what no compression makes less of.
fn grow(engine: &TestEngine, folder: &Path, image: &str) {
    let context = folder.join("context");
    fs::create_dir(&context).unwrap();
    let mut random = fs::File::open("/dev/urandom").unwrap();
    for layer in ["one", "two"] {
        let mut noise = vec![0; BYTES / 2];
        random.read_exact(&mut noise).unwrap();
        fs::write(context.join(layer), noise).unwrap();
    }
    let text = format!("FROM {IMAGE}\nCOPY one /one\nCOPY two /two\n");
    fs::write(context.join("Dockerfile"), text).unwrap();
    engine.client(&[
        "build",
        "--quiet",
        "--tag",
        image,
        context.to_str().unwrap(),
    ]);
}

fn program() -> String {
    let engines = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/engines/engine");
    let printed = Command::new(engines).arg("registry").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    String::from_utf8(printed.stdout).unwrap().trim().to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A port that leads to that one, a little at a time.
fn slow_way_to(port: u16, pause: Duration) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let slow = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let until = Instant::now() + 2 * PATIENCE;
        for asked in listener.incoming() {
            let (Ok(asked), Ok(answers)) = (asked, TcpStream::connect(("127.0.0.1", port))) else {
                return;
            };
            if Instant::now() > until {
                return;
            }
            carry(&asked, &answers, Duration::ZERO);
            carry(&answers, &asked, pause);
        }
    });
    slow
}

fn carry(from: &TcpStream, to: &TcpStream, pause: Duration) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        let mut bytes = vec![0; AT_ONCE];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
            thread::sleep(pause);
        }
        let _closed = to.shutdown(Shutdown::Write);
    });
}
