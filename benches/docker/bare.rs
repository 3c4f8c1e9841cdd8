//! The least that can speak the Engine API: one connection that is kept, and no thought of what goes wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

pub(crate) struct Bare(BufReader<UnixStream>);

impl Bare {
    pub(crate) fn connect(socket: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(socket).unwrap()))
    }

    /// The status, and the answer's body.
    pub(crate) fn try_call(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.0.get_mut().write_all(&request).unwrap();
        let status = self.line();
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let (mut length, mut in_chunks) = (0, false);
        loop {
            let line = self.line().to_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("transfer-encoding", _)) => in_chunks = true,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        if in_chunks {
            loop {
                let size = usize::from_str_radix(&self.line(), 16).unwrap();
                self.take(size, &mut body);
                self.line();
                if size == 0 {
                    break;
                }
            }
        } else {
            self.take(length, &mut body);
        }
        (status.unwrap(), body)
    }

    pub(crate) fn call(&mut self, method: &str, path: &str, body: &[u8]) -> Value {
        let (status, said) = self.try_call(method, path, body);
        let words = String::from_utf8_lossy(&said);
        assert!(status < 400, "{method} {path}: {status}: {words}");
        serde_json::from_slice(&said).unwrap_or_default()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the engine broke off");
        line.trim_end().to_owned()
    }

    fn take(&mut self, size: usize, body: &mut Vec<u8>) {
        let from = body.len();
        body.resize(from + size, 0);
        self.0.read_exact(&mut body[from..]).unwrap();
    }

    /// Makes a container, and gives its id.
    pub(crate) fn create(&mut self, body: &[u8]) -> String {
        let made = self.call("POST", "/v1.41/containers/create", body);
        made["Id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn start(&mut self, id: &str) {
        self.call("POST", &format!("/v1.41/containers/{id}/start"), b"");
    }

    /// As `docker rm -f`.
    pub(crate) fn remove(&mut self, id: &str) {
        self.call(
            "DELETE",
            &format!("/v1.41/containers/{id}?force=true&v=true"),
            b"",
        );
    }

    /// Every container with this label, `key=value`.
    pub(crate) fn labelled(&mut self, label: &str) -> Vec<String> {
        // {"label":["…"]}
        let path = format!(
            "/v1.41/containers/json?all=true&filters=%7B%22label%22%3A%5B%22{}%22%5D%7D",
            label.replace('=', "%3D")
        );
        let listed = self.call("GET", &path, b"");
        let ids = listed.as_array().into_iter().flatten();
        ids.map(|container| container["Id"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Does this with each, so many at once, each over a connection of its own.
pub(crate) fn at_once<T: Send, R: Send>(
    socket: &Path,
    width: usize,
    items: Vec<T>,
    act: impl Fn(&mut Bare, T) -> R + Sync,
) -> Vec<R> {
    let items = std::sync::Mutex::new(items);
    let done = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..width {
            scope.spawn(|| {
                let mut bare = Bare::connect(socket);
                loop {
                    let Some(item) = items.lock().unwrap().pop() else {
                        return;
                    };
                    let result = act(&mut bare, item);
                    done.lock().unwrap().push(result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}
