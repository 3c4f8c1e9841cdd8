//! `alveary agent`: a program does a coordinator's tasks.

use alveary_agent::protocol::{AgentStatus, TaskStatus};
use rustix::process::Signal;

use crate::bed::{Agent, Bed, program};
use crate::hive::{eventually, finish};

#[test]
fn a_program_does_the_tasks_that_its_agent_wins() {
    let bed = Bed::new();
    let agent = bed.agent(
        "echo",
        &["--exec", "cat", "--capability", "repeat", "--bid", "25"],
    );
    let task = bed.outcome(bed.give("say this again", "repeat"));
    assert_eq!(task.status, TaskStatus::Completed);
    assert_eq!(task.winning_bid.unwrap().get(), 25);
    let told: serde_json::Value = serde_json::from_str(&task.result.unwrap()).unwrap();
    assert_eq!(told["description"], "say this again");
    assert_eq!(told["agent_id"], "echo");
    let (status, said) = agent.end(Signal::TERM);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("1 done, 0 failed"), "{said}");
    assert_eq!(bed.the_agent("echo").status, AgentStatus::Offline);
}

#[test]
fn a_program_that_fails_fails_its_task_with_the_end_of_what_it_said() {
    let bed = Bed::new();
    let exec = "sh -c 'echo half done; echo no ink left >&2; exit 3'";
    let agent = bed.agent("scribe", &["--exec", exec]);
    let task = bed.outcome(bed.give("write", ""));
    assert_eq!(task.status, TaskStatus::Failed);
    let reason = task.result.unwrap();
    assert!(reason.contains("no ink left"), "{reason}");
    let (status, said) = agent.end(Signal::INT);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("0 done, 1 failed"), "{said}");
}

#[test]
fn who_it_is_and_what_it_can_do_may_come_from_the_environment() {
    let bed = Bed::new();
    let mut command = program();
    command
        .args(["agent", "--exec", "cat"])
        .env("COORDINATOR_URL", format!("{}/", bed.url()))
        .env("COORDINATOR_TOKEN_FILE", bed.token_of("a1"))
        .env("AGENT_ID", "a1")
        .env("AGENT_NAME", "Echo")
        .env("AGENT_CAPABILITIES", "sing,dance");
    let agent = Agent::start(&mut command);
    let there = bed.the_agent("a1");
    assert_eq!(there.name, "Echo");
    assert_eq!(there.capabilities.to_string(), "dance,sing");
    // What it cannot do it does not bid for, however long it is open.
    let other = bed.give("paint", "paint");
    let own = bed.give("dance", "dance,sing");
    assert_eq!(bed.outcome(own).status, TaskStatus::Completed);
    assert!(bed.bids(other).is_empty());
    drop(agent);
}

#[test]
fn without_capabilities_in_the_environment_it_has_none() {
    let bed = Bed::new();
    let mut command = program();
    command
        .args(["agent", "--exec", "cat", "--agent-id", "a1", "--url"])
        .arg(bed.url())
        .arg("--token-file")
        .arg(bed.token_of("a1"))
        .env("AGENT_CAPABILITIES", "");
    let _agent = Agent::start(&mut command);
    assert!(bed.the_agent("a1").capabilities.is_empty());
    assert_eq!(
        bed.outcome(bed.give("anything", "")).status,
        TaskStatus::Completed
    );
}

#[test]
fn the_lowest_price_wins_and_a_program_may_name_it() {
    let bed = Bed::new();
    // Dear enough to lose against whatever the range gives.
    let _dear = bed.agent("dear", &["--exec", "cat", "--bid", "sh -c 'echo 90'"]);
    let _cheap = bed.agent("cheap", &["--exec", "cat", "--bid", "3-7"]);
    bed.the_agent("dear");
    bed.the_agent("cheap");
    let task = bed.outcome(bed.give("carry", ""));
    assert_eq!(task.assigned_agent.unwrap().as_str(), "cheap");
    assert!((3..=7).contains(&task.winning_bid.unwrap().get()));
    let mut bids: Vec<_> = bed.bids(task.id);
    bids.sort_by_key(|bid| bid.bid_sats);
    assert_eq!(bids[1].bid_sats.get(), 90);
}

#[test]
fn it_does_as_many_tasks_at_a_time_as_it_is_told() {
    let bed = Bed::new();
    let go = bed.path().join("go");
    let exec = format!("sh -c 'until [ -e {} ]; do sleep 0.02; done'", go.display());
    let _agent = bed.agent("many", &["--exec", &exec, "--concurrency", "2"]);
    let tasks = [bed.give("one", ""), bed.give("two", "")];
    for task in tasks {
        bed.until(task, |task| task.status == TaskStatus::Running);
    }
    std::fs::write(go, "").unwrap();
    for task in tasks {
        assert_eq!(bed.outcome(task).status, TaskStatus::Completed);
    }
}

#[test]
fn a_task_that_takes_too_long_has_failed() {
    let bed = Bed::new();
    let _agent = bed.agent("slow", &["--exec", "sleep 1000", "--time-limit", "200ms"]);
    let task = bed.outcome(bed.give("hurry", ""));
    assert_eq!(task.status, TaskStatus::Failed);
}

