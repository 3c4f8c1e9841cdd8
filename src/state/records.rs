//! A swarm's members and what is desired of each: plain values, changed by plain values.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use alveary_core::{AgentId, AgentSpec, Incarnation};
use serde::{Deserialize, Serialize};

use super::host::wall_millis;

/// What its users want an agent to be doing. Any process may change it; the one restarter obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Desired {
    /// It is to run, as far as its restart policy goes.
    Running,
    /// It was stopped, and stays so until it is started again.
    Stopped,
}

impl fmt::Display for Desired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        })
    }
}

/// What is recorded of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: AgentId,
    /// By which name all its kind are addressed; its own where it has no kind.
    pub(crate) group: String,
    /// Which of its kind it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<u32>,
    pub(crate) desired: Desired,
    /// It was stopped, and is to be started once its turn comes: a stop that comes before calls that off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) due: bool,
    /// Which start of it was intended last. The intent is recorded before the engine is called, so that
    /// whoever comes after a crash can finish just this start.
    pub(crate) incarnation: Incarnation,
    /// Which start the engine had when that one was intended. Where it has a third one, that was made by
    /// somebody who keeps another record, after this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) follows: Option<Incarnation>,
    /// Who is to make its first start, as long as nobody has recorded that the engine has answered it: see
    /// [`Intender`](super::Intender).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) intended_by: Option<Incarnation>,
    /// When it became a member, in wall-clock milliseconds.
    pub(crate) since: u64,
    /// The groups whose members are ready before this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) after: Vec<String>,
    /// What it is started from. Values of secrets are never in it; what a program gave stays in that
    /// program's memory.
    pub(crate) spec: Arc<AgentSpec>,
    /// The start of it that was seen to be ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ready: Option<Incarnation>,
    /// When it was restarted lately, in wall-clock milliseconds: what a new restarter goes on from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) restarts: Vec<u64>,
    /// Why it is not restarted any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gave_up: Option<GaveUp>,
    /// The start of it that was ended because it did not answer, and how that went: the end of a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unanswering: Option<GaveUp>,
}

/// Why an agent is not restarted any more, though its policy would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GaveUp {
    /// The start of it that was the last.
    pub(crate) incarnation: Incarnation,
    pub(crate) reason: String,
}

impl Record {
    /// An agent that is to run and is the only one of its kind.
    pub(crate) fn new(id: AgentId, spec: AgentSpec) -> Self {
        Self {
            id,
            group: spec.name.clone(),
            index: None,
            desired: Desired::Running,
            due: false,
            incarnation: Incarnation::random(),
            follows: None,
            intended_by: None,
            since: wall_millis(),
            after: Vec::new(),
            spec: Arc::new(spec),
            ready: None,
            restarts: Vec::new(),
            gave_up: None,
            unanswering: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.spec.name
    }

    /// Whether somebody wants it to run, now or when its turn comes.
    pub(crate) fn is_called_for(&self) -> bool {
        self.desired == Desired::Running || self.due
    }

    fn stop(&mut self) {
        self.desired = Desired::Stopped;
        self.due = false;
    }
}

/// One thing that changes in the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// A member is now this, whatever it was.
    Put(Arc<Record>),
    /// A member is to be stopped, and to stay so.
    Stop { id: AgentId },
    /// A member is to run, by this start of it. Its restarts are counted anew.
    Start {
        id: AgentId,
        incarnation: Incarnation,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        follows: Option<Incarnation>,
    },
    /// The engine has answered its first start.
    Begun { id: AgentId },
    /// A start of it was seen to be ready.
    Ready {
        id: AgentId,
        incarnation: Incarnation,
    },
    /// It is being restarted after it had ended by itself.
    Restarted {
        id: AgentId,
        incarnation: Incarnation,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        follows: Option<Incarnation>,
        /// When, in wall-clock milliseconds, where this is one more restart that counts.
        at: Option<u64>,
    },
    /// It is not restarted any more.
    GaveUp { id: AgentId, why: GaveUp },
    /// A start of it does not answer, and is ended to be started again.
    Unanswering { id: AgentId, why: GaveUp },
    /// It is no member any more.
    Remove { id: AgentId },
    /// The whole swarm is to go: nothing is started, and who restarts its agents ends.
    Down,
}

impl Change {
    /// Whom it is about; `None` is everybody.
    pub(crate) fn about(&self) -> Option<&AgentId> {
        match self {
            Self::Put(member) => Some(&member.id),
            Self::Stop { id }
            | Self::Start { id, .. }
            | Self::Begun { id }
            | Self::Ready { id, .. }
            | Self::Restarted { id, .. }
            | Self::GaveUp { id, .. }
            | Self::Unanswering { id, .. }
            | Self::Remove { id } => Some(id),
            Self::Down => None,
        }
    }
}

/// The members of a swarm. Names are unique, and so are ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    by_id: HashMap<AgentId, Arc<Record>>,
    by_name: HashMap<String, AgentId>,
    going_down: bool,
}

/// Who keeps more of these of one member than its policy can need, keeps too much.
const MOST_RESTARTS: usize = 1024;

