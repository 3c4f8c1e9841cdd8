//! What the guide for authors of backends quotes is what the example says.

use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of code that are quoted from the example: those that are Rust and nothing else.
fn quoted(guide: &str) -> Vec<&str> {
    guide
        .split("\n```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect()
}

#[test]
fn every_quotation_of_the_guide_stands_in_the_example_word_for_word() {
    let (guide, example) = (
        read("../docs/new-backend.md"),
        read("examples/tiny_backend.rs"),
    );
    let quoted = quoted(&guide);
    assert!(quoted.len() >= 7, "the guide quotes {} times", quoted.len());
    for quotation in quoted {
        assert!(
            example.contains(quotation),
            "the example does not say any more:\n{quotation}"
        );
    }
}

#[test]
fn every_file_that_the_guide_links_to_is_there() {
    let guide = read("../docs/new-backend.md");
    let links = guide
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.contains("://")) {
        read(&format!("../docs/{link}"));
    }
}
