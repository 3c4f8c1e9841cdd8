//! What a fleet file may not say, and how it is told: one sentence with the place and the cure.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use alveary::{ConfigError, Fleet, LoadOptions};
use miette::Diagnostic;
use proptest::prelude::*;

fn parse(file: &str) -> Result<Fleet, ConfigError> {
    let nothing: [(&str, &str); 0] = [];
    let options = LoadOptions::default()
        .with_working_dir("/srv/demo")
        .with_environment(nothing);
    Fleet::parse(file, "alveary.toml", &options)
}

fn refused(file: &str) -> ConfigError {
    parse(file).expect_err(file)
}

/// The agent `echo`, with this line more.
fn with(line: &str) -> String {
    format!("[agents.echo]\ncommand = ['true']\n{line}\n")
}

/// Asserts where a file is refused, and by which words.
fn assert_refused(file: &str, position: (usize, usize), words: &[&str]) {
    let error = refused(file);
    let sentence = error.to_string();
    assert_eq!(error.position(), Some(position), "{sentence}");
    let (line, column) = position;
    let place = format!("/srv/demo/alveary.toml:{line}:{column}: ");
    assert!(sentence.starts_with(&place), "{sentence}");
    for words in words {
        assert!(sentence.contains(words), "`{words}` in: {sentence}");
    }
    assert!(
        !sentence.contains('\n') && sentence.len() < 600,
        "{sentence}"
    );
    assert!(!sentence.chars().any(alveary::is_unsafe), "{sentence}");
}

#[test]
fn a_misspelt_key_is_pointed_at_wherever_it_stands_and_what_was_meant_is_guessed() {
    for (file, position, words) in [
        ("bakend = 'process'", (1, 1), "did you mean `backend`?"),
        (
            "[agents.echo]\ncomand = ['true']",
            (2, 1),
            "no key `comand` in `agents.echo` (did you mean `command`?)",
        ),
        (
            &with("stop = { grase = '1s' }"),
            (3, 10),
            "in `agents.echo.stop` (did you mean `grace`?)",
        ),
        (
            &with("secrets = { KEY = { fiel = 'k' } }"),
            (3, 21),
            "did you mean `file`?",
        ),
        (
            &with("depends_on = ['db']"),
            (3, 1),
            "it is called `after` here",
        ),
        (
            &with("image = 'x'"),
            (3, 1),
            "it is called `container.image` here",
        ),
        (
            &with("xyzzy = 1"),
            (3, 1),
            "the keys there are `count`, `command`",
        ),
        (
            "[calls]\ntimeout = { spwan = '1s' }",
            (2, 13),
            "did you mean `spawn`?",
        ),
    ] {
        assert_refused(file, position, &[words]);
    }
}

#[test]
fn a_mistake_in_the_defaults_is_pointed_at_there_and_not_in_the_agents() {
    let file = "[defaults]\nstop = { grase = '1s' }\n[agents.echo]\ncommand = ['true']";
    assert_refused(file, (2, 10), &["in `defaults.stop`", "`grace`"]);
    let file = "[defaults]\nenv = { PORT = 80 }\n[agents.echo]\nenv = { A = '1' }";
    assert_refused(file, (2, 16), &["`defaults.env.PORT` wants a string"]);
}

#[test]
fn a_mistake_in_defaults_that_no_agent_uses_is_found_too() {
    assert_refused("[defaults]\nenvv = {}", (2, 1), &["`env`"]);
}

#[test]
fn a_value_of_the_wrong_kind_is_told_by_what_is_wanted_and_not_by_what_it_is() {
    for (line, column, words) in [
        (
            "env = { PORT = 12345 }",
            16,
            "wants a string, in quotes, and has a whole number",
        ),
        ("capabilities = 'a'", 16, "wants an array, and has a string"),
        (
            "stop = { grace = 5 }",
            18,
            "wants a duration, such as \"5s\"",
        ),
        ("stop = { grace = '5 parsecs' }", 18, "such as \"5s\""),
        ("stop = 'TERM'", 8, "wants a table, and has a string"),
        ("stop = { signal = 'TREM' }", 19, "`TREM` is no signal"),
        (
            "restart = 'allways'",
            11,
            "cannot be `allways` (did you mean `always`?)",
        ),
        ("restart = { max = -1 }", 19, "not negative, and has -1"),
        (
            "limits = { memory = '1 parsec' }",
            21,
            "`1 parsec` is no size",
        ),
        ("user = 'root'", 8, "numbers, uid and gid"),
        ("ready = { log = 'a', tcp = 'b:1' }", 9, "exactly one of"),
        (
            "alive = { tcp = 'a:1', http = 'http://localhost/' }",
            9,
            "exactly one of",
        ),
        ("alive = { tcp = 'a:1', failures = 0 }", 9, "above zero"),
        (
            "env_file = [{ path = 'a', requierd = false }]",
            27,
            "did you mean `required`?",
        ),
        ("env_file = [3]", 13, "a path in quotes, or { path"),
        ("container = { mounts = ['x'] }", 24, "`x` is no mount"),
        ("cwd = 2026-01-01", 7, "has a date"),
        (
            "count = 'three'",
            9,
            "wants a whole number, and has a string",
        ),
    ] {
        assert_refused(&with(line), (3, column), &[words]);
        assert!(!refused(&with(line)).to_string().contains("12345"));
    }
}

