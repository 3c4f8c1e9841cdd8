//! What an agent's last words show: of a right that it lacked, since containers have no capabilities here but those
//! that `container.cap_add` gives, and programs say in their own ways that they miss one; and the words themselves of
//! one that has hardly lived.

use std::time::Duration;

use alveary_core::ByteSize;

use crate::engine::Container;
use crate::exit::KILLED;

/// What a program that is refused something says of it, in small letters: `EPERM`, and `EACCES`.
const NOT_PERMITTED: [&str; 3] = ["operation not permitted", "eperm", "are you root"];
const DENIED: [&str; 3] = ["permission denied", "eacces", "you must be root"];

/// Which of the two refusals is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    NotPermitted,
    Denied,
}

use Refusal::{Denied, NotPermitted};

/// Of what a refusal may be where one of these words stands beside it, and what would have helped.
type Sign = (
    &'static [Refusal],
    &'static [&'static str],
    &'static [&'static str],
);

const EITHER: &[Refusal] = &[NotPermitted, Denied];
const ONLY_EPERM: &[Refusal] = &[NotPermitted];

/// The first that is found counts.
const SIGNS: [Sign; 15] = [
    (
        EITHER,
        &[
            "ping",
            "ping6",
            "arping",
            "traceroute",
            "icmp",
            "sock_raw",
            "tcpdump",
            "raw",
        ],
        &["NET_RAW"],
    ),
    (
        ONLY_EPERM,
        &["chown", "fchown", "lchown", "chgrp", "ownership"],
        &["CHOWN"],
    ),
    (
        ONLY_EPERM,
        &[
            "setuid",
            "setgid",
            "seteuid",
            "setegid",
            "setreuid",
            "setregid",
            "setresuid",
            "setresgid",
            "setgroups",
            "initgroups",
            "su",
            "gosu",
            "sudo",
            "setpriv",
            "setuidgid",
            "uid",
            "gid",
            "groups",
            "switching",
        ],
        // The init before it hands signals on to whoever it has become.
        &["KILL", "SETGID", "SETUID"],
    ),
    (
        ONLY_EPERM,
        &[
            "chmod",
            "fchmod",
            "utime",
            "utimes",
            "utimensat",
            "permissions",
        ],
        &["FOWNER"],
    ),
    (
        ONLY_EPERM,
        &[
            "rtnetlink",
            "iptables",
            "nft",
            "ifconfig",
            "route",
            "tun",
            "siocsifaddr",
            "siocsifflags",
        ],
        &["NET_ADMIN"],
    ),
    (&[Denied], &["iptables", "nft"], &["NET_ADMIN"]),
    (
        &[Denied],
        &["bind", "listen", "binding"],
        &["NET_BIND_SERVICE"],
    ),
    (ONLY_EPERM, &["chroot"], &["SYS_CHROOT"]),
    (ONLY_EPERM, &["mknod"], &["MKNOD"]),
    (
        ONLY_EPERM,
        &["kill", "pkill", "killall", "catatonit"],
        &["KILL"],
    ),
    (ONLY_EPERM, &["mlock", "mlockall", "memlock"], &["IPC_LOCK"]),
    (ONLY_EPERM, &["ptrace", "strace", "gdb"], &["SYS_PTRACE"]),
    (
        EITHER,
        &["nice", "renice", "setpriority", "sched_setscheduler"],
        &["SYS_NICE"],
    ),
    (
        ONLY_EPERM,
        &[
            "settimeofday",
            "clock_settime",
            "adjtimex",
            "date",
            "hwclock",
        ],
        &["SYS_TIME"],
    ),
    (ONLY_EPERM, &["setcap"], &["SETFCAP"]),
];

/// What containers have of which nothing is said. Podman tells of a container what was taken of these, where Docker
/// says that all were.
const USUAL: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// So many of the last lines may speak of the end.
const LINES: usize = 20;

/// What was refused may stand in one of so many lines before, as in a traceback.
const BEFORE: usize = 4;

/// A container that ended badly, whose agent is root, and not all of root's rights are its own.
#[derive(Debug)]
pub(crate) struct Lacking<'a> {
    given: &'a [String],
    taken: &'a [String],
    code: i32,
}

impl<'a> Lacking<'a> {
    /// `None` where more capabilities would have helped nobody: it ended well or by a signal, it had them all, or it
    /// is no root, which capabilities given to the container do not reach.
    pub(crate) fn of(container: &'a Container) -> Option<Self> {
        let user = container.user.split(':').next().unwrap_or_default();
        let is_root = matches!(user, "" | "0" | "root");
        let has_all = container.privileged || container.cap_add.iter().any(|name| name == "ALL");
        let badly = (1..128).contains(&container.exit_code) && !container.oom;
        (is_root && badly && !has_all).then_some(Self {
            given: &container.cap_add,
            taken: &container.cap_drop,
            code: container.exit_code,
        })
    }

