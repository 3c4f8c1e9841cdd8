//! Guessing what a misspelt word was meant to be.

use alveary_core::Escaped;

/// "did you mean `…`?", where one of the known words is near enough to be meant.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{}`?", Escaped(near)))
}

/// The known word that is nearest: by far-away letters and swapped ones, not by luck.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word of a megabyte is no typing mistake, and comparing takes the product of the lengths.
    if word.len() > 100 {
        return None;
    }
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let typing = strsim::damerau_levenshtein(&word, candidate);
            // One letter in three may be wrong.
            let allowed = (word.chars().count().max(candidate.chars().count()) / 3).max(1);
            (typing, allowed, candidate)
        })
        .filter(|(typing, allowed, _)| typing <= allowed)
        .min_by_key(|(typing, ..)| *typing)
        .map(|(.., candidate)| candidate)
}

/// Keys as other tools call them, and where they are here.
const HABITS: [(&str, &str); 17] = [
    ("args", "command"),
    ("cmd", "command"),
    ("depends_on", "after"),
    ("dir", "cwd"),
    ("entrypoint", "command"),
    ("environment", "env"),
    ("extra_hosts", "container.extra_hosts"),
    ("healthcheck", "ready"),
    ("image", "container.image"),
    ("instances", "count"),
    ("mounts", "container.mounts"),
    ("networks", "container.networks"),
    ("ports", "container.ports"),
    ("replicas", "count"),
    ("scale", "count"),
    ("volumes", "container.mounts"),
    ("working_dir", "cwd"),
];

/// "it is called `…` here", for a key that another tool has.
pub(crate) fn called_here(key: &str, known: &[&str]) -> Option<String> {
    let (_, here) = HABITS.iter().find(|(there, _)| *there == key)?;
    let first = here.split('.').next()?;
    known
        .contains(&first)
        .then(|| format!("it is called `{here}` here"))
}

/// The words as they stand in a sentence: "`a`, `b` and `c`".
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words
        .into_iter()
        .map(|word| format!("`{}`", Escaped(word)))
        .collect();
    match words.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["command", "count", "cwd", "container", "env", "env_file"];

    #[test]
    fn a_typing_mistake_is_understood() {
        for (typed, meant) in [
            ("comand", "command"),
            ("Command", "command"),
            ("conut", "count"),
            ("env-file", "env_file"),
            ("cdw", "cwd"),
        ] {
            assert_eq!(nearest(typed, KEYS), Some(meant), "{typed}");
        }
    }

    #[test]
    fn what_resembles_nothing_is_not_guessed_at() {
        for typed in ["image", "x", "replicas", &"command".repeat(100)] {
            assert_eq!(nearest(typed, KEYS), None, "{typed}");
        }
    }

    #[test]
    fn the_words_of_other_tools_are_understood_where_there_is_such_a_thing() {
        assert_eq!(
            called_here("image", &KEYS).as_deref(),
            Some("it is called `container.image` here")
        );
        assert_eq!(called_here("depends_on", &KEYS), None);
    }

    #[test]
    fn words_are_listed_as_a_sentence_has_them() {
        assert_eq!(list([]), "none");
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
