//! The token that says who an agent is.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderValue;
use tokio::io::AsyncReadExt as _;

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
    pub(super) async fn bearer(&self, fresh: bool) -> Result<HeaderValue> {
        let last = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !fresh && let Some(bearer) = last().clone() {
            return Ok(bearer);
        }
        let text = self.text().await.map_err(|error| self.unreadable(error))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
            .ok()
            .filter(|_| !text.trim().is_empty())
            .ok_or_else(|| self.unreadable(io::Error::other("what it holds is no token")))?;
        bearer.set_sensitive(true);
        *last() = Some(bearer.clone());
        Ok(bearer)
    }

    /// A plain file without a thread of the runtime's pool, since to start one takes longer than to read this. Nobody knows
    /// how long a pipe takes.
    async fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        if std::fs::metadata(&self.path)?.is_file() {
            let file = std::fs::File::open(&self.path)?;
            io::Read::take(file, LONGEST).read_to_string(&mut text)?;
        } else {
            let file = tokio::fs::File::open(&self.path).await?;
            file.take(LONGEST).read_to_string(&mut text).await?;
        }
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
