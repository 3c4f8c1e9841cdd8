//! Whose swarm this is: `swarm.json`.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use alveary_core::{Error, ErrorKind, Operation, Result, SwarmName, SwarmUid};
use serde::{Deserialize, Serialize};

use super::files::{io_error, keep_corrupt, write_atomically};
use super::folder::Folder;
use super::host;

const SCHEMA: u32 = 1;

/// What is recorded of a swarm as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SwarmRecord {
    /// The form of this record.
    pub schema: u32,
    /// The swarm's name.
    pub name: SwarmName,
    /// The swarm's identity, made once; another only where the swarm takes over what goes by that.
    pub uid: SwarmUid,
    /// The fleet file that the swarm belongs to; `None` where it belongs to a program, or to nobody.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Whether that file has been there since the swarm has had members: `spawn` needs none. `None`: in an older record,
    /// which does not say.
    #[serde(default)]
    pub file_was_there: Option<bool>,
    /// The word of the backend that runs its agents.
    #[serde(default)]
    pub backend: Option<String>,
    /// The boot of the host in which this was written.
    #[serde(default)]
    pub boot: Option<String>,
    /// When the swarm was first opened.
    #[serde(with = "humantime_serde")]
    pub created: SystemTime,
}

/// On whose behalf a swarm is opened.
#[derive(Debug, Clone)]
pub(crate) struct Claim<'a> {
    pub(crate) name: &'a SwarmName,
    pub(crate) file: Option<&'a Path>,
    /// `None`: it is not chosen yet.
    pub(crate) backend: Option<Way<'a>>,
}

/// A backend, as a way to agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way<'a> {
    /// The word that picks it.
    pub(crate) word: Cow<'a, str>,
    /// The words that pick others which see the same agents.
    pub(crate) kin: Vec<&'static str>,
}

#[cfg(test)]
impl<'a> Way<'a> {
    pub(super) fn alone(word: &'a str) -> Self {
        Self {
            word: word.into(),
            kin: Vec::new(),
        }
    }
}

impl Way<'_> {
    pub(super) fn leads_to_agents_of(&self, word: &str) -> bool {
        self.word == word || self.kin.contains(&word)
    }

    pub(super) fn into_owned(self) -> Way<'static> {
        Way {
            word: Cow::Owned(self.word.into_owned()),
            kin: self.kin,
        }
    }
}

/// What the record of the members knows of the swarm.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Members<'a> {
    /// The swarm's identity, where it is known.
    pub(crate) uid: Option<SwarmUid>,
    /// Whether there are any.
    pub(crate) any: bool,
    /// On which backend they were started, where that was recorded.
    pub(crate) backend: Option<&'a str>,
}

/// What a manager is told that would handle agents which its backend does not see.
pub(super) fn on_another_backend(swarm: Option<&SwarmName>, theirs: &str, ours: &str) -> Error {
    let whose = swarm.map_or_else(
        || "this swarm".to_owned(),
        |name| format!("the swarm `{name}`"),
    );
    Error::new(
        ErrorKind::Conflict,
        Operation::State,
        format!("the agents of {whose} run on `{theirs}`, and `{ours}` cannot see them"),
    )
    .with_cure(format!(
        "go on there by `--backend {theirs}`, or run `down` with it before you change the backend"
    ))
}

impl SwarmRecord {
    fn path(folder: &Folder) -> PathBuf {
        folder.path().join("swarm.json")
    }

