//! What an agent sees of the host's files and of the engine's volumes.

use std::path::{Component, Path, PathBuf};

use alveary_core::{Escaped, Mount, Result, is_unsafe};

use super::sockets::holds_a_socket;
use super::{SECRETS, invalid, words};
use crate::config::Settings;

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedMount {
    pub(crate) source: Source,
    pub(crate) target: String,
    pub(crate) read_only: bool,
}

/// Where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A path of the host, without `..`.
    Host(String),
    /// A volume of the engine.
    Volume(String),
}

impl PlannedMount {
    pub(super) fn secrets(folder: &str) -> Self {
        Self {
            source: Source::Host(folder.to_owned()),
            target: SECRETS.to_owned(),
            read_only: true,
        }
    }
}

/// A folder in memory, with its options as `mount` takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tmpfs {
    pub(crate) path: String,
    pub(crate) options: String,
}

pub(super) fn read(mounts: &[Mount], settings: &Settings) -> Result<Vec<PlannedMount>> {
    mounts
        .iter()
        .map(|mount| {
            words::inside("the target of a mount,", &mount.target)?;
            Ok(PlannedMount {
                source: source(&mount.source, settings)?,
                target: mount.target.clone(),
                read_only: mount.read_only,
            })
        })
        .collect()
}

fn source(source: &str, settings: &Settings) -> Result<Source> {
    if source.starts_with('/') {
        let path = without_dots(Path::new(source));
        let text = path.to_string_lossy().into_owned();
        if text.contains(is_unsafe) {
            return Err(invalid(
                format!("`{}` is no path that can be mounted", Escaped(source)),
                "write a path without control characters",
            ));
        }
        hands_out_the_host(&path, settings)?;
        return Ok(Source::Host(text));
    }
    let begins = source.starts_with(|c: char| c.is_ascii_alphanumeric());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if begins && (2..=255).contains(&source.len()) && source.chars().all(allowed) {
        return Ok(Source::Volume(source.to_owned()));
    }
    Err(invalid(
        format!(
            "`{}` is neither an absolute path of the host nor a volume's name",
            Escaped(source)
        ),
        "write the whole path, or a name of letters, digits, `_`, `.` and `-`, 255 at the most",
    ))
}

/// `/a/../b` as `/b`: what is judged is what is meant.
pub(crate) fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            _ => {}
        }
    }
    plain
}

/// Refuses `/`, an engine's socket, and each folder that holds one, by any way that leads there.
pub(crate) fn hands_out_the_host(path: &Path, settings: &Settings) -> Result<()> {
    let said = |path: &Path| {
        settings
            .host_access
            .iter()
            .any(|said| Path::new(said) == path)
    };
    // Where a link leads is for the engine's host to say; here it is seen as far as that is this one.
    let led_to = path.canonicalize().ok();
    for path in [Some(path), led_to.as_deref()].into_iter().flatten() {
        if holds_a_socket(path, settings) && !said(path) {
            let shown = path.display();
            return Err(invalid(
                format!("a mount of {shown} hands the agent the whole host"),
                format!(
                    "mount less, or say `host_access = [\"{shown}\"]` in the backend's settings"
                ),
            ));
        }
    }
    Ok(())
}

pub(super) fn tmpfs(folders: &[String]) -> Result<Vec<Tmpfs>> {
    folders
        .iter()
        .map(|text| {
            let (path, options) = text.split_once(':').unwrap_or((text, ""));
            words::inside("the folder in memory", path)?;
            let allowed = |c: char| c.is_ascii_alphanumeric() || "=,_.%-".contains(c);
            if !options.chars().all(allowed) {
                return Err(invalid(
                    format!("`{}` are no options of a tmpfs", Escaped(options)),
                    "write them as in `/tmp:size=64m,mode=1777`",
                ));
            }
            Ok(Tmpfs {
                path: path.to_owned(),
                options: options.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_volume_leads_an_engine_elsewhere() {
        let of = |name: &str| source(name, &Settings::default());
        for name in [
            "a?b",
            "a#b",
            "a%2eb",
            "..",
            "%2e%2e",
            "a/b",
            "../containers",
            "a\\b",
        ] {
            let error = of(name).unwrap_err();
            assert!(error.message().contains("nor a volume's name"), "{error}");
            assert!(error.cure().is_some(), "{name}");
        }
        // Dots that lead nowhere are a name like another.
        assert_eq!(of("a..b").unwrap(), Source::Volume("a..b".to_owned()));
    }
}
