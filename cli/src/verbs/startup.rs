//! `startup`: has systemd bring the swarm up.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use alveary::{Error, Escaped, Fleet, Registry, SecretSource};
use clap::Args;
use nix::unistd::User;

use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{self, note};
use crate::unit::Unit;

/// Writes a systemd unit that brings the swarm up at each boot, and keeps it up
#[derive(Debug, Args)]
#[command(
    after_help = "A unit of one's own runs while one is logged in; to run from boot on it wants `loginctl \
                  enable-linger`, which is said too.\n\n\
                  Example: alveary startup"
)]
pub(crate) struct Startup {
    /// For the system's own systemd, not the user's: needs root
    #[arg(long)]
    system: bool,

    /// With --system: the user that the swarm belongs to; whoever called sudo, unless said
    #[arg(long, value_name = "NAME", requires = "system")]
    user: Option<String>,

    /// Prints the unit instead of writing it
    #[arg(long, conflicts_with = "remove")]
    print: bool,

    /// Takes the unit away again
    #[arg(long)]
    remove: bool,
}

/// What of the caller's environment a unit is given: what every agent inherits, and what settles which swarm it is, where its
/// state is, what it may do, and which engine it runs on.
const VARIABLES: [&str; 17] = [
    "PATH",
    "LANG",
    "TZ",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "ALVEARY_SWARM",
    "ALVEARY_BACKEND",
    "ALVEARY_STATE_DIR",
    "ALVEARY_POLICY",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "CONTAINER_HOST",
    "CONTAINER_CONNECTION",
];

/// What agents take from the environment of who brings them up, and a unit is not given: anybody may read a unit, and some of
/// it is secret.
fn not_carried(fleet: &Fleet) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for agent in fleet.agents() {
        let spec = &agent.template;
        names.extend(spec.inherit.iter().map(String::as_str));
        names.extend(
            spec.secrets
                .values()
                .filter_map(|secret| match &secret.source {
                    SecretSource::Env(name) => Some(name.as_str()),
                    _ => None,
                }),
        );
    }
    names.retain(|name| !VARIABLES.contains(name));
    names
}

/// Refuses a user whom systemd would not find. It takes any number, too.
fn is_there(user: &str) -> Result<(), Failure> {
    if user.parse::<u32>().is_ok() || !matches!(User::from_name(user), Ok(None)) {
        return Ok(());
    }
    Err(Failure::input(
        format!("this host has no user `{}`", Escaped(user)),
        "name one that it has by --user, or make that one first",
    ))
}

impl Startup {
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let fleet = context.fleet()?;
        Registry::builtin().prepare(&fleet).map_err(Error::from)?;
        let unit = self.unit(context, &fleet)?;
        if let Some(user) = &unit.system_user
            && !self.remove
        {
            is_there(user)?;
        }
        let left_out = not_carried(&fleet);
        if !left_out.is_empty() && !self.remove {
            let names = left_out.into_iter().collect::<Vec<_>>().join(", ");
            note(format_args!(
                "agents take {} from the environment, and the unit, which anybody may read, has none of it: add it by \
                 `{} edit {}`, or have it in a file that `env_file` or a secret's `file` names",
                Escaped(&names),
                self.systemctl(),
                unit.file_name()
            ));
        }
        if self.print {
            output::print_bytes(unit.text().as_bytes())?;
            return Ok(Outcome::Done);
        }
        let folder = self.folder(Path::new("/"))?;
        if self.remove {
            self.remove_from(&folder, &unit)?;
        } else {
            self.write_into(&folder, &unit)?;
        }
        Ok(Outcome::Done)
    }

    /// Takes the unit out of a folder of systemd's, and says what is to be done then.
    fn remove_from(&self, folder: &Path, unit: &Unit) -> Result<(), Failure> {
        let file = folder.join(unit.file_name());
        let shown = file.display().to_string();
        let shown = Escaped(&shown);
        fs::remove_file(&file).map_err(|error| {
            Failure::input(
                format!("`{shown}` cannot be removed: {error}"),
                "name the swarm that it was written for, with --system where it was",
            )
        })?;
        // What `enable` has made: systemd disables no unit whose file is gone.
        let wanted = folder.join(format!("{}.wants", unit.target()));
        let _there_or_not = fs::remove_file(wanted.join(unit.file_name()));
        let (systemctl, name) = (self.systemctl(), unit.file_name());
        note(format_args!(
            "removed {shown}; then: {systemctl} stop {name}; {systemctl} daemon-reload"
        ));
        Ok(())
    }

    /// Puts the unit into a folder of systemd's, and says what is to be done then.
    fn write_into(&self, folder: &Path, unit: &Unit) -> Result<(), Failure> {
        let file = folder.join(unit.file_name());
        let shown = file.display().to_string();
        let shown = Escaped(&shown);
        let written = fs::create_dir_all(folder).and_then(|()| {
            let mut whole = tempfile::NamedTempFile::new_in(folder)?;
            whole.write_all(unit.text().as_bytes())?;
            let readable = fs::Permissions::from_mode(0o644);
            whole.as_file().set_permissions(readable)?;
            whole.persist(&file).map_err(|error| error.error)?;
            Ok(())
        });
        written.map_err(|error| {
            Failure::input(
                format!("`{shown}` cannot be written: {error}"),
                if self.system {
                    "do it as root: `sudo alveary startup --system`"
                } else {
                    "let yourself write there, or print it by --print"
                },
            )
        })?;
        let (systemctl, name) = (self.systemctl(), unit.file_name());
        note(format_args!("wrote {shown}"));
        note(format_args!(
            "now: {systemctl} daemon-reload && {systemctl} enable --now {name}"
        ));
        if !self.system {
            note("from boot on, and not only while you are logged in: loginctl enable-linger");
        }
        Ok(())
    }

    fn systemctl(&self) -> &'static str {
        if self.system {
            "systemctl"
        } else {
            "systemctl --user"
        }
    }

    /// Where systemd looks for such a unit; for those of the system, seen from this root.
    fn folder(&self, root: &Path) -> Result<PathBuf, Failure> {
        if self.system {
            return Ok(root.join("etc/systemd/system"));
        }
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".config")));
        config
            .map(|config| config.join("systemd/user"))
            .ok_or_else(|| {
                Failure::input(
                    "nobody's home is known: HOME is not set",
                    "set it, or write a unit of the system by --system",
                )
            })
    }

    fn unit(&self, context: &Context, fleet: &Fleet) -> Result<Unit, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::input(
                format!("where this program is cannot be told: {error}"),
                "write the unit by hand, after what --print shows elsewhere",
            )
        })?;
        let file = fleet.file.clone();
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        let mut arguments = vec!["--file".to_owned(), file.display().to_string()];
        if let Some(swarm) = &context.global.swarm {
            arguments.extend(["--swarm".to_owned(), swarm.to_string()]);
        }
        if let Some(backend) = &context.global.backend {
            arguments.extend(["--backend".to_owned(), backend.clone()]);
        }
        let variables = VARIABLES.into_iter();
        Ok(Unit {
            swarm: fleet.swarm.to_string(),
            program,
            arguments,
            folder,
            variables: variables
                .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
                .collect(),
            needs_docker: fleet.backend.as_str() != "process",
            system_user: self.system.then(|| self.owner()),
        })
    }

    /// Whose swarm it is.
    fn owner(&self) -> String {
        let called = || {
            std::env::var("SUDO_USER")
                .ok()
                .filter(|name| !name.is_empty())
        };
        self.user
            .clone()
            .or_else(called)
            .unwrap_or_else(|| "root".to_owned())
    }
}

#[cfg(test)]
mod tests;
