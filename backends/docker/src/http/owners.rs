//! An archive on its way in, given to one owner: what it says of owners is replaced, header by header, and all
//! else passes as it is.

use bytes::{Bytes, BytesMut};

pub(super) const BLOCK: usize = 512;

/// A header of more than this is kept by nobody.
const MAX_RECORDS: u64 = 1 << 20;

/// To whom things are given, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Owner {
    /// As a container has it: `uid:gid`, and nobody is root. `None` for one by name.
    pub(crate) fn read(user: &str) -> Option<Self> {
        if user.is_empty() {
            return Some(Self { uid: 0, gid: 0 });
        }
        let (uid, gid) = user.split_once(':')?;
        Some(Self {
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
        })
    }
}

/// What comes next in the archive.
enum Next {
    Header,
    /// The bytes of an entry, and what fills their last block.
    Contents(u64),
    /// The records of a header that stands before another.
    Records(usize),
}

/// Gives an archive, piece by piece, to one owner.
pub(super) struct Given {
    to: Owner,
    next: Next,
    held: BytesMut,
    /// How large the next entry is, where its header has no room for it.
    size: Option<u64>,
}

/// The archive is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoArchive;

impl Given {
    pub(super) fn new(to: Owner) -> Self {
        Self {
            to,
            next: Next::Header,
            held: BytesMut::new(),
            size: None,
        }
    }

    /// Takes a piece, and gives what is ready to go on.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Bytes, NoArchive> {
        self.held.extend_from_slice(piece);
        let mut ready = BytesMut::new();
        loop {
            match self.next {
                Next::Contents(left) => {
                    let here = usize::try_from(left)
                        .map_or(self.held.len(), |left| left.min(self.held.len()));
                    ready.unsplit(self.held.split_to(here));
                    let left = left - here as u64;
                    if left > 0 {
                        self.next = Next::Contents(left);
                        return Ok(ready.freeze());
                    }
                    self.next = Next::Header;
                }
                Next::Header => {
                    if self.held.len() < BLOCK {
                        return Ok(ready.freeze());
                    }
                    let mut header = self.held.split_to(BLOCK);
                    self.next = self.header(&mut header)?;
                    ready.unsplit(header);
                }
                Next::Records(size) => {
                    let whole = size.next_multiple_of(BLOCK);
                    if self.held.len() < whole {
                        return Ok(ready.freeze());
                    }
                    let mut records = self.held.split_to(whole);
                    self.size = disown(&mut records[..size]).or(self.size);
                    ready.unsplit(records);
                    self.next = Next::Header;
                }
            }
        }
    }

    /// What is left of an archive that broke off.
    pub(super) fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    fn header(&mut self, header: &mut [u8]) -> Result<Next, NoArchive> {
        if header.iter().all(|byte| *byte == 0) {
            return Ok(Next::Header);
        }
        let sum = number(&header[148..156]);
        if sum != Some(u64::from(sum_of(header))) {
            return Err(NoArchive);
        }
        let size = number(&header[124..136]).ok_or(NoArchive)?;
        let kind = header[156];
        if matches!(kind, b'x' | b'g') {
            return match usize::try_from(size) {
                Ok(small) if size <= MAX_RECORDS => Ok(Next::Records(small)),
                _ => Err(NoArchive),
            };
        }
        if kind == b'S' {
            // A file with holes as GNU wrote them of old: what follows is no plain contents.
            return Err(NoArchive);
        }
        // Of a link, a directory, a device and a pipe nothing follows, whatever the size says.
        let follows = !matches!(kind, b'1'..=b'6');
        if !matches!(kind, b'L' | b'K') {
            let Owner { uid, gid } = self.to;
            write_number(&mut header[108..116], uid);
            write_number(&mut header[116..124], gid);
            if header[257..262] == *b"ustar" {
                header[265..329].fill(0);
            }
            seal(header);
        }
        let size = match kind {
            b'L' | b'K' => size,
            _ => self.size.take().unwrap_or(size),
        };
        let blocks = size.checked_next_multiple_of(BLOCK as u64);
        match blocks.ok_or(NoArchive)? {
            0 => Ok(Next::Header),
            _ if !follows => Ok(Next::Header),
            size => Ok(Next::Contents(size)),
        }
    }
}

/// Octal digits, or a number as GNU writes those that are too large for them.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len() - 8);
        let zero = high[0] == 0x80 && high[1..].iter().all(|byte| *byte == 0);
        return zero.then_some(u64::from_be_bytes(low.try_into().ok()?));
    }
    let text = str::from_utf8(field).ok()?;
    let digits = text.trim_matches(|c| c == ' ' || c == '\0');
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(digits, 8).ok()
}

