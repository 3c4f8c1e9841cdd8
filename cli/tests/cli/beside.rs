//! Programs beside an agent, and what agents use up.

use std::io::Write as _;
use std::process::Stdio;

use rustix::termios::Winsize;
use serde_json::Value;

use crate::hive::{Hive, eventually};
use crate::pty::Pty;

const TWO: &str = r#"
    swarm = "demo"
    [agents.bee]
    count = 2
    command = ["sleep", "1000"]
    env = { KIND = "worker" }
"#;

fn up() -> Hive {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    hive
}

#[test]
fn a_program_beside_an_agent_has_its_environment_and_ends_as_it_ends() {
    let hive = up();
    let ran = hive.run(&[
        "exec",
        "-e",
        "MORE=x y",
        "bee-2",
        "sh",
        "-c",
        "echo $AGENT_NAME is a $KIND with $MORE; echo aside >&2; exit 7",
    ]);
    assert_eq!(ran.code(), Some(7), "{ran}");
    assert_eq!(ran.stdout(), "bee-2 is a worker with x y\n");
    assert_eq!(ran.stderr(), "aside\n");
    let killed = hive.run(&["exec", "bee-1", "sh", "-c", "kill -9 $$"]);
    assert_eq!(killed.code(), Some(137), "{killed}");
}

