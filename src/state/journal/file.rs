//! The journal's file: whole lines at its end, by one writer at a time.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use alveary_core::Result;

use crate::state::files::io_error;

/// The file that is there now, as far as it has been read.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    identity: (u64, u64),
    /// All before this has been read, and it is the end of a line.
    pub(super) read: u64,
}

impl OpenFile {
    /// Opens the file, of which nothing has been read yet.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let open = || {
            let file = OpenOptions::new().read(true).append(true).open(path)?;
            let metadata = file.metadata()?;
            Ok((file, identity(&metadata)))
        };
        let (file, identity) = open().map_err(|error| io_error("open", path, error))?;
        Ok(Self {
            file,
            identity,
            read: 0,
        })
    }

    /// Makes the file, as yet without a line.
    pub(super) fn make(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        options
            .open(path)
            .map_err(|error| io_error("make", path, error))?;
        Self::open(path)
    }

    /// Whether this is the file that stands at the path now, by what is known of that.
    pub(super) fn is(&self, now: &Metadata) -> bool {
        self.identity == identity(now) && now.len() >= self.read
    }

    /// The whole lines that have not been read yet. What stands behind the last line break is being written, or
    /// was never finished.
    pub(super) fn new_lines(&mut self, path: &Path) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        self.file
            .seek(SeekFrom::Start(self.read))
            .and_then(|_| self.file.read_to_end(&mut text))
            .map_err(|error| io_error("read", path, error))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        text.truncate(whole.map_or(0, |at| at + 1));
        Ok(text)
    }

    /// What was left behind the last line by a writer who died over it. To be called under the lock, with all
    /// lines read.
    pub(super) fn half_a_line(&mut self, path: &Path) -> Result<Vec<u8>> {
        let mut rest = Vec::new();
        let length = self
            .file
            .metadata()
            .map_err(|error| io_error("look at", path, error))?
            .len();
        if length > self.read {
            self.file
                .seek(SeekFrom::Start(self.read))
                .and_then(|_| self.file.read_to_end(&mut rest))
                .map_err(|error| io_error("read", path, error))?;
        }
        Ok(rest)
    }

    /// Cuts off what stands behind the last line.
    pub(super) fn cut(&self, path: &Path) -> Result<()> {
        self.file
            .set_len(self.read)
            .map_err(|error| io_error("mend", path, error))
    }

    /// Adds lines, all or none. To be called under the lock, with all lines read.
    pub(super) fn append(&mut self, path: &Path, lines: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            // No half of a record stays. Should even this fail, the next writer cuts it off.
            let _ = self.file.set_len(self.read);
            return Err(io_error("write", path, error));
        }
        self.read += lines.len() as u64;
        Ok(())
    }

    /// Puts this in place of the file: the whole of it or nothing, in the eyes of every process. Nothing waits for
    /// the disk. To be called under the lock.
    pub(super) fn replace(path: &Path, content: &[u8]) -> Result<Self> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = Path::new(&new);
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            // One that somebody left who died over it is as good as any.
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(new)?.write_all(content)?;
            std::fs::rename(new, path)
        };
        if let Err(error) = write() {
            let _ = std::fs::remove_file(new);
            return Err(io_error("write", path, error));
        }
        let mut file = Self::open(path)?;
        file.read = content.len() as u64;
        Ok(file)
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Adds what could not be read to the file in which such things are kept.
pub(super) fn keep_aside(path: &Path, pieces: &[u8]) -> Result<()> {
    let keep = || {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        options.open(path)?.write_all(pieces)
    };
    keep().map_err(|error| io_error("write", path, error))
}
