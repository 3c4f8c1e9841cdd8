//! The manual.

use std::collections::BTreeSet;

use crate::hive::Hive;

#[test]
fn every_verb_has_a_page_that_man_can_show() {
    let hive = Hive::new("swarm = \"demo\"");
    hive.ok(&["man", "pages/man1"]);
    let help = hive.ok(&["--help"]);
    let (_, verbs) = help.split_once("Verbs:\n").unwrap();
    let verbs = verbs.lines().take_while(|line| !line.trim().is_empty());
    let verbs: Vec<&str> = verbs
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        // The parser's own.
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    let pages = hive.path().join("pages/man1");
    for verb in verbs {
        let page = pages.join(format!("alveary-{verb}.1"));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|_| panic!("{verb} has no page"));
        assert!(text.contains("Example"), "{verb}: {text}");
    }
    assert!(pages.join("alveary.1").exists());
    assert!(!pages.join("alveary-__supervise.1").exists());
}

#[test]
fn each_page_bears_its_name_at_the_upper_edge_and_the_programs_at_the_lower() {
    let hive = Hive::new("swarm = \"demo\"");
    hive.ok(&["man", "pages"]);
    let program = format!("\"alveary {}\"", env!("CARGO_PKG_VERSION"));
    let mut names = BTreeSet::new();
    for page in std::fs::read_dir(hive.path().join("pages")).unwrap() {
        let page = page.unwrap().path();
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&page).unwrap();
        let edges = text.lines().find_map(|line| line.strip_prefix(".TH "));
        let expected = format!("{name} 1 \" \" {program}");
        assert_eq!(edges.map(str::trim_end), Some(&*expected), "{text}");
        names.insert(name);
    }
    for name in ["alveary", "alveary-bench-compare", "alveary-config-schema"] {
        assert!(names.contains(name), "{names:?}");
    }
}
