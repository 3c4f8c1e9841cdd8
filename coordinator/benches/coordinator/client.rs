//! The least client that can speak to a server: one connection that is kept, one question after the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A question without a body.
pub(crate) fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// A question as it goes over the wire.
pub(crate) fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Asks, and reads the answer to its end: its body. One that is no success ends the bench.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).await.unwrap();
        self.read.clear();
        loop {
            assert_ne!(
                self.stream.read_buf(&mut self.read).await.unwrap(),
                0,
                "it is cut off"
            );
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut answer = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(head) = answer.parse(&self.read).unwrap() else {
                continue;
            };
            let named =
                |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case("content-length");
            let length = answer.headers.iter().find(named).unwrap().value;
            let length: usize = std::str::from_utf8(length).unwrap().parse().unwrap();
            let code = answer.code.unwrap();
            if self.read.len() >= head + length {
                let said = String::from_utf8_lossy(&self.read[head..]);
                assert!((200..300).contains(&code), "{code}: {said}");
                assert!(!said.contains("\"accepted\":false"), "{said}");
                return &self.read[head..];
            }
        }
    }

    /// How long that takes.
    pub(crate) async fn time(&mut self, request: &[u8]) -> Duration {
        let begun = Instant::now();
        self.ask(request).await;
        begun.elapsed()
    }
}
