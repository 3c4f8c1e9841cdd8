//! The book beside a log: how much of its head is gone, and when which offset was reached.
//!
//! A cursor is an offset in all that was ever written. It is the file's own offset, unless an agent has cut
//! its log off (as `> /dev/stderr` does): from then on the difference is the book's `base`.
//!
//! Its header has two writers, each of which writes its own part alone: who looks at the log, and who starts
//! the agent anew.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alveary_core::Incarnation;

const MAGIC: u64 = 0x3230_7962_7661_6c61;
/// Where the latest start stands in the header.
const LATEST: usize = 32;
const HEADER: usize = LATEST + 16;
const ENTRY: usize = 16;
/// When there are more moments than this, every second one is given up.
const MOST: usize = 8_192;

/// What a reader needs to know of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// What stands before this offset is gone.
    pub(crate) head: u64,
    /// Where the file's first byte would stand in all that was ever written.
    pub(crate) base: u64,
}

/// What a book says first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) extent: Extent,
    /// Which start writes now, unless it is the agent's first.
    pub(crate) latest: Option<StartMark>,
}

/// One start of an agent, as a book knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StartMark(u128);

impl From<Incarnation> for StartMark {
    fn from(incarnation: Incarnation) -> Self {
        // 32 hexadecimal digits are what it prints.
        Self(u128::from_str_radix(&incarnation.to_string(), 16).unwrap_or(u128::MAX))
    }
}

/// At this time the log was so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) offset: u64,
    pub(crate) at: SystemTime,
}

/// The book, for the one who writes it. It holds no moments in memory: a thousand books cost nothing.
#[derive(Debug)]
pub(crate) struct Book {
    path: PathBuf,
    extent: Extent,
    /// How many moments stand in the file.
    count: usize,
    end: u64,
    /// When it was last noted how long the log was.
    latest: SystemTime,
}

impl Book {
    /// The book at this path, read if there is one. The file is made at the first write.
    pub(crate) fn open(path: PathBuf) -> Self {
        let (extent, moments) = read(&path).unwrap_or_default();
        let end = moments.last().map_or(extent.head, |moment| moment.offset);
        let latest = moments.last().map_or(UNIX_EPOCH, |moment| moment.at);
        Self {
            path,
            extent,
            count: moments.len(),
            end,
            latest,
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// How long the log was when it was last looked at.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Notes that the log has become so long.
    pub(crate) fn note(&mut self, offset: u64, at: SystemTime) -> io::Result<()> {
        self.end = offset;
        // The clock may be set back; the order of what was written may not.
        let at = at.max(self.latest);
        self.latest = at;
        if self.count < MOST {
            return self.append(&[Moment { offset, at }]);
        }
        let (_, mut moments) = read(&self.path)?;
        let mut number = 0_usize;
        moments.retain(|moment| {
            number += 1;
            number.is_multiple_of(2) && moment.offset >= self.extent.head
        });
        moments.push(Moment { offset, at });
        self.count = 0;
        self.append(&moments)
    }

    /// Says what is gone. Must be on disk before it is gone: a reader looks here after it has read.
    pub(crate) fn set_extent(&mut self, extent: Extent) -> io::Result<()> {
        self.extent = extent;
        self.append(&[])
    }

    fn append(&mut self, moments: &[Moment]) -> io::Result<()> {
        let file = open_to_write(&self.path)?;
        let mut bytes = Vec::with_capacity(HEADER.max(moments.len() * ENTRY));
        for moment in moments {
            bytes.extend_from_slice(&moment.offset.to_le_bytes());
            bytes.extend_from_slice(&to_micros(moment.at).to_le_bytes());
        }
        file.write_all_at(&bytes, (HEADER + self.count * ENTRY) as u64)?;
        self.count += moments.len();
        bytes.clear();
        for number in [MAGIC, self.extent.head, self.extent.base, self.count as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        if self.count == 0 {
            // Whoever reads a header reads all of it.
            file.set_len(HEADER as u64)?;
        }
        file.write_all_at(&bytes, 0)
    }
}

/// Reads a book. One that is not there says that nothing is gone and that no time is known.
pub(crate) fn read(path: &Path) -> io::Result<(Extent, Vec<Moment>)> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        other => other?,
    };
    let Some((Header { extent, .. }, count)) = header(&bytes) else {
        return Ok(Default::default());
    };
    let moments = bytes[HEADER..]
        .chunks_exact(ENTRY)
        .take(count)
        .map(|entry| Moment {
            offset: number(&entry[..8]),
            at: UNIX_EPOCH + Duration::from_micros(number(&entry[8..])),
        })
        .collect();
    Ok((extent, moments))
}

/// Says that what is written from now on is another start's. Must be on disk before that start is there: a
/// reader looks here after it has read.
pub(crate) fn note_start(path: &Path, start: Incarnation) -> io::Result<()> {
    let file = open_to_write(path)?;
    file.write_all_at(&MAGIC.to_le_bytes(), 0)?;
    file.write_all_at(&StartMark::from(start).0.to_le_bytes(), LATEST as u64)
}

fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Reads no more of a book than its header.
pub(crate) fn read_header(path: &Path) -> io::Result<Header> {
    let mut bytes = [0; HEADER];
    match File::open(path).and_then(|file| file.read_exact_at(&mut bytes, 0)) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(Header::default())
        }
        other => other.map(|()| header(&bytes).map(|(header, _)| header).unwrap_or_default()),
    }
}

