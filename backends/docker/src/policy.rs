//! What a host's administrator lets agents be given, whatever a fleet file asks for.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use alveary_core::{Error, ErrorKind, Escaped, Operation, Result};
use serde::Deserialize;

use crate::plan::{Plan, Source};

/// Where the policy of a host stands.
const USUAL: &str = "/etc/alveary/policy.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    policy: Policy,
}

/// The table `[policy]`. What is not said is not bounded, but for `privileged`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Policy {
    /// Names of images; `*` at the end stands for anything.
    images: Option<Vec<String>>,
    /// Folders of the host of which agents may see what lies in them. Volumes are not bounded by it.
    mounts: Option<Vec<PathBuf>>,
    /// Whether agents may have all rights over the host.
    privileged: bool,
    /// Names of networks.
    networks: Option<Vec<String>>,
}

/// Without a file everything is as the fleet file says.
impl Default for Policy {
    fn default() -> Self {
        Self {
            images: None,
            mounts: None,
            privileged: true,
            networks: None,
        }
    }
}

impl Policy {
    /// The policy of this host. A file that somebody else than root or we could have written is refused, not
    /// ignored.
    pub(crate) fn of_this_host() -> Result<Self> {
        let named = std::env::var_os("ALVEARY_POLICY").filter(|path| !path.is_empty());
        let path = named
            .clone()
            .map_or_else(|| PathBuf::from(USUAL), PathBuf::from);
        match fs::metadata(&path) {
            Ok(meta) => Self::read(&path, &meta),
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
                Ok(Self::default())
            }
            Err(error) => Err(wrong(&path, &error.to_string())),
        }
    }

    fn read(path: &Path, meta: &fs::Metadata) -> Result<Self> {
        let me = rustix::process::geteuid().as_raw();
        if (meta.uid() != 0 && meta.uid() != me) || meta.mode() & 0o022 != 0 {
            return Err(wrong(path, "others than root and you can write it"));
        }
        let text = fs::read_to_string(path).map_err(|error| wrong(path, &error.to_string()))?;
        Self::parse(&text).map_err(|why| wrong(path, &why))
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str::<PolicyFile>(text)
            .map(|file| file.policy)
            .map_err(|error| error.message().to_owned())
    }

    /// Judges what would really be made: placeholders are filled in by now, and `..` is gone.
    pub(crate) fn judge(&self, plan: &Plan) -> Result<()> {
        let refuse = |what: String| {
            Err(Error::new(
                ErrorKind::PermissionDenied,
                Operation::Spawn,
                format!("this host's policy does not allow {what}"),
            )
            .cure("ask for what it allows, or ask whoever keeps the policy"))
        };
        if let Some(images) = &self.images
            && !images.iter().any(|pattern| matches(pattern, &plan.image))
        {
            return refuse(format!("the image `{}`", Escaped(&plan.image)));
        }
        if plan.security.privileged && !self.privileged {
            return refuse("`container.privileged`".to_owned());
        }
        for network in &plan.networks {
            if let Some(networks) = &self.networks
                && !networks.contains(network)
            {
                return refuse(format!("the network `{}`", Escaped(network)));
            }
        }
        for mount in &plan.mounts {
            if let (Some(folders), Source::Host(path)) = (&self.mounts, &mount.source)
                && mount.target != crate::plan::SECRETS
                && !lies_in(Path::new(path), folders)
            {
                return refuse(format!("a mount of `{}`", Escaped(path)));
            }
        }
        Ok(())
    }
}

/// By its own name, and by where that leads.
fn lies_in(path: &Path, folders: &[PathBuf]) -> bool {
    let led_to = path.canonicalize().ok();
    let within = |path: &Path| folders.iter().any(|folder| path.starts_with(folder));
    within(path) && led_to.as_deref().is_none_or(within)
}

fn matches(pattern: &str, image: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => image.starts_with(beginning),
        None => image == pattern,
    }
}

fn wrong(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        Operation::Connect,
        format!("the policy {} cannot be relied on: {why}", path.display()),
    )
    .cure("mend it, or take it away")
}

#[cfg(test)]
mod tests {
    use alveary_core::{AgentId, AgentSpec, ContainerSpec, Incarnation, SwarmName, SwarmUid};

    use super::*;
    use crate::config::Settings;
    use crate::names::Names;
    use crate::plan::Planning;

    const POLICY: &str = "[policy]\nimages = [\"timmy-time:*\", \"busybox\"]\nmounts = [\"/srv/agents\"]\nprivileged = false\nnetworks = [\"bridge\"]\n";

    fn judged(section: &str) -> Result<()> {
        let container: ContainerSpec = toml::from_str(section).unwrap();
        let names = Names::new(None, &SwarmName::new("demo").unwrap()).unwrap();
        let settings = Settings::default();
        let planning = Planning {
            swarm: SwarmUid::random(),
            names: &names,
            settings: &settings,
            secrets: Some("/dev/shm/alveary/x"),
        };
        let spec = AgentSpec::new("echo", ["true"]).container(container);
        let plan = planning
            .plan(&AgentId::random(), Incarnation::random(), &spec)
            .unwrap();
        Policy::parse(POLICY).unwrap().judge(&plan)
    }

    #[test]
    fn what_the_policy_names_passes_and_all_else_does_not() {
        for section in [
            "image = \"busybox\"",
            "image = \"timmy-time:latest\"\nnetworks = [\"bridge\"]",
            "image = \"busybox\"\nmounts = [\"/srv/agents/a:/a\", \"volume:/b\"]",
        ] {
            assert!(judged(section).is_ok(), "{section}");
        }
        for section in [
            "image = \"busybox:2\"",
            "image = \"busybox\"\nprivileged = true",
            "image = \"busybox\"\nnetworks = [\"host\"]",
            "image = \"busybox\"\nmounts = [\"/srv/agents/../secrets:/a\"]",
            "image = \"busybox\"\nmounts = [\"/srv/agents-too:/a\"]",
        ] {
            let error = judged(section).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{section}");
        }
    }

    #[test]
    fn a_policy_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, POLICY).unwrap();
        let read = || Policy::read(file.path(), &fs::metadata(file.path()).unwrap());
        assert!(read().is_ok());
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read().unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
