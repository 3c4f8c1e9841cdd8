//! A server of ssh of a trial's own: on loopback, with its own keys, and gone with the trial.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::TestEngine;

const SERVER: &str = "/usr/sbin/sshd";

/// What helps where there is none.
pub(crate) const CURE: &str = "there is no server of ssh: apt-get install openssh-server";

/// Names the folder whose settings `ssh` reads in the place of its user's.
const FOLDER: &str = "ALVEARY_TEST_SSH";

pub(crate) fn is_installed() -> bool {
    Path::new(SERVER).exists()
}

pub(crate) fn is_around() -> bool {
    std::env::var_os(FOLDER).is_some()
}

/// Gives a program a `ssh` with the settings of this folder, to which trials add hosts.
pub(crate) fn surround(program: &mut Command, folder: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let real = std::env::split_paths(&path)
        .map(|folder| folder.join("ssh"))
        .find(|ssh| ssh.exists())
        .unwrap_or_else(|| "/usr/bin/ssh".into());
    let (bin, config) = (folder.join("bin"), folder.join("config"));
    fs::create_dir_all(&bin).expect("the folder can be written");
    fs::create_dir_all(folder.join("hosts")).expect("the folder can be written");
    let script = format!(
        "#!/bin/sh\nexec {} -F {} \"$@\"\n",
        real.display(),
        config.display()
    );
    let ssh = bin.join("ssh");
    fs::write(&ssh, script).expect("the folder can be written");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::write(&config, format!("Include {}/hosts/*\n", folder.display())).expect("it is ours");
    let paths = std::iter::once(bin).chain(std::env::split_paths(&path));
    let paths = std::env::join_paths(paths).expect("no colons");
    program.env("PATH", paths).env(FOLDER, folder);
}

/// A host that is this one. Whoever logs in finds the engine, if `docker` is there.
pub(crate) struct Host {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
    entries: Vec<PathBuf>,
}

impl Host {
    pub(crate) fn of(engine: &TestEngine) -> Self {
        Self::with(engine, true)
    }

    /// Without a program `docker`.
    pub(crate) fn bare(engine: &TestEngine) -> Self {
        Self::with(engine, false)
    }

    fn with(engine: &TestEngine, has_docker: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = |name: &str| folder.path().join(name);
        for key in ["host", "user", "stranger"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path(key));
            assert!(keygen.status().expect("ssh-keygen runs").success());
        }
        fs::copy(path("user.pub"), path("authorized")).expect("the key was made");
        let bin = path("bin");
        fs::create_dir(&bin).expect("the folder can be written");
        if has_docker {
            std::os::unix::fs::symlink(engine.program(), bin.join("docker")).expect("it is new");
        }
        // `ssh` runs what it is told by a shell, and finds nothing else here.
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {host}\nPidFile none\nUsePAM no\nStrictModes no\n\
             AuthorizedKeysFile {authorized}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin yes\nSetEnv PATH={bin} DOCKER_HOST={engine}\n",
            host = path("host").display(),
            authorized = path("authorized").display(),
            bin = bin.display(),
            engine = engine.host,
        );
        fs::write(path("config"), config).expect("the folder can be written");
        // Debian's wants it, and makes it only with its service.
        let _there_already_or_not_ours = fs::create_dir("/run/sshd");
        let log = fs::File::create(path("log")).expect("the folder can be written");
        let server = Command::new(SERVER)
            .args(["-D", "-e", "-f"])
            .arg(path("config"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut host = Self {
            folder,
            port,
            server,
            entries: Vec::new(),
        };
        host.wait_until_it_listens();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn wait_until_it_listens(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.server.try_wait().expect("it is ours");
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < until, "sshd: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A name for it that this user's settings know.
    pub(crate) fn known(&mut self) -> String {
        let key = fs::read_to_string(self.path("host.pub")).expect("the key was made");
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        fs::write(self.path("known"), line).expect("the folder can be written");
        self.name("known", "known", "user")
    }

    /// A name for it whose key this user has never seen.
    pub(crate) fn never_seen(&mut self) -> String {
        self.name("never-seen", "none", "user")
    }

    /// A name for it at which this user shows a key that opens nothing.
    pub(crate) fn refusing(&mut self) -> String {
        self.known();
        self.name("refusing", "known", "stranger")
    }

    fn name(&mut self, what: &str, known: &str, key: &str) -> String {
        let name = format!("{what}-{}", self.port);
        let text = format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {key}\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n",
            port = self.port,
            key = self.path(key).display(),
            known = self.path(known).display(),
        );
        let folder = PathBuf::from(std::env::var_os(FOLDER).expect("it is around"));
        let entry = folder.join("hosts").join(&name);
        fs::write(&entry, text).expect("the folder can be written");
        self.entries.push(entry);
        name
    }

    /// Cuts every connection that there is, as a network does that goes away.
    pub(crate) fn cut(&self) {
        for session in descendants(self.server.id()) {
            kill(session);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.cut();
        let _ = self.server.kill();
        let _ = self.server.wait();
        for entry in &self.entries {
            let _ = fs::remove_file(entry);
        }
    }
}

fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Everybody whom a process has started, and whom these have.
fn descendants(of: u32) -> Vec<i32> {
    let children = format!("/proc/{of}/task/{of}/children");
    let children = fs::read_to_string(children).unwrap_or_default();
    let mut all = Vec::new();
    for child in children.split_whitespace() {
        let Ok(pid) = child.parse::<u32>() else {
            continue;
        };
        all.extend(child.parse::<i32>());
        all.extend(descendants(pid));
    }
    all
}
