//! All of it in any order, against a model of a few lines.

use std::collections::BTreeMap;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentState, ErrorKind, Exit, ExitStatus, Incarnation,
    ListOptions, RemoveOptions, SpawnOptions, StopOptions,
};
use fastrand::Rng;
use tokio::time::Instant;

use crate::behaviour::Behaviour;
use crate::swarm::Swarm;
use crate::trial::{Failure, Verdict, ensure, trials};

trials!(Model:
    random_calls_in_any_order_are_answered_as_a_model_answers_them,
);

/// How many walks, unless they take longer than this; at least one is made.
const WALKS: u64 = 30;
const FOR: Duration = Duration::from_secs(2);
const STEPS: usize = 40;
const IDS: usize = 3;

/// What the model knows of an id that is taken.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    incarnation: Incarnation,
    behaviour: Behaviour,
    /// How it ended, if it has.
    exit: Option<Exit>,
}

type Model = BTreeMap<AgentId, Known>;

struct Walk<'a> {
    swarm: &'a Swarm,
    ids: Vec<AgentId>,
    model: Model,
    dice: Rng,
    /// What was done, for whoever has to find out why it failed.
    trace: Vec<String>,
}

async fn random_calls_in_any_order_are_answered_as_a_model_answers_them(swarm: Swarm) -> Verdict {
    let begun = Instant::now();
    let first = fastrand::u64(..u64::MAX - WALKS);
    for seed in first..first + WALKS {
        let mut walk = Walk {
            swarm: &swarm,
            ids: (0..IDS).map(|_| AgentId::random()).collect(),
            model: Model::new(),
            dice: Rng::with_seed(seed),
            trace: Vec::new(),
        };
        for _ in 0..STEPS {
            if let Err(failure) = walk.step().await {
                return Err(Failure::new(format!(
                    "{failure}\nafter, with seed {seed}:\n  {}",
                    walk.trace.join("\n  ")
                )));
            }
        }
        swarm.empty().await?;
        if begun.elapsed() > FOR {
            break;
        }
    }
    Ok(())
}

/// What a call gave, without what only the engine can know.
#[derive(Debug, PartialEq)]
enum Answer {
    Info(AgentId, Incarnation, Option<Exit>),
    Ended(Exit),
    Done,
    Refused(ErrorKind),
}

impl Answer {
    fn of<T>(result: alveary_core::Result<T>, told: impl FnOnce(T) -> Self) -> Self {
        match result {
            Ok(value) => told(value),
            Err(error) => Self::Refused(error.kind()),
        }
    }

    fn info(info: AgentInfo) -> Self {
        let exit = info.exit().cloned();
        Self::Info(info.id, info.incarnation, exit)
    }
}

