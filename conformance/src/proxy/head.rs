//! The heads of requests and answers: what of them decides where a message ends.

use std::io;

use super::framing::Framing;

/// The longest head that is read.
pub(super) const MAX_HEAD: usize = 1 << 20;
const MAX_HEADERS: usize = 256;

/// What is understood of a request.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    /// Its bytes, the empty line included.
    pub(super) length: usize,
    pub(super) body: Framing,
    pub(super) keeps_alive: bool,
}

/// What is understood of an answer.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) status: u16,
    pub(super) length: usize,
    pub(super) body: Framing,
    pub(super) keeps_alive: bool,
    /// What follows is no message any more, and goes both ways.
    pub(super) is_tunnel: bool,
}

impl AnswerHead {
    /// Another answer follows.
    pub(super) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

fn malformed(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What the headers say, as far as it matters here.
struct Said {
    length: Option<u64>,
    chunked: bool,
    close: bool,
}

fn said(headers: &[httparse::Header<'_>]) -> io::Result<Said> {
    let mut said = Said {
        length: None,
        chunked: false,
        close: false,
    };
    for header in headers {
        let value = String::from_utf8_lossy(header.value).to_ascii_lowercase();
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => said.length = Some(value.trim().parse().map_err(malformed)?),
            "transfer-encoding" => said.chunked = value.contains("chunked"),
            "connection" => said.close = value.split(',').any(|word| word.trim() == "close"),
            _ => {}
        }
    }
    Ok(said)
}

/// The path without the version of the API that it may begin with.
fn without_version(path: &str) -> &str {
    let rest = path.strip_prefix("/v").unwrap_or_default();
    let (version, _) = rest.split_once('/').unwrap_or_default();
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    if is_version {
        &rest[version.len()..]
    } else {
        path
    }
}

/// The request that these bytes begin with; `None` while its head is not whole.
pub(super) fn request(bytes: &[u8]) -> io::Result<Option<RequestHead>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).map_err(malformed)? else {
        return Ok(None);
    };
    let said = said(parsed.headers)?;
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(RequestHead {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: without_version(path).to_owned(),
        query: query.to_owned(),
        length,
        body: match said.length {
            _ if said.chunked => Framing::chunked(),
            Some(length) => Framing::Length(length),
            None => Framing::Length(0),
        },
        keeps_alive: parsed.version == Some(1) && !said.close,
    }))
}

/// The answer to a request of this method that these bytes begin with; `None` while its head is not whole.
pub(super) fn answer(bytes: &[u8], method: &str) -> io::Result<Option<AnswerHead>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).map_err(malformed)? else {
        return Ok(None);
    };
    let said = said(parsed.headers)?;
    let status = parsed.code.unwrap_or_default();
    let body = match said.length {
        _ if status == 101 => Framing::UntilClose,
        _ if method == "HEAD" || status < 200 || matches!(status, 204 | 304) => Framing::Length(0),
        _ if said.chunked => Framing::chunked(),
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    };
    // Engines of old turn a connection into a tunnel with a 200 that has no end.
    let is_tunnel = matches!(body, Framing::UntilClose);
    Ok(Some(AnswerHead {
        status,
        length,
        keeps_alive: parsed.version == Some(1) && !said.close && !is_tunnel,
        is_tunnel,
        body,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_without_the_version_of_the_api() {
        for (path, told) in [
            ("/v1.41/containers/create", "/containers/create"),
            ("/v5.0.0/libpod/info", "/libpod/info"),
            ("/containers/json", "/containers/json"),
            ("/version", "/version"),
            ("/volumes/v1.2/x", "/volumes/v1.2/x"),
            ("/v1.41", "/v1.41"),
        ] {
            assert_eq!(without_version(path), told);
        }
    }

    #[test]
    fn where_an_answer_ends_is_told_by_method_status_and_headers() {
        let ends = |method: &str, head: &str| {
            let head = format!("HTTP/1.1 {head}\r\n\r\n");
            answer(head.as_bytes(), method).unwrap().unwrap().body
        };
        assert!(matches!(
            ends("GET", "200 OK\r\nContent-Length: 7"),
            Framing::Length(7)
        ));
        assert!(matches!(
            ends("HEAD", "200 OK\r\nContent-Length: 7"),
            Framing::Length(0)
        ));
        assert!(matches!(ends("POST", "204 No Content"), Framing::Length(0)));
        assert!(matches!(
            ends("POST", "101 UPGRADED\r\nUpgrade: tcp"),
            Framing::UntilClose
        ));
        assert!(matches!(
            ends("GET", "200 OK\r\nTransfer-Encoding: chunked"),
            Framing::Chunked(_)
        ));
    }
}
