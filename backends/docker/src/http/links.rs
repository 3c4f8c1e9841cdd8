//! Finding a link in an archive, and what is written in it: of a link, engines tell where it leads in the end.

use bytes::{Buf, BytesMut};

use super::owners::{BLOCK, number};

/// More than any path, with what is around it.
const MAX_RECORDS: u64 = 1 << 20;

/// Looks for one entry, piece by piece.
pub(crate) struct Search<'a> {
    is_it: &'a (dyn Fn(&str) -> bool + Send + Sync),
    held: BytesMut,
    skip: u64,
    long_name: Option<String>,
    long_link: Option<String>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(is_it: &'a (dyn Fn(&str) -> bool + Send + Sync)) -> Self {
        Self {
            is_it,
            held: BytesMut::new(),
            skip: 0,
            long_name: None,
            long_link: None,
        }
    }

    /// What is written in the link, once it has come. It is none where something else bears the name.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Option<String> {
        self.held.extend_from_slice(piece);
        loop {
            let here = usize::try_from(self.skip)
                .map_or(self.held.len(), |skip| skip.min(self.held.len()));
            self.held.advance(here);
            self.skip -= here as u64;
            if self.skip > 0 || self.held.len() < BLOCK {
                return None;
            }
            let size = number(&self.held[124..136])?;
            let whole = size.checked_next_multiple_of(BLOCK as u64)?;
            let kind = self.held[156];
            if matches!(kind, b'x' | b'L' | b'K') && size <= MAX_RECORDS {
                let (size, whole) = (usize::try_from(size).ok()?, usize::try_from(whole).ok()?);
                if self.held.len() < BLOCK + whole {
                    return None;
                }
                let said = self.held.split_to(BLOCK + whole);
                self.before(kind, &said[BLOCK..BLOCK + size]);
                continue;
            }
            let header = self.held.split_to(BLOCK);
            let name = self.long_name.take().unwrap_or_else(|| name(&header));
            let link = self.long_link.take();
            match kind {
                b'2' if (self.is_it)(&name) => {
                    return Some(link.unwrap_or_else(|| text(&header[157..257])));
                }
                b'1'..=b'6' => {}
                _ => self.skip = whole,
            }
        }
    }

    /// What is too long for the header of the next entry.
    fn before(&mut self, kind: u8, said: &[u8]) {
        match kind {
            b'L' => self.long_name = Some(text(said)),
            b'K' => self.long_link = Some(text(said)),
            _ => {
                self.long_name = record(said, b"path=").or(self.long_name.take());
                self.long_link = record(said, b"linkpath=").or(self.long_link.take());
            }
        }
    }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&field[..end.unwrap_or(field.len())]).into_owned()
}

fn name(header: &[u8]) -> String {
    let name = text(&header[..100]);
    let posix = header[257..263] == *b"ustar\0";
    match text(&header[345..500]) {
        prefix if posix && !prefix.is_empty() => format!("{prefix}/{name}"),
        _ => name,
    }
}

/// The value in `LENGTH key=VALUE\n`.
fn record(mut records: &[u8], key: &[u8]) -> Option<String> {
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ')?;
        let length: usize = str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let said = records.get(space + 1..length.checked_sub(1)?)?;
        if let Some(value) = said.strip_prefix(key) {
            return Some(String::from_utf8_lossy(value).into_owned());
        }
        records = records.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u8, name: &str, size: usize, link: &str) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        header[156] = kind;
        header[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header[257..263].copy_from_slice(b"ustar\0");
        header
    }

    #[test]
    fn a_link_is_found_behind_files_and_before_the_end() {
        let mut archive = header(b'0', "dir/a", 700, "");
        archive.resize(3 * BLOCK, b'x');
        archive.extend(header(b'2', "dir/other", 0, "b"));
        archive.extend(header(b'2', "dir/link", 0, "a"));
        for step in [1, 512, 9000] {
            let is_it = |name: &str| name == "dir/link";
            let mut search = Search::new(&is_it);
            let found = archive.chunks(step).find_map(|piece| search.push(piece));
            assert_eq!(found.as_deref(), Some("a"));
        }
    }

    #[test]
    fn a_long_name_and_a_long_link_are_read_from_before_the_header() {
        let mut archive = header(b'x', "x", 32, "");
        archive.extend_from_slice(b"13 path=d/ln\n19 linkpath=target\n");
        archive.resize(2 * BLOCK, 0);
        archive.extend(header(b'2', "short", 0, "short"));
        let is_it = |name: &str| name == "d/ln";
        let found = Search::new(&is_it).push(&archive);
        assert_eq!(found.as_deref(), Some("target"));
    }
}
