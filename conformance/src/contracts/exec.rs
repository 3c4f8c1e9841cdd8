//! Programs that run beside agents: theirs in everything, their caller's to read and to end.

use std::time::Duration;

use alveary_core::{
    AgentId, AgentInfo, ByteSize, Collected, ErrorKind, ExecOutput, ExecSpec, Execution,
    ExitStatus, Incarnation, LogStreamKind, Operation, Signal, StopOptions, TtySize,
};
use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;

use crate::behaviour::{Behaviour, READY};
use crate::canary::Canary;
use crate::errand::Errand;
use crate::need::Need;
use crate::swarm::{Swarm, not_found, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Exec:
    an_exit_code_is_told_as_it_was [Need::Errand(Errand::Exit(7))],
    both_streams_arrive_apart_and_byte_for_byte [Need::Errand(print(b"", b""))],
    what_is_written_to_it_is_read_to_its_end [Need::Errand(Errand::Copy)],
    a_standard_input_that_is_dropped_has_ended [Need::Errand(Errand::Copy)],
    without_a_standard_input_there_is_nothing_to_read [Need::Errand(Errand::Copy)],
    it_has_the_agents_environment_and_over_it_the_calls [Need::Errand(Errand::PrintEnvironment)],
    a_variables_value_is_in_no_argument_and_not_traced
        [Need::Errand(Errand::Stay), Need::Witness, Need::Agent(ALONE)],
    it_runs_where_the_agent_does_unless_told [Need::Cwd, Need::Errand(Errand::PrintCwd)],
    whoever_does_not_read_holds_it_up_and_loses_nothing [Need::Errand(Errand::Flood(FLOOD))],
    what_it_writes_is_not_in_the_agents_log [Need::Errand(print(b"", b""))],
    a_terminal_has_the_size_that_it_is_given [Need::Errand(Errand::PrintTtySize)],
    many_run_beside_each_other [Need::Errand(Errand::Exit(7))],
    it_ends_with_its_agent [Need::Errand(Errand::Stay)],
    one_that_is_dropped_ends
        [Need::Errand(Errand::Stay), Need::ExecEnds, Need::Witness, Need::Agent(ALONE)],
    a_call_that_is_dropped_leaves_nothing_running
        [Need::Errand(Errand::Stay), Need::ExecEnds, Need::Witness, Need::Agent(ALONE)],
    a_program_that_is_not_there_is_told [Need::Errand(Errand::Exit(7))],
    what_cannot_be_run_is_refused [Need::Errand(Errand::Exit(7))],
    beside_nobody_it_does_not_run [Need::Errand(Errand::Exit(7))],
);

/// More than lies in pipes and sockets on the way.
const FLOOD: u64 = 4 * 1024 * 1024;

/// For as long as it is looked whether something goes on that should not.
const A_WHILE: Duration = Duration::from_millis(500);

/// How often a terminal is asked for its size until it has the new one, and with what pause between.
const MOST_ASKED: usize = 200;
const PAUSE: Duration = Duration::from_millis(20);

/// An agent that is one process for as long as it lives, so that whatever else runs is not its own.
const ALONE: Behaviour = Behaviour::Spin;

fn print(stdout: &[u8], stderr: &[u8]) -> Errand {
    Errand::Print {
        stdout: stdout.to_vec(),
        stderr: stderr.to_vec(),
    }
}

fn errand(swarm: &Swarm, errand: &Errand) -> Result<ExecSpec, Failure> {
    let spec = swarm.harness().errand(errand);
    spec.ok_or_else(|| Failure::new(format!("the harness has no program for {errand:?}")))
}

async fn run(swarm: &Swarm, agent: &AgentInfo, spec: &ExecSpec) -> Result<Execution, Failure> {
    swarm.step(format!("run {spec:?} beside agent {}", agent.id));
    Ok(exec(swarm)?.run(&agent.id, spec).await?)
}

fn exec(swarm: &Swarm) -> Result<&dyn alveary_core::Exec, Failure> {
    let exec = swarm.backend().exec();
    exec.ok_or_else(|| Failure::new("it runs no programs any more"))
}

async fn collected(
    swarm: &Swarm,
    agent: &AgentInfo,
    spec: &ExecSpec,
) -> Result<Collected, Failure> {
    let running = run(swarm, agent, spec).await?;
    Ok(running.collect(ByteSize::mib(64)).await?)
}

fn output(running: &mut Execution) -> Result<ExecOutput, Failure> {
    let output = running.output.take();
    output.ok_or_else(|| Failure::new("it has no output"))
}

/// Reads until the output ends with this, and gives all that was read.
async fn read_until(output: &mut ExecOutput, end: &str) -> Result<String, Failure> {
    read_until_one(output, &[end]).await
}

