//! A keeper's life, from its first breath to its last.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener as StdListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{setsid, umask};
use tokio::net::UnixListener;
use tokio::time::MissedTickBehavior;

use super::handover::{Handover, keeper_name};
use super::serve::{Clients, serve};
use super::settings::{FDS_VARIABLE, SETTINGS_VARIABLE, Settings};
use crate::keep::Keep;
use crate::lock::KeeperLock;
use crate::os::files::short_path;
use crate::os::inherited;

/// The name of the socket in a keeper's folder.
pub(crate) const SOCKET: &str = "keeper.sock";

/// What a keeper says to whoever started it, once it can be asked.
pub(crate) const READY: &str = "ready";
/// What it says when another keeps this folder already.
pub(crate) const HELD: &str = "held";

/// A keeper that has had nothing to keep and nobody to serve for so many looks ends.
const IDLE_LOOKS: u32 = 2;
/// At its start a keeper puts a log away that is longer than this.
const LONGEST_LOG: u64 = 1 << 20;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a keeper that gives way hands to its successor.
struct Inherited {
    lock: File,
    listener: StdListener,
}

/// The exit code of the process.
pub(super) fn run(settings: &OsStr) -> i32 {
    // Between these lines and the first task there is one thread, which is what they need.
    match prepare(settings).and_then(|(settings, inherited)| live(&settings, inherited)) {
        Ok(()) => 0,
        Err(message) => {
            tell_starter(&message);
            1
        }
    }
}

/// Whoever started us reads a line from our standard output.
fn tell_starter(line: &str) {
    // It may have gone away meanwhile, and then nobody needs to know.
    let _gone =
        writeln!(io::stdout(), "{}", line.replace('\n', " ")).and_then(|()| io::stdout().flush());
}

fn prepare(settings: &OsStr) -> Result<(Settings, Option<Inherited>), String> {
    let settings = Settings::from_variable(settings)?;
    let inherited = std::env::var(FDS_VARIABLE)
        .ok()
        .and_then(|fds| inherited::inherit(&fds));
    inherited::hear_of_children();
    if inherited.is_none() {
        inherited::close_inherited();
        // Its own session: no terminal's signals reach it, nor what it starts.
        setsid().map_err(|error| format!("no session of its own: {error}"))?;
    }
    umask(Mode::from_raw_mode(0o077));
    // What short lists of processes show; that they show another name is no reason not to live.
    let _unnamed = rustix::thread::set_name(c"alveary-keeper");
    std::env::set_current_dir("/").map_err(|error| error.to_string())?;
    // A keeper that cannot tell what it sees keeps agents all the same.
    if let Ok(log) = open_log(&settings.folder) {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(std::sync::Mutex::new(log))
            .init();
    }
    let inherited = inherited.map(|[lock, listener]| Inherited {
        lock: lock.into(),
        listener: listener.into(),
    });
    Ok((settings, inherited))
}

/// What a keeper has to say goes into a file beside its journal, since nobody sees its standard error.
fn open_log(folder: &Path) -> io::Result<File> {
    let path = folder.join("keeper.log");
    let is_long = path.metadata().is_ok_and(|log| log.len() > LONGEST_LOG);
    if is_long {
        fs::rename(&path, folder.join("keeper.log.1"))?;
    }
    File::options().create(true).append(true).open(path)
}

fn live(settings: &Settings, inherited: Option<Inherited>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let (lock, listener) = match inherited {
            Some(Inherited { lock, listener }) => (KeeperLock { file: lock }, listener),
            None => {
                let lock = KeeperLock::try_take(&settings.folder).map_err(|error| {
                    format!("{} cannot be locked: {error}", settings.folder.display())
                })?;
                let Some(lock) = lock else {
                    tell_starter(HELD);
                    return Ok(());
                };
                let listener = bind(&settings.folder).map_err(|error| {
                    format!("no socket in {}: {error}", settings.folder.display())
                })?;
                (lock, listener)
            }
        };
        let handover_lock = lock.file.as_raw_fd();
        let keep = Keep::open(settings.keep_options(true), lock).map_err(|error| {
            let folder = settings.folder.display();
            let words = error.engine_words().unwrap_or_default();
            let cure = error.cure().unwrap_or_default();
            format!("in {folder}: {}: {words} ({cure})", error.message())
        })?;
        listener
            .set_nonblocking(true)
            .map_err(|error| error.to_string())?;
        let handover = Handover::new(settings.clone(), handover_lock, listener.as_raw_fd());
        let listener = UnixListener::from_std(listener).map_err(|error| error.to_string())?;
        tell_starter(READY);
        silence_stdout();
        attend(&keep, &listener, handover)
            .await
            .map_err(|error| error.to_string())?;
        // Whoever comes from now on finds no socket and starts the next keeper.
        let _gone = fs::remove_file(settings.folder.join(SOCKET));
        Ok(())
    })
}

fn bind(folder: &Path) -> io::Result<StdListener> {
    match fs::remove_file(folder.join(SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (_folder, path) = short_path(folder, SOCKET)?;
    StdListener::bind(path)
}

/// Whoever reads our standard output must not wait for us to end.
fn silence_stdout() {
    let silenced = File::options()
        .write(true)
        .open("/dev/null")
        .and_then(|null| Ok(rustix::stdio::dup2_stdout(&null)?));
    if let Err(error) = silenced {
        tracing::warn!(%error, "standard output stays open");
    }
}

/// Serves until there is nothing to keep and nobody to serve.
async fn attend(keep: &Keep, listener: &UnixListener, handover: Handover) -> io::Result<()> {
    let clients = Clients::default();
    let handover = Arc::new(handover);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut idle = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    idle = 0;
                    tokio::spawn(serve(keep.clone(), stream, clients.enter(), Arc::clone(&handover)));
                }
                // Out of descriptors: whoever knocks waits until there are some.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            // Not at each signal: a thousand agents that end at once need no thousand looks.
            _ = look.tick() => {
                keep.reap_orphans();
                keep.prepare_for_starts();
                idle = if clients.any() || keep.has_anything_to_keep() { 0 } else { idle + 1 };
                if idle >= IDLE_LOOKS {
                    return Ok(());
                }
            }
        }
    }
}

/// The keeper's command, for those who start it.
pub(crate) fn command(program: &Path, settings: &Settings) -> serde_json::Result<Command> {
    let mut command = Command::new(program);
    command
        .arg0(keeper_name(settings))
        .env(SETTINGS_VARIABLE, settings.to_variable()?)
        .env_remove(FDS_VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    Ok(command)
}
