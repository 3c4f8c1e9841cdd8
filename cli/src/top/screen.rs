//! The terminal, taken and given back.

use std::io::{self, Stdout, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::{Aside, Looks, Model, draw};

/// The second screen of the terminal, keys one by one, and the mouse; until it is dropped, or this program panics.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    looks: Looks,
}

/// Whether the terminal is taken. There is one.
static TAKEN: AtomicBool = AtomicBool::new(false);

impl Screen {
    /// Takes the terminal that is on the standard output.
    pub(crate) fn take() -> io::Result<Self> {
        let looks = Looks::of_stdout();
        TAKEN.store(true, Ordering::SeqCst);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // What it has to say is to be read.
            give_back();
            before(panic);
        }));
        let taken = enable_raw_mode()
            .and_then(|()| execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, Hide))
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(terminal) => Ok(Self { terminal, looks }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Shows the model as it is now.
    pub(crate) fn show(&mut self, model: &mut Model) -> io::Result<()> {
        let looks = self.looks;
        self.terminal.draw(|frame| {
            model.fit(frame.area());
            draw(frame, model, looks);
        })?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Has the terminal as it was. Where it is gone there is nothing to give back.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(out, DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
    Aside::say();
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::tcgetattr;

    use super::*;

    /// Says to a run of the test that it is the one that is to panic.
    const PANICS: &str = "ALVEARY_TEST_PANICS";

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_says_what_it_has_to_say() {
        if std::env::var_os(PANICS).is_some() {
            let _screen = Screen::take().unwrap();
            panic!("the sky has fallen");
        }
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(std::ffi::OsStr::from_bytes(name.as_bytes()))
            .unwrap();
        let modes = |of: &File| {
            let modes = tcgetattr(of).unwrap();
            (modes.input_modes, modes.output_modes, modes.local_modes)
        };
        let before = modes(&slave);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads", "1"])
            .arg("top::screen::tests::a_panic_gives_the_terminal_back_before_it_says_what_it_has_to_say")
            .env(PANICS, "yes")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut shown = Vec::new();
        let mut master = File::from(master);
        let reader = std::thread::spawn(move || {
            // At its end a terminal that everybody has left gives an error.
            let _ = master.read_to_end(&mut shown);
            (shown, master)
        });
        assert!(!child.wait().unwrap().success());
        assert_eq!(modes(&slave), before);
        drop(slave);
        let (shown, _master) = reader.join().unwrap();
        let shown = String::from_utf8_lossy(&shown);
        let at = |text: &str| {
            shown
                .find(text)
                .unwrap_or_else(|| panic!("{text:?}: {shown:?}"))
        };
        assert!(at("\u{1b}[?1049h") < at("\u{1b}[?1049l"), "{shown:?}");
        assert!(at("\u{1b}[?1049l") < at("the sky has fallen"), "{shown:?}");
        assert!(at("\u{1b}[?1000l") < at("the sky has fallen"), "{shown:?}");
    }
}