impl Walk<'_> {
    fn backend(&self) -> &dyn AgentBackend {
        &**self.swarm.backend()
    }

    async fn step(&mut self) -> Verdict {
        let id = self.ids[self.dice.usize(..self.ids.len())].clone();
        match self.dice.u8(..10) {
            0..3 => self.spawn_next(&id).await?,
            3 => self.spawn_again(&id).await?,
            4..6 => self.stop(&id).await?,
            6 => self.remove(&id, false).await?,
            7 => self.remove(&id, true).await?,
            _ => self.inspect(&id).await?,
        }
        self.list().await
    }

    fn note(&mut self, call: String) {
        self.trace.push(call);
    }

    fn expect(&self, found: &Answer, expected: &Answer) -> Verdict {
        if found == expected {
            return Ok(());
        }
        let call = self.trace.last().map(String::as_str).unwrap_or_default();
        Err(Failure::new(format!(
            "{call} gave {found:?}, and the model gives {expected:?}"
        )))
    }

    fn known_answer(&self, id: &AgentId) -> Answer {
        match self.model.get(id) {
            Some(known) => Answer::Info(id.clone(), known.incarnation, known.exit.clone()),
            None => Answer::Refused(ErrorKind::NotFound),
        }
    }

    async fn spawn_next(&mut self, id: &AgentId) -> Verdict {
        let code = self.dice.u8(..4);
        let behaviour = match code {
            0..2 => Behaviour::Sleep,
            code => Behaviour::Exit(code),
        };
        let options = SpawnOptions::default();
        self.note(format!("spawn {id} as {behaviour:?}"));
        let spec = self.swarm.spec(&behaviour)?;
        let spawned = self.backend().spawn(id, &spec, options.clone()).await;
        if self.model.get(id).is_some_and(|known| known.exit.is_none()) {
            let found = Answer::of(spawned, Answer::info);
            return self.expect(&found, &Answer::Refused(ErrorKind::AlreadyExists));
        }
        spawned?;
        let exit = if let Behaviour::Exit(code) = behaviour {
            let exit = self.swarm.ended(id).await?;
            let told = exit.status == ExitStatus::Code(i32::from(code));
            ensure!(told, "{id} ended as {exit} instead of with {code}");
            Some(exit)
        } else {
            self.swarm.written(id, "ready\n").await?;
            None
        };
        let known = Known {
            incarnation: options.incarnation,
            behaviour,
            exit,
        };
        self.model.insert(id.clone(), known);
        Ok(())
    }

    async fn spawn_again(&mut self, id: &AgentId) -> Verdict {
        let Some(known) = self.model.get(id).cloned() else {
            return Ok(());
        };
        self.note(format!("spawn {id} again"));
        let spec = self.swarm.spec(&known.behaviour)?;
        let options = SpawnOptions::default().with_incarnation(known.incarnation);
        let found = Answer::of(self.backend().spawn(id, &spec, options).await, Answer::info);
        self.expect(&found, &self.known_answer(id))
    }

    async fn stop(&mut self, id: &AgentId) -> Verdict {
        let options = if self.dice.bool() {
            StopOptions::default()
        } else {
            StopOptions::by_force()
        };
        self.note(format!("stop {id} with {options:?}"));
        let stopped = self.backend().stop(id, options).await;
        match self.model.get_mut(id) {
            Some(Known {
                exit: unknown @ None,
                ..
            }) => {
                *unknown = Some(stopped?);
                Ok(())
            }
            Some(Known {
                exit: Some(exit), ..
            }) => {
                let expected = Answer::Ended(exit.clone());
                self.expect(&Answer::of(stopped, Answer::Ended), &expected)
            }
            None => {
                let expected = Answer::Refused(ErrorKind::NotFound);
                self.expect(&Answer::of(stopped, Answer::Ended), &expected)
            }
        }
    }

    async fn remove(&mut self, id: &AgentId, force: bool) -> Verdict {
        self.note(format!(
            "remove {id}{}",
            if force { " by force" } else { "" }
        ));
        let options = RemoveOptions::default().with_force(force);
        let found = Answer::of(self.backend().remove(id, options).await, |()| Answer::Done);
        let expected = match self.model.get(id) {
            None => Answer::Refused(ErrorKind::NotFound),
            Some(known) if known.exit.is_none() && !force => {
                Answer::Refused(ErrorKind::StillRunning)
            }
            Some(_) => {
                self.model.remove(id);
                Answer::Done
            }
        };
        self.expect(&found, &expected)
    }

    async fn inspect(&mut self, id: &AgentId) -> Verdict {
        self.note(format!("inspect {id}"));
        let found = Answer::of(self.backend().inspect(id).await, Answer::info);
        self.expect(&found, &self.known_answer(id))
    }

    /// After every step: the list is the model.
    async fn list(&self) -> Verdict {
        let mut found = Vec::new();
        for info in self.backend().list(ListOptions::default()).await? {
            let stuck = matches!(info.state, AgentState::Unknown { .. });
            ensure!(!stuck, "agent {} is told as {:?}", info.id, info.state);
            found.push(Answer::info(info));
        }
        let mut expected: Vec<_> = self.model.keys().map(|id| self.known_answer(id)).collect();
        for answers in [&mut found, &mut expected] {
            answers.sort_by_key(|answer| format!("{answer:?}"));
        }
        ensure!(
            found == expected,
            "the list is {found:?}, and the model's {expected:?}"
        );
        Ok(())
    }
}
