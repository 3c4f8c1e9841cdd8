//! The engine's API through the program: `system dial-stdio`, by which Docker's and Podman's programs carry a
//! connection over their standard input and output. It is what `ssh://` rests on, and is as old as that.
//!
//! It is for one thing: to make a container with variables that `--env-file` cannot say, such as those of more
//! than one line. They have to stay out of the arguments and out of the program's own environment as all others
//! do, and a body on standard input is the one way left. Everything else goes by the verbs.

use serde::Deserialize;

use super::known::Speaks;
use super::said::Said;
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, Created, Ref};
use crate::wire::Made;

/// A version that every engine of Docker 20.10 and newer serves, and Podman's. Docker 29 serves none below 1.44,
/// which its program's own version tells.
const OLDEST: (u32, u32) = (1, 41);
const NEWEST: (u32, u32) = (1, 51);

/// The path of a request in a version that the engine, which serves `api` at the most, has too.
fn versioned(api: &str, path: &str) -> Answer<String> {
    let read = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    match read(api) {
        Some(api) if api >= OLDEST => {
            let (major, minor): (u32, u32) = api.min(NEWEST);
            Ok(format!("/v{major}.{minor}{path}"))
        }
        _ => Err(Trouble::new(
            Class::Version,
            format!("it serves the API up to `{api}`"),
        )),
    }
}

/// The request that makes a container. Holds its environment: never shown.
pub(super) fn create(api: &str, name: &Ref, body: &[u8]) -> Answer<Vec<u8>> {
    let path = versioned(api, &format!("/containers/create?name={}", name.as_str()))?;
    let length = body.len();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    Ok(request)
}

#[derive(Deserialize)]
struct Refused {
    message: String,
}

/// The container in what the program brought back.
///
/// `Class::NoLine`: the program carries no connection. Podman's has nowhere to carry it to where no service runs:
/// it is its own engine.
/// `Class::Lost`: the response is not all there.
pub(super) fn made(said: &Said, speaks: Speaks) -> Answer<Created> {
    if said.stdout.is_empty() && !said.is_well() {
        let trouble = said.trouble();
        return Err(match (trouble.class, speaks) {
            (Class::Other, _) | (Class::Unreachable, Speaks::Podman) => {
                Trouble::new(Class::NoLine, trouble.words)
            }
            _ => trouble,
        });
    }
    created(&said.stdout)
}

fn created(response: &[u8]) -> Answer<Created> {
    let (status, body) = read(response)
        .ok_or_else(|| Trouble::new(Class::Lost, "the engine's response broke off"))?;
    if status != 201 {
        let words = serde_json::from_slice::<Refused>(&body).map_or_else(
            |_| String::from_utf8_lossy(&body).into_owned(),
            |told| told.message,
        );
        return Err(Trouble::said(Some(status), words));
    }
    serde_json::from_slice::<Made>(&body)
        .ok()
        .and_then(Made::into_created)
        .ok_or_else(|| Trouble::new(Class::Lost, "the engine's response names no container"))
}

/// The status and the whole body.
fn read(response: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head_end = response.windows(4).position(|part| part == b"\r\n\r\n")?;
    let head = str::from_utf8(&response[..head_end]).ok()?;
    let body = &response[head_end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |name: &str| {
        lines.clone().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Some((status, unchunked(body)?));
    }
    let body = match header("content-length") {
        Some(length) => body.get(..length.parse().ok()?)?,
        None => body,
    };
    Some((status, body.to_vec()))
}

fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line_end = body.windows(2).position(|part| part == b"\r\n")?;
        let line = str::from_utf8(&body[..line_end]).ok()?;
        let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        body = body.get(line_end + 2..)?;
        whole.extend_from_slice(body.get(..length)?);
        body = body.get(length.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_whole_or_not_at_all() {
        let plain =
            b"HTTP/1.1 201 Created\r\nContent-Length: 26\r\n\r\n{\"Id\":\"ab12\",\"Warnings\":[]}";
        let chunked = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"Id\"\r\n8\r\n:\"ab12\"}\r\n0\r\n\r\n";
        for response in [&plain[..plain.len() - 1], &chunked[..]] {
            let ends = response.len();
            for end in 0..ends - 6 {
                assert_eq!(
                    created(&response[..end]).unwrap_err().class,
                    Class::Lost,
                    "{end}"
                );
            }
        }
        assert_eq!(created(chunked).unwrap().id.as_str(), "ab12");
    }

    #[test]
    fn a_refusal_is_told_in_the_engines_words() {
        let response = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"message\":\"No such image: x\"}";
        assert_eq!(
            created(response).unwrap_err(),
            Trouble::new(Class::NoImage, "No such image: x")
        );
    }

    #[test]
    fn a_version_is_asked_for_that_both_know() {
        assert_eq!(versioned("1.41", "/x").unwrap(), "/v1.41/x");
        assert_eq!(versioned("1.99", "/x").unwrap(), "/v1.51/x");
        assert_eq!(versioned("1.40", "/x").unwrap_err().class, Class::Version);
        assert_eq!(versioned("4.3.1", "/x").unwrap_err().class, Class::Version);
    }
}
