//! Copying files into an agent's surroundings and out of them.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use async_trait::async_trait;

use super::TarStream;
use crate::error::Result;
use crate::id::AgentId;
use crate::text::Escaped;

/// Copying files into an agent's surroundings and out of them.
///
/// Only a backend whose agents have a file system of their own has this: where they live in the host's, its
/// files are the host's, and no facet is needed to reach them.
///
/// An agent that has ended has its files until it is removed. `NotFound`: an unknown id, or nothing stands at
/// the path; the message says which. No link that the agent made leads a call out of the agent's file system.
#[async_trait]
pub trait Files: Send + Sync {
    /// What stands at `path`; of a link, the link itself.
    async fn look(&self, id: &AgentId, path: &AgentPath) -> Result<FileInfo>;

    /// What stands at `path` as an archive: one entry, or a directory with all beneath it. The names in it
    /// begin with the last part of `path` (`./` for the root). Modes, times, owners' numbers and links are
    /// as they are there.
    ///
    /// Dropping the stream ends the copying.
    async fn get(&self, id: &AgentId, path: &AgentPath) -> Result<TarStream>;

    /// Unpacks an archive in the directory `into`, over what is there. `Ok` means: all of it is there, with
    /// its modes.
    ///
    /// An entry whose name is absolute or has `..` in it lands beneath `into` or is refused as `InvalidSpec`, and
    /// nothing is ever written outside the agent's own file system, whatever links stand in the way. A call that fails or is
    /// dropped may have unpacked a part; the same call again puts that right. `NotFound`: no such directory.
    /// `Conflict`: the file system is read-only, or a directory would replace a file or a file a directory
    /// against the options.
    async fn put(
        &self,
        id: &AgentId,
        into: &AgentPath,
        archive: TarStream,
        options: PutOptions,
    ) -> Result<()>;
}

/// How to unpack an archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PutOptions {
    /// Let a directory of the archive replace a file, and a file a directory.
    pub replace_kinds: bool,
    /// Give what is unpacked to the owners that the archive names by number, instead of to the agent's user.
    pub keep_owners: bool,
}

impl PutOptions {
    /// Lets a directory of the archive replace a file, and a file a directory.
    #[must_use]
    pub fn with_replace_kinds(mut self, replace_kinds: bool) -> Self {
        self.replace_kinds = replace_kinds;
        self
    }

    /// Gives what is unpacked to the owners that the archive names.
    #[must_use]
    pub fn with_keep_owners(mut self, keep_owners: bool) -> Self {
        self.keep_owners = keep_owners;
        self
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// The last part of its path.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// How many bytes a file holds; of no meaning for others.
    pub size: u64,
    /// The twelve bits of its mode, as `chmod` takes them.
    pub mode: u32,
    /// When its contents were changed last.
    pub modified: Option<SystemTime>,
}

impl FileInfo {
    /// What is known at least.
    pub fn new(name: impl Into<String>, kind: FileKind, size: u64, mode: u32) -> Self {
        Self {
            name: name.into(),
            kind,
            size,
            mode,
            modified: None,
        }
    }

    /// Says when its contents were changed last.
    #[must_use]
    pub fn with_modified(mut self, modified: SystemTime) -> Self {
        self.modified = Some(modified);
        self
    }
}

/// What a thing in a file system is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A file with contents.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link {
        /// Where it points, as it is written in it.
        target: String,
    },
    /// A device, a socket, a pipe.
    Other,
}

/// A path in an agent's surroundings: absolute, its parts set apart by `/`, none of them `..`.
///
/// ```
/// use alveary_core::AgentPath;
///
/// assert_eq!(AgentPath::new("/app//data/./in.txt").unwrap().as_str(), "/app/data/in.txt");
/// assert_eq!(AgentPath::new("/app/data/in.txt").unwrap().name(), Some("in.txt"));
/// assert!(AgentPath::new("data").is_err());
/// assert!(AgentPath::new("/app/../etc/shadow").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentPath(String);

/// The longest path that Linux takes.
const LONGEST: usize = 4095;

/// The text is no path in an agent's surroundings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no path inside an agent: {why}", Escaped(.path))]
pub struct InvalidPath {
    path: String,
    why: &'static str,
}

impl AgentPath {
    /// Takes a path, without its empty parts and those that are `.`.
    pub fn new(path: impl Into<String>) -> Result<Self, InvalidPath> {
        let path = path.into();
        let why = if !path.starts_with('/') {
            "it does not begin with `/`"
        } else if path.contains('\0') {
            "it has a NUL in it"
        } else if path.len() > LONGEST {
            "it is longer than 4095 bytes"
        } else if path.split('/').any(|part| part == "..") {
            "it has `..` in it"
        } else {
            let parts = path
                .split('/')
                .filter(|part| !part.is_empty() && *part != ".");
            let plain: String = parts.flat_map(|part| ["/", part]).collect();
            return Ok(Self(if plain.is_empty() {
                "/".to_owned()
            } else {
                plain
            }));
        };
        Err(InvalidPath { path, why })
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last part; `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.0.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// The directory that it is in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (above, _) = self.0.rsplit_once('/').filter(|_| self.0 != "/")?;
        Some(Self(if above.is_empty() { "/" } else { above }.to_owned()))
    }
}

impl FromStr for AgentPath {
    type Err = InvalidPath;

    fn from_str(path: &str) -> Result<Self, InvalidPath> {
        Self::new(path)
    }
}

impl fmt::Display for AgentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_knows_its_name_and_its_directory() {
        let path = |text: &str| AgentPath::new(text).unwrap();
        assert_eq!(path("/").name(), None);
        assert_eq!(path("/").parent(), None);
        assert_eq!(path("/a").parent(), Some(path("/")));
        assert_eq!(path("/a/b/").parent(), Some(path("/a")));
        assert_eq!(path("/a/b/").name(), Some("b"));
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_path() {
        for text in ["", "a", "./a", "/a/..", "/../a", "/a\0b"] {
            assert!(AgentPath::new(text).is_err(), "{text:?}");
        }
        assert!(AgentPath::new("/..a/b..").is_ok());
        assert!(AgentPath::new(format!("/{}", "x".repeat(4095))).is_err());
    }
}