#[test]
fn a_command_in_one_string_is_refused_with_both_cures() {
    let file = "[agents.echo]\ncommand = 'python3 agent.py'";
    assert_refused(
        file,
        (2, 11),
        &[
            "splits words",
            "[\"program\", \"argument\"]",
            "\"sh\", \"-c\"",
        ],
    );
}

#[test]
fn a_secret_that_is_written_into_the_file_is_refused_and_not_shown() {
    let file = with("secrets = { KEY = 'hunter2' }");
    assert_refused(
        &file,
        (3, 13),
        &["`KEY` is written into the file", "{ file = \"PATH\" }"],
    );
    assert!(!picture(&refused(&file)).contains("hunter2"));
}

#[test]
fn what_no_program_could_be_given_is_refused_with_its_key() {
    let long = "x".repeat(131_072);
    for (line, column, words) in [
        ("env = { 'A=B' = '1' }", 9, "has a `=` in it"),
        ("env = { ALVEARY_SWARM = '1' }", 9, "is reserved"),
        ("inherit = ['ALVEARY_SWARM']", 1, "is reserved"),
        ("env = { A = \"x\\u0000\" }", 9, "NUL"),
        (
            &format!("env = {{ A = '{long}' }}"),
            9,
            "131071 is the most",
        ),
        ("capabilities = ['a,b']", 1, "cannot be a capability"),
        ("limits = { nofile = 1 }", 1, "give 3 or more"),
        ("stop = { grace = '5y' }", 1, "longer than a year"),
        (
            "ready = { http = 'http://169.254.169.254/' }",
            1,
            "link-local",
        ),
        (
            "alive = { http = 'https://localhost/' }",
            1,
            "of the form http://",
        ),
        ("alive = { command = [] }", 1, "names no program"),
    ] {
        assert_refused(&with(line), (3, column), &["the agent `echo`", words]);
    }
    for (command, words) in [
        ("[]", "no command"),
        ("['']", "name is empty"),
        (
            "[\"true\", \"a\\u0000b\"]",
            "argument 1 of its command has a NUL",
        ),
        (
            &format!("['true', '{long}']"),
            "131072 bytes, and 131071 is the most",
        ),
    ] {
        let file = format!("[agents.echo]\ncommand = {command}");
        assert_refused(&file, (2, 1), &["the agent `echo`", words]);
    }
    assert_refused("[agents.echo]", (1, 9), &["no command"]);
}

#[test]
fn a_placeholder_does_not_smuggle_in_what_would_be_refused_by_itself() {
    // Short as it is written, too long once it is filled in.
    let many = "{agent_id}".repeat(6000);
    let file = format!("[agents.echo]\ncommand = ['true', '{many}']");
    assert_refused(&file, (2, 1), &["216000 bytes, and 131071 is the most"]);
}

#[test]
fn a_name_that_could_be_taken_for_something_else_is_refused() {
    for name in [
        "",
        "../x",
        "a b",
        "-a",
        "a/b",
        "\\u001b[2J",
        "a\\u202eb",
        "\\u00e9",
        "e\\u0301",
        "a\\u0000",
    ] {
        let file = format!("[agents.\"{name}\"]\ncommand = ['true']");
        assert_refused(&file, (1, 9), &["cannot be an agent's name"]);
    }
    // Equal after NFC, and neither can be a name.
    let twins =
        "[agents.\"\\u00e9\"]\ncommand = ['true']\n[agents.\"e\\u0301\"]\ncommand = ['true']";
    assert_refused(twins, (1, 9), &["cannot be an agent's name"]);
    let longest = "x".repeat(64);
    assert!(parse(&format!("[agents.{longest}]\ncommand = ['true']")).is_ok());
    assert_refused(
        &format!("[agents.{longest}]\ncommand = ['true']\ncount = 3"),
        (1, 9),
        &["66 bytes, and 64 is the most", "shorten"],
    );
    assert_refused("swarm = '../x'", (1, 9), &["cannot be a swarm's name"]);
}

#[test]
fn a_count_is_one_to_ten_thousand() {
    for count in ["0", "-1", "10001", "10000000", "99999999999999999999"] {
        let file = with(&format!("count = {count}"));
        assert_refused(&file, (3, 9), &[]);
    }
    assert_eq!(parse(&with("count = 1")).unwrap().members().len(), 1);
    assert_eq!(
        parse(&with("count = 10000")).unwrap().members().len(),
        10_000
    );
}