    fn lacks(&self, capability: &str) -> bool {
        let are_in = |list: &[String], name: &str| list.iter().any(|listed| listed == name);
        let is_taken = are_in(self.taken, "ALL") || are_in(self.taken, capability);
        !are_in(self.given, capability) && (is_taken || !USUAL.contains(&capability))
    }
}

/// What would perhaps have helped, by the last of these words that speak of a refusal.
pub(crate) fn read(words: &str, lacking: &Lacking<'_>) -> Option<String> {
    let text = words.to_lowercase();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let at = last.iter().rposition(|line| refusal(line).is_some())?;
    let (line, refusal) = (last[at], refusal(last[at])?);
    let around = last[at.saturating_sub(BEFORE)..at].iter().rev();
    let named = std::iter::once(&line)
        .chain(around)
        .find_map(|line| sign(line, refusal));
    let capabilities = match (named, refusal) {
        (Some(capabilities), _) => capabilities,
        // Without execute permission nobody executes, root neither.
        (None, Denied) if lacking.code != 126 && is_of_a_file(line) => &["DAC_OVERRIDE"],
        (None, NotPermitted) => {
            return Some(
                "perhaps it needs a capability that its container has not: see `container.cap_add`"
                    .to_owned(),
            );
        }
        (None, Denied) => return None,
    };
    let lacks: Vec<String> = capabilities
        .iter()
        .filter(|name| lacking.lacks(name))
        .map(|name| format!("\"{name}\""))
        .collect();
    let what = match lacks.len() {
        0 => return None,
        1 => "a capability",
        _ => "capabilities",
    };
    Some(format!(
        "perhaps it needs {what}: container.cap_add = [{}]",
        lacks.join(", ")
    ))
}

/// One that ends so soon after its start has most likely never done what it is for.
const AT_ONCE: Duration = Duration::from_secs(10);

/// So many of the last lines are told, and so much of each.
const TOLD_LINES: usize = 3;
const TOLD_CHARS: usize = 200;

/// Whether it ended badly, and hardly lived.
pub(crate) fn died_at_once(container: &Container) -> bool {
    // Podman tells of some ends that they were before the start: it has the two from different clocks.
    let lived = (container.started_at.zip(container.finished_at))
        .map(|(from, to)| to.duration_since(from).unwrap_or_default());
    container.exit_code != 0 && !container.oom && lived.is_some_and(|lived| lived < AT_ONCE)
}

/// Of one that a KILL has ended and that may have no more than so much memory. Engines lose the flag of memory now and
/// then, above all of those that live for a moment.
pub(crate) fn of_memory(container: &Container) -> Option<String> {
    let limit = container.memory.map(ByteSize)?;
    (container.exit_code == KILLED && !container.oom).then(|| {
        format!("perhaps its memory ran out, of which it may have {limit}: see `limits.memory`")
    })
}

/// The last of these words, on one line.
pub(crate) fn last(words: &str) -> Option<String> {
    let lines: Vec<&str> = words
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(TOLD_LINES)..];
    let told: Vec<String> = last.iter().map(|line| shortened(line)).collect();
    (!told.is_empty()).then(|| format!("it wrote last: {}", told.join(" | ")))
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(TOLD_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

fn refusal(line: &str) -> Option<Refusal> {
    let says = |words: &[&str]| words.iter().any(|words| line.contains(words));
    if says(&NOT_PERMITTED) {
        Some(NotPermitted)
    } else {
        says(&DENIED).then_some(Denied)
    }
}

fn sign(line: &str, refusal: Refusal) -> Option<&'static [&'static str]> {
    let words: Vec<&str> = line
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    let found = SIGNS.iter().find(|(refusals, signs, _)| {
        refusals.contains(&refusal) && signs.iter().any(|sign| words.contains(sign))
    });
    let (_, signs, capabilities) = found?;
    // A socket of a path is refused by the path's permissions.
    let of_a_path = signs.contains(&"bind") && line.contains('/');
    (!of_a_path).then_some(*capabilities)
}

