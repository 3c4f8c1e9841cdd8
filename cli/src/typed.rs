//! What is wrong with a program, or a file of variables, that somebody has typed: told of the keys of a file, it stands in
//! none.

use std::path::Path;

use alveary::Escaped;

use crate::failure::Failure;

/// What to do about a key, and about what was typed in its place.
const IN_ITS_PLACE: [(&str, &str); 5] = [
    ("correct `command`", "name another program"),
    ("give `command` a program", NAME_ONE),
    ("give it a `command`", NAME_ONE),
    ("name a program first in `command`", "name a program"),
    ("in `container.image`", "by --image"),
];

const NAME_ONE: &str = "name a program behind `--`, or give `command` in `[defaults]`";

/// The cure for who has typed a program, and by this flag where it runs.
pub(crate) fn cure(of_keys: &str, folder: &str) -> String {
    let folder = format!("correct {folder}");
    IN_ITS_PLACE
        .into_iter()
        .chain([("correct `cwd`", &*folder)])
        .fold(of_keys.to_owned(), |cure, (key, typed)| {
            cure.replace(key, typed)
        })
}

/// Whether the files of variables that somebody has typed are there.
pub(crate) fn are_there(files: &[String]) -> Result<(), Failure> {
    match files.iter().find(|file| !Path::new(file).exists()) {
        None => Ok(()),
        Some(absent) => Err(Failure::input(
            format!("there is no file `{}`", Escaped(absent)),
            "give --env-file one that is there",
        )),
    }
}

/// Why one of them cannot be used.
pub(crate) fn not_of_variables(file: &str, why: &str) -> Failure {
    Failure::input(
        format!("{}: {why}", Escaped(file)),
        "mend it, or give --env-file another",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cure_speaks_of_what_was_typed() {
        assert_eq!(
            cure("install it, or correct `command`", "--workdir"),
            "install it, or name another program"
        );
        assert_eq!(
            cure("make the folder, or correct `cwd`", "--workdir"),
            "make the folder, or correct --workdir"
        );
        assert_eq!(
            cure("pull it, or name another in `container.image`", "--cwd"),
            "pull it, or name another by --image"
        );
        assert_eq!(cure("mend that", "--cwd"), "mend that");
    }

    #[test]
    fn the_name_of_a_file_drives_no_terminal() {
        let absent = are_there(&["a\u{1b}[2J.env".to_owned()]).unwrap_err();
        let broken = not_of_variables("a\u{1b}[2J.env", "it is empty");
        for (failure, said) in [
            (absent, "there is no file `a\\u{1b}[2J.env`"),
            (broken, "a\\u{1b}[2J.env: it is empty"),
        ] {
            assert!(
                matches!(&failure, Failure::Input { what, .. } if what == said),
                "{failure:?}"
            );
        }
    }
}