fn header(bytes: &[u8]) -> Option<(Header, usize)> {
    if bytes.len() < HEADER || number(&bytes[..8]) != MAGIC {
        return None;
    }
    let extent = Extent {
        head: number(&bytes[8..16]),
        base: number(&bytes[16..24]),
    };
    let latest = bytes[LATEST..HEADER].try_into().map(u128::from_le_bytes);
    let latest = latest.ok().filter(|latest| *latest != 0).map(StartMark);
    Some((
        Header { extent, latest },
        usize::try_from(number(&bytes[24..32])).unwrap_or(usize::MAX),
    ))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map(u64::from_le_bytes).unwrap_or_default()
}

fn to_micros(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// When the byte at `offset` had been written, by the first moment at which the log was longer than that.
pub(crate) fn time_of(moments: &[Moment], offset: u64) -> Option<SystemTime> {
    let at = moments.partition_point(|moment| moment.offset <= offset);
    moments.get(at).map(|moment| moment.at)
}

/// From where the log is not older than `time`.
pub(crate) fn offset_at(moments: &[Moment], time: SystemTime) -> u64 {
    let at = moments.partition_point(|moment| moment.at < time);
    at.checked_sub(1)
        .and_then(|before| moments.get(before))
        .map_or(0, |moment| moment.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut book = Book::open(path.clone());
        book.note(10, at(1)).unwrap();
        book.note(20, at(2)).unwrap();
        book.set_extent(Extent {
            head: 4096,
            base: 7,
        })
        .unwrap();
        let (extent, moments) = read(&path).unwrap();
        assert_eq!(
            extent,
            Extent {
                head: 4096,
                base: 7
            }
        );
        assert_eq!(
            moments,
            [
                Moment {
                    offset: 10,
                    at: at(1)
                },
                Moment {
                    offset: 20,
                    at: at(2)
                }
            ]
        );
        let start = Incarnation::random();
        note_start(&path, start).unwrap();
        book.note(30, at(3)).unwrap();
        let expected = Header {
            extent,
            latest: Some(start.into()),
        };
        assert_eq!(read_header(&path).unwrap(), expected);
        assert_eq!(time_of(&moments, 9), Some(at(1)));
        assert_eq!(time_of(&moments, 10), Some(at(2)));
        assert_eq!(time_of(&moments, 20), None);
        assert_eq!(offset_at(&moments, at(2)), 10);
        assert_eq!(offset_at(&moments, at(3)), 20);
    }

    #[test]
    fn a_clock_that_is_set_back_turns_no_order_around() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut book = Book::open(path.clone());
        book.note(10, at(50)).unwrap();
        // Whoever looks after it next does not remember the time, and is told by the book.
        let mut book = Book::open(path.clone());
        book.note(20, at(7)).unwrap();
        book.note(30, at(60)).unwrap();
        let (_, moments) = read(&path).unwrap();
        let times: Vec<_> = moments.iter().map(|moment| moment.at).collect();
        assert_eq!(times, [at(50), at(50), at(60)]);
        assert_eq!(offset_at(&moments, at(55)), 20);
    }

    #[test]
    fn a_start_is_noted_where_nobody_has_looked_yet_and_harms_no_extent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b");
        let (first, second) = (Incarnation::random(), Incarnation::random());
        note_start(&path, first).unwrap();
        assert_eq!(read_header(&path).unwrap().latest, Some(first.into()));
        let mut book = Book::open(path.clone());
        let extent = Extent { head: 8, base: 4 };
        book.set_extent(extent).unwrap();
        note_start(&path, second).unwrap();
        let latest = Some(second.into());
        assert_eq!(read_header(&path).unwrap(), Header { extent, latest });
    }

    #[test]
    fn a_book_does_not_grow_for_ever_and_keeps_its_last_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b");
        let mut book = Book::open(path.clone());
        let many: Vec<_> = (0..MOST as u64)
            .map(|n| Moment {
                offset: n,
                at: UNIX_EPOCH,
            })
            .collect();
        book.append(&many).unwrap();
        book.note(1 << 40, UNIX_EPOCH).unwrap();
        let (_, moments) = read(&path).unwrap();
        assert!(moments.len() <= MOST / 2 + 2, "{}", moments.len());
        assert_eq!(moments.last().unwrap().offset, 1 << 40);
    }
}
