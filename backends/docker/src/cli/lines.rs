//! What the program prints as it goes: events, a line each, and logs, with a time before each entry.

use alveary_core::LogStreamKind;
use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use futures_util::stream;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::classify::{Class, Trouble};
use crate::engine::LogEntry;

/// The longest line that is read: a container with very many labels.
const MAX_LINE: usize = 4 << 20;

/// Engines cut longer lines into parts of this length, and print a time before each part.
const PART: usize = 16 << 10;

/// `2026-11-25T00:40:23.123456789+02:00` and a space.
const MAX_TIME: usize = 40;

struct Reader<R> {
    from: R,
    buffer: BytesMut,
    ended: bool,
    failed: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    fn new(from: R) -> Self {
        Self {
            from,
            buffer: BytesMut::new(),
            ended: false,
            failed: false,
        }
    }

    /// Reads on; `false` at the end.
    async fn fill(&mut self) -> Result<bool, Trouble> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.reserve(64 << 10);
        match self.from.read_buf(&mut self.buffer).await {
            Ok(0) => {
                self.ended = true;
                Ok(false)
            }
            Ok(_) => Ok(true),
            Err(error) => Err(Trouble::new(Class::Lost, error.to_string())),
        }
    }
}

/// The program's lines, without their breaks.
pub(super) fn lines<R: AsyncRead + Unpin + Send>(
    from: R,
) -> impl Stream<Item = Result<Bytes, Trouble>> + Send {
    stream::unfold(Reader::new(from), |mut reader| async {
        if reader.failed {
            return None;
        }
        match next_line(&mut reader).await {
            Ok(Some(line)) => Some((Ok(line), reader)),
            Ok(None) => None,
            Err(trouble) => {
                reader.failed = true;
                Some((Err(trouble), reader))
            }
        }
    })
}

async fn next_line<R: AsyncRead + Unpin>(reader: &mut Reader<R>) -> Result<Option<Bytes>, Trouble> {
    loop {
        if let Some(end) = reader.buffer.iter().position(|byte| *byte == b'\n') {
            let line = reader.buffer.split_to(end).freeze();
            reader.buffer.advance(1);
            return Ok(Some(line));
        }
        if reader.buffer.len() > MAX_LINE {
            return Err(Trouble::new(
                Class::Other,
                "it prints more in one line than is read",
            ));
        }
        if !reader.fill().await? {
            return Ok(None);
        }
    }
}

/// The entries of one stream of a log.
pub(super) fn entries<R: AsyncRead + Unpin + Send>(
    from: R,
    stream: LogStreamKind,
) -> impl Stream<Item = Result<LogEntry, Trouble>> + Send {
    stream::unfold(Reader::new(from), move |mut reader| async move {
        if reader.failed {
            return None;
        }
        match next_entry(&mut reader, stream).await {
            Ok(Some(entry)) => Some((Ok(entry), reader)),
            Ok(None) => None,
            Err(trouble) => {
                reader.failed = true;
                Some((Err(trouble), reader))
            }
        }
    })
}

async fn next_entry<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    stream: LogStreamKind,
) -> Result<Option<LogEntry>, Trouble> {
    let (at, begin) = loop {
        if let Some(found) = dated(&reader.buffer) {
            break found;
        }
        if reader.buffer.len() > MAX_TIME {
            // Not the engine's log: the program's own words, on their way out.
            let words = String::from_utf8_lossy(&reader.buffer[..reader.buffer.len().min(400)]);
            return Err(Trouble::said(None, words.trim()));
        }
        if !reader.fill().await? {
            if reader.buffer.is_empty() {
                return Ok(None);
            }
            let words = String::from_utf8_lossy(&reader.buffer).into_owned();
            return Err(Trouble::said(None, words.trim()));
        }
    };
    // An entry goes on to its line break, to where the engine cuts, to where another time stands (an engine
    // that drops the break of a line in parts), or to the end.
    let mut searched = begin;
    loop {
        let limit = reader.buffer.len().min(begin + PART);
        let found = reader.buffer[searched..limit]
            .iter()
            .position(|byte| *byte == b'\n');
        if let Some(end) = found {
            return Ok(Some(take(reader, stream, at, begin, searched + end + 1)));
        }
        searched = limit;
        if searched == begin + PART || !reader.fill().await? {
            return Ok(Some(take(reader, stream, at, begin, searched)));
        }
    }
}

fn take<R>(
    reader: &mut Reader<R>,
    stream: LogStreamKind,
    at: Timestamp,
    begin: usize,
    end: usize,
) -> LogEntry {
    let mut entry = reader.buffer.split_to(end).freeze();
    entry.advance(begin);
    LogEntry {
        stream,
        at,
        bytes: entry,
    }
}

/// The time that stands first, and where what it belongs to begins.
fn dated(buffer: &[u8]) -> Option<(Timestamp, usize)> {
    let end = buffer
        .iter()
        .take(MAX_TIME)
        .position(|byte| *byte == b' ')?;
    let at = std::str::from_utf8(&buffer[..end]).ok()?.parse().ok()?;
    Some((at, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    async fn read(text: &[u8]) -> Vec<Result<LogEntry, Trouble>> {
        let entries = entries(text, LogStreamKind::Stdout);
        Box::pin(entries).collect().await
    }

    #[tokio::test]
    async fn entries_are_read_byte_for_byte_whole_or_in_parts() {
        let time = "2026-11-25T00:40:23.500000000Z ";
        let long = "x".repeat(PART);
        let text = format!("{time}\0one\n{time}{long}{time}rest\n{time}{time}\n{time}\n{time}last");
        let found: Vec<_> = read(text.as_bytes())
            .await
            .into_iter()
            .map(|entry| String::from_utf8_lossy(&entry.unwrap().bytes).into_owned())
            .collect();
        let echoed = format!("{time}\n");
        assert_eq!(found, ["\0one\n", &long, "rest\n", &echoed, "\n", "last"]);
    }

    #[tokio::test]
    async fn the_programs_own_words_are_no_entry() {
        let found = read(b"Error: No such container: echo\n").await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].as_ref().unwrap_err().class, Class::NoContainer);
    }
}