#[test]
fn one_name_means_one_thing() {
    let file = |first: &str| {
        format!(
            "[agents.echo]\ncommand = ['true']\ncount = 3\n[agents.{first}]\ncommand = ['true']"
        )
    };
    assert_refused(&file("echo-3"), (4, 9), &["number 3 of the 3 that `echo`"]);
    for other in ["echo-4", "echo-03", "echo-x", "echo-"] {
        assert!(parse(&file(other)).is_ok(), "{other}");
    }
    // Without a count there is no `echo-3` but this one.
    let single = "[agents.echo]\ncommand = ['true']\n[agents.echo-3]\ncommand = ['true']";
    assert!(parse(single).is_ok());
}

fn chain(links: &[(&str, &str)]) -> String {
    let agents = links
        .iter()
        .map(|(name, after)| format!("[agents.{name}]\ncommand = ['true']\nafter = {after}\n"));
    agents.collect()
}

#[test]
fn agents_that_wait_for_each_other_are_told_all_the_way_round() {
    let file = chain(&[
        ("x", "'a'"),
        ("a", "['b']"),
        ("b", "['c', 'd']"),
        ("c", "['a']"),
        ("d", "[]"),
    ]);
    assert_refused(&file, (6, 9), &["a -> b -> c -> a"]);
    assert_refused(&chain(&[("a", "'a'")]), (3, 9), &["a -> a"]);
}

#[test]
fn waiting_for_nobody_is_refused_with_a_guess() {
    let file = chain(&[("web", "'bd'"), ("db", "[]")]);
    assert_refused(&file, (3, 9), &["`web`", "`bd`", "did you mean `db`?"]);
    let group = format!("{}count = 2", chain(&[("web", "'db-1'"), ("db", "[]")]));
    assert_refused(&group, (3, 9), &["name the whole of `db`"]);
}

#[test]
fn what_is_not_toml_is_pointed_at() {
    assert_refused("[agents.a\n", (1, 10), &["this is not TOML"]);
    assert_refused("[agents.a]\n[agents.a]\n", (2, 9), &["duplicate key"]);
    assert_refused("a = 'x", (1, 7), &["this is not TOML"]);
    assert_refused("agents = 3", (1, 10), &["write `[agents.NAME]`"]);
    assert_refused(
        "[agents]\necho = ['true']",
        (2, 1),
        &["write `[agents.NAME]`"],
    );
    assert_refused("defaults = 'x'", (1, 12), &["`[defaults]`"]);
}

/// The error as the command line shows it, without colours.
fn picture(error: &ConfigError) -> String {
    let mut text = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
    handler
        .with_width(120)
        .render_report(&mut text, error as &dyn Diagnostic)
        .unwrap();
    text
}

#[test]
fn the_picture_shows_the_line_with_its_number_and_a_mark_under_the_key() {
    let shown = picture(&refused(
        "# a comment\n[agents.echo]\n\tcomand = ['true']\n",
    ));
    let lines: Vec<_> = shown.lines().map(str::trim_end).collect();
    let source = lines
        .iter()
        .position(|line| line.contains("comand = ['true']"));
    let source = source.unwrap_or_else(|| panic!("{shown}"));
    assert!(lines[source].trim_start().starts_with('3'), "{shown}");
    let key = lines[source].find("comand").unwrap();
    let mark = lines[source + 1]
        .find('^')
        .unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(mark, key, "{shown}");
}

#[test]
fn the_picture_of_a_long_line_is_cut() {
    let file = with(&format!(
        "env = {{ A = '{}', 'B=C' = '1' }}",
        "x".repeat(100_000)
    ));
    let shown = picture(&refused(&file));
    assert!(shown.len() < 2000, "{} bytes", shown.len());
    assert!(shown.contains("'B=C'"), "{shown}");
}

#[test]
fn what_the_file_says_cannot_drive_a_terminal() {
    let shown = picture(&refused("a = '\u{1b}[2J\u{202e}'\n"));
    let unsafe_but_breaks = |c: char| c != '\n' && alveary::is_unsafe(c);
    assert!(!shown.chars().any(unsafe_but_breaks), "{shown:?}");
}

/// Files that are nearly right: pieces of one, in any order, with anything in between.
fn nearly_right() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[agents.echo]\n".to_owned()),
        Just("[defaults]\n".to_owned()),
        Just("command = ['true', '{name}']\n".to_owned()),
        Just("env = { A = 'é', B = 1 }\n".to_owned()),
        Just("count = 3\n".to_owned()),
        Just("after = 'echo'\n".to_owned()),
        Just("secrets = { KEY = 'x' }\n".to_owned()),
        Just("restart = 'always'\n".to_owned()),
        Just("ready.log = \"\"\"é\n".to_owned()),
        "[a-z]{1,9} = [0-9]{1,30}\n",
        "\\PC{0,20}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_stands_in_a_file_is_read_or_refused_in_one_line(file in nearly_right()) {
        if let Err(error) = parse(&file) {
            let sentence = error.to_string();
            prop_assert!(!sentence.contains('\n'), "{sentence}");
            prop_assert!(!picture(&error).is_empty());
        }
    }
}
