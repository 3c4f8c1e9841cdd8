//! One agent in the table.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alveary_core::{AgentId, AgentInfo, AgentState, EndedBy, Exit, ExitStatus, Incarnation};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::agent::{Agent, Running};
use super::restart::{self, History};
use crate::state::{Desired, GaveUp, Record, wall_millis};

/// What is known of one agent.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// What is recorded of it. `None`: the engine knows it and no record does.
    pub(super) record: Option<Arc<Record>>,
    /// What the engine said last. `None`: the engine does not know it.
    pub(super) info: Option<AgentInfo>,
    /// What the engine said last before it knew it no more, though it is to run.
    pub(super) missed: Option<AgentInfo>,
    /// Whether the engine does not know it, and `info` is what it comes to: somebody has taken it away.
    pub(super) taken_away: bool,
    /// When a verb last touched it: a list that began before that knows nothing of it.
    pub(super) touched: u64,
    /// When that was asked whose answer is known: an answer to an earlier question is older.
    pub(super) answered: u64,
    /// A start of it that this process is about to make.
    pub(super) starting: Option<Incarnation>,
    /// A start of it whose outcome nobody told us.
    pub(super) unsure: Option<Unsure>,
    /// How the start before the present one ended.
    pub(super) last_end: Option<(Incarnation, Exit)>,
    /// The end for which a restart has been decided.
    pub(super) decided: Option<Incarnation>,
    /// Why it is given up, before that is recorded.
    pub(super) gave_up: Option<GaveUp>,
    /// The start whose readiness is being looked at.
    pub(super) probed: Option<Incarnation>,
    /// What spoke against its being ready when it was asked last.
    pub(super) not_ready: Option<String>,
    /// The start that is being asked whether it still answers.
    pub(super) watched: Option<Incarnation>,
    /// The start that was seen to be ready.
    pub(super) ready: Option<Incarnation>,
    /// The restarts that count; `None` until somebody counts.
    pub(super) history: Option<History>,
    /// Held by whoever starts it.
    pub(super) start: Arc<tokio::sync::Mutex<()>>,
    waiters: Option<Arc<Notify>>,
}

/// A start whose outcome nobody told us: a later list does.
#[derive(Debug, Clone)]
pub(super) struct Unsure {
    pub(super) incarnation: Incarnation,
    pub(super) why: String,
    /// Whether it was the very first: if it turns out not to have happened, nothing of the agent stays.
    pub(super) first: bool,
}

/// What became of news about an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merged {
    /// It was known, or older than what is known.
    Nothing,
    Changed,
    /// It is about another start than the one that is known; only the engine knows which is the later.
    Doubtful,
}

impl Row {
    pub(super) fn name(&self) -> Option<&str> {
        match (&self.record, &self.info) {
            (Some(record), _) => Some(record.name()),
            (None, Some(info)) => Some(&info.name),
            (None, None) => None,
        }
    }

    pub(super) fn group(&self) -> Option<&str> {
        match (&self.record, &self.info) {
            (Some(record), _) => Some(&record.group),
            (None, Some(info)) => Some(&info.name),
            (None, None) => None,
        }
    }

    /// Nobody knows anything of it.
    pub(super) fn is_empty(&self) -> bool {
        self.record.is_none()
            && self.info.is_none()
            && self.starting.is_none()
            && self.unsure.is_none()
    }

