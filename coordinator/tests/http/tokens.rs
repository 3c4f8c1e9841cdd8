//! How tokens are compared: by the source, since a clock would not tell for certain.

use std::path::Path;

/// What a file of the coordinator's has before its tests.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            found.push((path.file_name().unwrap().to_str().unwrap().to_owned(), code));
        }
    }
}

/// In which files, and how often, something is said.
fn said(words: &str) -> Vec<(String, usize)> {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let mut found: Vec<_> = all
        .into_iter()
        .map(|(name, code)| (name, code.matches(words).count()))
        .filter(|(_, times)| *times > 0)
        .collect();
    found.sort();
    found
}

#[test]
fn secrets_are_compared_in_one_function_and_in_constant_time() {
    let once = |file: &str| vec![(file.to_owned(), 1)];
    assert_eq!(said(".ct_eq("), once("token.rs"));
    // Who verifies, compares tokens or looks at a cookie comes there; nobody has the text to compare it otherwise.
    assert_eq!(said("same_secret("), [("token.rs".to_owned(), 4)]);
    assert_eq!(said(".expose()"), []);
    // What proves something is made to be shown: a cookie, and its name.
    let made = [("session.rs".to_owned(), 2), ("token.rs".to_owned(), 3)];
    assert_eq!(said(".mac("), made);
    let derived = said("PartialEq, Eq)]\npub struct Token");
    assert_eq!(derived, []);
}