async fn read_until_one(output: &mut ExecOutput, ends: &[&str]) -> Result<String, Failure> {
    let mut read = Vec::new();
    while !ends.iter().any(|end| read.ends_with(end.as_bytes())) {
        match output.next().await {
            Some(chunk) => read.extend_from_slice(&chunk?.bytes),
            None => {
                return Err(Failure::new(format!(
                    "its output ended before {ends:?}: {:?}",
                    String::from_utf8_lossy(&read)
                )));
            }
        }
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}

async fn an_exit_code_is_told_as_it_was(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    for code in [0, 1, 7, 125, 255] {
        let spec = errand(&swarm, &Errand::Exit(code))?;
        let mut running = run(&swarm, &agent, &spec).await?;
        let status = ExitStatus::Code(i32::from(code));
        ensure_eq!(running.wait().await?, status, "the code is its own");
        ensure_eq!(running.wait().await?, status, "it is told again");
    }
    let state = swarm.backend().inspect(&agent.id).await?.state;
    ensure!(
        !state.has_ended(),
        "the agent is not its program: {state:?}"
    );
    Ok(())
}

async fn both_streams_arrive_apart_and_byte_for_byte(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let all: Vec<u8> = (0..=255).chain(0..=255).collect();
    let spec = errand(&swarm, &print(&all, b"wrong\0\xff"))?;
    let told = collected(&swarm, &agent, &spec).await?;
    ensure_eq!(told.stdout, all, "standard output is as it was written");
    ensure_eq!(told.stderr, b"wrong\0\xff", "and so is standard error");
    ensure_eq!(told.status, ExitStatus::Code(0), "it ended well");
    Ok(())
}

async fn what_is_written_to_it_is_read_to_its_end(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = errand(&swarm, &Errand::Copy)?.stdin();
    let mut running = run(&swarm, &agent, &spec).await?;
    let input: Vec<u8> = (0..500_000_u32).map(|n| (n % 251) as u8).collect();
    let Some(mut stdin) = running.stdin.take() else {
        return Err(Failure::new("it has no standard input"));
    };
    let mut output = output(&mut running)?;
    let writes = async {
        stdin.write_all(&input).await?;
        stdin.shutdown().await
    };
    let reads = async {
        let mut read = Vec::new();
        while let Some(chunk) = output.next().await {
            read.extend_from_slice(&chunk?.bytes);
        }
        Ok::<_, alveary_core::Error>(read)
    };
    let (written, read) = tokio::join!(writes, reads);
    written.map_err(|error| Failure::new(format!("it cannot be written to: {error}")))?;
    ensure!(read? == input, "what it read is not what was written");
    ensure_eq!(
        running.wait().await?,
        ExitStatus::Code(0),
        "it came to the end of what it reads"
    );
    Ok(())
}

async fn a_standard_input_that_is_dropped_has_ended(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = errand(&swarm, &Errand::Copy)?.stdin();
    let mut running = run(&swarm, &agent, &spec).await?;
    let mut output = output(&mut running)?;
    let Some(mut stdin) = running.stdin.take() else {
        return Err(Failure::new("it has no standard input"));
    };
    let written = stdin.write_all(b"word").await;
    written.map_err(|error| Failure::new(format!("it cannot be written to: {error}")))?;
    read_until(&mut output, "word").await?;
    drop(stdin);
    ensure!(
        output.next().await.is_none(),
        "there was nothing more to copy"
    );
    ensure_eq!(
        running.wait().await?,
        ExitStatus::Code(0),
        "it came to its end"
    );
    Ok(())
}

async fn without_a_standard_input_there_is_nothing_to_read(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = errand(&swarm, &Errand::Copy)?;
    let mut running = run(&swarm, &agent, &spec).await?;
    ensure!(running.stdin.is_none(), "none was asked for");
    let mut output = output(&mut running)?;
    ensure!(output.next().await.is_none(), "there was nothing to copy");
    ensure_eq!(
        running.wait().await?,
        ExitStatus::Code(0),
        "it came to its end"
    );
    Ok(())
}

async fn it_has_the_agents_environment_and_over_it_the_calls(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let spec = swarm.spec(&Behaviour::Sleep)?;
    let spec = spec
        .env("KEPT", "of the agent")
        .env("CHANGED", "of the agent");
    let agent = swarm.spawn_spec(&id, &spec).await?;
    swarm.written(&id, READY).await?;
    let spec = errand(&swarm, &Errand::PrintEnvironment)?
        .env("CHANGED", "of the call")
        .env("ADDED", " a=b 'c' \"d\" $e ");
    let told = collected(&swarm, &agent, &spec).await?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let has = |variable: &str| told.split('\0').any(|told| told == variable);
    for variable in [
        "KEPT=of the agent",
        "CHANGED=of the call",
        "ADDED= a=b 'c' \"d\" $e ",
        &format!("ALVEARY_AGENT_ID={id}"),
    ] {
        ensure!(
            has(variable),
            "`{variable}` is not in its environment: {told:?}"
        );
    }
    ensure!(
        !has("CHANGED=of the agent"),
        "a variable is set twice: {told:?}"
    );
    Ok(())
}

async fn a_variables_value_is_in_no_argument_and_not_traced(swarm: Swarm) -> Verdict {
    let canary = Canary::new();
    let agent = swarm.spawn_ready(&ALONE).await?;
    let spec = errand(&swarm, &Errand::Stay)?.env("WORD", canary.value());
    canary.is_not_in("the spec's `Debug`", format!("{spec:?}"))?;
    let mut running = run(&swarm, &agent, &spec).await?;
    read_until(&mut output(&mut running)?, READY).await?;
    let living = swarm.living_of(&agent.id).await;
    ensure!(living.len() > 1, "it runs and is not seen: {living:?}");
    for process in living {
        canary.is_not_in("the arguments of a process", process.argv)?;
    }
    // Whatever was started for it runs here for as long.
    canary.is_in_no_arguments_of_this_host()?;
    canary.is_not_in("what runs", format!("{running:?}"))?;
    canary.was_not_heard()
}

async fn it_runs_where_the_agent_does_unless_told(swarm: Swarm) -> Verdict {
    let spec = swarm.spec(&Behaviour::Sleep)?.cwd("/tmp");
    let agent = swarm.spawn_spec(&AgentId::random(), &spec).await?;
    let here = errand(&swarm, &Errand::PrintCwd)?;
    for (spec, dir) in [(here.clone(), "/tmp"), (here.cwd("/"), "/")] {
        let told = collected(&swarm, &agent, &spec).await?;
        ensure_eq!(
            String::from_utf8_lossy(&told.stdout),
            dir,
            "it runs in {dir}"
        );
    }
    Ok(())
}

async fn whoever_does_not_read_holds_it_up_and_loses_nothing(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = errand(&swarm, &Errand::Flood(FLOOD))?;
    let mut running = run(&swarm, &agent, &spec).await?;
    let early = tokio::time::timeout(A_WHILE, running.wait()).await;
    ensure!(early.is_err(), "all of it was read by nobody: {early:?}");
    let told = running.collect(ByteSize(2 * FLOOD)).await?;
    ensure_eq!(told.stdout.len() as u64, FLOOD, "all of it arrives");
    ensure_eq!(told.status, ExitStatus::Code(0), "it wrote to the end");
    Ok(())
}

async fn what_it_writes_is_not_in_the_agents_log(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = errand(&swarm, &print(b"words", b"of its own"))?;
    collected(&swarm, &agent, &spec).await?;
    let stopped = swarm.backend().stop(&agent.id, StopOptions::default());
    stopped.await?;
    ensure_eq!(
        swarm.stdout(&agent.id).await?,
        READY.as_bytes(),
        "it is the agent's"
    );
    let stderr = swarm.output(&agent.id, LogStreamKind::Stderr).await?;
    ensure_eq!(stderr, b"", "it is the agent's");
    Ok(())
}

async fn a_terminal_has_the_size_that_it_is_given(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = errand(&swarm, &Errand::PrintTtySize)?;
    let spec = spec.stdin().tty(TtySize::new(91, 17));
    let mut running = run(&swarm, &agent, &spec).await?;
    let mut output = output(&mut running)?;
    read_until(&mut output, "17 91\r\n").await?;
    running.resize(TtySize::new(133, 41)).await?;
    let Some(stdin) = &mut running.stdin else {
        return Err(Failure::new("it has no standard input"));
    };
    // It goes another way than what is typed, and Podman hands it on in its own time.
    for _ in 0..MOST_ASKED {
        let written = stdin.write_all(b"\n").await;
        written.map_err(|error| Failure::new(format!("it cannot be written to: {error}")))?;
        let told = read_until_one(&mut output, &["17 91\r\n", "41 133\r\n"]).await?;
        if told.ends_with("41 133\r\n") {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::new("it has the size of before still"))
}

async fn many_run_beside_each_other(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let codes = 0..10_u8;
    let runs = codes.map(|code| {
        let (swarm, agent) = (&swarm, &agent);
        async move {
            let spec = errand(swarm, &Errand::Exit(code))?;
            let told = collected(swarm, agent, &spec).await?;
            ensure_eq!(
                told.status,
                ExitStatus::Code(i32::from(code)),
                "each has its own end"
            );
            Ok(())
        }
    });
    join_all(runs).await.into_iter().collect()
}

async fn it_ends_with_its_agent(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = errand(&swarm, &Errand::Stay)?;
    let mut running = run(&swarm, &agent, &spec).await?;
    let mut output = output(&mut running)?;
    read_until(&mut output, READY).await?;
    let stopped = swarm.backend().stop(&agent.id, StopOptions::default());
    stopped.await?;
    let status = running.wait().await?;
    let by_force = matches!(
        status,
        ExitStatus::Signal(Signal::KILL) | ExitStatus::Code(137) | ExitStatus::Unknown { .. }
    );
    ensure!(by_force, "it was ended with its agent: {status:?}");
    ensure!(output.next().await.is_none(), "its output ends with it");
    swarm
        .until("its processes to be gone", || async {
            Ok(swarm.living_of(&agent.id).await.is_empty().then_some(()))
        })
        .await
}

/// What runs of the agent, once that is what it was before.
async fn until_alone(swarm: &Swarm, agent: &AgentInfo, alone: usize) -> Verdict {
    swarm
        .until("the agent to be alone again", || async {
            let living = swarm.living_of(&agent.id).await;
            Ok((living.len() <= alone).then_some(()))
        })
        .await
}

async fn one_that_is_dropped_ends(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&ALONE).await?;
    let alone = swarm.living_of(&agent.id).await.len();
    let spec = errand(&swarm, &Errand::Stay)?;
    let mut running = run(&swarm, &agent, &spec).await?;
    read_until(&mut output(&mut running)?, READY).await?;
    let living = swarm.living_of(&agent.id).await.len();
    ensure!(living > alone, "it runs and is not seen");
    drop(running);
    until_alone(&swarm, &agent, alone).await?;
    let state = swarm.backend().inspect(&agent.id).await?.state;
    ensure!(!state.has_ended(), "the agent was not meant: {state:?}");
    Ok(())
}

async fn a_call_that_is_dropped_leaves_nothing_running(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&ALONE).await?;
    let alone = swarm.living_of(&agent.id).await.len();
    let spec = errand(&swarm, &Errand::Stay)?;
    for micros in [0, 50, 200, 500, 1000, 2000, 5000] {
        let call = exec(&swarm)?.run(&agent.id, &spec);
        // Whether it comes back in time or is dropped, what it began ends.
        if let Ok(running) = tokio::time::timeout(Duration::from_micros(micros), call).await {
            drop(running?);
        }
    }
    // One that is known to run, so that what came before has begun if it ever does.
    let mut last = run(&swarm, &agent, &spec).await?;
    read_until(&mut output(&mut last)?, READY).await?;
    drop(last);
    until_alone(&swarm, &agent, alone).await
}

