//! Who restarts agents, and who comes after him.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, pidfd_getfd, pidfd_open};

use crate::hive::{Hive, eventually, is_alive, pid_of, signal};
use crate::pty::Pty;
use crate::tally::processes;

const TWO: &str = r#"
    swarm = "demo"
    [agents.mine]
    command = ["sleep", "1000"]
    [agents.other]
    command = ["sleep", "1000"]
    restart = { policy = "always", delay = "10ms" }
"#;

/// The supervisors of this swarm, whether they restart agents or wait.
fn supervisors(hive: &Hive) -> Vec<u32> {
    let state = format!("ALVEARY_STATE_DIR={}", hive.state().display());
    let has = |pid: u32, file: &str, word: &str| {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        bytes
            .split(|byte| *byte == 0)
            .any(|it| it == word.as_bytes())
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid| has(pid, "cmdline", "__supervise") && has(pid, "environ", &state))
        .filter(|&pid| is_alive(pid))
        .collect()
}

/// A supervisor, started by hand, that has found another before it.
fn one_that_waits(hive: &Hive) -> Child {
    let mut waits = hive
        .command()
        .args(["__supervise", "--file", "alveary.toml", "--swarm", "demo"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(waits.stderr.take().unwrap());
    let mut lines = said.lines().map(Result::unwrap);
    assert!(
        lines.any(|line| line.contains("waits until it has ended")),
        "it does not say that it waits"
    );
    // What it says later has nowhere to go and must not end it.
    std::thread::spawn(move || lines.for_each(drop));
    waits
}

#[test]
fn the_second_of_two_supervisors_takes_over_soon_when_the_first_is_killed() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let first = hive.the_supervisor();
    let mut second = one_that_waits(&hive);
    assert_eq!(hive.supervisor(), Some(first));

    let began = Instant::now();
    signal(first, Signal::KILL);
    eventually("the second has the lease", || {
        (hive.supervisor() == Some(second.id())).then_some(())
    });
    let took = began.elapsed();
    // The lock says so within a moment; what would have to run out takes longer than this.
    assert!(took < Duration::from_secs(5), "it took {took:?}");

    // It does what the first would have done.
    signal(pid_of(&hive.agent("other")), Signal::KILL);
    hive.until("other", "is restarted", |agent| {
        agent["restarts"] == 1 && agent["state"] == "running"
    });
    hive.ok(&["down"]);
    assert!(second.wait().unwrap().success());
}

/// What a process has open beneath names that end so: the same opened files, with their locks.
fn opened_by(pid: u32, endings: &[&str]) -> Vec<OwnedFd> {
    let process = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let process = pidfd_open(process, PidfdFlags::empty()).unwrap();
    let listed = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    listed
        .map(Result::unwrap)
        .filter(|entry| {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            endings.iter().any(|ending| target.ends_with(ending))
        })
        .map(|entry| {
            let number = entry.file_name().to_str().unwrap().parse().unwrap();
            pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).unwrap()
        })
        .collect()
}

#[test]
fn a_supervisor_whose_locks_outlive_it_is_no_supervisor() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let first = hive.the_supervisor();
    // A child of ours, whose files may be taken hold of wherever tests run.
    let mut second = one_that_waits(&hive);
    signal(first, Signal::KILL);
    eventually("the second has the lease", || {
        (hive.supervisor() == Some(second.id())).then_some(())
    });
    let locks = opened_by(
        second.id(),
        &["lease", "supervisor.1.lock", "supervisor.2.lock"],
    );
    assert_eq!(locks.len(), 2, "the lease and a seat");
    // As while a killed process has threads yet that have not ended.
    signal(second.id(), Signal::KILL);
    second.wait().unwrap();

    let up = hive.command().args(["up", "-d"]).spawn().unwrap();
    let third = eventually("another is left with the swarm", || {
        supervisors(&hive).first().copied()
    });
    drop(locks);
    let up = up.wait_with_output().unwrap();
    assert!(up.status.success(), "{up:?}");
    assert_eq!(hive.supervisor(), Some(third));
}

