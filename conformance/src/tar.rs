//! As much of tar archives as trials need: short names of plain characters, in the form of POSIX 1988.

use alveary_core::TarStream;
use futures_util::StreamExt;

use crate::trial::Failure;

const BLOCK: usize = 512;

/// What stands in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarEntry {
    /// Its name: of a directory with a `/` behind it, or without.
    pub name: String,
    /// The twelve bits of its mode.
    pub mode: u32,
    /// What it is.
    pub kind: TarKind,
}

/// What an entry of an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TarKind {
    /// A file with its contents.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// A symbolic link with its target.
    Link(String),
}

impl TarEntry {
    /// A file.
    pub fn file(name: impl Into<String>, mode: u32, contents: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            mode,
            kind: TarKind::File(contents.into()),
        }
    }

    /// A directory.
    pub fn directory(name: impl Into<String>, mode: u32) -> Self {
        Self {
            name: name.into(),
            mode,
            kind: TarKind::Directory,
        }
    }

    /// A symbolic link.
    pub fn link(name: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            mode: 0o777,
            kind: TarKind::Link(target.into()),
        }
    }
}

/// An archive of these, whatever their names: what may not stand in one is what some trials are about.
pub fn write_tar(entries: &[TarEntry]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in entries {
        let (flag, contents, target) = match &entry.kind {
            TarKind::File(contents) => (b'0', contents.as_slice(), ""),
            TarKind::Directory => (b'5', &[][..], ""),
            TarKind::Link(target) => (b'2', &[][..], target.as_str()),
        };
        let mut header = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| {
            header[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(0, entry.name.as_bytes());
        put(100, format!("{:07o}", entry.mode).as_bytes());
        put(108, b"0000000\x000000000\0");
        put(124, format!("{:011o}", contents.len()).as_bytes());
        put(136, b"14000000000");
        put(148, b"        ");
        put(156, &[flag]);
        put(157, target.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(contents);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// What stands in an archive; what is neither file nor directory nor link is passed over. An error says what
/// is wrong with it.
pub fn read_tar(archive: &[u8]) -> Result<Vec<TarEntry>, String> {
    let mut entries = Vec::new();
    let mut rest = archive;
    loop {
        let Some((header, behind)) = rest.split_at_checked(BLOCK) else {
            return Err("it is cut off".to_owned());
        };
        if header.iter().all(|&byte| byte == 0) {
            return Ok(entries);
        }
        let text = |at: usize, len: usize| {
            let field = &header[at..at + len];
            let end = field.iter().position(|&byte| byte == 0).unwrap_or(len);
            String::from_utf8_lossy(&field[..end]).trim().to_owned()
        };
        let number = |at: usize, len: usize| {
            let digits = text(at, len);
            usize::from_str_radix(&digits, 8).map_err(|_| format!("`{digits}` is no number"))
        };
        let size = number(124, 12)?;
        let Some((contents, behind)) = behind.split_at_checked(size) else {
            return Err(format!("the contents of {} are cut off", text(0, 100)));
        };
        let kind = match header[156] {
            b'0' | 0 => Some(TarKind::File(contents.to_vec())),
            b'5' => Some(TarKind::Directory),
            b'2' => Some(TarKind::Link(text(157, 100))),
            _ => None,
        };
        if let Some(kind) = kind {
            let (name, above) = (text(0, 100), text(345, 155));
            entries.push(TarEntry {
                name: if above.is_empty() {
                    name
                } else {
                    format!("{above}/{name}")
                },
                mode: u32::try_from(number(100, 8)? & 0o7777).unwrap_or_default(),
                kind,
            });
        }
        let padding = size.next_multiple_of(BLOCK) - size;
        rest = behind.get(padding..).unwrap_or_default();
    }
}

/// Reads an archive to its end.
pub(crate) async fn collect(mut archive: TarStream) -> Result<Vec<TarEntry>, Failure> {
    let mut all = Vec::new();
    while let Some(piece) = archive.next().await {
        all.extend_from_slice(&piece?);
    }
    read_tar(&all).map_err(|why| Failure::new(format!("the archive is none: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let entries = [
            TarEntry::directory("d/", 0o755),
            TarEntry::file("d/a", 0o640, vec![7; 513]),
            TarEntry::file("empty", 0o4711, []),
            TarEntry::link("d/l", "a"),
        ];
        assert_eq!(read_tar(&write_tar(&entries)).unwrap(), entries);
    }

    #[test]
    fn what_is_cut_off_is_told() {
        let archive = write_tar(&[TarEntry::file("a", 0o644, vec![7; 600])]);
        for len in [0, 100, 512, 900, 1536] {
            assert!(read_tar(&archive[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn the_systems_own_tar_reads_it() {
        let folder = std::env::temp_dir().join(format!("alveary-tar-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.tar");
        std::fs::write(
            &path,
            write_tar(&[TarEntry::file("name", 0o640, b"x".as_slice())]),
        )
        .unwrap();
        let listed = std::process::Command::new("tar")
            .arg("tf")
            .arg(&path)
            .output();
        std::fs::remove_dir_all(&folder).unwrap();
        let listed = listed.unwrap();
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "name\n");
    }
}