/// Whether a file was refused, and not a login or a request somewhere else.
fn is_of_a_file(line: &str) -> bool {
    let elsewhere = ["publickey", "password", "http://", "https://"];
    let file = [
        "/",
        "errno 13",
        "os error 13",
        "can't open",
        "cannot open",
        "can't create",
        "cannot create",
    ];
    file.iter().any(|word| line.contains(word)) && !elsewhere.iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::test::ended;

    fn hint(words: &str, container: &Container) -> Option<String> {
        read(words, &Lacking::of(container)?)
    }

    #[test]
    fn what_programs_say_names_the_capability_that_they_missed() {
        for (words, capability) in [
            ("chown: /data: Operation not permitted", "CHOWN"),
            (
                "chown: changing ownership of '/data': Operation not permitted",
                "CHOWN",
            ),
            ("ping: permission denied (are you root?)", "NET_RAW"),
            ("ping: socket: Operation not permitted", "NET_RAW"),
            (
                "su: can't set groups: Operation not permitted",
                "KILL\", \"SETGID\", \"SETUID",
            ),
            (
                "error: failed switching to \"nobody\": operation not permitted",
                "KILL\", \"SETGID\", \"SETUID",
            ),
            (
                "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
                "NET_BIND_SERVICE",
            ),
            (
                "Error: listen EACCES: permission denied 0.0.0.0:80",
                "NET_BIND_SERVICE",
            ),
            (
                "ip: RTNETLINK answers: Operation not permitted",
                "NET_ADMIN",
            ),
            (
                "ERROR (catatonit:1): self-check that pid1 (6) was spawned failed: Operation not permitted",
                "KILL",
            ),
            (
                "chroot: can't change root directory to '/x': Operation not permitted",
                "SYS_CHROOT",
            ),
            (
                "cat: can't open '/home/agent/key': Permission denied",
                "DAC_OVERRIDE",
            ),
            (
                "Traceback (most recent call last):\n  File \"/a.py\", line 1, in <module>\n    os.chown('/data', 7, 7)\nPermissionError: [Errno 1] Operation not permitted: '/data'\n",
                "CHOWN",
            ),
        ] {
            let said = hint(words, &ended(1)).unwrap_or_default();
            assert!(
                said.ends_with(&format!("container.cap_add = [\"{capability}\"]")),
                "{words}: {said}"
            );
        }
    }

    #[test]
    fn the_last_lines_of_one_that_has_hardly_lived_are_told() {
        let said = last("warming up\n\none\ntwo\n[FATAL tini (7)] exec /absent failed\n");
        let three = "it wrote last: one | two | [FATAL tini (7)] exec /absent failed";
        assert_eq!(said.as_deref(), Some(three));
        assert_eq!(last(" \n\n"), None);
        let long = last(&"ä".repeat(100_000)).unwrap();
        assert!(long.chars().count() < 250 && long.ends_with('…'), "{long}");
    }

    #[test]
    fn one_that_ends_well_or_has_lived_has_not_died_at_once() {
        let lived = |seconds, code| {
            let mut container = ended(code);
            container.started_at = Some(std::time::SystemTime::UNIX_EPOCH);
            container.finished_at = container
                .started_at
                .map(|at| at + Duration::from_secs(seconds));
            container
        };
        assert!(died_at_once(&lived(0, 1)) && died_at_once(&lived(9, 127)));
        let mut earlier = lived(0, 1);
        earlier.finished_at = (earlier.started_at).map(|at| at - Duration::from_millis(4));
        assert!(died_at_once(&earlier));
        let mut oom = lived(1, 137);
        oom.oom = true;
        for container in [lived(1, 0), lived(60, 1), ended(1), oom] {
            assert!(!died_at_once(&container), "{container:?}");
        }
    }

    #[test]
    fn without_a_sign_nothing_is_said() {
        for words in [
            "",
            "no such file or directory",
            "agent@example.org: Permission denied (publickey).",
            "bind /run/agent.sock: the socket is there already",
        ] {
            assert_eq!(hint(words, &ended(1)), None, "{words}");
        }
        // A file without execute permission.
        assert_eq!(hint("sh: /a: Permission denied", &ended(126)), None);
    }

    #[test]
    fn a_refusal_of_something_unknown_names_no_capability() {
        let said = hint("mount: Operation not permitted", &ended(1)).unwrap();
        assert!(said.ends_with("see `container.cap_add`"), "{said}");
    }

    #[test]
    fn only_the_last_words_count() {
        let mut words = "chown: /data: Operation not permitted\n".to_owned();
        words.push_str(&"all is well\n".repeat(LINES));
        assert_eq!(hint(&words, &ended(1)), None);
    }

    #[test]
    fn nothing_is_said_to_one_that_no_capability_would_have_helped() {
        let words = "chown: /data: Operation not permitted";
        let mut given = ended(1);
        given.cap_add = vec!["CHOWN".to_owned()];
        // As Podman tells of one that was given it.
        let mut left = ended(1);
        left.cap_drop = vec!["FOWNER".to_owned()];
        let mut nobody = ended(1);
        nobody.user = "1000:1000".to_owned();
        let mut privileged = ended(1);
        privileged.privileged = true;
        for container in [given, left, nobody, privileged, ended(0), ended(137)] {
            assert_eq!(hint(words, &container), None, "{container:?}");
        }
    }
}
