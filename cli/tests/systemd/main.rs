//! What systemd itself says of the unit that keeps a swarm up.

#![expect(clippy::unwrap_used, reason = "a trial that cannot go on ends there")]
#![expect(
    clippy::print_stderr,
    reason = "who is not told why a trial is ignored cannot mend it"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_there = Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_ok();
    let in_ci = std::env::var_os("CI").is_some();
    let trial = |name, attempt: fn() -> Result<(), Failed>| {
        Trial::test(name, attempt).with_ignored_flag(!is_there && !in_ci)
    };
    if !is_there && !in_ci {
        eprintln!(
            "ignored: systemd-analyze is not here; install systemd (Debian: apt-get install systemd)"
        );
    }
    let trials = vec![
        trial("a_unit_of_the_users_own_is_one_to_systemd", || verify(&[])),
        trial("a_unit_of_the_system_is_one_to_systemd", || {
            verify(&["--system", "--user", "root"])
        }),
        trial("what_is_no_unit_is_found_out", || {
            let folder = tempfile::tempdir()?;
            let said = analyze(folder.path(), "[Service]\nExecStart=relative \"open\n");
            if said.status.success() {
                return Err("systemd-analyze takes anything".into());
            }
            Ok(())
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The folder has all in its name that systemd gives a meaning to.
fn swarm() -> TempDir {
    tempfile::Builder::new()
        .prefix("a b % $HOME 'q' ")
        .tempdir()
        .unwrap()
}

fn verify(flags: &[&str]) -> Result<(), Failed> {
    let folder = swarm();
    let file = folder.path().join("alveary.toml");
    fs::write(
        &file,
        "swarm = \"demo\"\n[agents.a]\ncommand = [\"true\"]\n",
    )?;
    let printed = Command::new(env!("CARGO_BIN_EXE_alveary"))
        .arg("--file")
        .arg(&file)
        .args(["startup", "--print"])
        .args(flags)
        .output()?;
    let unit = String::from_utf8(printed.stdout)?;
    if !printed.status.success() {
        return Err(String::from_utf8_lossy(&printed.stderr).into_owned().into());
    }
    let said = analyze(folder.path(), &unit);
    let words = String::from_utf8_lossy(&said.stderr);
    // A setting that it does not know it only warns of.
    if said.status.success() && !words.contains("alveary-demo.service") {
        return Ok(());
    }
    Err(format!("{words}\n{unit}").into())
}

fn analyze(folder: &Path, unit: &str) -> Output {
    let file = folder.join("alveary-demo.service");
    fs::write(&file, unit).unwrap();
    Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&file)
        .output()
        .unwrap()
}
