//! Where a message's body ends, found without changing a byte of it.

use std::io;

/// How the end of a body is known, and how much of it is still to come.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// It comes in chunks, the last of which is empty.
    Chunked(Chunk),
    /// It ends when the connection does.
    UntilClose,
}

/// Where in a chunked body one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    Size(u64),
    Extension(u64),
    SizeEnd(u64),
    Data(u64),
    DataEnd,
    Trailer { line_is_empty: bool },
    Done,
}

/// The next part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) length: usize,
    /// Whether it is what was sent, or what surrounds it.
    pub(super) is_payload: bool,
}

/// As much as a body of any use can have in one chunk.
const MAX_CHUNK: u64 = 1 << 50;

impl Framing {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunk::Size(0))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }

    /// The part that these bytes begin with; its length is 0 where the body is done or nothing is there. Not
    /// taken yet: [`take`](Self::take) says how much of it goes.
    pub(super) fn part(&self, bytes: &[u8]) -> io::Result<Part> {
        let at_most = |left: u64| usize::try_from(left).map_or(bytes.len(), |n| n.min(bytes.len()));
        let payload = |length| Part {
            length,
            is_payload: true,
        };
        Ok(match self {
            Self::UntilClose => payload(bytes.len()),
            Self::Length(left) | Self::Chunked(Chunk::Data(left)) => payload(at_most(*left)),
            Self::Chunked(chunk) => {
                let (mut chunk, mut length) = (*chunk, 0);
                for byte in bytes {
                    if matches!(chunk, Chunk::Data(_) | Chunk::Done) {
                        break;
                    }
                    chunk = chunk.after(*byte)?;
                    length += 1;
                }
                Part {
                    length,
                    is_payload: false,
                }
            }
        })
    }

    /// These bytes, of one part, have gone.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let gone = bytes.len() as u64;
        match self {
            Self::Length(left) => *left = left.saturating_sub(gone),
            Self::UntilClose => {}
            Self::Chunked(Chunk::Data(left)) => {
                *left = left.saturating_sub(gone);
                if *left == 0 {
                    *self = Self::Chunked(Chunk::DataEnd);
                }
            }
            Self::Chunked(chunk) => {
                for byte in bytes {
                    *chunk = chunk.after(*byte)?;
                }
            }
        }
        Ok(())
    }
}

impl Chunk {
    fn after(self, byte: u8) -> io::Result<Self> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a chunk that is none");
        Ok(match (self, byte) {
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeEnd(size),
            (Self::Size(size), b';' | b' ') | (Self::Extension(size), _) => Self::Extension(size),
            (Self::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16).ok_or_else(wrong)?;
                let size = size * 16 + u64::from(digit);
                if size > MAX_CHUNK {
                    return Err(wrong());
                }
                Self::Size(size)
            }
            (Self::SizeEnd(0), b'\n') => Self::Trailer {
                line_is_empty: true,
            },
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(0),
            (Self::Trailer { line_is_empty }, b'\n') if line_is_empty => Self::Done,
            (Self::Trailer { .. }, b'\n') => Self::Trailer {
                line_is_empty: true,
            },
            (trailer @ Self::Trailer { .. }, b'\r') => trailer,
            (Self::Trailer { .. }, _) => Self::Trailer {
                line_is_empty: false,
            },
            _ => return Err(wrong()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body that arrives in pieces of this size: its payload, and how many bytes it took in all.
    fn read(mut framing: Framing, bytes: &[u8], piece: usize) -> (Vec<u8>, usize) {
        let (mut payload, mut taken) = (Vec::new(), 0);
        while !framing.is_done() && taken < bytes.len() {
            let here = &bytes[taken..bytes.len().min(taken + piece)];
            let part = framing.part(here).unwrap();
            if part.is_payload {
                payload.extend_from_slice(&here[..part.length]);
            }
            framing.take(&here[..part.length]).unwrap();
            taken += part.length;
        }
        (payload, taken)
    }

    #[test]
    fn a_chunked_body_ends_where_it_ends_however_it_arrives() {
        let body = b"5;x=y\r\nhello\r\nA\r\n, 10 bytes\r\n0\r\nTrailer: 1\r\n\r\n";
        let mut bytes = body.to_vec();
        bytes.extend_from_slice(b"HTTP/1.1 200 OK");
        for piece in 1..=bytes.len() {
            let (payload, taken) = read(Framing::chunked(), &bytes, piece);
            assert_eq!(payload, b"hello, 10 bytes");
            assert_eq!(taken, body.len(), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_chunk_of_no_size_is_refused() {
        assert!(Framing::chunked().part(b"x\r\n").is_err());
        assert!(Framing::chunked().part(b"ffffffffffffffffff\r\n").is_err());
    }
}
