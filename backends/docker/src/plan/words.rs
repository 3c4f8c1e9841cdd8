//! What engines and their programs take as names, looked at before any of them sees it.

use std::path::Path;

use alveary_core::{ContainerSpec, Escaped, MAX_ARGUMENT, Result, User, is_unsafe};

use super::invalid;
use crate::engine::Ref;

/// The longest reference to an image that engines take: a name of 255 and a tag or digest behind it.
const MAX_IMAGE: usize = 255 + 1 + 135;

/// A secret that was read may make a variable longer than the spec's own are.
pub(super) fn fits_a_variable(key: &str, value: &str) -> Result<()> {
    if key.len() + 1 + value.len() > MAX_ARGUMENT {
        return Err(invalid(
            format!(
                "the variable `{}` is too long for any program",
                Escaped(key)
            ),
            "hand it over as a file",
        ));
    }
    Ok(())
}

/// Begins like a name and not like a flag, and has nothing in it that no image's name has.
pub(super) fn image(image: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let begins = image.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && image.chars().all(allowed) && image.len() <= MAX_IMAGE {
        return Ok(());
    }
    Err(invalid(
        format!("`{}` is no image's name", Escaped(image)),
        "write it as `name:tag` or `registry/name@sha256:…`",
    ))
}

/// A value that goes to the engine as it is: neither empty, nor a flag, nor more than a word.
pub(super) fn one_word(key: &str, value: Option<&String>) -> Result<Option<String>> {
    let Some(value) = value else {
        return Ok(None);
    };
    let strange = |c: char| is_unsafe(c) || c.is_whitespace() || c == ',' || c == '=';
    if value.is_empty() || value.starts_with('-') || value.contains(strange) {
        return Err(invalid(
            format!("`container.{key}` cannot be `{}`", Escaped(value)),
            "write one word",
        ));
    }
    Ok(Some(value.clone()))
}

pub(super) fn user(container: &ContainerSpec, user: Option<User>) -> Result<Option<String>> {
    match (&container.user, user) {
        (None, None) => Ok(None),
        (None, Some(User { uid, gid })) => Ok(Some(format!("{uid}:{gid}"))),
        (Some(named), _) => one_word("user", Some(named)),
    }
}

pub(super) fn workdir(container: &ContainerSpec, cwd: Option<&Path>) -> Result<Option<String>> {
    let said = container.workdir.clone();
    let Some(dir) = said.or_else(|| cwd.map(|cwd| cwd.to_string_lossy().into_owned())) else {
        return Ok(None);
    };
    inside("the working directory", &dir)?;
    Ok(Some(dir))
}

/// A path inside a container: absolute, and one that leads where it says.
pub(super) fn inside(what: &str, path: &str) -> Result<()> {
    let whole = path.starts_with('/') && !path.split('/').any(|part| part == "..");
    if whole && !path.contains(is_unsafe) {
        return Ok(());
    }
    Err(invalid(
        format!(
            "{what} `{}` is no absolute path inside the container",
            Escaped(path)
        ),
        "write the whole path, without `..`",
    ))
}

pub(super) fn networks(container: &ContainerSpec) -> Result<Vec<String>> {
    let networks = &container.networks;
    for network in networks {
        // It is a part of a path when it is joined, where `..` and `?` mean something else.
        let name = network.strip_prefix("container:").unwrap_or(network);
        if Ref::new(name).is_none() {
            return Err(invalid(
                format!("`{}` is no network's name", Escaped(network)),
                "name one that the engine lists, with letters, digits, `_`, `.` and `-` alone",
            ));
        }
    }
    let alone = |network: &&String| {
        matches!(network.as_str(), "host" | "none") || network.starts_with("container:")
    };
    if networks.len() > 1
        && let Some(network) = networks.iter().find(alone)
    {
        return Err(invalid(
            format!("the network `{network}` cannot be joined beside another"),
            "name it alone in `container.networks`",
        ));
    }
    Ok(networks.clone())
}

/// The agent's name, where a host can be called so; others are found by no name.
pub(super) fn alias(name: &str) -> Option<String> {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(label)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use alveary_core::ErrorKind;

    use super::*;

    fn joined(names: &[&str]) -> Result<Vec<String>> {
        let mut container = ContainerSpec::default();
        container.networks = names.iter().map(|&name| name.to_owned()).collect();
        networks(&container)
    }

    #[test]
    fn no_name_of_a_network_leads_an_engine_elsewhere() {
        for name in [
            "a?b",
            "a#b",
            "a%2eb",
            "..",
            ".",
            "%2e%2e",
            "a/b",
            "../containers",
            "a\\b",
            "container:..",
            "container:a?b",
            "",
            "-a",
        ] {
            let error = joined(&["one", name]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{name}");
            let said = format!("`{}` is no network's name", Escaped(name));
            assert_eq!(error.message(), said);
            assert!(error.cure().is_some(), "{name}");
        }
        // Dots that lead nowhere are a name like another.
        let names = ["a..b", "a.-_"];
        assert_eq!(joined(&names).unwrap(), names);
        assert!(joined(&["container:a.b"]).is_ok());
    }
}
