//! The measuring: ours and the bare engine's in turn, all backends round by round, so that a machine whose speed drifts
//! slows them all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use alveary::{
    AgentId, AgentInfo, AgentState, EndedBy, ErrorKind, FleetAgent, RemoveOptions, StopOptions,
};

use super::floor::Floor;
use super::hive::Hive;
use super::phases;
use super::report::{Asked, BURST, READY, Run, SPAWN};
use super::times::Times;
use crate::failure::Failure;

/// One agent on one backend, and what was measured of it so far.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) agent: FleetAgent,
    /// Which of the hives it lives in.
    pub(crate) hive: usize,
    pub(crate) floor: Option<Floor>,
    pub(crate) run: Run,
}

impl Subject {
    /// Measures everyone in turn until all are through, or the time is up. `tell` hears of each round that is over.
    pub(crate) async fn measure_all(
        subjects: &mut [Self],
        hives: &[Hive],
        asked: &Asked,
        limit: Duration,
        mut tell: impl FnMut(),
    ) -> Result<(), Failure> {
        let until = Instant::now() + limit;
        let rounds = asked.spawns.div_ceil(asked.at_once);
        for round in 0..asked.warm_up + rounds {
            let counts = round >= asked.warm_up;
            let turn = round % subjects.len().max(1);
            subjects.rotate_left(turn);
            for subject in &mut *subjects {
                if Instant::now() >= until {
                    subject.run.cut_short = true;
                    continue;
                }
                let hive = &hives[subject.hive];
                // Whoever comes second finds the machine as the first has left it.
                let bare_first = round % 2 == 0;
                if bare_first {
                    subject.bare(asked.at_once, counts).await?;
                }
                subject.ours(hive, asked.at_once, counts).await?;
                if !bare_first {
                    subject.bare(asked.at_once, counts).await?;
                }
            }
            subjects.rotate_right(turn);
            tell();
        }
        Ok(())
    }

    async fn bare(&mut self, at_once: usize, counts: bool) -> Result<(), Failure> {
        let (Some(floor), Some(times)) = (&self.floor, &mut self.run.floor) else {
            return Ok(());
        };
        let steps = floor.round(at_once).await.map_err(|error| {
            Failure::input(
                format!("{} failed: {error}", floor.what()),
                "see to it, or measure without by --no-floor",
            )
        })?;
        if counts {
            record(&mut times.phases, steps);
        }
        Ok(())
    }

    async fn ours(&mut self, hive: &Hive, at_once: usize, counts: bool) -> Result<(), Failure> {
        let (steps, started) = self.start(hive, at_once).await?;
        for agent in &started {
            let ended_early = end(hive, agent).await?;
            self.run.ended_early += usize::from(counts && ended_early);
        }
        // An image is fetched once, before anything counts.
        let kept = steps
            .into_iter()
            .filter(|(step, _)| counts || step == "pull");
        record(&mut self.run.phases, kept);
        Ok(())
    }

    async fn start(
        &self,
        hive: &Hive,
        at_once: usize,
    ) -> Result<(Vec<(String, Duration)>, Vec<AgentInfo>), Failure> {
        let swarm = &hive.opened.swarm;
        let ids: Vec<_> = (0..at_once).map(|_| AgentId::random()).collect();
        let specs = ids
            .iter()
            .enumerate()
            .map(|(n, id)| hive.spec(&self.agent, &format!("{}-{}", self.agent.name, n + 1), id))
            .collect::<Result<Vec<_>, _>>()?;
        let checked = specs.iter().any(|spec| spec.ready.is_some());
        let begun = Instant::now();
        let started: Vec<AgentInfo> = match (specs.as_slice(), ids.as_slice()) {
            ([spec], [id]) => vec![swarm.spawn_as(id.clone(), spec.clone()).await?],
            _ => swarm
                .spawn_many(specs)
                .await
                .into_iter()
                .collect::<Result<_, _>>()?,
        };
        for agent in &started {
            if matches!(agent.state, AgentState::Starting { .. }) {
                // Its image is on its way.
                swarm.wait_ready(&agent.id).await?;
            }
        }
        let step = if at_once > 1 { BURST } else { SPAWN };
        let mut steps = vec![(step.to_owned(), begun.elapsed())];
        if checked {
            let begun = Instant::now();
            let ready = started.iter().map(|agent| async {
                swarm.wait_ready(&agent.id).await?;
                Ok::<_, Failure>((READY.to_owned(), begun.elapsed()))
            });
            for ready in futures_util::future::join_all(ready).await {
                steps.push(ready?);
            }
        }
        for agent in &started {
            steps.extend(phases::of(&agent.id));
        }
        Ok((steps, started))
    }

    /// Starts the one after which the bare engine makes its own; whoever is given it has it to themselves.
    pub(crate) async fn model(&mut self, hive: &Hive) -> Result<AgentInfo, Failure> {
        let (steps, mut started) = self.start(hive, 1).await?;
        record(
            &mut self.run.phases,
            steps.into_iter().filter(|(step, _)| step == "pull"),
        );
        started
            .pop()
            .ok_or_else(|| Failure::input("nothing was started", "report this"))
    }
}

/// Ends and removes it. Says whether it had ended by itself.
pub(crate) async fn end(hive: &Hive, agent: &AgentInfo) -> Result<bool, Failure> {
    let swarm = &hive.opened.swarm;
    let by_itself = match swarm.stop(&agent.id, StopOptions::by_force()).await {
        Ok(exit) => exit.by == EndedBy::Itself,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(error.into()),
    };
    match swarm.remove(&agent.id, RemoveOptions::default()).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(by_itself),
    }
}

fn record<S: Into<String>>(
    phases: &mut BTreeMap<String, Times>,
    steps: impl IntoIterator<Item = (S, Duration)>,
) {
    for (step, took) in steps {
        phases.entry(step.into()).or_default().push(took);
    }
}