async fn a_program_that_is_not_there_is_told(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = ExecSpec::new(["/nonexistent/alveary"]);
    let told = match exec(&swarm)?.run(&agent.id, &spec).await {
        Err(error) if error.kind() == ErrorKind::InvalidSpec => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(running) => running.collect(ByteSize::mib(1)).await?,
    };
    ensure!(
        matches!(told.status, ExitStatus::Code(126 | 127)),
        "there is no such program: {:?}",
        told.status
    );
    Ok(())
}

async fn what_cannot_be_run_is_refused(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let good = errand(&swarm, &Errand::Exit(0))?;
    let mut nul = good.clone();
    nul.command.push("a\0b".to_owned());
    for (what, spec) in [
        ("no command", ExecSpec::new(Vec::<String>::new())),
        ("a NUL in an argument", nul),
        (
            "a reserved variable",
            good.clone().env("ALVEARY_SWARM", "1"),
        ),
        ("a variable with a `=`", good.clone().env("A=B", "1")),
        ("a relative directory", good.clone().cwd("work")),
        (
            "a terminal without rows",
            good.clone().tty(TtySize::new(80, 0)),
        ),
    ] {
        let answer = exec(&swarm)?.run(&agent.id, &spec).await;
        let error = refused(answer, ErrorKind::InvalidSpec, what)?;
        ensure_eq!(error.operation(), Operation::Exec, "{error}");
        ensure_eq!(error.agent(), Some(&agent.id), "{error}");
    }
    Ok(())
}

async fn beside_nobody_it_does_not_run(swarm: Swarm) -> Verdict {
    let spec = errand(&swarm, &Errand::Exit(0))?;
    let nobody = AgentId::random();
    let answer = exec(&swarm)?.run(&nobody, &spec).await;
    not_found(answer, Operation::Exec, &nobody)?;
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let other = spec.clone().incarnation(Incarnation::random());
    let answer = exec(&swarm)?.run(&agent.id, &other).await;
    refused(
        answer,
        ErrorKind::Conflict,
        "a program beside another start",
    )?;
    let stopped = swarm.backend().stop(&agent.id, StopOptions::default());
    stopped.await?;
    let answer = exec(&swarm)?.run(&agent.id, &spec).await;
    refused(
        answer,
        ErrorKind::Conflict,
        "a program beside an ended agent",
    )?;
    Ok(())
}
