//! An archive of an agent's, unpacked here. It is the agent's word: nothing of it leaves the place that it is given.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use alveary::Escaped;
use tar::{Archive, Entry, EntryType};

use crate::failure::Failure;

/// What of a mode is taken over: who may read, write and run it, and not as whom it runs.
const MODE: u32 = 0o777;

/// Unpacks the thing that the archive is of at `root`, and gives the names of what was passed over: devices and the like.
pub(super) fn beneath(archive: &mut dyn Read, root: &Path) -> Result<Vec<String>, Failure> {
    let mut archive = Archive::new(archive);
    let mut passed_over = Vec::new();
    let mut directories = Vec::new();
    for entry in archive.entries().map_err(|error| broken(&error))? {
        let mut entry = entry.map_err(|error| broken(&error))?;
        let name = entry.path().map_err(|error| broken(&error))?.into_owned();
        let path = beneath_it(root, &within(&name)?);
        let trouble = |error| unwritable(&path, &error);
        no_link_on_the_way(root, &path)?;
        let mode = entry.header().mode().map_err(|error| broken(&error))? & MODE;
        match entry.header().entry_type() {
            EntryType::Directory => {
                directory(&path).map_err(trouble)?;
                directories.push((path, mode));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                file(&mut entry, &path, mode).map_err(trouble)?;
            }
            EntryType::Symlink => {
                let target = entry
                    .link_name()
                    .map_err(|error| broken(&error))?
                    .unwrap_or_default();
                make_way(&path).map_err(trouble)?;
                symlink(target, &path).map_err(trouble)?;
            }
            EntryType::Link => {
                let target = entry
                    .link_name()
                    .map_err(|error| broken(&error))?
                    .unwrap_or_default();
                let target = beneath_it(root, &within(&target)?);
                no_link_on_the_way(root, &target)?;
                make_way(&path).map_err(trouble)?;
                fs::hard_link(target, &path).map_err(trouble)?;
            }
            EntryType::XGlobalHeader => {}
            _ => passed_over.push(name.display().to_string()),
        }
    }
    // At the end, and from the innermost: what may not be written in could not have been filled.
    for (path, mode) in directories.iter().rev() {
        fs::set_permissions(path, Permissions::from_mode(*mode))
            .map_err(|error| unwritable(path, &error))?;
    }
    Ok(passed_over)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display().to_string();
    Failure::input(
        format!("{} cannot be written: {error}", Escaped(&path)),
        "make room there, let yourself write, or name another place",
    )
}

/// A name of the archive without its first part, which is the thing itself.
fn within(name: &Path) -> Result<PathBuf, Failure> {
    let mut parts = Vec::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            _ => return Err(leaves(name)),
        }
    }
    // What is in the root is `./` and a name.
    let own = usize::from(!name.starts_with("."));
    Ok(parts.into_iter().skip(own).collect())
}

/// The place of a thing: of the one that the archive is of, the place itself, with no slash behind it.
fn beneath_it(root: &Path, within: &Path) -> PathBuf {
    if within.as_os_str().is_empty() {
        root.to_owned()
    } else {
        root.join(within)
    }
}

/// A link that the archive has made, or that was there, leads nothing elsewhere.
fn no_link_on_the_way(root: &Path, path: &Path) -> Result<(), Failure> {
    let beneath = path.strip_prefix(root).unwrap_or(path);
    let mut on_the_way = root.to_owned();
    let parts: Vec<_> = beneath.components().collect();
    for part in parts.iter().take(parts.len().saturating_sub(1)) {
        on_the_way.push(part);
        if fs::symlink_metadata(&on_the_way).is_ok_and(|there| !there.is_dir()) {
            return Err(leaves(path));
        }
    }
    // Whoever asked may have named a link, which was followed before.
    if !parts.is_empty() && fs::symlink_metadata(root).is_ok_and(|there| there.is_symlink()) {
        return Err(leaves(path));
    }
    Ok(())
}

fn leaves(name: &Path) -> Failure {
    Failure::input(
        format!(
            "the agent's archive has `{}` in it, which would leave the place where it is unpacked",
            Escaped(&name.display().to_string())
        ),
        "do not trust this agent; `alveary cp NAME:PATH - | tar -t` shows what it sends",
    )
}

fn broken(error: &io::Error) -> Failure {
    Failure::input(
        format!("the archive cannot be read: {error}"),
        "copy it again; `alveary cp NAME:PATH - | tar -t` shows what comes",
    )
}

