//! What agents use up: counters that count, and no zero for what is not known.

use std::time::Duration;

use alveary_core::{
    AgentId, ByteSize, ErrorKind, Incarnation, Operation, Stats, StatsOptions, StopOptions, Usage,
};
use futures_util::StreamExt;

use crate::behaviour::Behaviour;
use crate::need::Need;
use crate::swarm::{Swarm, not_found, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Stats:
    processor_time_is_counted_and_never_goes_back [Need::Stats, Need::Agent(Behaviour::Spin)],
    what_cannot_be_nothing_is_not_told_as_nothing [Need::Stats],
    readings_follow_each_other_until_the_agent_has_ended [Need::Stats],
    of_nobody_there_is_no_reading [Need::Stats],
);

/// What a busy agent has used within moments.
const SOME_WORK: Duration = Duration::from_millis(60);

fn stats(swarm: &Swarm) -> Result<&dyn Stats, Failure> {
    let stats = swarm.backend().stats();
    stats.ok_or_else(|| Failure::new("it tells no usage any more"))
}

fn cpu_of(usage: &Usage) -> Result<Duration, Failure> {
    let cpu = usage.cpu;
    cpu.ok_or_else(|| Failure::new("a backend that tells usage tells processor time"))
}

async fn processor_time_is_counted_and_never_goes_back(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Spin).await?;
    let first = stats(&swarm)?.read(&agent.id).await?;
    ensure_eq!(first.incarnation, agent.incarnation, "it is of this start");
    let mut before = first.clone();
    while cpu_of(&before)? < cpu_of(&first)? + SOME_WORK {
        swarm.step(format!("read the usage, which was {before:?}"));
        let now = stats(&swarm)?.read(&agent.id).await?;
        ensure!(
            cpu_of(&now)? >= cpu_of(&before)?,
            "{now:?} is less than {before:?}"
        );
        ensure!(
            now.taken > before.taken,
            "{now:?} is not later than {before:?}"
        );
        ensure!(
            now.io_written >= before.io_written,
            "{now:?} is less than {before:?}"
        );
        before = now;
        tokio::task::yield_now().await;
    }
    let percent = before.cpu_percent_since(&first);
    ensure!(
        percent.is_some_and(|percent| percent > 0.0),
        "one that works uses a processor: {percent:?}"
    );
    Ok(())
}

async fn what_cannot_be_nothing_is_not_told_as_nothing(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let usage = stats(&swarm)?.read(&agent.id).await?;
    for (what, told) in [
        ("memory", usage.memory.map(|size| size.0)),
        ("a limit of memory", usage.memory_limit.map(|size| size.0)),
        ("processes", usage.pids),
    ] {
        ensure!(told != Some(0), "a living agent has {what}: {usage:?}");
    }
    let absurd = ByteSize(1 << 50);
    ensure!(
        usage.memory < Some(absurd),
        "no agent holds that: {usage:?}"
    );
    Ok(())
}

async fn readings_follow_each_other_until_the_agent_has_ended(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let options = StatsOptions::default().with_every(Duration::from_millis(50));
    let mut readings = stats(&swarm)?.follow(&agent.id, options).await?;
    let mut last: Option<Usage> = None;
    for _ in 0..3 {
        swarm.step("await the next reading");
        let Some(usage) = readings.next().await else {
            return Err(Failure::new("the readings ended before the agent"));
        };
        let usage = usage?;
        if let Some(last) = &last {
            ensure!(
                usage.taken > last.taken,
                "{usage:?} is not later than {last:?}"
            );
        }
        last = Some(usage);
    }
    let stopped = swarm.backend().stop(&agent.id, StopOptions::default());
    stopped.await?;
    swarm.step("await the end of the readings");
    while let Some(usage) = readings.next().await {
        usage?;
    }
    Ok(())
}

async fn of_nobody_there_is_no_reading(swarm: Swarm) -> Verdict {
    let nobody = AgentId::random();
    not_found(
        stats(&swarm)?.read(&nobody).await,
        Operation::Stats,
        &nobody,
    )?;
    let followed = stats(&swarm)?.follow(&nobody, StatsOptions::default());
    not_found(followed.await, Operation::Stats, &nobody)?;
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let other = StatsOptions::default().with_incarnation(Incarnation::random());
    let followed = stats(&swarm)?.follow(&agent.id, other).await;
    refused(followed, ErrorKind::Conflict, "the usage of another start")?;
    let stopped = swarm.backend().stop(&agent.id, StopOptions::default());
    stopped.await?;
    let read = stats(&swarm)?.read(&agent.id).await;
    refused(read, ErrorKind::Conflict, "the usage of an ended agent")?;
    Ok(())
}
