//! The terminal that we are on, handed to a program elsewhere: its keys one by one, its size, and how to let go.

use std::io::{self, Read};
use std::str::FromStr;

use alveary::TtySize;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

use crate::failure::Failure;

/// How much of what is typed may lie about unread.
const UNREAD: usize = 16;

/// A terminal whose keys come as they are typed, until it is dropped.
#[derive(Debug)]
pub(crate) struct Raw {
    before: Termios,
}

impl Raw {
    /// Has the keys of standard input come as they are typed: no echo, no lines, no signals.
    pub(crate) fn begin() -> Result<Self, Failure> {
        let begin = || {
            let before = tcgetattr(io::stdin())?;
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
            Ok(Self { before })
        };
        begin().map_err(Failure::system(
            "have the terminal's keys as they are typed",
        ))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The terminal may be gone, and with it who could be told.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// How large the terminal is that standard input is connected to; none where it is connected to none, or to one
/// that does not say.
pub(crate) fn size() -> Option<TtySize> {
    let size = tcgetwinsize(io::stdin()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| TtySize::new(size.ws_col, size.ws_row))
}

/// What comes in on standard input, until its end.
///
/// It is read by a thread of its own, which nobody waits for: a read of a terminal cannot be called off.
pub(crate) fn typed() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (tell, told) = mpsc::channel(UNREAD);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => Ok(buffer[..length].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_over = read.is_err();
            if tell.blocking_send(read).is_err() || is_over {
                return;
            }
        }
    });
    told
}

/// The keys by which one lets go of a program that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<u8>);

/// Why a text names no keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidKeys(String);

impl std::fmt::Display for InvalidKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` is no key: write a letter, or ctrl- and a letter, with commas between, such as ctrl-p,ctrl-q",
            alveary::Escaped(&self.0)
        )
    }
}

impl std::error::Error for InvalidKeys {}

impl FromStr for DetachKeys {
    type Err = InvalidKeys;

    fn from_str(text: &str) -> Result<Self, InvalidKeys> {
        let key = |word: &str| {
            let invalid = || InvalidKeys(word.to_owned());
            match (word.strip_prefix("ctrl-"), word.as_bytes()) {
                // What Ctrl does to a character is to leave its lower five bits.
                (Some(of), _) => match of.as_bytes() {
                    [letter @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => {
                        Ok(letter & 0x1f)
                    }
                    _ => Err(invalid()),
                },
                (None, [letter]) if letter.is_ascii_graphic() => Ok(*letter),
                (None, _) => Err(invalid()),
            }
        };
        text.split(',').map(key).collect::<Result<_, _>>().map(Self)
    }
}

/// Looks for the keys in what is typed, and keeps them from who is not meant.
#[derive(Debug)]
pub(crate) struct Watcher {
    keys: DetachKeys,
    /// How many of them have been typed.
    met: usize,
}

impl Watcher {
    pub(crate) fn new(keys: DetachKeys) -> Self {
        Self { keys, met: 0 }
    }

    /// What of this is the program's, and whether all keys have been typed: then nothing behind them counts.
    pub(crate) fn pass(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let keys = &self.keys.0;
        let mut through = Vec::with_capacity(typed.len());
        for byte in typed {
            if *byte != keys[self.met] {
                // It was something else that began as they do.
                through.extend_from_slice(&keys[..self.met]);
                self.met = 0;
            }
            if *byte == keys[self.met] {
                self.met += 1;
            } else {
                through.push(*byte);
            }
            if self.met == keys.len() {
                self.met = 0;
                return (through, true);
            }
        }
        (through, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_docker_names_them() {
        for (text, keys) in [
            ("ctrl-p,ctrl-q", &[16, 17][..]),
            ("a", b"a"),
            ("ctrl-[,x", &[27, b'x']),
        ] {
            assert_eq!(text.parse(), Ok(DetachKeys(keys.to_vec())), "{text}");
        }
        for text in ["", "ctrl-", "ctrl-P", "ab", "ctrl-p,", "ä"] {
            assert!(text.parse::<DetachKeys>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_whole_sequence_lets_go_and_what_only_began_as_it_is_passed_on() {
        let mut watcher = Watcher::new("ctrl-p,ctrl-q".parse().unwrap());
        assert_eq!(watcher.pass(b"ls\x10"), (b"ls".to_vec(), false));
        assert_eq!(watcher.pass(b"x"), (b"\x10x".to_vec(), false));
        // The first key twice: the second may be the beginning.
        assert_eq!(watcher.pass(b"\x10\x10"), (b"\x10".to_vec(), false));
        assert_eq!(watcher.pass(b"\x11never"), (Vec::new(), true));
    }
}
