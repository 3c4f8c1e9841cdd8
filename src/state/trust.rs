//! Whether a folder can be trusted: it, and the way to it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use alveary_core::{Error, ErrorKind, Operation, Result};

use super::files::io_error;
use super::host;

fn refuse<T>(path: &Path, what: impl std::fmt::Display, cure: &str) -> Result<T> {
    Err(Error::new(
        ErrorKind::PermissionDenied,
        Operation::State,
        format!("{} {what}", path.display()),
    )
    .with_cure(cure))
}

/// Refuses a folder through which somebody else could make us read or write what is theirs.
pub(super) fn folder(path: &Path, metadata: &Metadata, mode: u32) -> Result<()> {
    if metadata.is_symlink() {
        return refuse(
            path,
            "is a symbolic link, which may lead anywhere",
            "put a folder in its place, or point ALVEARY_STATE_DIR at where it leads",
        );
    }
    if !metadata.is_dir() {
        return refuse(
            path,
            "is not a folder",
            "move the file away, or choose another folder by ALVEARY_STATE_DIR",
        );
    }
    let me = host::effective_user();
    if metadata.uid() != me {
        return refuse(
            path,
            format!("belongs to user {}, and you are user {me}", metadata.uid()),
            "act as its owner, or choose another folder by ALVEARY_STATE_DIR",
        );
    }
    let actual = metadata.mode() & 0o777;
    if actual & !mode != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(actual & mode))
            .map_err(|error| io_error("close to others the folder", path, error))?;
    }
    if actual & 0o700 != 0o700 && me != 0 {
        return refuse(
            path,
            "cannot be written",
            "give yourself the right (`chmod u+rwx`), or choose another folder by ALVEARY_STATE_DIR",
        );
    }
    Ok(())
}

/// Refuses a way on which somebody else could put another folder in the place of this one. It may not be there yet,
/// nor all of the way to it.
pub(super) fn way_to(path: &Path) -> Result<()> {
    let mut last = Path::new("/");
    // From the root on, so that the folder to blame is named and not those within it.
    let steps: Vec<_> = path.ancestors().skip(1).collect();
    for step in steps.into_iter().rev() {
        match fs::symlink_metadata(step) {
            Ok(metadata) => others_cannot_change(step, &metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(io_error("look at", step, error)),
        }
        last = step;
    }
    // Where links lead, somebody else may be at home.
    let real = fs::canonicalize(last).map_err(|error| io_error("look at", last, error))?;
    let steps: Vec<_> = real.ancestors().collect();
    for step in steps.into_iter().rev() {
        let metadata =
            fs::symlink_metadata(step).map_err(|error| io_error("look at", step, error))?;
        others_cannot_change(step, &metadata)?;
    }
    Ok(())
}

const ELSEWHERE: &str =
    "choose a folder by ALVEARY_STATE_DIR that nobody but you and root can change";

fn others_cannot_change(step: &Path, metadata: &Metadata) -> Result<()> {
    // Everybody may write a link, as far as its mode says; where it stands counts.
    let mode = if metadata.is_symlink() {
        0
    } else {
        metadata.mode()
    };
    let (me, mut owner) = (host::effective_user(), metadata.uid());
    if owner != 0 && host::unmapped_user() == Some(owner) {
        // Who that is cannot be seen from within; outside of a namespace it is nearly always root.
        owner = 0;
    }
    match change_by_others(me, owner, metadata.gid(), mode) {
        Others::Cannot => Ok(()),
        Others::Own => refuse(
            step,
            format!(
                "belongs to user {}, who could put another folder in the place of yours within it",
                metadata.uid()
            ),
            ELSEWHERE,
        ),
        Others::Write => refuse(
            step,
            "can be written by others, who could put another folder in the place of yours within it",
            "take that right from them (`chmod go-w`), or choose another folder by ALVEARY_STATE_DIR",
        ),
    }
}

/// How others could change what is in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Cannot,
    Own,
    Write,
}

fn change_by_others(me: u32, owner: u32, group: u32, mode: u32) -> Others {
    const STICKY: u32 = 0o1000;
    if owner != me && owner != 0 {
        return Others::Own;
    }
    // A group that bears its user's number is that user's own, by the custom of most systems.
    let writable = if group == 0 || group == owner {
        0o002
    } else {
        0o022
    };
    if mode & STICKY == 0 && mode & writable != 0 {
        return Others::Write;
    }
    Others::Cannot
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        let error = way_to(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        error.to_string()
    }

    fn with_mode(path: &Path, mode: u32) {
        fs::create_dir_all(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_way_that_others_can_change_is_refused_where_they_can() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        let deep = open.join("a/b/c");
        assert!(way_to(&deep).is_ok());
        with_mode(&open, 0o777);
        let sentence = refused(&deep);
        let blamed = format!("{} can be written by others", open.display());
        assert!(sentence.contains(&blamed), "{sentence}");
        assert!(sentence.contains("chmod go-w"), "{sentence}");
        // What others cannot rename, as in /tmp, is safe there.
        with_mode(&open, 0o1777);
        assert!(way_to(&deep).is_ok());
        with_mode(&open, 0o755);
        assert!(way_to(&deep).is_ok());
    }

    #[test]
    fn a_link_on_the_way_is_followed_to_where_others_could_change_it() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        fs::create_dir_all(open.join("within")).unwrap();
        let link = root.path().join("link");
        std::os::unix::fs::symlink(open.join("within"), &link).unwrap();
        assert!(way_to(&link.join("demo")).is_ok());
        with_mode(&open, 0o777);
        let sentence = refused(&link.join("demo"));
        assert!(sentence.contains("can be written by others"), "{sentence}");
    }

    #[test]
    fn whose_a_folder_is_and_who_may_write_it_decides_who_could_change_it() {
        use Others::{Cannot, Own, Write};
        for (owner, group, mode, others) in [
            (0, 0, 0o755, Cannot),
            (0, 0, 0o1777, Cannot),
            (0, 0, 0o777, Write),
            (7, 7, 0o700, Cannot),
            // The user's own group.
            (7, 7, 0o775, Cannot),
            (7, 50, 0o775, Write),
            (7, 50, 0o755, Cannot),
            (7, 7, 0o757, Write),
            (8, 7, 0o700, Own),
            (8, 8, 0o1777, Own),
        ] {
            assert_eq!(
                change_by_others(7, owner, group, mode),
                others,
                "{owner} {group} {mode:o}"
            );
        }
    }
}