#[test]
fn what_is_piped_in_arrives_to_its_end_and_byte_for_byte() {
    let hive = up();
    let mut command = hive.command();
    command.args(["exec", "-i", "bee-1", "sha256sum"]);
    let mut running = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // More than any pipe holds, and no text.
    let bytes: Vec<u8> = (0..3_000_000u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let mut stdin = running.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = running.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    // What `sha256sum` says of the same bytes from a file.
    assert!(
        said.starts_with("4d3870d4655ed773027a713ea136507d22e076248e0e9cc920a996039653b76f"),
        "{said}"
    );
}

#[test]
fn on_a_terminal_keys_arrive_one_by_one_and_its_size_is_the_callers() {
    let hive = up();
    let size = |rows, columns| Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let mut command = hive.command();
    command.args(["exec", "-it", "bee-1", "sh", "-c"]);
    // Ctrl-C is the program's own there.
    command.arg("trap 'echo was interrupted' INT; echo ready; while read line; do stty size; echo got $line; done; exit 3");
    let mut pty = Pty::sized(&command, size(31, 97));
    pty.expect("ready");
    pty.send(b"first\r");
    pty.expect("31 97");
    pty.expect("got first");
    pty.resize(size(40, 120));
    // It learns of it in its own time, and is asked until it has.
    let mut asked = 0;
    eventually("the new size", || {
        asked += 1;
        pty.send(format!("again {asked}\r").as_bytes());
        // Not of an earlier one: else it is asked faster than it answers, and the new size waits behind all that.
        pty.expect(&format!("got again {asked}"));
        pty.shown().contains("40 120").then_some(())
    });
    pty.send(b"\x03");
    pty.expect("was interrupted");
    pty.send(b"\x04");
    assert_eq!(pty.finish().code(), Some(3), "{}", pty.shown());
}

#[test]
fn the_keys_that_let_go_leave_the_terminal_as_it_was() {
    let hive = up();
    let mut command = hive.around("sh");
    let program = env!("CARGO_BIN_EXE_alveary");
    command.arg("-c").arg(format!(
        "'{program}' exec -it --detach-keys ctrl-x,q bee-1 sh -c 'echo ready; cat'; echo code $?; stty -a"
    ));
    let mut pty = Pty::run(&command);
    pty.expect("ready");
    pty.send(b"\x18q");
    pty.expect("let go");
    pty.expect("code 0");
    // Lines again, and echo: a terminal that is left raw says `-icanon`.
    pty.expect(" icanon");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}

#[test]
fn the_keys_that_let_go_are_heard_though_the_program_reads_nothing_of_what_is_typed() {
    let hive = up();
    let mut command = hive.command();
    command.args(["exec", "-it", "bee-1", "sh", "-c"]);
    // Once its terminal is raw, what nobody reads fills it up.
    command.arg("stty raw -echo; echo deaf; exec sleep 1000");
    let mut pty = Pty::run(&command);
    pty.expect("deaf");
    pty.send(&b"x".repeat(40_000));
    pty.send(b"\x10\x11");
    pty.expect("let go");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}

#[test]
fn a_program_is_run_beside_one_agent_that_is_there() {
    let hive = up();
    for (agent, words) in [("bee", "means 2 agents"), ("wasp", "wasp")] {
        let refused = hive.run(&["exec", agent, "true"]);
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert!(refused.stderr().contains(words), "{refused}");
    }
}

#[test]
fn a_program_that_cannot_be_run_is_told_as_by_a_shell() {
    let hive = up();
    std::fs::write(hive.path().join("plain"), "").unwrap();
    for (args, code, words) in [
        (
            &["bee-1", "alveary-absent"][..],
            127,
            "help: install it, or name another program",
        ),
        (
            &["bee-1", "./alveary-absent"],
            127,
            "help: name another program",
        ),
        (&["bee-1", "./plain"], 126, "chmod +x"),
        (
            &["-w", "/dev/null", "bee-1", "true"],
            126,
            "correct --workdir",
        ),
        (&["bee-1", "/"], 126, "help: name another program"),
        (
            &["-w", "/alveary-absent", "bee-1", "true"],
            127,
            "help: make it, or correct --workdir",
        ),
        (
            &["-w", "here", "bee-1", "true"],
            2,
            "help: give the whole path",
        ),
    ] {
        let refused = hive.run(&[&["exec"], args].concat());
        assert_eq!(refused.code(), Some(code), "{args:?}: {refused}");
        assert!(refused.stderr().contains(words), "{args:?}: {refused}");
        assert!(
            refused.stderr().contains("agent bee-1: "),
            "{args:?}: {refused}"
        );
    }
}

#[test]
fn a_program_beside_an_agent_is_given_files_of_variables() {
    let hive = up();
    std::fs::write(
        hive.path().join("one.env"),
        "KIND=queen\nMORE='x y'\nLAST=1\n",
    )
    .unwrap();
    std::fs::write(hive.path().join("two.env"), "LAST=2\n").unwrap();
    std::fs::write(hive.path().join("bad.env"), "no variable\n").unwrap();
    let show = ["bee-1", "sh", "-c", "echo $KIND $MORE $LAST"];
    let files = ["--env-file", "one.env", "--env-file", "two.env"];
    let exec = |flags: &[&str]| hive.ok(&[&["exec"], &files[..], flags, &show].concat());
    assert_eq!(exec(&[]), "queen x y 2\n");
    assert_eq!(exec(&["-e", "MORE=z"]), "queen z 2\n");
    for (file, words) in [
        (
            "absent.env",
            "there is no file `absent.env`\nhelp: give --env-file",
        ),
        (
            "bad.env",
            "bad.env: line 1: there is no `=` in it\nhelp: mend it",
        ),
    ] {
        let refused = hive.run(&["exec", "--env-file", file, "bee-1", "true"]);
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert!(refused.stderr().contains(words), "{refused}");
    }
}

#[test]
fn what_comes_in_pieces_is_whole_on_a_terminal() {
    let hive = up();
    let mut command = hive.command();
    command.args(["exec", "bee-1", "sh", "-c"]);
    command.arg(
        "printf 'half: \\342'; until test -e go; do sleep 0.01; done; printf '\\202\\254 10%%\\r'",
    );
    let mut pty = Pty::run(&command);
    // What can be shown is shown at once: it may be a prompt.
    pty.expect("half: ");
    std::fs::write(hive.path().join("go"), "").unwrap();
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
    assert!(pty.shown().contains(r"half: € 10%\r"), "{}", pty.shown());
}

#[test]
fn what_agents_use_is_told_for_people_and_for_programs() {
    let hive = up();
    let table = hive.ok(&["stats", "--no-stream"]);
    assert!(table.starts_with("NAME"), "{table}");
    assert_eq!(table.lines().count(), 3, "{table}");

    let json = hive.ok(&["stats", "--no-stream", "--format", "json", "bee-1"]);
    let row: Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(row["name"], "bee-1");
    assert!(
        row["cpu_percent"].is_number() && row["pids"].as_u64() >= Some(1),
        "{row}"
    );
    assert!(row["memory"].as_u64() > Some(0), "{row}");
}

#[test]
fn who_uses_nothing_up_is_shown_where_all_are_asked_for() {
    let hive = up();
    hive.ok(&["stop", "bee-1"]);
    let shown = |flags: &[&str]| {
        let row = "{{ name }} {{ memory is none }}";
        hive.ok(&[&["stats", "--no-stream", "--format", row], flags].concat())
    };
    assert_eq!(shown(&[]), "bee-2 false\n");
    assert_eq!(shown(&["bee-1"]), "");
    assert_eq!(shown(&["-a"]), "bee-1 true\nbee-2 false\n");
    assert_eq!(shown(&["--all", "bee-1"]), "bee-1 true\n");
    let table = hive.ok(&["stats", "--no-stream", "--all"]);
    assert!(table.contains("bee-1 ") && table.contains(" - "), "{table}");
}

#[test]
fn an_agent_that_is_busy_is_seen_to_be() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.busy]\ncommand = [\"sh\", \"-c\", \"while :; do :; done\"]\n",
    );
    hive.ok(&["up", "-d"]);
    let share = eventually("a share of a processor", || {
        let json = hive.ok(&["stats", "--no-stream", "--format", "json"]);
        let row: Value = serde_json::from_str(json.trim()).unwrap();
        row["cpu_percent"].as_f64().filter(|share| *share > 1.0)
    });
    assert!(share < 150.0, "{share}");
}
