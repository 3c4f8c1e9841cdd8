//! Docker's contexts, as its program keeps them on disk.

use std::fmt::Write as _;
use std::path::Path;

use alveary_core::Escaped;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Candidate, Endpoint, Tls};

#[derive(Deserialize, Default)]
struct ConfigFile {
    #[serde(rename = "currentContext", default)]
    current_context: Option<String>,
    /// What the program gives every container that it makes, by engine; of whatever shape, the rest of the file counts.
    #[cfg(feature = "cli")]
    #[serde(default)]
    proxies: serde_json::Value,
}

impl ConfigFile {
    fn of(config: &Path) -> Option<Self> {
        let text = std::fs::read(config.join("config.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// Whether the program gives containers variables of its own.
#[cfg(feature = "cli")]
pub(super) fn gives_proxies(config: &Path) -> bool {
    let proxies = ConfigFile::of(config).map(|file| file.proxies);
    let by_engine = proxies.as_ref().and_then(serde_json::Value::as_object);
    by_engine.is_some_and(|by_engine| !by_engine.is_empty())
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: std::collections::BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetaEndpoint {
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// The context that is chosen, if one is; `default` is none.
pub(super) fn chosen(named: Option<&str>, config: Option<&Path>) -> Option<Candidate> {
    let current = || ConfigFile::of(config?)?.current_context;
    let name = named.map(ToOwned::to_owned).or_else(current)?;
    if name.is_empty() || name == "default" {
        return None;
    }
    let endpoint = match config {
        Some(config) => read(&name, config),
        None => Err("there is no home folder to read it from".to_owned()),
    };
    Some(Candidate {
        said_by: format!("the context `{}`", Escaped(&name)),
        endpoint,
        said: true,
        context: Some(name),
    })
}

fn read(name: &str, config: &Path) -> Result<Endpoint, String> {
    let folder = folder_of(name);
    let path = config.join("contexts/meta").join(&folder).join("meta.json");
    let text = std::fs::read(&path)
        .map_err(|error| format!("there is no such context: {}: {error}", path.display()))?;
    let meta: Meta = serde_json::from_slice(&text)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let docker = meta
        .endpoints
        .get("docker")
        .ok_or_else(|| "it names no engine".to_owned())?;
    let files = config.join("contexts/tls").join(&folder).join("docker");
    let tls = files.is_dir().then_some(Tls {
        folder: files,
        verify: !docker.skip_tls_verify,
    });
    Endpoint::parse(&docker.host, tls)
}

/// A context's folder is the hash of its name.
pub(super) fn folder_of(name: &str) -> String {
    let mut folder = String::with_capacity(64);
    for byte in Sha256::digest(name.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(folder, "{byte:02x}");
    }
    folder
}
