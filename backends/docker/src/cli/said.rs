//! What a program has said at its end, and what it means. Standard output and standard error are two things: the
//! one is the answer, the other are warnings, and words where there is no answer.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use bytes::BytesMut;
use serde::de::DeserializeOwned;

use crate::classify::{Class, Trouble, is_answer};
use crate::engine::Answer;

/// What a program said.
pub(super) struct Said {
    status: ExitStatus,
    pub(super) stdout: BytesMut,
    /// What it said on standard error, without its warnings.
    pub(super) words: String,
    /// Its warnings.
    pub(super) remarks: Vec<String>,
}

/// Which a shell ends with that could not start the program.
const NOT_STARTED: [i32; 2] = [126, 127];

/// What is heard where the connection ended before the answer came.
const BROKEN_OFF: [&str; 9] = [
    "eof",
    "connection reset",
    "broken pipe",
    "closed network connection",
    "i/o timeout",
    "deadline exceeded",
    "timeout exceeded",
    "error during connect",
    "malformed http",
];

/// What is heard where there was no connection to begin with.
const NOT_REACHED: [&str; 5] = [
    "dial ",
    "connection refused",
    "no such host",
    "is the docker daemon running",
    "unable to connect",
];

impl Said {
    pub(super) fn new(status: ExitStatus, stdout: BytesMut, stderr: &[u8]) -> Self {
        let (words, remarks) = sorted(&String::from_utf8_lossy(stderr));
        if status.success() && !words.is_empty() {
            tracing::debug!(words, "the program adds");
        }
        Self {
            status,
            stdout,
            words,
            remarks,
        }
    }

    /// Its answer, where it gave one.
    ///
    /// One that has printed an answer and fails has done something all the same, and one that was ended may have:
    /// `Class::Lost`.
    pub(super) fn well(self) -> Answer<Self> {
        if self.status.success() {
            return Ok(self);
        }
        let trouble = self.trouble();
        let answered = !self.stdout.trim_ascii().is_empty();
        if answered && trouble.class != Class::Unreachable {
            return Err(Trouble::new(Class::Lost, trouble.words));
        }
        Err(trouble)
    }

    /// What is the matter with it.
    pub(super) fn trouble(&self) -> Trouble {
        let words = || self.words.clone();
        let Some(code) = self.status.code() else {
            let signal = self.status.signal().unwrap_or_default();
            return Trouble::new(
                Class::Lost,
                format!("the program was ended by signal {signal}"),
            );
        };
        if self.words.is_empty() {
            let class = if NOT_STARTED.contains(&code) {
                Class::NoClient
            } else {
                Class::Lost
            };
            return Trouble::new(
                class,
                format!("the program ended with code {code} and said nothing"),
            );
        }
        let text = self.words.to_lowercase();
        let heard = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
        let trouble = Trouble::said(None, words());
        match trouble.class {
            // The engine's own answer, whatever is in it.
            _ if is_answer(None, &text) => trouble,
            Class::Other if NOT_STARTED.contains(&code) => Trouble::new(Class::NoClient, words()),
            Class::Other
                if heard(&["unknown flag", "unknown shorthand flag", "unknown command"]) =>
            {
                Trouble::new(Class::NoLine, words())
            }
            Class::Other | Class::Unreachable if heard(&NOT_REACHED) => {
                Trouble::new(Class::Unreachable, words())
            }
            Class::Other | Class::Unreachable if heard(&BROKEN_OFF) => {
                Trouble::new(Class::Lost, words())
            }
            _ => trouble,
        }
    }

    pub(super) fn is_well(&self) -> bool {
        self.status.success()
    }

    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        // What is no UTF-8 is none of the answers that are asked for.
        let text = str::from_utf8(&self.stdout).unwrap_or_default();
        text.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Answer<T> {
        serde_json::from_slice(&self.stdout).map_err(|error| {
            // The error may quote what was read, which holds an environment: where it is will do.
            Trouble::new(
                Class::Other,
                format!(
                    "the program's answer cannot be read at line {} column {}",
                    error.line(),
                    error.column()
                ),
            )
        })
    }
}

