use std::time::Instant;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;

async fn run(line: &str) -> Result<String, Unable> {
    let program: Program = line.parse().unwrap();
    program
        .run(&json!({"description": "sing"}), CancellationToken::new())
        .await
}

fn reason(outcome: Result<String, Unable>) -> String {
    outcome.unwrap_err().reason().to_owned()
}

/// The process that `pidfile` names, once it is there.
async fn process_of(pidfile: &Path) -> u32 {
    loop {
        if let Ok(text) = std::fs::read_to_string(pidfile)
            && let Ok(pid) = text.trim().parse()
        {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until there is no such process, or only one that is nobody any more.
async fn gone(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let lives = || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").starts_with(" Z"))
    };
    while lives() {
        assert!(Instant::now() < deadline, "process {pid} still lives");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_program_reads_the_task_and_prints_the_result() {
    assert_eq!(run("cat").await.unwrap(), r#"{"description":"sing"}"#);
}

#[tokio::test]
async fn one_line_end_is_not_part_of_the_result() {
    assert_eq!(run(r"printf 'a\n\nb\n\n'").await.unwrap(), "a\n\nb\n");
}

#[tokio::test]
async fn a_program_that_reads_nothing_is_as_good() {
    assert_eq!(run("echo done").await.unwrap(), "done");
}

#[tokio::test]
async fn a_code_other_than_0_is_a_failure_with_the_last_of_stderr() {
    let reason = reason(run("sh -c 'echo unheard; echo no voice >&2; exit 3'").await);
    assert_eq!(reason, "`sh` ended with code 3: no voice");
}

#[tokio::test]
async fn a_signal_is_named() {
    assert_eq!(
        reason(run("sh -c 'kill -9 $$'").await),
        "`sh` was ended by signal 9"
    );
}

#[tokio::test]
async fn a_missing_program_is_named_with_the_cure() {
    let reason = reason(run("no-such-program --x").await);
    assert!(
        reason.contains("no program `no-such-program` (install it"),
        "{reason}"
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_are_said_to_be_so() {
    assert_eq!(
        reason(run(r"printf '\377'").await),
        "`printf` printed a result that is not UTF-8"
    );
}

#[tokio::test]
async fn an_endless_result_is_ended() {
    let reason = reason(run("yes").await);
    assert!(
        reason.contains("printed more than 262144 bytes"),
        "{reason}"
    );
}

#[tokio::test]
async fn the_longest_result_passes_whole() {
    let line = format!("head -c {} /dev/zero", crate::protocol::MAX_TEXT);
    assert_eq!(run(&line).await.unwrap().len(), crate::protocol::MAX_TEXT);
}

#[tokio::test]
async fn a_program_over_its_time_is_ended() {
    let program: Program = "sleep 600".parse().unwrap();
    let program = program.time_limit(Duration::from_millis(100));
    let reason = reason(program.run(&json!(null), CancellationToken::new()).await);
    assert_eq!(reason, "`sleep` took longer than 100ms");
}

#[tokio::test]
async fn what_a_program_leaves_behind_in_its_group_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let pidfile = dir.path().join("pid");
    // The child keeps the pipes open, and is not waited for.
    let line = format!(
        "sh -c 'sleep 600 & echo $! > {}; echo done'",
        pidfile.display()
    );
    assert_eq!(run(&line).await.unwrap(), "done");
    gone(process_of(&pidfile).await).await;
}

#[tokio::test]
async fn somebody_outside_the_group_who_holds_the_pipes_does_not_hold_the_result() {
    let dir = tempfile::tempdir().unwrap();
    let pidfile = dir.path().join("pid");
    let script = format!(
        "setsid sh -c \"echo \\$\\$ > {0}; exec sleep 600\" & while ! test -s {0}; do sleep 0.01; done; echo done",
        pidfile.display()
    );
    let program = Program::new(["sh", "-c", &script]).unwrap();
    let result = program.run(&json!(null), CancellationToken::new()).await;
    let outsider = process_of(&pidfile).await;
    let pid = rustix::process::Pid::from_raw(outsider.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(result.unwrap(), "done");
}

#[tokio::test]
async fn a_dropped_run_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let pidfile = dir.path().join("pid");
    let line = format!("sh -c 'sleep 600 & echo $! > {}; wait'", pidfile.display());
    let child = tokio::select! {
        _ = run(&line) => unreachable!("it waits for ten minutes"),
        child = process_of(&pidfile) => child,
    };
    gone(child).await;
}

#[tokio::test]
async fn a_cancelled_program_is_asked_before_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (ready, tidied) = (dir.path().join("ready"), dir.path().join("tidied"));
    let script = format!(
        "trap 'touch {}; exit 0' TERM; echo $$ > {}; while :; do sleep 0.01; done",
        tidied.display(),
        ready.display(),
    );
    let program = Program::new(["sh", "-c", &script]).unwrap();
    let cancelled = CancellationToken::new();
    let (outcome, leader) = tokio::join!(program.run(&json!(null), cancelled.clone()), async {
        let leader = process_of(&ready).await;
        cancelled.cancel();
        leader
    });
    // The shell may tell of its child, which was asked as well.
    let reason = reason(outcome);
    assert!(reason.starts_with("`sh` was called off"), "{reason}");
    assert!(tidied.exists());
    gone(leader).await;
}

#[test]
fn words_are_split_as_a_shell_does_and_nothing_else_is_done_to_them() {
    let program: Program = r#"python3 "my agent.py" $HOME"#.parse().unwrap();
    assert_eq!(
        program,
        Program::new(["python3", "my agent.py", "$HOME"]).unwrap()
    );
    assert_eq!("  ".parse::<Program>(), Err(InvalidProgram::Empty));
    assert_eq!("sh 'x".parse::<Program>(), Err(InvalidProgram::Quotes));
}

#[test]
fn a_program_is_found_before_it_is_needed() {
    assert!("sh -c true".parse::<Program>().unwrap().find().is_some());
    assert!(
        "no-such-program"
            .parse::<Program>()
            .unwrap()
            .find()
            .is_none()
    );
    assert!("/etc/passwd".parse::<Program>().unwrap().find().is_none());
}
