//! A unit of systemd that keeps a swarm up: what it says, and how it is written.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is to be kept up, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) swarm: String,
    /// The program, absolute.
    pub(crate) program: PathBuf,
    /// What it is told before the verb: the file, absolute, and whatever outweighs it.
    pub(crate) arguments: Vec<String>,
    /// Where it is started.
    pub(crate) folder: PathBuf,
    /// Variables that settle where the swarm's state is and what agents inherit.
    pub(crate) variables: Vec<(String, String)>,
    /// Whether an engine of containers has to be there before it.
    pub(crate) needs_docker: bool,
    /// Of the system's own systemd: as this user. Of the user's own where there is none.
    pub(crate) system_user: Option<String>,
}

impl Unit {
    /// What the unit's file is called.
    pub(crate) fn file_name(&self) -> String {
        // A swarm's name is made of what needs no escape in the name of a unit, but for nothing.
        format!("alveary-{}.service", self.swarm)
    }

    /// The unit's file.
    pub(crate) fn text(&self) -> String {
        let mut command = vec![quoted(self.program.as_os_str())];
        command.extend(self.arguments.iter().map(|word| argument(OsStr::new(word))));
        command.push("up".to_owned());
        let command = command.join(" ");
        let mut text = format!(
            "# Keeps the swarm `{swarm}` up. Made by `alveary startup`.\n\
             [Unit]\n\
             Description=The alveary swarm {swarm}\n\
             # What it needs may be long in coming up at boot: it is tried until it is there.\n\
             StartLimitIntervalSec=0\n",
            swarm = self.swarm
        );
        if self.system_user.is_some() {
            let docker = if self.needs_docker {
                " docker.service"
            } else {
                ""
            };
            let _ = writeln!(text, "Wants=network-online.target{docker}");
            let _ = writeln!(text, "After=network-online.target{docker}");
        }
        text.push_str("\n[Service]\nType=exec\n");
        if let Some(user) = &self.system_user {
            let _ = writeln!(text, "User={user}");
        }
        let _ = writeln!(text, "WorkingDirectory={}", path(&self.folder));
        for (name, value) in &self.variables {
            let _ = writeln!(
                text,
                "Environment={}",
                quoted(OsStr::new(&format!("{name}={value}")))
            );
        }
        let _ = write!(
            text,
            "ExecStart={command}\n\
             # It stops its agents itself, in their order; should it die, they live on and the next start finds them.\n\
             KillMode=process\n\
             TimeoutStopSec=infinity\n\
             # Asked to end, it says 130. That an agent failed, or the file is not right, no other start mends.\n\
             SuccessExitStatus=130\n\
             RestartPreventExitStatus=1 2\n\
             Restart=on-failure\n\
             RestartSec=3\n\
             # Its control groups are its own: agents end as whole trees.\n\
             Delegate=yes\n\
             \n\
             [Install]\n\
             WantedBy={target}\n",
            target = self.target(),
        );
        text
    }

    /// What is reached at boot, and brings it up.
    pub(crate) fn target(&self) -> &'static str {
        if self.system_user.is_some() {
            "multi-user.target"
        } else {
            "default.target"
        }
    }
}

/// A word of a command: nothing in it is a variable.
fn argument(word: &OsStr) -> String {
    quoted(word).replace('$', "$$")
}

/// A word as systemd reads it: nothing in it is a specifier or the end of the word.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A path as a setting takes it, which is no command line: quotes would be part of it.
fn path(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Unit {
        Unit {
            swarm: "shop".to_owned(),
            program: "/usr/bin/alveary".into(),
            arguments: vec!["--file".to_owned(), "/srv/a b/100%/alveary.toml".to_owned()],
            folder: "/srv/a b/100%".into(),
            variables: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            needs_docker: true,
            system_user: Some("ada".to_owned()),
        }
    }

    #[test]
    fn a_unit_of_the_system_names_its_user_and_waits_for_the_engine() {
        insta::assert_snapshot!(unit().text());
    }

    #[test]
    fn a_unit_of_the_users_own_waits_for_nothing_that_is_not_there() {
        let unit = Unit {
            system_user: None,
            ..unit()
        };
        let text = unit.text();
        assert!(
            !text.contains("docker.service") && !text.contains("User="),
            "{text}"
        );
        assert!(text.contains("WantedBy=default.target"), "{text}");
    }

    #[test]
    fn nothing_in_a_word_is_systemds() {
        let word = OsStr::new(r#"a "b" \ %h $X"#);
        assert_eq!(quoted(word), r#""a \"b\" \\ %%h $X""#);
        assert_eq!(argument(word), r#""a \"b\" \\ %%h $$X""#);
    }
}