#[test]
fn a_detached_up_beside_a_foreground_one_leaves_a_supervisor_for_the_time_after() {
    let hive = Hive::new(TWO);
    let mut pty = Pty::run(hive.command().args(["up", "mine"]));
    pty.expect("mine started");
    let foreground = hive.the_supervisor();
    hive.ok(&["up", "-d", "other"]);
    assert_eq!(hive.supervisor(), Some(foreground));
    let waiting = supervisors(&hive);
    assert_eq!(waiting.len(), 1);
    // Once more, and there is still one.
    hive.ok(&["up", "-d"]);
    assert_eq!(supervisors(&hive), waiting);

    pty.send(b"\x03");
    assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
    eventually("the one that waited has the lease", || {
        (hive.supervisor() == Some(waiting[0])).then_some(())
    });
    signal(pid_of(&hive.agent("other")), Signal::KILL);
    hive.until("other", "is restarted", |agent| {
        agent["restarts"] == 1 && agent["state"] == "running"
    });
    assert!(hive.run(&["ps"]).stderr().is_empty());
}

#[test]
fn a_supervisor_that_waits_ends_with_its_swarm() {
    let hive = Hive::new(TWO);
    let mut pty = Pty::run(hive.command().args(["up", "mine"]));
    pty.expect("mine started");
    hive.ok(&["up", "-d", "other"]);
    hive.ok(&["down"]);
    eventually("nobody waits any more", || {
        supervisors(&hive).is_empty().then_some(())
    });
    pty.finish();
}

#[test]
fn many_detached_ups_at_once_leave_one_supervisor_or_one_and_a_spare() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let first = hive.the_supervisor();
    signal(first, Signal::KILL);
    eventually("there is no supervisor", || {
        (!is_alive(first)).then_some(())
    });
    let ups: Vec<_> = (0..12)
        .map(|_| {
            let mut up = hive.command();
            up.args(["up", "-d"]).stderr(Stdio::piped());
            up.spawn().unwrap()
        })
        .collect();
    for up in ups {
        let up = up.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&up.stderr);
        assert!(up.status.success(), "{said}");
    }
    assert!(hive.supervisor().is_some());
    // Those that found no seat leave by themselves.
    eventually("at most two stay", || {
        (1..=2).contains(&supervisors(&hive).len()).then_some(())
    });
    let stay = supervisors(&hive);
    hive.ok(&["up", "-d"]);
    assert_eq!(supervisors(&hive), stay);
}

#[test]
fn many_first_ups_at_once_start_each_agent_once() {
    let hive = Hive::new(TWO);
    let ups: Vec<_> = (0..12)
        .map(|_| {
            let mut up = hive.command();
            up.args(["up", "-d"]).stderr(Stdio::piped());
            up.spawn().unwrap()
        })
        .collect();
    for up in ups {
        let up = up.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&up.stderr);
        assert!(up.status.success(), "{said}");
    }
    assert_eq!(hive.agents().len(), 2);
    assert_eq!(processes(&hive.state()).len(), 2, "each runs once");
}

#[test]
fn who_was_not_ready_in_time_runs_on_and_is_started_again_all_the_same() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.slow]
        command = ["sleep", "1000"]
        ready = { log = "never said", timeout = "100ms" }
        restart = { policy = "always", delay = "10ms" }
        "#,
    );
    let up = hive.run(&["up", "-d", "--wait"]);
    assert_eq!(up.code(), Some(1), "{up}");
    assert!(up.stderr().contains("not ready"), "{up}");
    hive.the_supervisor();

    signal(pid_of(&hive.agent("slow")), Signal::KILL);
    hive.until("slow", "is restarted", |agent| {
        agent["restarts"] == 1 && agent["state"] == "running"
    });
}
