//! How long whole commands take: from the shell's side, as a user waits for them.
//!
//! `up -d` and `down` stand beside another process manager, `shep`, where that is in the PATH
//! (`cargo install shep`); it is given the same fifty programs.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends there")]
#![expect(clippy::print_stdout, reason = "a bench says what it has measured")]

#[path = "commands/tasks.rs"]
mod tasks;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alveary_conformance::Pairs;
use tempfile::TempDir;

const AGENTS: usize = 50;
const MANY: usize = 1000;
const ROUNDS: usize = 15;

fn main() {
    up_and_down();
    at_once();
    many();
    tasks::given();
}

/// What somebody types and expects to see at once.
fn at_once() {
    let hive = Hive::new(AGENTS);
    hive.up();
    println!("\n| with {AGENTS} agents, wall time, p50 | measured | goal |\n|---|---|---|");
    let rows: [(&str, &dyn Fn()); 3] = [
        ("`--help`", &|| hive.run(&["--help"])),
        ("`ps`", &|| hive.run(&["ps"])),
        ("completing a name", &|| hive.complete()),
    ];
    for (what, act) in rows {
        let took = p50(act);
        println!("| {what} | {:.1} ms | ≤ 20 ms |", took.as_secs_f64() * 1e3);
    }
}

fn p50(act: impl Fn()) -> Duration {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            act();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

/// A folder with a fleet of so many sleepers, and a state folder of its own.
struct Hive {
    folder: TempDir,
    agents: usize,
}

impl Hive {
    fn new(agents: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fleet =
            format!("[agents.sleeper]\ncount = {agents}\ncommand = [\"sleep\", \"100000\"]\n");
        fs::write(folder.path().join("alveary.toml"), fleet).unwrap();
        Self { folder, agents }
    }

    fn run(&self, arguments: &[&str]) {
        let status = quiet(
            Command::new(env!("CARGO_BIN_EXE_alveary")).args(arguments),
            self.folder.path(),
        )
        .env("ALVEARY_STATE_DIR", self.folder.path().join("state"))
        .status()
        .unwrap();
        assert!(status.success(), "alveary {arguments:?} failed");
    }

    /// What a shell does when somebody completes the name of an agent.
    fn complete(&self) {
        let status = quiet(
            Command::new(env!("CARGO_BIN_EXE_alveary")).args([
                "--",
                "alveary",
                "logs",
                "sleeper-4",
            ]),
            self.folder.path(),
        )
        .env("ALVEARY_STATE_DIR", self.folder.path().join("state"))
        .env("ALVEARY_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "2")
        .env("_CLAP_IFS", "\n")
        .status()
        .unwrap();
        assert!(status.success(), "nothing is completed");
    }

    /// From the command to the last of its agents in `/proc`.
    fn up(&self) -> Duration {
        until(self.agents, || self.run(&["up", "--detach"]))
    }

    fn down(&self) -> Duration {
        until(0, || self.run(&["down"]))
    }
}

impl Drop for Hive {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

/// The same programs under another process manager.
struct Shep {
    folder: TempDir,
}

impl Shep {
    fn find() -> Option<Self> {
        Command::new("shep")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .ok()?;
        let folder = tempfile::tempdir().unwrap();
        let mut flock = String::new();
        for number in 0..AGENTS {
            let app = "script = \"sleep\"\nargs = [\"100000\"]";
            // Writing to a String cannot fail.
            let _ = writeln!(flock, "[[app]]\nname = \"sleeper-{number}\"\n{app}\n");
        }
        fs::write(folder.path().join("Flockfile.toml"), flock).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Some(Self { folder })
    }

    fn run(&self, arguments: &[&str]) {
        let home = self.folder.path().join("home");
        // Its exit code is its own affair; that its programs run, or do not, is seen in /proc.
        let _status = quiet(Command::new("shep").args(arguments), self.folder.path())
            .env("SHEP_HOME", home)
            .status()
            .unwrap();
    }
}

fn quiet<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// How long it takes from the start of `act` until so many sleepers run.
fn until(count: usize, act: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    act();
    while sleepers() != count {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "{} of {count} sleepers run",
            sleepers()
        );
    }
    begun.elapsed()
}

fn sleepers() -> usize {
    processes()
        .filter(|(_, arguments)| arguments.ends_with(b"sleep\x00100000\0"))
        .count()
}

fn processes() -> impl Iterator<Item = (u32, Vec<u8>)> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, fs::read(entry.path().join("cmdline")).ok()?))
    })
}

fn up_and_down() {
    let hive = Hive::new(AGENTS);
    let Some(shep) = Shep::find() else {
        println!("shep is not in the PATH: `up -d` and `down` have nothing to stand beside");
        let median = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2]
        };
        let (mut ups, mut downs): (Vec<_>, Vec<_>) =
            (0..ROUNDS).map(|_| (hive.up(), hive.down())).unzip();
        println!("\n| what | measured, p50 |\n|---|---|");
        println!("| `up -d` of {AGENTS} | {:?} |", median(&mut ups));
        println!("| `down` of {AGENTS} | {:?} |", median(&mut downs));
        return;
    };
    let (mut ups, mut downs) = (Pairs::default(), Pairs::default());
    for _ in 0..ROUNDS {
        let theirs = until(AGENTS, || shep.run(&["start", "Flockfile.toml"]));
        let their_end = until(0, || shep.run(&["kill"]));
        ups.push(theirs, hive.up());
        downs.push(their_end, hive.down());
    }
    println!("{}", Pairs::HEAD);
    println!(
        "{}",
        ups.row(
            &format!("`up -d` of {AGENTS}, beside `shep start`"),
            "≤ 0.7"
        )
    );
    println!(
        "{}",
        downs.row(&format!("`down` of {AGENTS}, beside `shep kill`"), "≤ 0.5")
    );
}

fn many() {
    let hive = Hive::new(MANY);
    let up = hive.up();
    let listing = p50(|| hive.run(&["ps"]));
    println!("\n| with {MANY} agents | measured | goal |\n|---|---|---|");
    println!(
        "| `ps`, wall time, p50 | {} ms | ≤ 30 ms |",
        listing.as_millis()
    );
    println!(
        "| keeper and supervisor, resident | {} MiB | ≤ 40 MiB |",
        resident(&hive) >> 20
    );
    println!("| `up -d` | {} ms | |", up.as_millis());
    println!(
        "| completing a name, p50 | {} ms | ≤ 30 ms |",
        p50(|| hive.complete()).as_millis()
    );
    println!("| `down` | {} ms | |", hive.down().as_millis());
}

/// What those hold in memory that stay with the swarm.
fn resident(hive: &Hive) -> u64 {
    let folder = hive.folder.path().to_string_lossy().into_owned();
    let is_ours = |pid: u32| {
        let of = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&of("environ")).into_owned();
        environment.contains(&folder) && !of("cmdline").ends_with(b"sleep\x00100000\0")
    };
    processes()
        .filter(|&(pid, _)| is_ours(pid))
        .filter_map(|(pid, _)| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        })
        .sum::<u64>()
        * 1024
}
