//! Every behaviour as a `sh` script, for backends whose agents are processes or containers.

use std::fmt::Write as _;

use alveary_core::{AgentSpec, ExecSpec};

use crate::behaviour::Behaviour;
use crate::errand::Errand;

/// Writes a spec for every [`Behaviour`] as a script for `/bin/sh`. The scripts keep to what POSIX and
/// busybox share.
///
/// ```
/// use alveary_conformance::{Behaviour, ShellBehaviours};
///
/// let spec = ShellBehaviours::default().spec(&Behaviour::Exit(7));
/// assert_eq!(spec.unwrap().command, ["/bin/sh", "-c", "exit 7"]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ShellBehaviours {
    as_init: bool,
}

/// Stays, and does `action` at the signal `name`.
///
/// It waits for a child, so that a trap runs at once and not when a foreground command has ended. The child
/// is born deaf to the signals, so that one that is sent to the whole group leaves it to wait for.
fn stay(action: &str, name: &str) -> String {
    format!(
        "trap '' TERM {name}; sleep 86400 & trap - TERM {name}; trap '{action}' {name}; \
         echo ready; while kill -0 $! 2>/dev/null; do wait $!; done"
    )
}

/// Stays until SIGTERM.
fn sleep() -> String {
    stay("kill -9 $!; exit 143", "TERM")
}

impl ShellBehaviours {
    /// For backends where the agent is process 1 of its own namespace, as in most containers: the kernel
    /// drops signals that such a process sends itself, so that it cannot die by one.
    pub fn as_init() -> Self {
        Self { as_init: true }
    }

    /// The spec of an agent that behaves so; `None` for what an agent of this kind cannot do.
    pub fn spec(self, behaviour: &Behaviour) -> Option<AgentSpec> {
        let script = match behaviour {
            Behaviour::Sleep => sleep(),
            Behaviour::Exit(code) => format!("exit {code}"),
            Behaviour::Print { stdout, stderr } => {
                let (out, err) = (printf(stdout), printf(stderr));
                format!("{out}; {err} >&2")
            }
            Behaviour::ExitLater { seconds, code } => format!("sleep {seconds}; exit {code}"),
            Behaviour::Count { lines, pause } => {
                let pause = if pause.is_zero() {
                    String::new()
                } else {
                    format!("; sleep {}", pause.as_secs_f64())
                };
                format!("i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo $i{pause}; done")
            }
            Behaviour::Spin => "trap 'exit 143' TERM; echo ready; while :; do :; done".to_owned(),
            Behaviour::Flood(bytes) => format!("head -c {bytes} /dev/zero | tr '\\0' x"),
            Behaviour::IgnoreTerm => stay("echo term", "TERM"),
            Behaviour::ExitOnSignal { signal, code } => {
                let action = format!("echo caught; kill -9 $!; exit {code}");
                stay(&action, signal.name()?)
            }
            Behaviour::DieBySignal(_) if self.as_init => return None,
            Behaviour::DieBySignal(signal) => format!("kill -{} $$", signal.name()?),
            Behaviour::EscapingGrandchild => format!(
                "setsid sh -c '(trap \"\" TERM HUP; exec sleep 86400) & exit'; {}",
                sleep()
            ),
            Behaviour::LeaveChild => "sleep 86400 & exit 0".to_owned(),
            // Not the shell's last command: some shells become that, with what they take for variables.
            Behaviour::PrintEnvironment => "cat /proc/$$/environ; exit 0".to_owned(),
            Behaviour::PrintSecret(key) => format!("cat \"${{{key}_FILE}}\""),
            Behaviour::PrintCwd => "printf %s \"$(pwd -P)\"".to_owned(),
            Behaviour::PrintArgs(_) => "for a; do printf '%s\\0' \"$a\"; done".to_owned(),
        };
        let mut command = vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
        if let Behaviour::PrintArgs(arguments) = behaviour {
            command.push("sh".to_owned());
            command.extend(arguments.iter().cloned());
        }
        Some(AgentSpec::new("conformance", command))
    }
}

/// A script for an [`Errand`].
pub(crate) fn errand(errand: &Errand) -> ExecSpec {
    let script = match errand {
        Errand::Exit(code) => format!("exit {code}"),
        Errand::Print { stdout, stderr } => {
            let (out, err) = (printf(stdout), printf(stderr));
            format!("{out}; {err} >&2")
        }
        Errand::Copy => "exec cat".to_owned(),
        Errand::PrintEnvironment => "exec cat /proc/self/environ".to_owned(),
        Errand::PrintCwd => "printf %s \"$(pwd -P)\"".to_owned(),
        Errand::Flood(bytes) => format!("head -c {bytes} /dev/zero | tr '\\0' x"),
        Errand::Stay => "trap '' TERM HUP; echo ready; exec sleep 86400".to_owned(),
        Errand::PrintTtySize => "stty size; while read line; do stty size; done".to_owned(),
    };
    ExecSpec::new(["/bin/sh".to_owned(), "-c".to_owned(), script])
}

/// A command that writes these bytes: runs of harmless characters as they are, all others in octal, since
/// no argument can carry a NUL.
fn printf(bytes: &[u8]) -> String {
    let mut text = String::from("printf %b '");
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b" -_.,:;=[]()".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\0{byte:03o}");
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn output_of(behaviour: &Behaviour) -> std::process::Output {
        let spec = ShellBehaviours::default().spec(behaviour).unwrap();
        Command::new(&spec.command[0])
            .args(&spec.command[1..])
            .output()
            .unwrap()
    }

    #[test]
    fn sh_writes_every_byte_as_it_is_given() {
        let all: Vec<u8> = (0..=255).chain(0..=255).collect();
        let output = output_of(&Behaviour::Print {
            stdout: all.clone(),
            stderr: b"a\0\xff".to_vec(),
        });
        assert_eq!(output.stdout, all);
        assert_eq!(output.stderr, b"a\0\xff");
    }

    #[test]
    fn sh_is_given_arguments_as_they_are() {
        let arguments = ["", " a  b ", "$HOME", "'\"", "-n", "a\nb", "ä"];
        let output = output_of(&Behaviour::PrintArgs(
            arguments.map(ToOwned::to_owned).to_vec(),
        ));
        let expected: String = arguments.iter().flat_map(|a| [a, "\0"]).collect();
        assert_eq!(output.stdout, expected.as_bytes());
    }

    #[test]
    fn sh_floods_with_as_many_bytes_as_asked() {
        assert_eq!(
            output_of(&Behaviour::Flood(70_000)).stdout,
            vec![b'x'; 70_000]
        );
    }

    #[test]
    fn sh_counts() {
        let count = Behaviour::Count {
            lines: 3,
            pause: std::time::Duration::from_millis(1),
        };
        assert_eq!(output_of(&count).stdout, b"1\n2\n3\n");
    }
}