#[test]
fn asked_to_end_it_finishes_what_it_has_begun() {
    let bed = Bed::new();
    let [begun, go] = ["begun", "go"].map(|name| bed.path().join(name));
    let exec = format!(
        "sh -c 'echo > {}; until [ -e {} ]; do sleep 0.02; done; echo finished'",
        begun.display(),
        go.display()
    );
    let agent = bed.agent("loyal", &["--exec", &exec, "--grace", "1m"]);
    let task = bed.give("finish this", "");
    eventually("its program has begun", || begun.exists().then_some(()));
    agent.signal(Signal::TERM);
    // It takes up nothing more once it has heard of that.
    let later = bed.give("and this", "");
    std::fs::write(go, "").unwrap();
    assert_eq!(bed.outcome(task).result.as_deref(), Some("finished"));
    let (status, said) = agent.ended();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_ne!(bed.task(later).status, TaskStatus::Running);
}

#[test]
fn what_it_cannot_finish_within_its_grace_it_gives_back_and_its_program_is_gone() {
    let bed = Bed::new();
    let pid = bed.path().join("pid");
    let exec = format!("sh -c 'echo $$ > {}; exec sleep 1000'", pid.display());
    let agent = bed.agent("hasty", &["--exec", &exec, "--grace", "0"]);
    let task = bed.give("take for ever", "");
    let pid: u32 = eventually("its program says who it is", || {
        std::fs::read_to_string(&pid).ok()?.trim().parse().ok()
    });
    let (status, said) = agent.end(Signal::TERM);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("1 given back"), "{said}");
    assert!(!crate::hive::is_alive(pid));
    // Another may have it at once, long before a heartbeat would have been missed.
    let _other = bed.agent("other", &["--exec", "echo done"]);
    let done = bed.outcome(task);
    assert_eq!(done.assigned_agent.unwrap().as_str(), "other");
    assert_eq!(done.attempts, 2);
}

#[test]
fn a_coordinator_that_is_not_there_yet_is_waited_for() {
    // An address that no other test listens at.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = (std::net::Ipv4Addr::new(127, 77, high, low), 8000).into();
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "not yet known").unwrap();
    let mut command = program();
    command
        .args(["agent", "--exec", "cat", "--agent-id", "early", "--url"])
        .arg(format!("http://{address}"))
        .arg("--token-file")
        .arg(&token);
    let mut agent = Agent::start(&mut command);
    agent.until_it_says("cannot be reached");
    let bed = Bed::at(address);
    // The token is read again when it is refused.
    std::fs::copy(bed.token_of("early"), &token).unwrap();
    let task = bed.outcome(bed.give("wait", ""));
    assert_eq!(task.status, TaskStatus::Completed);
    let (status, said) = agent.end(Signal::TERM);
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn a_token_that_is_another_agents_ends_it_with_one_sentence_that_does_not_show_it() {
    let bed = Bed::new();
    let token = bed.token_of("somebody");
    let mut command = program();
    command
        .args(["agent", "--exec", "cat", "--agent-id", "me", "--url"])
        .arg(bed.url())
        .arg("--token-file")
        .arg(&token);
    let ran = finish(&mut command);
    assert_eq!(ran.code(), Some(2), "{ran}");
    let said = ran.stderr();
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    assert!(said.contains("may not speak for"), "{said}");
    assert!(said.contains("help:"), "{said}");
    let token = std::fs::read_to_string(token).unwrap();
    let (_, proof) = token.split_once('~').unwrap();
    assert!(!said.contains(proof), "{said}");
}

#[test]
fn what_cannot_be_right_is_one_sentence() {
    let good = [("--exec", "cat"), ("--url", "http://127.0.0.1:9")];
    for (flag, value, words) in [
        ("--exec", "no-such-program", "no-such-program"),
        ("--exec", "cat 'half", "quote"),
        ("--exec", "", "names no program"),
        ("--bid", "0", "no amount"),
        ("--bid", "9-3", "range"),
        ("--bid", "-5", "no amount"),
        ("--bid", "no-such-pricer", "no-such-pricer"),
        ("--capability", "a\u{1b}[31m", "cannot be a capability"),
        ("--url", "https://127.0.0.1:9", "https"),
        ("--url", "http://me:secret@127.0.0.1:9", "password"),
        ("--url", "nowhere", "URL"),
        ("--agent-id", "../x", "../x"),
        ("--concurrency", "0", "0"),
        ("--time-limit", "0s", "too short"),
        ("--grace", "soon", "length of time"),
    ] {
        let mut command = program();
        command.arg("agent");
        for (name, given) in good {
            if name != flag {
                command.args([name, given]);
            }
        }
        let ran = finish(command.arg(format!("{flag}={value}")));
        assert_eq!(ran.code(), Some(2), "{flag}={value}: {ran}");
        let said = ran.stderr();
        assert_eq!(said.matches("error:").count(), 1, "{flag}={value}: {said}");
        assert!(said.contains(words), "{flag}={value}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
        assert!(!said.contains("secret"), "{said}");
    }
    let ran = finish(program().args(["agent", "--exec", "cat"]));
    assert_eq!(ran.code(), Some(2), "{ran}");
    assert!(ran.stderr().contains("--url"), "{ran}");
}
