//! What a running process has around it, by the word of `/proc`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::spawn::Resource;

/// What a process was given, and where it stands now.
pub(crate) struct Surroundings {
    /// Each `KEY=VALUE`, as it was started; what it has overwritten in place is read as it is now.
    pub(crate) env: Vec<OsString>,
    /// Where it is now.
    pub(crate) cwd: PathBuf,
    pub(crate) umask: u32,
    pub(crate) limits: Vec<(Resource, u64, u64)>,
}

impl Surroundings {
    /// Those of the process that has this number: whoever asks sees to it that it is still the one meant.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let environ = fs::read(format!("/proc/{pid}/environ"))?;
        let env = environ
            .split(|&byte| byte == 0)
            .filter(|variable| variable.contains(&b'='))
            .map(|variable| OsString::from_vec(variable.to_vec()));
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let umask = status
            .lines()
            .find_map(|line| line.strip_prefix("Umask:"))
            .and_then(|value| u32::from_str_radix(value.trim(), 8).ok());
        let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
        let limit = |name: &str, resource| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
            let mut values = line.split_ascii_whitespace().map(|value| match value {
                "unlimited" => Some(u64::MAX),
                value => value.parse().ok(),
            });
            Some((resource, values.next()??, values.next()??))
        };
        Ok(Self {
            env: env.collect(),
            cwd: fs::read_link(format!("/proc/{pid}/cwd"))?,
            umask: umask.unwrap_or(0o022),
            limits: [
                limit("Max open files", Resource::Nofile),
                limit("Max cpu time", Resource::Cpu),
            ]
            .into_iter()
            .flatten()
            .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_seen_as_it_was_started() {
        let mut child = Command::new("sleep")
            .arg("100")
            .env_clear()
            .env("A", "b=c")
            .current_dir("/")
            .spawn()
            .unwrap();
        // It is another program only once that has begun.
        let seen = loop {
            let seen = Surroundings::of(child.id()).unwrap();
            if seen.env == ["A=b=c"] {
                break seen;
            }
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen.cwd, PathBuf::from("/"));
        assert_eq!(seen.limits.len(), 2);
    }
}
