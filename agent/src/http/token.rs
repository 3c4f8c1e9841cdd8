//! The token that says who an agent is.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderValue;

use crate::error::{Error, ErrorKind, Result};

/// The longest token, in bytes.
const LONGEST: u64 = 4096;

/// A file that holds an agent's token: read when it is first needed, and again when the coordinator refuses what
/// was in it. Neither `Debug` nor an error shows the token.
#[derive(Clone)]
pub struct TokenFile {
    path: PathBuf,
    read: Arc<Mutex<Option<HeaderValue>>>,
}

impl TokenFile {
    /// The token in this file, without the white space around it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            read: Arc::default(),
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What an `Authorization` header says; `fresh` as the file has it now.
    pub(super) fn bearer(&self, fresh: bool) -> Result<HeaderValue> {
        let last = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !fresh && let Some(bearer) = last().clone() {
            return Ok(bearer);
        }
        let text = self.text().map_err(|error| self.unreadable(error))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
            .ok()
            .filter(|_| !text.trim().is_empty())
            .ok_or_else(|| self.unreadable(io::Error::other("what it holds is no token")))?;
        bearer.set_sensitive(true);
        *last() = Some(bearer.clone());
        Ok(bearer)
    }

    /// Without a thread of the runtime's pool: to start one takes longer than to read this.
    fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        File::open(&self.path)?
            .take(LONGEST)
            .read_to_string(&mut text)?;
        Ok(text)
    }

    fn unreadable(&self, error: io::Error) -> Error {
        let path = self.path.display();
        Error::new(
            ErrorKind::Forbidden,
            format!("the token file {path} cannot be read: {error}"),
        )
        .with_cure(
            "name the file that holds the agent's token by COORDINATOR_TOKEN_FILE or --token-file",
        )
        .with_source(error)
    }
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenFile({})", self.path.display())
    }
}
