//! The first member of a tar archive: what `cp CONTAINER:PATH -` tells of a path.

use alveary_core::Escaped;

use crate::engine::Inside;

const BLOCK: usize = 512;

/// A header before the header says what is too long for it: more than this is said by nobody.
const MAX_BEFORE: usize = 64 << 10;

/// What was found at the head of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    Member(Inside),
    /// Not all of it is there yet.
    More,
    /// It is no archive, in these words.
    Wrong(String),
}

/// Reads the head of an archive of which so much is there.
pub(super) fn read(mut archive: &[u8]) -> Head {
    let mut long_link = None;
    loop {
        let Some((header, rest)) = archive.split_at_checked(BLOCK) else {
            return Head::More;
        };
        if header[257..262] != *b"ustar" {
            return Head::Wrong("what came is no archive".to_owned());
        }
        match header[156] {
            // What is too long for the header of the next member, as POSIX and as GNU write it.
            kind @ (b'x' | b'g' | b'K' | b'L') => {
                let size = octal(&header[124..136]).and_then(|size| usize::try_from(size).ok());
                let Some(size) = size.filter(|size| *size <= MAX_BEFORE) else {
                    return Head::Wrong("its head is too long".to_owned());
                };
                let Some((said, _)) = rest.split_at_checked(size) else {
                    return Head::More;
                };
                match kind {
                    b'x' => long_link = linkpath(said).or(long_link),
                    b'K' => long_link = Some(text(said)),
                    _ => {}
                }
                let Some(after) = rest.get(size.next_multiple_of(BLOCK)..) else {
                    return Head::More;
                };
                archive = after;
            }
            b'5' => return Head::Member(Inside::Folder),
            b'1' | b'2' => {
                let link = long_link.unwrap_or_else(|| text(&header[157..257]));
                return Head::Member(Inside::Link(link));
            }
            b'0' | 0 | b'7' => {
                let executable = octal(&header[100..108]).is_some_and(|mode| mode & 0o111 != 0);
                return Head::Member(Inside::File { executable });
            }
            // A device, a socket, a pipe.
            b'3' | b'4' | b'6' => return Head::Member(Inside::File { executable: false }),
            kind => {
                let kind = char::from(kind).to_string();
                return Head::Wrong(format!(
                    "its first member is of the kind `{}`",
                    Escaped(&kind)
                ));
            }
        }
    }
}

fn text(field: &[u8]) -> String {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = text(field);
    let digits = digits.trim();
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(digits, 8).ok()
}

/// The record `LENGTH linkpath=VALUE\n` among others.
fn linkpath(mut records: &[u8]) -> Option<String> {
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ')?;
        let length: usize = str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..length.checked_sub(1)?)?;
        if let Some(value) = record.strip_prefix(b"linkpath=") {
            return Some(String::from_utf8_lossy(value).into_owned());
        }
        records = records.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u8, mode: &str, size: usize, link: &str) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..4].copy_from_slice(b"name");
        header[100..100 + mode.len()].copy_from_slice(mode.as_bytes());
        let size = format!("{size:011o}");
        header[124..135].copy_from_slice(size.as_bytes());
        header[156] = kind;
        header[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header[257..262].copy_from_slice(b"ustar");
        header
    }

    #[test]
    fn a_member_is_told_by_its_kind_and_not_by_its_mode() {
        let told = |kind, mode, link| read(&header(kind, mode, 0, link));
        assert_eq!(told(b'5', "0000755", ""), Head::Member(Inside::Folder));
        assert_eq!(
            told(b'2', "0120777", "busybox"),
            Head::Member(Inside::Link("busybox".into()))
        );
        assert_eq!(
            told(b'0', "0100755", ""),
            Head::Member(Inside::File { executable: true })
        );
        assert_eq!(
            told(b'0', "0000644", ""),
            Head::Member(Inside::File { executable: false })
        );
        assert_eq!(
            told(b'6', "0000777", ""),
            Head::Member(Inside::File { executable: false })
        );
    }

    #[test]
    fn a_link_too_long_for_the_header_is_read_from_before_it() {
        let target = format!("/{}", "x".repeat(300));
        let record = |length: usize| format!("{length} linkpath={target}\n");
        let length = record(100).len();
        let record = format!("13 mtime=1.5\n{}", record(length));
        let mut archive = header(b'x', "0000644", record.len(), "");
        archive.extend_from_slice(record.as_bytes());
        archive.resize(BLOCK + record.len().next_multiple_of(BLOCK), 0);
        for end in 0..archive.len() {
            assert_eq!(read(&archive[..end]), Head::More);
        }
        archive.extend(header(b'2', "0000777", 0, "short"));
        assert_eq!(read(&archive), Head::Member(Inside::Link(target)));
    }

    #[test]
    fn what_is_no_archive_is_told_as_none() {
        assert!(matches!(read(&[b'x'; 600]), Head::Wrong(_)));
        assert!(matches!(
            read(&header(b'x', "0", MAX_BEFORE + 1, "")),
            Head::Wrong(_)
        ));
        assert!(matches!(read(&header(b'S', "0", 0, "")), Head::Wrong(_)));
    }
}