/// Takes away what stands there, if it is no directory.
fn make_way(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        done => done?,
    }
    // Until all is in it.
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

fn file(entry: &mut Entry<'_, impl Read>, path: &Path, mode: u32) -> io::Result<()> {
    make_way(path)?;
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    io::copy(entry, &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    if let Ok(modified) = entry.header().mtime() {
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(modified))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::{Builder, Header};

    struct Tar(Builder<Vec<u8>>);

    impl Tar {
        fn new() -> Self {
            Self(Builder::new(Vec::new()))
        }

        fn add(mut self, kind: EntryType, name: &str, link: &str, text: &str) -> Self {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o4755);
            header.set_size(text.len() as u64);
            // As somebody would who means ill: the library refuses such names.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
            header.set_cksum();
            self.0.append(&header, text.as_bytes()).unwrap();
            self
        }

        fn unpack(self, root: &Path) -> Result<Vec<String>, Failure> {
            let bytes = self.0.into_inner().unwrap();
            beneath(&mut bytes.as_slice(), root)
        }
    }

    use EntryType::{Directory, Fifo, Link, Regular, Symlink};

    #[test]
    fn a_thing_lands_under_the_name_that_it_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("mine");
        let passed_over = Tar::new()
            .add(Directory, "app/", "", "")
            .add(Regular, "app/a", "", "one")
            .add(Link, "app/again", "app/a", "")
            .add(Symlink, "app/link", "a", "")
            .add(Fifo, "app/pipe", "", "")
            .unpack(&root)
            .unwrap();
        assert_eq!(passed_over, ["app/pipe"]);
        for name in ["a", "again", "link"] {
            assert_eq!(
                fs::read_to_string(root.join(name)).unwrap(),
                "one",
                "{name}"
            );
        }
        let mode = fs::metadata(root.join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "it runs as nobody else");
    }

    #[test]
    fn a_single_file_lands_under_a_name_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("renamed");
        Tar::new()
            .add(Regular, "made", "", "one")
            .unpack(&root)
            .unwrap();
        assert_eq!(fs::read_to_string(root).unwrap(), "one");
    }

    #[test]
    fn over_what_is_there_it_is_unpacked_anew_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "old").unwrap();
        fs::write(dir.path().join("b"), "stays").unwrap();
        Tar::new()
            .add(Directory, "./", "", "")
            .add(Regular, "./a", "", "new")
            .unpack(dir.path())
            .unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), "new");
        assert_eq!(fs::read_to_string(dir.path().join("b")).unwrap(), "stays");
    }

    #[test]
    fn nothing_leaves_the_place_that_it_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "untouched").unwrap();
        let there = outside.to_str().unwrap();
        let begin = || Tar::new().add(Directory, "x/", "", "");
        let root = dir.path().join("root");
        for (what, tar) in [
            (
                "upwards",
                begin().add(Regular, "x/../../outside/new", "", "!"),
            ),
            (
                "absolute",
                begin().add(Regular, &format!("{there}/new"), "", "!"),
            ),
            (
                "through a link",
                begin()
                    .add(Symlink, "x/door", there, "")
                    .add(Regular, "x/door/new", "", "!"),
            ),
            (
                "a hard link to what is outside",
                begin().add(Link, "x/mine", &format!("{there}/secret"), ""),
            ),
            (
                "a hard link through a link",
                begin()
                    .add(Symlink, "x/door", there, "")
                    .add(Link, "x/mine", "x/door/secret", ""),
            ),
        ] {
            assert!(tar.unpack(&root).is_err(), "{what}");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "{what}");
            let _ = fs::remove_dir_all(&root);
        }
        // Over a link that the archive has made, the link is replaced.
        begin()
            .add(Symlink, "x/secret", &format!("{there}/secret"), "")
            .add(Regular, "x/secret", "", "mine")
            .unpack(&root)
            .unwrap();
        assert_eq!(
            fs::read_to_string(outside.join("secret")).unwrap(),
            "untouched"
        );
    }

    #[test]
    fn a_link_in_place_of_the_thing_itself_is_no_door() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let root = dir.path().join("root");
        let tar = Tar::new()
            .add(Symlink, "x", outside.to_str().unwrap(), "")
            .add(Regular, "x/new", "", "!");
        assert!(tar.unpack(&root).is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}
