//! The table `[containers]` of a policy.

use std::path::{Path, PathBuf};

use alveary_core::Escaped;
use serde::Deserialize;

use super::Refusal;
use crate::belongings::Belonging;
use crate::config::Settings;
use crate::plan::{Plan, PlannedMount, Source, holds_a_socket};

/// What containers may be given. `None` bounds nothing; what hands out the host itself is never allowed unless it
/// is said by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rules {
    /// Names of images, with `*` for anything.
    images: Option<Vec<String>>,
    /// Folders of the host of which agents may see what lies in them; with `:ro` behind it, only see.
    mounts: Option<Vec<String>>,
    /// Names of volumes, as the engine knows them, with `*` for anything.
    volumes: Option<Vec<String>>,
    /// Names of networks, as the engine knows them, with `*` for anything. `host`, and `container:…`, are never meant
    /// by a `*`.
    networks: Option<Vec<String>>,
    /// Kernel capabilities that may be given back.
    cap_add: Vec<String>,
    /// Devices of the host, with `*` for anything.
    devices: Vec<String>,
    gpus: bool,
    new_privileges: bool,
    /// Whether the engine's seccomp and `AppArmor` profiles may be replaced.
    profiles: bool,
    privileged: bool,
}

impl Rules {
    pub(super) fn check(&self) -> Result<(), String> {
        let folders = self.mounts.iter().flatten();
        match folders
            .map(|said| folder(said).0)
            .find(|path| !path.is_absolute())
        {
            Some(path) => Err(format!(
                "`containers.mounts` has `{}`, which is no absolute path",
                path.display()
            )),
            None => Ok(()),
        }
    }

    pub(super) fn judge(
        &self,
        plan: &Plan,
        needed: &[Belonging],
        own: Option<&str>,
    ) -> Result<(), Refusal> {
        self.judge_names(plan)?;
        for mount in &plan.mounts {
            self.judge_mount(mount, own)?;
        }
        for belonging in needed {
            // A volume that is a folder of the host is a mount of it.
            let (paths, read_only) = belonging.of_the_host();
            for path in paths {
                self.judge_path(&path, read_only)?;
            }
        }
        self.judge_rights(plan)
    }

    fn judge_names(&self, plan: &Plan) -> Result<(), Refusal> {
        if !is_allowed(self.images.as_ref(), &plan.image) {
            return refuse("images", format!("the image `{}`", Escaped(&plan.image)));
        }
        for network in &plan.networks {
            let said = self.networks.iter().flatten();
            let allowed = if hands_out_the_host(network) {
                said.into_iter().any(|said| said == network)
            } else {
                is_allowed(self.networks.as_ref(), network)
            };
            if !allowed {
                return refuse("networks", format!("the network `{}`", Escaped(network)));
            }
        }
        Ok(())
    }

    fn judge_mount(&self, mount: &PlannedMount, own: Option<&str>) -> Result<(), Refusal> {
        match &mount.source {
            Source::Volume(name) if is_allowed(self.volumes.as_ref(), name) => Ok(()),
            Source::Volume(name) => refuse("volumes", format!("the volume `{}`", Escaped(name))),
            Source::Host(path) if own == Some(path) => Ok(()),
            Source::Host(path) => self.judge_path(Path::new(path), mount.read_only),
        }
    }

    fn judge_path(&self, path: &Path, read_only: bool) -> Result<(), Refusal> {
        if self.may_be_mounted(path, read_only) {
            return Ok(());
        }
        let how = if read_only { "" } else { " to be written" };
        let path = path.to_string_lossy();
        refuse("mounts", format!("a mount of `{}`{how}", Escaped(&path)))
    }

    /// By its own name, and by where that leads.
    fn may_be_mounted(&self, path: &Path, read_only: bool) -> bool {
        [path.to_owned(), led_to(path)].iter().all(|path| {
            // A policy is of the host, whatever the settings of a fleet file say.
            let gives_all = holds_a_socket(path, &Settings::default());
            let Some(folders) = &self.mounts else {
                return !gives_all;
            };
            folders
                .iter()
                .map(|said| folder(said))
                .any(|(said, only_read)| {
                    let said = [said.to_owned(), led_to(said)];
                    let within = said.iter().any(|said| {
                        if gives_all {
                            path == said
                        } else {
                            path.starts_with(said)
                        }
                    });
                    within && (read_only || !only_read)
                })
        })
    }

    fn judge_rights(&self, plan: &Plan) -> Result<(), Refusal> {
        let security = &plan.security;
        if security.privileged && !self.privileged {
            return refuse("privileged", "`container.privileged`".to_owned());
        }
        for capability in &security.cap_add {
            let said = |said: &String| bare(said) == bare(capability);
            if !self.cap_add.iter().any(said) {
                let what = format!("the kernel capability `{}`", Escaped(capability));
                return refuse("cap_add", what);
            }
        }
        for device in &plan.devices {
            if !is_allowed(Some(&self.devices), &device.outside) {
                return refuse(
                    "devices",
                    format!("the device `{}`", Escaped(&device.outside)),
                );
            }
        }
        if plan.gpus.is_some() && !self.gpus {
            return refuse("gpus", "`container.gpus`".to_owned());
        }
        // Who has all rights has these.
        if !security.no_new_privileges && !security.privileged && !self.new_privileges {
            return refuse("new_privileges", "`container.new_privileges`".to_owned());
        }
        let replaced = security.seccomp.is_some() || security.apparmor.is_some();
        if replaced && !self.profiles {
            let what = "another `container.seccomp` or `container.apparmor` than the engine's own";
            return refuse("profiles", what.to_owned());
        }
        Ok(())
    }
}

fn refuse<T>(key: &'static str, what: String) -> Result<T, Refusal> {
    Err(Refusal { what, key })
}

/// Whoever shares the host's network reaches what listens on it alone; that of another container may be the host's.
fn hands_out_the_host(network: &str) -> bool {
    network == "host" || network.starts_with("container:")
}

fn bare(capability: &str) -> String {
    let name = capability.to_uppercase();
    name.strip_prefix("CAP_").unwrap_or(&name).to_owned()
}

/// The folder, and whether it may only be read.
fn folder(said: &str) -> (&Path, bool) {
    match said.strip_suffix(":ro") {
        Some(folder) => (Path::new(folder), true),
        None => (Path::new(said), false),
    }
}

/// Where a path leads by all its links. What of it is not there yet stays as it is: an engine would make that.
fn led_to(path: &Path) -> PathBuf {
    for there in path.ancestors() {
        if let Ok(found) = there.canonicalize() {
            let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
            return if rest.as_os_str().is_empty() {
                found
            } else {
                found.join(rest)
            };
        }
    }
    path.to_owned()
}

fn is_allowed(said: Option<&Vec<String>>, name: &str) -> bool {
    said.is_none_or(|said| said.iter().any(|pattern| matches(pattern, name)))
}

/// Whether the name is the pattern, in which `*` stands for anything and nothing else for anything but itself.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(beginning) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    let mut left = name;
    for part in parts {
        let Some(at) = left.find(part) else {
            return false;
        };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "a/b:c"),
            ("timmy-time:*", "timmy-time:latest"),
            ("registry/*/agent:*", "registry/a/b/agent:1"),
            ("*a*a", "aa"),
            ("busybox", "busybox"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("busybox", "busybox:1"),
            ("timmy-time:*", "not-timmy-time:1"),
            ("a*a", "a"),
            ("*.png", "a.pngx"),
            ("a?", "ab"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
