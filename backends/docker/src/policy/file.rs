//! Where policies stand, and whether what stands there can be relied on.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use alveary_core::{Error, ErrorKind, Escaped, Operation, Result};
use serde::Deserialize;

use super::Policy;
use super::rules::Rules;

/// The administrator's, which holds for everybody.
const HOST: &str = "/etc/alveary/policy.toml";

/// Names one more file, which then has to be there.
const VARIABLE: &str = "ALVEARY_POLICY";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct PolicyFile {
    containers: Rules,
}

/// All that hold for this process.
pub(super) fn all() -> Result<Vec<Policy>> {
    let set = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty());
    let usual = [Some(PathBuf::from(HOST)), of_user(set)];
    let mut policies = Vec::new();
    for path in usual.into_iter().flatten() {
        policies.extend(read_if_there(&path)?);
    }
    if let Some(named) = set(VARIABLE).map(PathBuf::from) {
        match read_if_there(&named)? {
            Some(policy) => policies.push(policy),
            None => return Err(wrong(&named, "it is not there")),
        }
    }
    Ok(policies)
}

/// `$XDG_CONFIG_HOME/alveary/policy.toml`, or the same in `~/.config`.
fn of_user(set: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let config = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(absolute);
    let home = || Some(PathBuf::from(set("HOME")?).join(".config")).filter(absolute);
    Some(config.or_else(home)?.join("alveary/policy.toml"))
}

/// One that somebody else than root or we could have written bounds nothing.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Policy>> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(wrong(path, &error.to_string())),
    };
    let me = rustix::process::geteuid().as_raw();
    if (meta.uid() != 0 && meta.uid() != me) || meta.mode() & 0o022 != 0 {
        return Err(wrong(path, "others than root and you can write it"));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(path, &error.to_string()))?;
    let file = PolicyFile::parse(&text).map_err(|why| wrong(path, &why))?;
    Ok(Some(Policy {
        file: path.to_owned(),
        rules: file.containers,
    }))
}

impl PolicyFile {
    fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let begun = error.span().map_or(0, |span| span.start);
            let line = text.get(..begun).unwrap_or_default().matches('\n').count() + 1;
            format!("line {line}: {}", error.message().replace('\n', " "))
        })?;
        file.containers.check()?;
        Ok(file)
    }
}

fn wrong(path: &Path, why: &str) -> Error {
    let path = path.to_string_lossy();
    Error::new(
        ErrorKind::PermissionDenied,
        Operation::Connect,
        format!(
            "the policy {} cannot be relied on: {}",
            Escaped(&path),
            Escaped(why)
        ),
    )
    .with_cure("mend it, or take it away: nothing is started until then")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_users_policy_is_looked_for_where_their_settings_are() {
        let of = |set: &[(&str, &str)]| {
            of_user(|key| {
                let found = set.iter().find(|(set, _)| *set == key);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let (config, home) = (("XDG_CONFIG_HOME", "/c"), ("HOME", "/h"));
        let in_config = Some("/c/alveary/policy.toml".into());
        let in_home = Some("/h/.config/alveary/policy.toml".into());
        assert_eq!(of(&[config, home]), in_config);
        assert_eq!(of(&[home]), in_home);
        // What depends on where one stands is nobody's settings.
        assert_eq!(of(&[("XDG_CONFIG_HOME", "c"), home]), in_home);
        assert_eq!(of(&[("HOME", "h")]), None);
        assert_eq!(of(&[]), None);
    }
}