    /// The record of this folder; `None` where none was ever written.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>> {
        let path = Self::path(folder);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path, error)),
        };
        let record: Self = serde_json::from_slice(&text).map_err(|error| {
            Error::new(
                ErrorKind::Engine,
                Operation::State,
                format!("{} is damaged", path.display()),
            )
            .with_cure(
                "remove it if no agent of this swarm is left; the next start writes a new one",
            )
            .with_source(error)
        })?;
        if record.schema > SCHEMA {
            return Err(Error::new(
                ErrorKind::Unsupported,
                Operation::State,
                format!(
                    "{} was written by a newer alveary, in form {}",
                    path.display(),
                    record.schema
                ),
            )
            .with_cure("use that version, or take the swarm down with it first"));
        }
        Ok(Some(record))
    }

    /// Opens the swarm for this file and backend, and makes its identity if it has none.
    ///
    /// One that has no members may change hands. Of the uid, where this record cannot be read, and of the
    /// backend the members know. To be called under the lock.
    pub(crate) fn claim(folder: &Folder, claim: &Claim<'_>, members: &Members<'_>) -> Result<Self> {
        let path = Self::path(folder);
        let uid = members.uid;
        let read = match (Self::read(folder), uid) {
            (Ok(old), _) => old,
            (Err(error), Some(_)) if error.kind() == ErrorKind::Engine && path.is_file() => {
                let copy = keep_corrupt(&path)?;
                tracing::warn!(kind = %error.kind(), why = error.message(), copy = %copy.display(), "the swarm's record was written anew");
                None
            }
            (Err(error), _) => return Err(error),
        };
        let mut old = read.clone();
        if let Some(old) = &mut old
            && members.any
        {
            // Somebody may have opened it on another backend before there were any.
            if let Some(backend) = members.backend {
                old.backend = Some(backend.to_owned());
            }
            old.check(claim)?;
        }
        let file = claim
            .file
            .or(old.as_ref().and_then(|old| old.file.as_deref()));
        let file_was_there = file.and_then(|file| {
            let is_there = fs::symlink_metadata(file).is_ok();
            match &old {
                // Once it is gone, its members are still those of a file.
                Some(old) if !is_there && members.any => old.file_was_there,
                _ => Some(is_there),
            }
        });
        let new = Self {
            schema: SCHEMA,
            name: claim.name.clone(),
            uid: old
                .as_ref()
                .map(|old| old.uid)
                .or(uid)
                .unwrap_or_else(SwarmUid::random),
            file: file.map(Path::to_owned),
            file_was_there,
            backend: claim
                .backend
                .as_ref()
                .map(|ours| ours.word.clone().into_owned())
                .or_else(|| old.as_ref().and_then(|old| old.backend.clone())),
            boot: host::boot_id(),
            created: old.as_ref().map_or_else(SystemTime::now, |old| old.created),
        };
        if read.as_ref() != Some(&new) {
            new.write(&path)?;
        }
        Ok(new)
    }

    /// Has the swarm go by another uid. It has no members: to be called under the lock.
    pub(super) fn adopt(folder: &Folder, uid: SwarmUid) -> Result<()> {
        match Self::read(folder)? {
            Some(record) => Self { uid, ..record }.write(&Self::path(folder)),
            None => Ok(()),
        }
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| {
            Error::new(
                ErrorKind::Engine,
                Operation::State,
                format!("cannot put into words {}", path.display()),
            )
            .with_cure("report this")
            .with_source(error)
        })?;
        write_atomically(path, &text)
    }

    /// Refuses a file or a backend that is not the one under which this swarm's members were made.
    fn check(&self, claim: &Claim<'_>) -> Result<()> {
        if let (Some(theirs), Some(ours)) = (&self.file, claim.file)
            && theirs != ours
        {
            return Err(Error::new(
                ErrorKind::Conflict,
                Operation::State,
                format!(
                    "the swarm `{}` belongs to {}, not to {}",
                    self.name,
                    theirs.display(),
                    ours.display()
                ),
            )
            .with_cure(format!(
                "choose another name by `-p`/`--swarm` or `swarm = \"…\"`, or run `alveary --file {} down` first",
                theirs.display()
            )));
        }
        if let (Some(theirs), Some(ours)) = (&self.backend, &claim.backend)
            && !ours.leads_to_agents_of(theirs)
        {
            return Err(on_another_backend(Some(&self.name), theirs, &ours.word));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        _root: tempfile::TempDir,
        folder: Folder,
        name: SwarmName,
    }

    impl Fixture {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let name = SwarmName::new("demo").unwrap();
            let folder = Folder::prepare(root.path(), &name).unwrap();
            Self {
                _root: root,
                folder,
                name,
            }
        }

        fn claim(&self, file: &str, backend: &str, in_use: bool) -> Result<SwarmRecord> {
            let claim = Claim {
                name: &self.name,
                file: Some(Path::new(file)),
                backend: Some(Way::alone(backend)),
            };
            let members = Members {
                any: in_use,
                ..Members::default()
            };
            SwarmRecord::claim(&self.folder, &claim, &members)
        }
    }

    #[test]
    fn the_uid_is_made_once() {
        let swarm = Fixture::new();
        let first = swarm.claim("/a/alveary.toml", "process", false).unwrap();
        let again = swarm.claim("/a/alveary.toml", "process", true).unwrap();
        assert_eq!(first, again);
    }

    #[test]
    fn another_file_is_told_who_has_the_name_and_what_to_do() {
        let swarm = Fixture::new();
        swarm.claim("/a/alveary.toml", "process", false).unwrap();
        let error = swarm.claim("/b/alveary.toml", "process", true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let text = error.to_string();
        assert!(
            text.contains("/a/alveary.toml") && text.contains("--swarm"),
            "{text}"
        );
    }

    #[test]
    fn a_swarm_without_members_changes_hands_and_keeps_its_uid() {
        let swarm = Fixture::new();
        let first = swarm.claim("/a/alveary.toml", "process", false).unwrap();
        let second = swarm.claim("/b/alveary.toml", "other", false).unwrap();
        assert_eq!(first.uid, second.uid);
        assert_eq!(second.file.as_deref(), Some(Path::new("/b/alveary.toml")));
    }

    #[test]
    fn whether_its_file_was_there_is_known_for_as_long_as_there_are_members() {
        let swarm = Fixture::new();
        let file = swarm.folder.path().join("alveary.toml");
        let was_there = |in_use| {
            let record = swarm.claim(file.to_str().unwrap(), "process", in_use);
            record.unwrap().file_was_there
        };
        assert_eq!(was_there(false), Some(false));
        assert_eq!(was_there(true), Some(false));
        fs::write(&file, "").unwrap();
        assert_eq!(was_there(true), Some(true));
        fs::remove_file(&file).unwrap();
        assert_eq!(was_there(true), Some(true), "its members are of that file");
        assert_eq!(was_there(false), Some(false), "those that come are not");
    }

    #[test]
    fn an_older_record_does_not_say_whether_its_file_was_there() {
        let swarm = Fixture::new();
        swarm.claim("/a/alveary.toml", "process", false).unwrap();
        let path = SwarmRecord::path(&swarm.folder);
        let mut record: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record.as_object_mut().unwrap().remove("file_was_there");
        fs::write(&path, record.to_string()).unwrap();
        let again = swarm.claim("/a/alveary.toml", "process", true).unwrap();
        assert_eq!(again.file_was_there, None);
    }

    #[test]
    fn another_way_to_the_same_agents_is_no_other_backend() {
        let swarm = Fixture::new();
        let made = swarm.claim("/a/alveary.toml", "docker-api", true).unwrap();
        let claim = Claim {
            name: &swarm.name,
            file: Some(Path::new("/a/alveary.toml")),
            backend: Some(Way {
                word: "docker-cli".into(),
                kin: vec!["docker-api"],
            }),
        };
        let members = Members {
            any: true,
            backend: Some("docker-api"),
            ..Members::default()
        };
        let again = SwarmRecord::claim(&swarm.folder, &claim, &members).unwrap();
        assert_eq!(again.uid, made.uid);
    }

    #[test]
    fn another_backend_is_refused_while_there_are_members() {
        let swarm = Fixture::new();
        swarm.claim("/a/alveary.toml", "process", false).unwrap();
        let error = swarm
            .claim("/a/alveary.toml", "docker-cli", true)
            .unwrap_err();
        assert!(error.to_string().contains("--backend process"), "{error}");
    }

    #[test]
    fn a_damaged_record_is_kept_and_mended_where_the_uid_is_known_elsewhere() {
        let swarm = Fixture::new();
        let first = swarm.claim("/a/alveary.toml", "process", false).unwrap();
        let path = SwarmRecord::path(&swarm.folder);
        fs::write(&path, "{\"schema\":1,\"na").unwrap();

        let unknown = swarm.claim("/a/alveary.toml", "process", true).unwrap_err();
        assert!(unknown.to_string().contains("is damaged"), "{unknown}");

        let claim = Claim {
            name: &swarm.name,
            file: Some(Path::new("/a/alveary.toml")),
            backend: Some(Way::alone("process")),
        };
        let members = Members {
            uid: Some(first.uid),
            any: true,
            backend: None,
        };
        let mended = SwarmRecord::claim(&swarm.folder, &claim, &members).unwrap();
        assert_eq!(mended.uid, first.uid);
        assert!(swarm.folder.path().join("swarm.json.corrupt").exists());
    }
}
