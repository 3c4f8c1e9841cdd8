//! The least that can speak the Engine API: one connection that is kept, and no thought of what goes wrong.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Whoever says nothing for so long says nothing any more.
const PATIENCE: Duration = Duration::from_mins(1);

/// More than any answer has that is read here.
const MAX_BODY: usize = 4 * 1024 * 1024;

pub(super) struct Bare(BufReader<UnixStream>);

impl Bare {
    pub(super) fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The answer to it, where that is no refusal.
    pub(super) fn call(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Value> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.0.get_mut().write_all(&request)?;
        let status = self.line()?;
        let status = status
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse::<u16>().ok());
        let said = self.body()?;
        match status {
            Some(..400) => Ok(serde_json::from_slice(&said).unwrap_or_default()),
            _ => Err(io::Error::other(format!(
                "{method} {path}: {}",
                String::from_utf8_lossy(&said).trim()
            ))),
        }
    }

    fn body(&mut self) -> io::Result<Vec<u8>> {
        let (mut length, mut in_chunks) = (0, false);
        loop {
            let line = self.line()?.to_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => {
                    length = value.parse().map_err(io::Error::other)?;
                }
                Some(("transfer-encoding", _)) => in_chunks = true,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        if !in_chunks {
            self.take(length, &mut body)?;
            return Ok(body);
        }
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
            self.take(size, &mut body)?;
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        if line.ends_with('\n') {
            Ok(line.trim_end().to_owned())
        } else {
            Err(io::Error::other("the engine broke off"))
        }
    }

    fn take(&mut self, size: usize, body: &mut Vec<u8>) -> io::Result<()> {
        let from = body.len();
        if from.saturating_add(size) > MAX_BODY {
            return Err(io::Error::other("the engine says too much"));
        }
        body.resize(from + size, 0);
        self.0.read_exact(&mut body[from..])
    }
}