impl Records {
    pub(crate) fn get(&self, id: &AgentId) -> Option<&Arc<Record>> {
        self.by_id.get(id)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Record>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.by_id.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether the swarm is being taken down.
    pub(crate) fn is_going_down(&self) -> bool {
        self.going_down
    }

    /// Makes a change. One about a member that there is not changes nothing.
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Put(member) => self.put(member),
            Change::Stop { id } => self.alter(&id, Record::stop),
            Change::Start {
                id,
                incarnation,
                follows,
            } => {
                self.going_down = false;
                self.alter(&id, |member| {
                    member.desired = Desired::Running;
                    member.due = false;
                    member.incarnation = incarnation;
                    member.follows = follows;
                    member.gave_up = None;
                    member.restarts.clear();
                });
            }
            Change::Begun { id } => self.alter(&id, |member| member.intended_by = None),
            Change::Ready { id, incarnation } => self.alter(&id, |member| {
                member.intended_by = None;
                member.ready = Some(incarnation);
            }),
            Change::Restarted {
                id,
                incarnation,
                follows,
                at,
            } => self.alter(&id, |member| {
                member.incarnation = incarnation;
                member.follows = follows;
                member.restarts.extend(at);
                let excess = member.restarts.len().saturating_sub(MOST_RESTARTS);
                member.restarts.drain(..excess);
            }),
            Change::GaveUp { id, why } => self.alter(&id, |member| member.gave_up = Some(why)),
            Change::Unanswering { id, why } => {
                self.alter(&id, |member| member.unanswering = Some(why));
            }
            Change::Remove { id } => {
                if let Some(member) = self.by_id.remove(&id) {
                    self.by_name.remove(member.name());
                }
            }
            Change::Down => {
                self.going_down = true;
                for member in self.by_id.values_mut() {
                    Arc::make_mut(member).stop();
                }
            }
        }
    }

    /// Takes from an earlier reading the specs that are still the same: they may hold secrets that this
    /// program gave, which no file holds.
    pub(crate) fn keep_given(&mut self, before: &Self) {
        for (id, member) in &mut self.by_id {
            if let Some(old) = before.by_id.get(id)
                && old.spec == member.spec
            {
                Arc::make_mut(member).spec = Arc::clone(&old.spec);
            }
        }
    }

    fn put(&mut self, mut member: Arc<Record>) {
        self.going_down = false;
        if let Some(id) = self.by_name.get(member.name())
            && *id != member.id
        {
            self.by_id.remove(&id.clone());
        }
        if let Some(old) = self.by_id.get(&member.id) {
            if old.name() != member.name() {
                self.by_name.remove(old.name());
            }
            // The same spec read back from a file lacks the values that this program gave.
            if old.spec == member.spec && !Arc::ptr_eq(&old.spec, &member.spec) {
                let spec = old.spec.clone();
                Arc::make_mut(&mut member).spec = spec;
            }
        }
        self.by_name
            .insert(member.name().to_owned(), member.id.clone());
        self.by_id.insert(member.id.clone(), member);
    }

    fn alter(&mut self, id: &AgentId, alter: impl FnOnce(&mut Record)) {
        if let Some(member) = self.by_id.get_mut(id) {
            alter(Arc::make_mut(member));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alveary_core::Secret;

    fn member(id: &str, name: &str) -> Arc<Record> {
        let id = AgentId::new(id).unwrap();
        Arc::new(Record::new(id, AgentSpec::new(name, ["true"])))
    }

    #[test]
    fn a_name_has_one_holder_and_an_id_one_name() {
        let mut records = Records::default();
        records.apply(Change::Put(member("a", "echo")));
        records.apply(Change::Put(member("b", "echo")));
        assert_eq!(records.len(), 1);
        assert_eq!(records.named("echo").unwrap().id.as_str(), "b");

        records.apply(Change::Put(member("b", "other")));
        assert!(records.named("echo").is_none());
        assert_eq!(records.len(), 1);
    }

    #[test]
    fn to_want_an_agent_running_wipes_out_that_it_was_given_up() {
        let mut records = Records::default();
        let id = AgentId::new("a").unwrap();
        records.apply(Change::Put(member("a", "echo")));
        records.apply(Change::Restarted {
            id: id.clone(),
            incarnation: Incarnation::random(),
            follows: None,
            at: Some(1),
        });
        let why = GaveUp {
            incarnation: Incarnation::random(),
            reason: "restarts used up".into(),
        };
        records.apply(Change::GaveUp {
            id: id.clone(),
            why,
        });
        assert!(records.get(&id).unwrap().gave_up.is_some());
        records.apply(Change::Start {
            id: id.clone(),
            incarnation: Incarnation::random(),
            follows: None,
        });
        let now = records.get(&id).unwrap();
        assert!(now.gave_up.is_none() && now.restarts.is_empty());
    }

    #[test]
    fn a_secret_that_this_program_gave_survives_reading_the_record_back() {
        let id = AgentId::new("a").unwrap();
        let spec = AgentSpec::new("echo", ["true"]).secret("KEY", Secret::new("hunter2"));
        let given = Arc::new(Record::new(id.clone(), spec));
        let text = serde_json::to_string(&*given).unwrap();
        assert!(!text.contains("hunter2"));

        let mut records = Records::default();
        records.apply(Change::Put(given));
        records.apply(Change::Put(Arc::new(serde_json::from_str(&text).unwrap())));
        let secret = records.get(&id).unwrap().spec.secrets["KEY"].read("KEY");
        assert_eq!(secret.unwrap().expose(), "hunter2");
    }
}