    pub(super) fn is_recorded_and_known(&self) -> bool {
        self.record.is_some() && self.info.is_some()
    }

    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.info.as_ref().map(|info| info.incarnation)
    }

    /// Whether something of it may be running, now or in a moment: somebody may be about to start what is
    /// recorded and has not been seen.
    pub(super) fn may_live(&self) -> bool {
        self.starting.is_some()
            || self.unsure.is_some()
            || self.info.as_ref().is_none_or(|i| !i.state.has_ended())
    }

    /// Whether it is recorded, or was about to be started, and the engine has never told of it.
    pub(super) fn is_only_intended(&self) -> bool {
        self.info.is_none() && !self.is_empty()
    }

    /// Who is to make its first start, of which the engine has not told.
    pub(super) fn intended_by(&self) -> Option<Incarnation> {
        let unseen = self.is_only_intended() && self.unsure.is_none() && self.starting.is_none();
        self.record.as_ref()?.intended_by.filter(|_| unseen)
    }

    /// Whether the engine has told of it, and that is not recorded yet.
    pub(super) fn has_begun_unrecorded(&self) -> bool {
        let record = self.record.as_ref();
        self.info.is_some() && record.is_some_and(|record| record.intended_by.is_some())
    }

    /// Whether its first start has begun, and nobody else can know of it yet.
    pub(super) fn is_about_to_be_recorded(&self) -> bool {
        self.starting.is_some() && self.record.is_none()
    }

    /// Whether the engine itself did not know how it stands.
    pub(super) fn is_doubtful(&self) -> bool {
        let info = self.info.as_ref();
        self.unsure.is_none()
            && info.is_some_and(|info| matches!(info.state, AgentState::Unknown { .. }))
    }

    /// Takes news. `certain`: they were asked for, and are not what was happened to be heard.
    pub(super) fn merge(&mut self, info: AgentInfo, certain: bool) -> Merged {
        if let Some(known) = &self.info {
            // Whom the engine has again after all may be brought up by the very start that was taken away.
            if self.taken_away || info.runs_again_after(known) {
                // What was decided and found out is of the run before.
                self.decided = None;
                (self.probed, self.watched, self.ready) = (None, None, None);
            } else if known.incarnation == info.incarnation {
                let older = match (known.state.progress(), info.state.progress()) {
                    (Some(known), Some(new)) => new < known,
                    (Some(_), None) => known.state.has_ended(),
                    (None, _) => false,
                };
                if older || *known == info {
                    return Merged::Nothing;
                }
            } else if certain {
                if let Some(exit) = known.exit() {
                    self.last_end = Some((known.incarnation, exit.clone()));
                }
            } else {
                return Merged::Doubtful;
            }
        }
        if self
            .unsure
            .as_ref()
            .is_some_and(|unsure| unsure.incarnation == info.incarnation)
        {
            self.unsure = None;
        }
        self.info = Some(info);
        (self.missed, self.taken_away) = (None, false);
        Merged::Changed
    }

    /// The engine knows it no more. Whether that changes what is known.
    pub(super) fn vanish(&mut self) -> bool {
        if self.taken_away && self.record.is_some() {
            return false;
        }
        let info = self.info.take();
        self.taken_away = false;
        if self.is_to_run() && info.is_some() {
            self.missed = info;
        }
        true
    }

    /// It is to run, nobody has forgotten it, nobody starts it, and the engine does not know it: that is an end, of which
    /// nobody told how it came. Whether it is so.
    pub(super) fn end_as_taken_away(&mut self) -> bool {
        let Some(mut info) = self.missed.take_if(|missed| {
            let record = self.record.as_ref();
            self.info.is_none()
                && self.starting.is_none()
                && self.unsure.is_none()
                && record.is_some_and(|record| {
                    record.desired == Desired::Running && record.incarnation == missed.incarnation
                })
        }) else {
            return false;
        };
        if !info.state.has_ended() {
            info.state = AgentState::Exited(Exit::unknown(
                "the engine does not know it any more, since somebody has removed it there",
            ));
        }
        info.pid = None;
        info.paused = false;
        info.ports.clear();
        self.info = Some(info);
        self.taken_away = true;
        self.decided = None;
        true
    }

    /// How its latest start ended, if it has.
    pub(super) fn exit(&self) -> Option<Exit> {
        match &self.info.as_ref()?.state {
            AgentState::Exited(exit) => Some(exit.clone()),
            AgentState::Failed { reason } => Some(Exit::unknown(reason.clone())),
            _ => None,
        }
    }

    /// How one has ended that is recorded and that the engine does not know.
    pub(super) fn end_of_unknown(&self) -> Option<Exit> {
        if self.taken_away {
            return self.exit();
        }
        let begun = self
            .record
            .as_ref()
            .is_some_and(|record| record.intended_by.is_none());
        let why = if begun && self.starting.is_none() && self.unsure.is_none() {
            "the engine does not know it any more"
        } else {
            "it had not been started yet"
        };
        let status = ExitStatus::Unknown {
            why: why.to_owned(),
        };
        self.is_only_intended()
            .then(|| Exit::new(status, EndedBy::Us))
    }

    /// Whether its users want it to run.
    pub(super) fn is_to_run(&self) -> bool {
        let record = self.record.as_ref();
        record.is_some_and(|record| record.desired == Desired::Running)
    }

    /// Whether somebody wants it to run, now or when its turn comes.
    pub(super) fn is_called_for(&self) -> bool {
        self.record.as_ref().is_some_and(|r| r.is_called_for())
    }

    /// A start that is recorded, and of which nothing has been heard yet.
    pub(super) fn begun(&self) -> Option<Incarnation> {
        if let Some(unsure) = &self.unsure {
            return Some(unsure.incarnation);
        }
        let record = self.record.as_ref()?;
        let unheard = match self.incarnation() {
            None => true,
            known => {
                self.is_another_start()
                    && known == record.follows
                    && self.is_to_run()
                    && self.gave_up().is_none()
            }
        };
        unheard.then_some(record.incarnation)
    }

    /// Whether the start that the engine has is not the one that is recorded.
    pub(super) fn is_another_start(&self) -> bool {
        let recorded = self.record.as_ref().map(|record| record.incarnation);
        self.info.is_some() && recorded.is_some() && self.incarnation() != recorded
    }

    /// Whether it has ended, and its policy and its users want it started again.
    pub(super) fn wants_restart(&self) -> bool {
        let (Some(record), Some(exit)) = (&self.record, self.exit()) else {
            return false;
        };
        let policy = &record.spec.restart;
        let wants = match self.unanswering() {
            Some(_) => restart::may(policy),
            None => restart::wants(policy, &exit),
        };
        self.is_to_run() && self.gave_up().is_none() && wants
    }

    /// Why its present start was ended by who restarts it, if it was: it ended by itself, as far as policies go.
    pub(super) fn unanswering(&self) -> Option<&GaveUp> {
        let why = self.record.as_ref()?.unanswering.as_ref()?;
        (Some(why.incarnation) == self.incarnation()).then_some(why)
    }

    /// Why its present start was the last, if it was.
    pub(super) fn gave_up(&self) -> Option<&GaveUp> {
        let recorded = self.record.as_ref().and_then(|r| r.gave_up.as_ref());
        let ours = self.gave_up.as_ref();
        let present = |why: &&GaveUp| Some(why.incarnation) == self.incarnation();
        recorded.filter(present).or_else(|| ours.filter(present))
    }

    /// Whether its present start has been seen to be ready.
    pub(super) fn is_ready(&self) -> bool {
        let Some(info) = &self.info else { return false };
        if !matches!(info.state, AgentState::Running) {
            return false;
        }
        if !self.has_check() {
            return true;
        }
        let recorded = self.record.as_ref().and_then(|record| record.ready);
        self.ready == Some(info.incarnation) || recorded == Some(info.incarnation)
    }

    /// Whether there is more to being ready than to run.
    pub(super) fn has_check(&self) -> bool {
        let record = self.record.as_ref();
        record.is_some_and(|record| record.spec.ready.is_some())
    }

    pub(super) fn running(&self) -> Running {
        if self.unsure.is_some() {
            return Running::Unknown;
        }
        match self.info.as_ref().map(|info| &info.state) {
            Some(AgentState::Running | AgentState::Stopping) => Running::Yes,
            Some(AgentState::Unknown { .. }) => Running::Unknown,
            _ => Running::No,
        }
    }

    /// The restarts that count, those that an earlier restarter recorded among them.
    pub(super) fn history(&mut self, now: Instant) -> &mut History {
        let recorded = || {
            let wall = wall_millis();
            let record = self.record.as_ref();
            let ages = record
                .iter()
                .flat_map(|record| &record.restarts)
                .map(|at| Duration::from_millis(wall.saturating_sub(*at)));
            History::from_ages(ages, now)
        };
        if self.history.is_none() {
            self.history = Some(recorded());
        }
        self.history.get_or_insert_default()
    }

    /// What users see of it; `deaf` says why the engine cannot be heard, if it cannot.
    pub(super) fn view(&self, id: &AgentId, deaf: Option<&str>) -> Option<Agent> {
        let record = self.record.as_deref();
        let mut info = match (&self.info, record) {
            (Some(info), _) => info.clone(),
            (None, Some(record)) => self.intended(id, record),
            (None, None) => return None,
        };
        info.state = self.state(&info, deaf);
        if let Some(record) = record {
            record.name().clone_into(&mut info.name);
        }
        Some(Agent {
            group: record.map_or_else(|| info.name.clone(), |record| record.group.clone()),
            index: record.and_then(|record| record.index),
            desired: record.map(|record| record.desired),
            ready: deaf.is_none() && self.is_ready(),
            exit: self.exit(),
            restarting: self.wants_restart(),
            restarts: record.map_or(0, |record| {
                u32::try_from(record.restarts.len()).unwrap_or(u32::MAX)
            }),
            info,
        })
    }

    /// An agent that the engine does not know.
    fn intended(&self, id: &AgentId, record: &Record) -> AgentInfo {
        let incarnation = self.starting.unwrap_or(record.incarnation);
        let mut info = AgentInfo::new(id.clone(), incarnation, record.name(), AgentState::Pending);
        info.capabilities.clone_from(&record.spec.capabilities);
        info.created_at = UNIX_EPOCH
            .checked_add(Duration::from_millis(record.since))
            .unwrap_or_else(SystemTime::now);
        info
    }

    fn state(&self, info: &AgentInfo, deaf: Option<&str>) -> AgentState {
        if let Some(why) = deaf {
            return AgentState::Unknown { why: why.into() };
        }
        if let Some(unsure) = &self.unsure {
            return AgentState::Unknown {
                why: unsure.why.clone(),
            };
        }
        match self.gave_up() {
            Some(why) if info.state.has_ended() => AgentState::Failed {
                reason: why.reason.clone(),
            },
            _ => info.state.clone(),
        }
    }

    /// Wakes those who wait for it.
    pub(super) fn wake(&self) {
        if let Some(waiters) = &self.waiters {
            waiters.notify_waiters();
        }
    }

    /// By what one is woken when it changes.
    pub(super) fn waiters(&mut self) -> Arc<Notify> {
        Arc::clone(self.waiters.get_or_insert_default())
    }
}
