//! What a shell offers and fills in, by the script that `completions` prints for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::hive::{Hive, finish};
use crate::pty::Pty;

const WASP: &str = "swarm = \"demo\"\n[agents.wasp]\ncommand = [\"sleep\", \"1000\"]\n";

/// A swarm that runs, whose agent stands in no file, and the script of this shell.
fn running(shell: &str) -> (Hive, PathBuf) {
    let hive = Hive::new(WASP);
    hive.ok(&["up", "-d"]);
    hive.ok(&["spawn", "--name", "hornet", "sleep", "1000"]);
    let script = hive.path().join("script");
    fs::write(&script, hive.ok(&["completions", shell])).unwrap();
    (hive, script)
}

/// A shell in the folder of the swarm, that finds the program by its name.
fn shell(hive: &Hive, program: &str) -> Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_alveary")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    let mut shell = hive.around(program);
    shell
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("HOME", hive.path())
        .env("PS1", "$ ");
    shell
}

/// Calls what the script has bash call while somebody types these words.
const BY_BASH: &str = r#"
source "$1"
shift
function=$(complete -p alveary)
function=${function##*-F }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_TYPE=9 COMPREPLY=()
COMP_POINT=${#COMP_LINE}
"${function%% *}" alveary "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

pub(crate) fn bash_completes_verbs_flags_and_agents() {
    let (hive, script) = running("bash");
    let offered = |words: &[&str]| {
        let mut bash = shell(&hive, "bash");
        bash.args(["--norc", "-c", BY_BASH, "bash"])
            .arg(&script)
            .arg("alveary")
            .args(words);
        let ran = finish(&mut bash);
        assert_eq!(ran.code(), Some(0), "{words:?}: {ran}");
        assert_eq!(ran.stderr(), "", "{words:?}");
        ran.stdout().trim().to_owned()
    };
    assert_eq!(offered(&["insp"]), "inspect");
    assert_eq!(offered(&["up", "--exit"]), "--exit-code-from");
    assert_eq!(offered(&["logs", "wa"]), "wasp");
    assert_eq!(offered(&["stop", "wasp", "h"]), "hornet");
    assert_eq!(offered(&["-p", "de"]), "demo");
    assert_eq!(offered(&["logs", "nobody"]), "");
    // Bash parts words at this sign, and fills in what stands behind it.
    assert_eq!(offered(&["--swarm", "=", "demo", "logs", "wa"]), "wasp");
    assert_eq!(offered(&["--swarm", "=", "de"]), "demo");
    assert_eq!(offered(&["ps", "--color", "=", "al"]), "always");
}

/// Types this, with the key that completes, and waits for what is filled in.
#[track_caller]
fn is_filled_in(pty: &mut Pty, typed: &str, whole: &str) {
    pty.send(typed.as_bytes());
    pty.until(whole, |screen| {
        screen
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .is_some_and(|line| line.trim_end() == format!("$ {whole}"))
    });
    // Forgets what was typed.
    pty.send(b"\x15");
}

/// Once it has been told this.
fn fills_in(pty: &mut Pty, told: &str) {
    pty.send(format!("{told}; echo to\"\"ld\n").as_bytes());
    // What is typed while it reads that is echoed before its prompt.
    pty.until("its prompt", |screen| {
        let mut lines = screen.lines().filter(|line| !line.trim().is_empty());
        lines.any(|line| line.trim_end() == "told") && lines.any(|line| line.trim_end() == "$")
    });
    is_filled_in(pty, "alveary insp\t", "alveary inspect");
    is_filled_in(pty, "alveary up --exit\t", "alveary up --exit-code-from");
    is_filled_in(pty, "alveary logs -f ho\t", "alveary logs -f hornet");
    is_filled_in(pty, "alveary -p de\t", "alveary -p demo");
    is_filled_in(pty, "alveary --swarm=de\t", "alveary --swarm=demo");
    is_filled_in(
        pty,
        "alveary --file=alveary.toml logs wa\t",
        "alveary --file=alveary.toml logs wasp",
    );
    // What it is of the agent's comes behind the colon, and nothing in between.
    is_filled_in(pty, "alveary cp wa\t/etc", "alveary cp wasp:/etc");
    pty.send(b"exit\n");
    assert!(pty.finish().success(), "{}", pty.shown());
}

pub(crate) fn what_is_typed_in_a_terminal_is_completed_by_bash() {
    let (hive, script) = running("bash");
    let mut pty = Pty::run(shell(&hive, "bash").args(["--norc", "--noprofile", "-i"]));
    fills_in(&mut pty, &format!(". {}", script.display()));
}

pub(crate) fn what_is_typed_in_a_terminal_is_completed_by_zsh() {
    let (hive, script) = running("zsh");
    // In a folder of its functions it is loaded when it is first asked.
    let functions = hive.path().join("functions");
    fs::create_dir(&functions).unwrap();
    fs::copy(&script, functions.join("_alveary")).unwrap();
    let begin = "PROMPT_EOL_MARK=; autoload -U compinit; compinit -D -u";
    for told in [
        format!("{begin}; . {}", script.display()),
        format!("fpath=({} $fpath); {begin}", functions.display()),
    ] {
        let mut pty = Pty::run(shell(&hive, "zsh").args(["-f", "-i"]));
        fills_in(&mut pty, &told);
    }
}

pub(crate) fn fish_completes_verbs_flags_and_agents() {
    let (hive, script) = running("fish");
    let offered = |line: &str| {
        let mut fish = shell(&hive, "fish");
        fish.arg("--no-config")
            .args(["-c", "source $argv[1]; complete -C $argv[2]"])
            .arg(&script)
            .arg(line);
        let ran = finish(&mut fish);
        assert_eq!(ran.code(), Some(0), "{line}: {ran}");
        let words: Vec<String> = ran
            .stdout()
            .lines()
            // Behind the word stands what it means.
            .filter_map(|line| Some(line.split('\t').next()?.to_owned()))
            .collect();
        words
    };
    assert_eq!(offered("alveary insp"), ["inspect"]);
    assert_eq!(offered("alveary up --exit"), ["--exit-code-from"]);
    assert_eq!(offered("alveary stop wasp h"), ["hornet"]);
    assert_eq!(offered("alveary --swarm=demo logs wa"), ["wasp"]);
    assert!(offered("alveary logs nobody").is_empty());
}
