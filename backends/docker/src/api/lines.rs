//! A body of JSON, one value a line.

use bytes::{Buf, BytesMut};
use futures_core::Stream;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::classify::{Class, Trouble};

/// The longest line that is read: a container with very many labels.
const MAX_LINE: usize = 4 << 20;

struct Lines {
    body: Incoming,
    buffer: BytesMut,
    /// Something came that may be the end of a value: a long one is not read anew with each piece of it.
    may_be_whole: bool,
    ended: bool,
}

/// The values of a body, until it ends.
pub(super) fn json<T: DeserializeOwned>(
    body: Incoming,
) -> impl Stream<Item = Result<T, Trouble>> + Send {
    let lines = Lines {
        body,
        buffer: BytesMut::new(),
        may_be_whole: false,
        ended: false,
    };
    stream::unfold(lines, |mut lines| async {
        if lines.ended {
            return None;
        }
        match lines.next().await {
            Ok(Some(value)) => Some((Ok(value), lines)),
            Ok(None) => None,
            Err(trouble) => {
                lines.ended = true;
                Some((Err(trouble), lines))
            }
        }
    })
}

impl Lines {
    async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Trouble> {
        loop {
            // Podman writes one value behind the other without a break.
            if self.may_be_whole
                && let Some(value) = self.parse()?
            {
                return Ok(Some(value));
            }
            self.may_be_whole = false;
            if self.buffer.len() > MAX_LINE {
                return Err(Trouble::new(
                    Class::Other,
                    "it says more in one line than is read",
                ));
            }
            match self.body.frame().await {
                // What is left is no value, or the beginning of one.
                None => return self.parse(),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                        self.may_be_whole = data.contains(&b'}') || !self.buffer.starts_with(b"{");
                    }
                }
                Some(Err(error)) => return Err(Trouble::new(Class::Lost, error.to_string())),
            }
        }
    }

    fn parse<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Trouble> {
        let blank = self
            .buffer
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace());
        let blank = blank.count();
        self.buffer.advance(blank);
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let mut values = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<T>();
        match values.next() {
            Some(Ok(value)) => {
                let read = values.byte_offset();
                self.buffer.advance(read);
                Ok(Some(value))
            }
            Some(Err(error)) if error.is_eof() => Ok(None),
            Some(Err(error)) => Err(Trouble::new(
                Class::Other,
                format!("it says what is no event at column {}", error.column()),
            )),
            None => Ok(None),
        }
    }
}
