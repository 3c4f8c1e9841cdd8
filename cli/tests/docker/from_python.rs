//! The guide for those who come from the original runner, followed as it is printed, on an engine.

use std::fs;
use std::os::unix::fs::symlink;

use crate::ground::Ground;
use crate::hive::{Ran, eventually, finish};

const PAGE: &str = include_str!("../../../docs/guide/from-python.md");

/// What whoever follows the page does with its module, once it has stopped one, and then ends it all.
const CALLS: &str = r#"
import swarm

print(sorted(agent["name"] for agent in swarm.list_agents()))
print(swarm.is_running("echo"), swarm.is_running("seer"))
again = swarm.spawn("echo")
print(again["state"], again["image"].split("/")[-1], again["capabilities"], len(again["handle"]))
print(swarm.is_running("echo"), swarm.stop_all(), swarm.stop_all())
try:
    swarm.stop("nobody")
except RuntimeError as error:
    print(error)
"#;

/// The blocks of the page that are written in this language, in their order.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> + '_ {
    let blocks = PAGE.split("\n```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

fn block_with(language: &str, words: &str) -> &'static str {
    let mut found = blocks(language).filter(|block| block.contains(words));
    let block = found
        .next()
        .unwrap_or_else(|| panic!("no block with {words}"));
    assert!(found.next().is_none(), "more than one block has {words}");
    block
}

/// A shell, or another program, where the page's file is.
fn run(ground: &Ground, program: &str, args: &[&str]) -> Ran {
    let ran = finish(
        ground
            .client_command(program)
            .env("ALVEARY_FILE", "timmy-time.toml")
            .args(args),
    );
    assert_eq!(ran.code(), Some(0), "{program} {args:?}: {ran}");
    ran
}

fn without_ids(text: &str) -> Vec<String> {
    let without_id = |line: &str| match line.split_once('(').zip(line.split_once(')')) {
        Some(((before, _), (_, after))) => format!("{before}(ID){after}"),
        None => line.to_owned(),
    };
    text.lines().map(without_id).collect()
}

pub(crate) fn the_page_is_followed_as_it_is_printed(ground: &Ground) {
    let swarm = ground.swarm(ground.path().join("timmy-time.toml"));
    fs::write(
        ground.path().join("timmy-time.toml"),
        block_with("toml", "# timmy-time.toml"),
    )
    .unwrap();
    fs::write(
        ground.path().join("swarm.py"),
        block_with("python", "# swarm.py"),
    )
    .unwrap();
    symlink(
        env!("CARGO_BIN_EXE_alveary"),
        ground.path().join("bin/alveary"),
    )
    .unwrap();

    let planned = run(ground, "sh", &["-ec", block_with("sh", "up --dry-run")]).stdout();
    for part in [
        "timmy-agent-",
        "timmy-time_swarm-net",
        "timmy-time_timmy-data",
        "COORDINATOR_URL",
    ] {
        assert!(planned.contains(part), "{part} is not in {planned}");
    }
    assert!(!planned.contains("http://dashboard:8000"), "{planned}");

    let up = run(ground, "sh", &["-ec", block_with("sh", "up -d --wait")]);
    let table: Vec<Vec<String>> = (up.stdout().lines())
        .map(|line| line.split_whitespace().map(ToOwned::to_owned).collect())
        .collect();
    let printed = block_with("text", "READY");
    for (line, agent) in printed.lines().skip(1).zip(["echo", "seer"]) {
        let row = table
            .iter()
            .find(|row| row.first().is_some_and(|name| name == agent));
        let row = row.unwrap_or_else(|| panic!("no row of {agent}: {up}"));
        let meant: Vec<&str> = line.split_whitespace().collect();
        // But for its id, its number and its age it is what the page shows.
        assert_eq!(
            [&row[2], &row[3], &row[6]],
            [meant[2], meant[3], meant[6]],
            "{up}"
        );
    }

    // It has come so far by the time that a person asks.
    eventually("seer polls", || {
        let said = swarm.ok(&["logs", "seer"]);
        said.contains("polling").then_some(())
    });
    // The page shows both streams, as a terminal does.
    let ran = run(ground, "sh", &["-ec", block_with("sh", "logs seer")]);
    assert_eq!(
        without_ids(&(ran.stdout() + &ran.stderr())),
        without_ids(block_with("text", "polling"))
    );

    let said = run(ground, "python3", &["-c", CALLS]).stdout();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "['echo', 'seer']",
            "False True",
            "running timmy-time:latest ['summarise', 'translate'] 64",
            "True 2 0",
            "error: there is no agent or group `nobody` in this swarm",
            "help: `ps -a` shows those that there are",
        ]
    );
    drop(swarm);
    assert!(ground.ours("network", "timmy-time_").is_empty());
    assert!(ground.ours("volume", "timmy-time_").is_empty());
}
