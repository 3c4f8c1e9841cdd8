//! The first entry of an archive, as far as it tells what stands at a path.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::classify::{Class, Trouble};
use crate::engine::Inside;

const BLOCK: usize = 512;

/// `None` where there is no archive at all.
pub(super) async fn first_entry(
    mut from: impl AsyncRead + Unpin,
) -> Result<Option<Inside>, Trouble> {
    let mut header = [0; BLOCK];
    loop {
        let mut read = 0;
        while read < BLOCK {
            match from.read(&mut header[read..]).await {
                Ok(0) => return Ok(None),
                Ok(n) => read += n,
                Err(error) => return Err(Trouble::new(Class::Lost, error.to_string())),
            }
        }
        let Some(entry) = Entry::parse(&header) else {
            return Err(Trouble::new(Class::Other, "it prints what is no archive"));
        };
        match entry.kind {
            b'5' => return Ok(Some(Inside::Folder)),
            b'1' | b'2' => return Ok(Some(Inside::Link(entry.link))),
            // What belongs to the entry behind it: longer names, exact times.
            b'x' | b'g' | b'K' | b'L' => {
                let mut left = entry.size.div_ceil(BLOCK) * BLOCK;
                while left > 0 {
                    let some = left.min(BLOCK);
                    let skipped = from.read_exact(&mut header[..some]).await;
                    skipped.map_err(|error| Trouble::new(Class::Lost, error.to_string()))?;
                    left -= some;
                }
            }
            _ => {
                return Ok(Some(Inside::File {
                    executable: entry.mode & 0o111 != 0,
                }));
            }
        }
    }
}

struct Entry {
    kind: u8,
    mode: u32,
    size: usize,
    link: String,
}

impl Entry {
    fn parse(header: &[u8; BLOCK]) -> Option<Self> {
        let octal = |range: std::ops::Range<usize>| {
            let text = std::str::from_utf8(&header[range]).ok()?;
            let text = text.trim_matches(|c: char| c == '\0' || c == ' ');
            usize::from_str_radix(text, 8).ok()
        };
        let link = &header[157..257];
        let end = link
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(link.len());
        (&header[257..262] == b"ustar").then_some(())?;
        Some(Self {
            kind: header[156],
            mode: u32::try_from(octal(100..108)?).ok()?,
            size: octal(124..136)?,
            link: String::from_utf8_lossy(&link[..end]).into_owned(),
        })
    }
}