/// The words, and what programs only remark beside them: `WARNING: …`, and log lines of that level.
fn sorted(text: &str) -> (String, Vec<String>) {
    let mut words = Vec::new();
    let mut remarks = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let bare = line.trim();
        let log =
            |level: &str| bare.starts_with("time=") && bare.contains(&format!("level={level}"));
        if log("info") || log("debug") {
            tracing::debug!(line, "the program adds");
        } else if log("warn") {
            remarks.push(message_of(bare));
        } else if let Some((_, remark)) =
            (bare.split_once(':')).filter(|(before, _)| before.eq_ignore_ascii_case("warning"))
        {
            remarks.push(remark.trim().to_owned());
        } else {
            words.push(line);
        }
    }
    for remark in &remarks {
        tracing::debug!(remark, "the program warns");
    }
    (words.join("\n"), remarks)
}

/// What a line of a log says: `… msg="a \"b\"" more=…` as `a "b"`.
fn message_of(line: &str) -> String {
    let Some((_, rest)) = line.split_once("msg=") else {
        return line.to_owned();
    };
    let Some(quoted) = rest.strip_prefix('"') else {
        return rest.split(' ').next().unwrap_or_default().to_owned();
    };
    let mut message = String::new();
    let mut chars = quoted.chars();
    while let Some(next) = chars.next() {
        match next {
            '"' => break,
            '\\' => message.extend(chars.next()),
            _ => message.push(next),
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, stdout: &str, stderr: &str) -> Said {
        Said::new(
            ExitStatus::from_raw(code << 8),
            stdout.into(),
            stderr.as_bytes(),
        )
    }

    #[test]
    fn warnings_are_no_errors_and_hide_none() {
        let warning = "WARNING: Your kernel does not support swap limit capabilities\n\
                       time=\"2026-11-25T01:00:00Z\" level=warning msg=\"no such \\\"container\\\"\" id=x\n";
        let well = said(0, "abc\n", warning).well();
        assert_eq!(
            well.ok().unwrap().remarks,
            [
                "Your kernel does not support swap limit capabilities",
                "no such \"container\""
            ]
        );
        let failed = said(1, "", &format!("{warning}Error: No such image: x\n"));
        let trouble = failed.well().err().unwrap();
        assert_eq!(
            trouble,
            Trouble::new(Class::NoImage, "Error: No such image: x")
        );
    }

    #[test]
    fn an_answer_and_a_failure_are_neither_a_success_nor_a_no() {
        let both = said(1, "0123abcd\n", "Error response from daemon: conflict");
        assert_eq!(both.well().err().unwrap().class, Class::Lost);
    }

    #[test]
    fn an_answer_that_did_not_come_is_told_from_a_call_that_did_not_go() {
        for (words, class) in [
            (
                "error during connect: Post \"http://%2Frun%2Fx/start\": EOF",
                Class::Lost,
            ),
            (
                "error during connect: Post \"http://x\": read unix: connection reset by peer",
                Class::Lost,
            ),
            (
                "error during connect: Get \"http://x\": dial tcp: lookup x: no such host",
                Class::Unreachable,
            ),
            (
                "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
                Class::Unreachable,
            ),
            (
                "Error: unable to connect to Podman socket: dial unix /x: connect: connection refused",
                Class::Unreachable,
            ),
            (
                "Error response from daemon: unexpected EOF in a layer",
                Class::Other,
            ),
            (
                "Error response from daemon: Get \"https://127.0.0.1:9/v2/\": dial tcp 127.0.0.1:9: connect: connection refused",
                Class::Other,
            ),
            (
                "Error: initializing source docker://localhost:9/x:1: pinging container registry localhost:9: Get \"https://localhost:9/v2/\": dial tcp [::1]:9: connect: connection refused",
                Class::Other,
            ),
            (
                "Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
                Class::BadRequest,
            ),
            ("unknown flag: --gpus", Class::NoLine),
        ] {
            assert_eq!(
                said(1, "", words).well().err().unwrap().class,
                class,
                "{words}"
            );
        }
    }

    #[test]
    fn a_program_that_says_nothing_is_not_taken_for_a_no() {
        assert_eq!(said(1, "", "").well().err().unwrap().class, Class::Lost);
        assert_eq!(
            said(127, "", "").well().err().unwrap().class,
            Class::NoClient
        );
        assert_eq!(
            said(126, "", "sh: docker: cannot execute")
                .well()
                .err()
                .unwrap()
                .class,
            Class::NoClient
        );
        let killed = Said::new(ExitStatus::from_raw(9), BytesMut::new(), b"");
        assert_eq!(killed.well().err().unwrap().class, Class::Lost);
    }
}
