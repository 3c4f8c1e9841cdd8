//! A container's log as the API frames it: eight bytes that say whose and how much, then a time and the bytes.

use std::time::Duration;

use alveary_core::LogStreamKind;
use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::Timestamp;

use crate::classify::{Class, Trouble};
use crate::engine::LogEntry;
use crate::http::MAX_ERROR;

/// Engines cut long lines at 16 KiB; a frame that says it is longer than this is none.
const MAX_FRAME: usize = 8 << 20;

struct Frames {
    body: Incoming,
    buffer: BytesMut,
    /// How long the next bytes are waited for.
    patience: Option<Duration>,
    ended: bool,
}

/// The entries of a log.
pub(super) fn entries(
    body: Incoming,
    patience: Option<Duration>,
) -> impl Stream<Item = Result<LogEntry, Trouble>> + Send {
    let frames = Frames {
        body,
        buffer: BytesMut::new(),
        patience,
        ended: false,
    };
    stream::unfold(frames, |mut frames| async {
        if frames.ended {
            return None;
        }
        match frames.next().await {
            Ok(Some(entry)) => Some((Ok(entry), frames)),
            Ok(None) => None,
            Err(trouble) => {
                frames.ended = true;
                Some((Err(trouble), frames))
            }
        }
    })
}

impl Frames {
    async fn next(&mut self) -> Result<Option<LogEntry>, Trouble> {
        loop {
            if let Some(entry) = decode(&mut self.buffer)? {
                return Ok(Some(entry));
            }
            let next = self.body.frame();
            let next = match self.patience {
                None => next.await,
                Some(limit) => tokio::time::timeout(limit, next)
                    .await
                    .map_err(|_| crate::http::no_answer(limit))?,
            };
            match next {
                // A frame that was cut off is read again from the last whole one.
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(Trouble::new(Class::Lost, error.to_string())),
            }
        }
    }
}

fn decode(buffer: &mut BytesMut) -> Result<Option<LogEntry>, Trouble> {
    let broken = |what: &str| Err(Trouble::new(Class::Other, format!("its log holds {what}")));
    let Some(header) = buffer.first_chunk::<8>() else {
        return Ok(None);
    };
    let stream = match header {
        [1, 0, 0, 0, ..] => Some(LogStreamKind::Stdout),
        [2, 0, 0, 0, ..] => Some(LogStreamKind::Stderr),
        // A message of the engine's own, about the reading.
        [3, 0, 0, 0, ..] => None,
        _ => return broken("what is no frame"),
    };
    let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
    if length > MAX_FRAME {
        return broken("a frame that is longer than any");
    }
    if buffer.len() < 8 + length {
        return Ok(None);
    }
    buffer.advance(8);
    let frame = buffer.split_to(length).freeze();
    let Some(stream) = stream else {
        let words = String::from_utf8_lossy(&frame[..length.min(MAX_ERROR)]);
        return match words.trim() {
            "" => broken("an error of its own"),
            // It is in an answer that began well.
            words => Err(Trouble::said(Some(200), words)),
        };
    };
    let Some((at, bytes)) = dated(&frame) else {
        return broken("a frame without a time");
    };
    Ok(Some(LogEntry { stream, at, bytes }))
}

/// `TIME BYTES`.
fn dated(frame: &Bytes) -> Option<(Timestamp, Bytes)> {
    let end = frame.iter().position(|byte| *byte == b' ')?;
    let at = std::str::from_utf8(&frame[..end]).ok()?.parse().ok()?;
    Some((at, frame.slice(end + 1..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend(length);
        frame.extend(payload);
        frame
    }

    #[test]
    fn a_frame_is_read_byte_for_byte_whenever_it_is_whole() {
        let whole = frame(2, b"2026-11-25T00:40:23.500000000Z \0\xff \n");
        let mut buffer = BytesMut::new();
        for byte in &whole[..whole.len() - 1] {
            buffer.extend_from_slice(&[*byte]);
            assert_eq!(decode(&mut buffer).unwrap(), None);
        }
        buffer.extend_from_slice(&whole[whole.len() - 1..]);
        let entry = decode(&mut buffer).unwrap().unwrap();
        assert_eq!(entry.stream, LogStreamKind::Stderr);
        assert_eq!(&entry.bytes[..], b"\0\xff \n");
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_an_engine_says_of_the_reading_is_told_in_its_words() {
        let words = "Error grabbing logs: invalid character 'x' after top-level value";
        let mut buffer = BytesMut::from(&frame(3, format!("{words}\n").as_bytes())[..12]);
        assert_eq!(decode(&mut buffer).unwrap(), None, "it is not all there");
        let mut buffer = BytesMut::from(&frame(3, format!("{words}\n").as_bytes())[..]);
        let trouble = decode(&mut buffer).unwrap_err();
        assert_eq!(trouble, Trouble::new(Class::Other, words));
        let mut silent = BytesMut::from(&frame(3, b"\n")[..]);
        let trouble = decode(&mut silent).unwrap_err();
        assert_eq!(trouble.words, "its log holds an error of its own");
    }

    #[test]
    fn a_frame_that_says_it_is_endless_is_no_reason_to_wait_for_it() {
        let mut buffer = BytesMut::from(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff][..]);
        assert!(decode(&mut buffer).is_err());
        for garbage in [
            b"HTTP/1.1 ".as_slice(),
            &frame(1, b"no time"),
            &frame(9, b""),
        ] {
            assert!(decode(&mut BytesMut::from(garbage)).is_err());
        }
    }
}
