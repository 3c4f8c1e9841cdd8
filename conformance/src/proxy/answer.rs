//! Answers that no engine gave.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::gate::Gate;

/// An answer that the proxy gives in the engine's place. The connection ends with it.
///
/// ```
/// use alveary_conformance::proxy::Answer;
///
/// let refused = Answer::status(409).json(r#"{"message": "the name is taken"}"#);
/// let emptied = Answer::status(200);
/// let garbled = Answer::status(200).json("<html>");
/// let endless = Answer::status(200).with_filler(1 << 30);
/// let no_http = Answer::raw("SSH-2.0-OpenSSH_9.2\r\n");
/// ```
#[derive(Debug, Clone)]
pub struct Answer {
    head: Vec<u8>,
    long_header: Option<u64>,
    content_type: &'static str,
    body: Vec<u8>,
    filler: u64,
    is_raw: bool,
    /// What has no body does not tell a length of one.
    has_length: bool,
}

const FILLER: [u8; 16 << 10] = [b'x'; 16 << 10];

impl Answer {
    /// An answer of this status, with an empty body.
    pub fn status(status: u16) -> Self {
        Self {
            head: format!("HTTP/1.1 {status} Said-By-The-Proxy\r\nConnection: close\r\n").into(),
            long_header: None,
            content_type: "application/json",
            body: Vec::new(),
            filler: 0,
            is_raw: false,
            has_length: status >= 200 && !matches!(status, 204 | 304),
        }
    }

    /// These bytes, which need be no HTTP, and then the end of the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            body: bytes.into(),
            is_raw: true,
            ..Self::status(0)
        }
    }

    /// Has this body, which is called JSON whether it is or not.
    #[must_use]
    pub fn json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Has this body, as plain text.
    #[must_use]
    pub fn text(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.content_type = "text/plain";
        self.json(body)
    }

    /// Has so many bytes of nothing in particular behind its body, made as they are sent.
    #[must_use]
    pub fn with_filler(mut self, bytes: u64) -> Self {
        self.filler = bytes;
        self
    }

    /// Has a header of so many bytes, made as they are sent.
    #[must_use]
    pub fn with_long_header(mut self, bytes: u64) -> Self {
        self.long_header = Some(bytes);
        self
    }

    pub(super) async fn send<W>(&self, to: &mut W, method: &str, gate: &Gate) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        gate.pass().await;
        if !self.is_raw {
            to.write_all(&self.head).await?;
            if self.has_length {
                let length = self.body.len() as u64 + self.filler;
                let told = format!(
                    "Content-Type: {}\r\nContent-Length: {length}\r\n",
                    self.content_type
                );
                to.write_all(told.as_bytes()).await?;
            }
            if let Some(bytes) = self.long_header {
                to.write_all(b"X-Long: ").await?;
                fill(to, bytes, gate).await?;
                to.write_all(b"\r\n").await?;
            }
            to.write_all(b"\r\n").await?;
        }
        if self.is_raw || (self.has_length && method != "HEAD") {
            to.write_all(&self.body).await?;
            fill(to, self.filler, gate).await?;
        }
        to.shutdown().await
    }
}

async fn fill<W: AsyncWrite + Unpin>(to: &mut W, mut left: u64, gate: &Gate) -> io::Result<()> {
    while left > 0 {
        gate.pass().await;
        let piece = usize::try_from(left).map_or(FILLER.len(), |left| left.min(FILLER.len()));
        to.write_all(&FILLER[..piece]).await?;
        left -= piece as u64;
    }
    Ok(())
}
