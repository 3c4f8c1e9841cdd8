//! Finding the fleet file and reading it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::options::{FILE_NAME, LoadOptions};
use super::source::Source;

/// The most bytes that a file may have: beyond this it is something else by mistake.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The fleet file, found and read.
pub(crate) struct Found {
    /// Absolute, with the links in its folder's path resolved: what tells one file from another.
    pub(crate) path: PathBuf,
    pub(crate) source: Source,
}

pub(crate) fn find(options: &LoadOptions) -> Result<Found, ConfigError> {
    let base = options.base()?;
    let path = match options.named_file()? {
        Some(chosen) => {
            let said = chosen
                .by
                .map_or_else(String::new, |by| format!(" ({by} names it)"));
            if chosen.value.is_dir() {
                return Err(
                    ConfigError::new(format!("it is a folder, not a fleet file{said}"))
                        .with_cure(format!("name the file in it, such as {FILE_NAME}"))
                        .in_file(&chosen.value),
                );
            }
            if !chosen.value.exists() {
                return Err(ConfigError::new(format!("there is no such file{said}"))
                    .with_cure("write it, or name another by `--file`")
                    .in_file(&chosen.value)
                    .no_file());
            }
            chosen.value
        }
        None => search(&base)?,
    };
    let text = read(&path)?;
    let name = path
        .strip_prefix(&base)
        .unwrap_or(&path)
        .display()
        .to_string();
    Ok(Found {
        path: settle(&path),
        source: Source::new(name, text),
    })
}

/// Looks in `base`, in its parent, and so on up to the root.
fn search(base: &Path) -> Result<PathBuf, ConfigError> {
    base.ancestors()
        .map(|folder| folder.join(FILE_NAME))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            ConfigError::new(format!(
                "there is no {FILE_NAME} in {} or in any folder above it",
                base.display()
            ))
            .with_cure("write one, as `alveary init` does, or name it by `--file`")
            .no_file()
        })
}

/// Relative paths in the file begin where it is seen, so a link to a file elsewhere is not followed; links
/// in the path of its folder are, so that one file has one path.
fn settle(path: &Path) -> PathBuf {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return path.to_owned();
    };
    match folder.canonicalize() {
        Ok(folder) => folder.join(name),
        // It was just read from there; whoever uses the path will say what is the matter.
        Err(_) => path.to_owned(),
    }
}

/// Reads a text file of a size that a person could have written.
pub(crate) fn read(path: &Path) -> Result<String, ConfigError> {
    let fail = |error: &std::io::Error| {
        let cure = match error.kind() {
            ErrorKind::NotFound => "write it, or take the line out that names it",
            ErrorKind::PermissionDenied => "make it readable for you",
            _ => "name another",
        };
        ConfigError::new(format!("the file cannot be read: {error}"))
            .with_cure(cure)
            .in_file(path)
    };
    let file = File::open(path).map_err(|error| fail(&error))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(
            ConfigError::new(format!("the file has more than {MAX_BYTES} bytes"))
                .with_cure("name a text file")
                .in_file(path),
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        ConfigError::new(format!(
            "the file is not UTF-8: the first bad byte is at {}",
            error.utf8_error().valid_up_to()
        ))
        .with_cure("save it as UTF-8")
        .in_file(path)
    })
}
