//! A terminal with a program in it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::hive::{PATIENCE, eventually};

/// How large a terminal is taken to be that does not say.
const USUAL: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// A terminal whose other end a test holds.
pub(crate) struct Pty {
    /// `None` once it has hung up.
    master: Option<File>,
    child: Child,
    seen: Vec<u8>,
    size: Winsize,
}

impl Pty {
    /// Runs the command in a terminal and a session of its own, as a login does.
    pub(crate) fn run(command: &Command) -> Self {
        Self::begin(command, None)
    }

    /// The same in a terminal of this size.
    pub(crate) fn sized(command: &Command, size: Winsize) -> Self {
        Self::begin(command, Some(size))
    }

    /// Makes the terminal larger or smaller, as a person does with a window.
    pub(crate) fn resize(&mut self, size: Winsize) {
        self.size = size;
        tcsetwinsize(self.master.as_ref().unwrap(), size).unwrap();
    }

    fn begin(command: &Command, size: Option<Winsize>) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        if let Some(size) = size {
            tcsetwinsize(&master, size).unwrap();
        }
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(std::ffi::OsStr::from_bytes(name.as_bytes()))
            .unwrap();
        // `setsid --ctty` does what a test cannot without unsafe code: it takes the terminal as its own.
        let mut login = Command::new("setsid");
        login
            .args(["--ctty", "--wait"])
            .arg(command.get_program())
            .args(command.get_args());
        if let Some(dir) = command.get_current_dir() {
            login.current_dir(dir);
        }
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => login.env(key, value),
                None => login.env_remove(key),
            };
        }
        let child = login
            .env("TERM", "xterm-256color")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave)
            .spawn()
            .unwrap();
        Self {
            master: Some(master.into()),
            child,
            seen: Vec::new(),
            size: size.unwrap_or(USUAL),
        }
    }

    /// Types this.
    pub(crate) fn send(&mut self, keys: &[u8]) {
        self.master.as_mut().unwrap().write_all(keys).unwrap();
    }

    /// Waits until this has been shown.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.shown().contains(text) {
            let open = self.read();
            assert!(
                self.shown().contains(text) || (open && Instant::now() < until),
                "never shown: {text}\n{}",
                self.shown()
            );
        }
    }

    /// Waits until this is true of the screen as a person sees it now.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, is: impl Fn(&str) -> bool) {
        self.until_seen(what, |screen| is(&screen.contents()));
    }

    /// Waits until this is true of the screen as a person sees it now, with its colours.
    #[track_caller]
    pub(crate) fn until_seen(&mut self, what: &str, is: impl Fn(&vt100::Screen) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let terminal = self.screen();
            if is(terminal.screen()) {
                return;
            }
            let open = self.read();
            let is_lost = !open || Instant::now() > until;
            assert!(
                !is_lost,
                "never seen: {what}\n{}",
                terminal.screen().contents()
            );
        }
    }

    /// The terminal as it is after all that has been shown.
    pub(crate) fn screen(&self) -> vt100::Parser {
        let [rows, columns] =
            [self.size.ws_row, self.size.ws_col].map(|size| NonZeroU16::new(size).unwrap());
        let mut screen = vt100::Parser::new(rows, columns, 0);
        screen.process(&self.seen);
        screen
    }

    /// How the terminal treats what is typed.
    pub(crate) fn modes(&self) -> String {
        let modes = tcgetattr(self.master.as_ref().unwrap()).unwrap();
        format!(
            "{:?}",
            (modes.input_modes, modes.output_modes, modes.local_modes)
        )
    }

    /// The program in the terminal.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that has been shown so far.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Reads to the end. Gives how the program ended.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while self.read() {
            assert!(Instant::now() < until, "it does not end\n{}", self.shown());
        }
        self.child.wait().unwrap()
    }

    /// Closes the terminal, as a person closes a window, and waits until the program in it has seen that.
    #[track_caller]
    pub(crate) fn hang_up(&mut self) {
        self.master = None;
        eventually("the program in the terminal ends", || {
            self.child.try_wait().unwrap()
        });
    }

    /// Reads what there is, and waits a moment where there is nothing. `false`: nobody has the other end any
    /// more.
    fn read(&mut self) -> bool {
        let Some(master) = &mut self.master else {
            return false;
        };
        let mut ready = [PollFd::new(master, PollFlags::IN)];
        let moment = Timespec::try_from(Duration::from_millis(100)).unwrap();
        match poll(&mut ready, Some(&moment)) {
            Ok(0) | Err(Errno::INTR) => return true,
            told => told.unwrap(),
        };
        let mut bytes = [0; 4096];
        match master.read(&mut bytes) {
            Ok(0) => false,
            Ok(read) => {
                self.seen.extend_from_slice(&bytes[..read]);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            // What a terminal says when the last program has left it.
            Err(_) => false,
        }
    }
}

/// The first line of a screen that is reversed from its beginning on: in a list, what is meant.
pub(crate) fn reversed(screen: &vt100::Screen) -> Option<String> {
    let (rows, columns) = screen.size();
    let is_reversed = |row| screen.cell(row, 0).is_some_and(vt100::Cell::inverse);
    let row = (0..rows.get()).find(|row| is_reversed(*row))?;
    screen.rows(0, columns.get()).nth(row.into())
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
