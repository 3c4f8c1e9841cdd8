//! What the library tells its callers to do, for who has its program alone.

use alveary::Error;

/// What stands in a cure of the library's, and what does the same here.
const HERE: [(&str, &str); 8] = [
    (
        "spawn it again with the same id and incarnation, or look for it by `list`",
        LOOK_FIRST,
    ),
    (
        "look for it by `list`, or spawn it again with the same id and incarnation",
        LOOK_FIRST,
    ),
    ("look for it by `list`", "look for it by `ps -a`"),
    ("`list` shows", "`ps -a` shows"),
    ("with `keep_owners`", "by --archive"),
    ("leave out `keep_owners`", "leave out --archive"),
    (
        "let `replace_kinds` replace it, or put elsewhere what cannot be written",
        "remove it there first, or copy to where nothing is yet",
    ),
    ("then subscribe again", "then ask again"),
];

const LOOK_FIRST: &str = "look for it by `ps -a`, and start it again if it is not there";

/// What to do about an error of the library, as its program has it.
pub(crate) fn cure_of(error: &Error) -> Option<String> {
    Some(here(error.cure()?))
}

fn here(cure: &str) -> String {
    HERE.into_iter()
        .fold(cure.to_owned(), |cure, (there, here)| {
            cure.replace(there, here)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All cures of the library, as its page lists them.
    const PAGE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/guide/library-messages.md"
    );

    #[test]
    fn no_cure_names_a_call_of_the_library_where_somebody_has_typed() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        for (there, _) in HERE {
            assert!(page.contains(there), "the library says no more: {there}");
        }
        for line in page.lines().filter(|line| line.starts_with("| ")) {
            let said = here(line.rsplit(" | ").next().unwrap());
            for call in ["`list`", "`keep_owners`", "`replace_kinds`", "subscribe"] {
                let is_a_setting = said.contains("calls.timeout");
                assert!(is_a_setting || !said.contains(call), "{said}");
            }
        }
    }
}
