//! `stats`: what agents use up, once and again and again.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::hive::Hive;
use crate::pty::Pty;
use crate::reading::Reading;

const TWO: &str = r#"
    swarm = "demo"
    [agents.bee]
    count = 2
    command = ["sleep", "1000"]
"#;

fn up(file: &str) -> Hive {
    let hive = Hive::new(file);
    hive.ok(&["up", "-d", "--wait"]);
    hive
}

const MIB: u64 = 1 << 20;

/// What the writer writes and reads again.
const WRITTEN: u64 = 16 * MIB;

/// A file on a disk, whatever the folder for the time being is on, until the end.
struct OnDisk(PathBuf);

impl OnDisk {
    fn named(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn what_reaches_a_disk_and_comes_from_one_is_counted_for_who_does_it_and_no_more() {
    let comb = OnDisk::named("comb");
    // Past the kernel's cache, from which nothing comes from a disk.
    let script = "dd if=/dev/zero of=$COMB bs=1M count=16 conv=fsync && dd if=$COMB of=/dev/null bs=1M iflag=direct && echo done; exec sleep 1000";
    let hive = up(&format!(
        r#"
        swarm = "demo"
        [agents.writer]
        command = ["sh", "-c", "{script}"]
        env = {{ COMB = "{}" }}
        ready = {{ log = "done" }}
        [agents.idle]
        command = ["sleep", "1000"]
        "#,
        comb.0.display()
    ));
    let lines = hive.ok(&["stats", "--no-stream", "--format", "json"]);
    let used = |name: &str, what: &str| {
        let mut rows = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let row = rows.find(|row| row["name"] == name).unwrap();
        row[what]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} has no {what}: {lines}"))
    };
    let written = used("writer", "io_written");
    assert!((WRITTEN..WRITTEN + MIB).contains(&written), "{lines}");
    // Its programs may have come from the disk, too.
    let read = used("writer", "io_read");
    assert!((WRITTEN..WRITTEN + 8 * MIB).contains(&read), "{lines}");
    assert!(used("idle", "io_written") < MIB, "{lines}");
    assert!(used("idle", "io_read") < 8 * MIB, "{lines}");
    let table = hive.ok(&["stats", "--no-stream", "writer"]);
    assert!(table.contains(" / 16"), "{table}");
}

#[test]
fn on_a_terminal_one_table_is_drawn_in_its_place_until_ctrl_c() {
    let hive = up(TWO);
    let mut pty = Pty::run(hive.command().args(["stats", "--every", "100ms"]));
    let shows = |names: &'static [&str]| {
        move |screen: &str| {
            let rows = screen.lines().filter(|line| !line.trim().is_empty());
            let first: Vec<&str> = rows
                .filter_map(|row| row.split_whitespace().next())
                .collect();
            first == names
        }
    };
    pty.until("both", shows(&["NAME", "bee-1", "bee-2"]));
    // Without an earlier reading there is no share of a processor.
    pty.until("a second reading", |screen| screen.contains(" %"));
    hive.ok(&["stop", "bee-1"]);
    pty.until("the one that is left", shows(&["NAME", "bee-2"]));
    pty.send(b"\x03");
    assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
    let shown = pty.shown();
    assert!(shown.starts_with("\u{1b}[?1049h"), "{shown:?}");
    assert!(
        shown.trim_end().ends_with("\u{1b}[?25h\u{1b}[?1049l"),
        "{shown:?}"
    );
}

#[test]
fn in_a_pipe_each_reading_is_a_line_for_each_agent_or_a_table() {
    let hive = up(TWO);
    let mut lines = Reading::of(hive.command().args([
        "stats",
        "--every",
        "100ms",
        "--format",
        "{{ name }} {{ at }}",
    ]));
    for _ in 0..3 {
        for name in ["bee-1 ", "bee-2 "] {
            let line = lines.until("the next", |_| true);
            assert!(line.starts_with(name), "{:?}", lines.read());
        }
    }
    assert_eq!(lines.end(Signal::INT).code(), Some(130));
    let read = lines.read();
    assert!(read.windows(3).all(|three| three[0] < three[2]), "{read:?}");

    let mut tables = Reading::of(hive.command().args(["stats", "--every", "100ms"]));
    for _ in 0..3 {
        for name in ["NAME ", "bee-1 ", "bee-2 "] {
            let line = tables.until("the next", |_| true);
            assert!(line.starts_with(name), "{:?}", tables.read());
        }
    }
    assert_eq!(tables.end(Signal::TERM).code(), Some(130));
    let read = tables.read();
    assert!(!read.iter().any(|line| line.contains('\u{1b}')), "{read:?}");
}