fn write_number(field: &mut [u8], value: u32) {
    let digits = format!("{value:07o}\0");
    if digits.len() == field.len() {
        field.copy_from_slice(digits.as_bytes());
    } else {
        field.fill(0);
        field[0] = 0x80;
        let from = field.len() - 4;
        field[from..].copy_from_slice(&value.to_be_bytes());
    }
}

/// The sum over a header, the sum's own field taken for blanks.
fn sum_of(header: &[u8]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&header[..148]) + 8 * u32::from(b' ') + sum(&header[156..])
}

/// Writes the sum over a header into it.
fn seal(header: &mut [u8]) {
    let digits = format!("{:06o}\0 ", sum_of(header));
    header[148..156].copy_from_slice(digits.as_bytes());
}

/// Has the records of an extended header say nothing of owners: each that does becomes one of its length that no
/// reader knows. Gives the size that they tell.
fn disown(mut records: &mut [u8]) -> Option<u64> {
    let mut size = None;
    loop {
        let Some(space) = records.iter().position(|byte| *byte == b' ') else {
            return size;
        };
        let length = str::from_utf8(&records[..space]).ok();
        let Some(length) = length.and_then(|length| length.parse::<usize>().ok()) else {
            return size;
        };
        if length <= space + 1 || length > records.len() {
            return size;
        }
        let (record, rest) = records.split_at_mut(length);
        let said = &mut record[space + 1..];
        for key in [&b"uid="[..], b"gid=", b"uname=", b"gname="] {
            if said.starts_with(key) {
                // Those with a dot are vendors' own.
                let name = key.len() - 1;
                said[..name].fill(b'X');
                said[1] = b'.';
            }
        }
        if let Some(told) = said.strip_prefix(b"size=") {
            let told = str::from_utf8(told).ok();
            size = told.and_then(|told| told.trim_end().parse().ok());
        }
        records = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: u8, uid: &str, contents: &[u8]) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..4].copy_from_slice(b"name");
        header[108..115].copy_from_slice(uid.as_bytes());
        let size = format!("{:011o}", contents.len());
        header[124..135].copy_from_slice(size.as_bytes());
        header[156] = kind;
        header[257..262].copy_from_slice(b"ustar");
        header[265..269].copy_from_slice(b"them");
        seal(&mut header);
        header.extend_from_slice(contents);
        header.resize(header.len().next_multiple_of(BLOCK), 0);
        header
    }

    fn given(archive: &[u8], step: usize) -> Vec<u8> {
        let mut given = Given::new(Owner { uid: 1000, gid: 7 });
        let mut out = Vec::new();
        for piece in archive.chunks(step) {
            out.extend_from_slice(&given.push(piece).unwrap());
        }
        out.extend_from_slice(&given.rest());
        out
    }

    #[test]
    fn what_is_said_of_owners_is_replaced_and_nothing_else_is() {
        let mut archive = entry(b'x', "0000001", b"11 uid=123\n13 path=a b c\n");
        archive.extend(entry(b'0', "0000001", &[b'q'; 1300]));
        archive.extend(entry(b'5', "0000001", b""));
        archive.extend([0; 2 * BLOCK]);
        for step in [1, 511, 512, 10_000] {
            let out = given(&archive, step);
            assert_eq!(out.len(), archive.len());
            assert_eq!(
                &out[BLOCK..BLOCK + 24],
                b"11 X.X=123\n13 path=a b c\n".get(..24).unwrap()
            );
            for at in [2 * BLOCK, 6 * BLOCK] {
                let header = &out[at..at + BLOCK];
                assert_eq!(number(&header[108..116]), Some(1000));
                assert_eq!(number(&header[116..124]), Some(7));
                assert_eq!(header[265], 0);
                let mut again = header.to_vec();
                seal(&mut again);
                assert_eq!(again, header);
            }
            assert_eq!(out[3 * BLOCK..6 * BLOCK], archive[3 * BLOCK..6 * BLOCK]);
        }
    }

    #[test]
    fn numbers_are_read_and_written_however_large() {
        let mut field = [0; 8];
        write_number(&mut field, u32::MAX);
        let mut wide = [0; 12];
        wide[0] = 0x80;
        wide[8..].copy_from_slice(&field[4..]);
        assert_eq!(number(&wide), Some(u64::from(u32::MAX)));
        write_number(&mut field, 1000);
        assert_eq!(&field, b"0001750\0");
    }

    #[test]
    fn whoever_is_named_by_number_is_known() {
        assert_eq!(Owner::read(""), Some(Owner { uid: 0, gid: 0 }));
        assert_eq!(Owner::read("5:6"), Some(Owner { uid: 5, gid: 6 }));
        assert_eq!(Owner::read("node"), None);
        assert_eq!(Owner::read("5"), None);
    }

    #[test]
    fn what_is_no_archive_is_told() {
        assert_eq!(
            Given::new(Owner { uid: 0, gid: 0 }).push(&[b'x'; 600]),
            Err(NoArchive)
        );
    }
}
