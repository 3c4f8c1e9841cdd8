//! The manual, as `man` shows it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::hive::Hive;

/// What `man` makes of a page, and what it and its typesetter have against it.
fn shown(page: &Path) -> Output {
    Command::new("man")
        .args(["--warnings=w", "--local-file"])
        .arg(page)
        .env("MANWIDTH", "80")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap()
}

pub(crate) fn man_shows_every_page_and_has_nothing_to_say_against_it() {
    let hive = Hive::new("swarm = \"demo\"");
    hive.ok(&["man", "pages"]);
    let pages = fs::read_dir(hive.path().join("pages")).unwrap();
    let mut names = BTreeSet::new();
    for page in pages {
        let page = page.unwrap().path();
        let name = page.file_stem().unwrap().to_string_lossy().into_owned();
        let output = shown(&page);
        let text = String::from_utf8(output.stdout).unwrap();
        let against = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && against.is_empty(),
            "{name}: {against}"
        );
        let mut lines = text.lines();
        let begins_with = |line: Option<&str>, word: &str| {
            assert!(
                line.is_some_and(|line| line.trim_start().starts_with(word)),
                "{name} has no `{word}`: {text}"
            );
        };
        begins_with(lines.next(), &format!("{name}(1)"));
        let mut lines = lines.skip_while(|line| *line != "NAME").skip(1);
        begins_with(lines.next(), &format!("{name} "));
        let mut lines = lines.skip_while(|line| *line != "SYNOPSIS").skip(1);
        let typed = lines.next().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.join(" ")
        });
        begins_with(typed.as_deref(), &name.replace('-', " "));
        let program = format!("alveary {}", env!("CARGO_PKG_VERSION"));
        let edge = text.lines().last().unwrap();
        assert!(
            edge.starts_with(&program) && edge.ends_with(&format!(" {name}(1)")),
            "{name}: {edge}"
        );
        names.insert(name);
    }
    // What belongs to a verb alone, and to a verb of a verb.
    for (name, words) in [
        ("alveary-up", "--exit-code-from <NAME>"),
        ("alveary-bench-compare", "Example: "),
    ] {
        assert!(names.contains(name), "{names:?}");
        let page = hive.path().join(format!("pages/{name}.1"));
        let text = String::from_utf8(shown(&page).stdout).unwrap();
        assert!(text.contains(words), "{name}: {text}");
    }
}

pub(crate) fn man_says_what_is_wrong_with_a_page() {
    let hive = Hive::new("swarm = \"demo\"");
    let page = hive.path().join("broken.1");
    fs::write(&page, ".TH broken 1\n.SH NAME\nbroken\n.NOMACRO x\n").unwrap();
    let against = shown(&page).stderr;
    let against = String::from_utf8_lossy(&against);
    assert!(against.contains("NOMACRO"), "{against}");
}
