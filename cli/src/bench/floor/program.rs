//! The bare floor of the program `docker` or `podman`: `create`, and then `start`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use alveary::{AgentId, AgentInfo};

use super::engine::{SECRETS, as_of};
use super::{Handle, Started, Way, renamed};

/// By which variables a program finds its engine.
const WHERE: [&str; 6] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "CONTAINER_HOST",
];

/// What was said to the program: its arguments, its input, and the variables by which it finds its engine.
type Said = (Vec<String>, Vec<u8>, Vec<(String, String)>);

/// A script that stands where the program is and keeps what our backend says to it when it makes a container.
#[derive(Debug)]
pub(crate) struct Caught {
    folder: PathBuf,
    program: String,
}

impl Caught {
    /// Puts it into a folder that is nobody else's.
    pub(crate) fn before(program: &str, folder: &Path) -> io::Result<Self> {
        let variables = WHERE
            .map(|key| format!("printf '{key}=%s\\0' \"${key}\";"))
            .join(" ");
        let text = format!(
            "#!/bin/sh\numask 077\nif [ \"$1\" = create ]; then cat >'{at}/input'; {{ {variables} }} >'{at}/where'; \
             printf '%s\\0' \"$@\" >'{at}/args'; exec <'{at}/input'; fi\nexec '{program}' \"$@\"\n",
            at = folder.display(),
        );
        let this = Self {
            folder: folder.to_owned(),
            program: program.to_owned(),
        };
        fs::write(this.script(), text)?;
        fs::set_permissions(this.script(), fs::Permissions::from_mode(0o700))?;
        Ok(this)
    }

    pub(crate) fn script(&self) -> PathBuf {
        self.folder.join("program")
    }

    /// What was caught. The variables' values do not stay in a file.
    fn take(&self) -> io::Result<Said> {
        let taken = |name: &str| {
            let file = self.folder.join(name);
            let read = fs::read(&file)?;
            fs::remove_file(file)?;
            Ok::<_, io::Error>(read)
        };
        let words = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            Ok::<_, io::Error>(
                text.split_terminator('\0')
                    .map(ToOwned::to_owned)
                    .collect::<Vec<_>>(),
            )
        };
        let input = taken("input")?;
        let args = words(taken("args")?)?;
        let found = words(taken("where")?)?;
        let found = found.iter().filter_map(|pair| pair.split_once('='));
        let found = found.filter(|(_, value)| !value.is_empty());
        Ok((
            args,
            input,
            found
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        ))
    }
}

/// The same words to the same program.
pub(crate) struct ByProgram {
    program: String,
    args: Vec<String>,
    input: Vec<u8>,
    variables: Vec<(String, String)>,
    model: AgentId,
}

impl ByProgram {
    /// After what was said when the model was made.
    pub(crate) fn after(
        caught: &Caught,
        model: &AgentInfo,
        ours: &super::super::hive::Names,
        bare: &super::super::hive::Names,
    ) -> io::Result<Self> {
        let (args, input, variables) = caught.take()?;
        let mut changes: BTreeMap<_, _> = as_of(ours.uid, bare.uid);
        changes.insert(ours.swarm.to_string(), bare.swarm.to_string());
        let args = args
            .iter()
            .filter(|arg| !arg.contains(SECRETS))
            .map(|arg| match arg {
                marked if marked.starts_with("--label=") || marked.starts_with("--name=") => {
                    renamed(marked, &changes)
                }
                plain => plain.clone(),
            })
            .collect();
        Ok(Self {
            program: caught.program.clone(),
            args,
            input,
            variables,
            model: model.id.clone(),
        })
    }

    fn run(&self, args: &[String], input: &[u8]) -> io::Result<Output> {
        let mut command = Command::new(&self.program);
        for key in WHERE {
            command.env_remove(key);
        }
        let mut child = command
            .args(args)
            .envs(self.variables.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read it says why.
            let _unread = stdin.write_all(input);
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            Ok(output)
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(said.trim().to_owned()))
        }
    }
}

impl Way for ByProgram {
    fn what(&self) -> String {
        let program = Path::new(&self.program).file_name().unwrap_or_default();
        let program = program.display();
        format!("bare `{program} create` and `{program} start`")
    }

    fn start(&self) -> io::Result<Started> {
        let id = AgentId::random();
        let args: Vec<String> = self
            .args
            .iter()
            .map(|arg| arg.replace(self.model.as_str(), id.as_str()))
            .collect();
        let begun = Instant::now();
        let made = self.run(&args, &self.input)?;
        let create = begun.elapsed();
        let container = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let begun = Instant::now();
        self.run(&["start".to_owned(), container.clone()], b"")?;
        Ok(Started {
            steps: vec![("create", create), ("start", begun.elapsed())],
            handle: Handle::Container(container),
        })
    }

    fn end(&self, handle: Handle) -> io::Result<()> {
        let Handle::Container(container) = handle else {
            return Ok(());
        };
        let mut args = vec!["rm", "--force", "--volumes"];
        if self.program.ends_with("podman") {
            // It would wait for an end by itself.
            args.push("--time=0");
        }
        args.push(&container);
        let args: Vec<String> = args.into_iter().map(ToOwned::to_owned).collect();
        self.run(&args, b"").map(drop)
    }
}
