//! The agents that are held in memory, and who of them is free.
//!
//! Only the file has all that were ever seen. Those that have been silent for long are not held: what is done for a
//! bid or a heartbeat costs the same, however many have come and gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alveary_agent::protocol::{AgentStatus, AgentView, AttemptToken, Capabilities, Timestamp};
use alveary_core::AgentId;
use tokio::time::Instant;

/// The agents that are held.
#[derive(Debug, Default)]
pub(crate) struct Members {
    held: BTreeMap<AgentId, Member>,
    free: BTreeSet<AgentId>,
    /// How many more the file has.
    elsewhere: u64,
}

impl Members {
    /// None, of so many that the file has.
    pub(crate) fn of(recorded: u64) -> Self {
        Self {
            elsewhere: recorded,
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, id: &AgentId) -> Option<&Member> {
        self.held.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AgentId, &Member)> {
        self.held.iter()
    }

    /// How many the file has that are not held.
    pub(crate) fn elsewhere(&self) -> u64 {
        self.elsewhere
    }

    /// Those that have nothing to do and may be expected to bid.
    pub(crate) fn free(&self) -> &BTreeSet<AgentId> {
        &self.free
    }

    /// Holds one that the file does not have yet.
    pub(super) fn enter(&mut self, id: AgentId, member: Member) {
        if member.is_free() {
            self.free.insert(id.clone());
        }
        self.held.insert(id, member);
    }

    /// Holds one as the file has it.
    pub(super) fn recall(&mut self, id: AgentId, member: Member) {
        self.elsewhere = self.elsewhere.saturating_sub(1);
        self.enter(id, member);
    }

    /// Leaves one to the file.
    pub(crate) fn leave(&mut self, id: &AgentId) {
        self.free.remove(id);
        if self.held.remove(id).is_some() {
            self.elsewhere += 1;
        }
    }

    /// Changes one that is held.
    pub(crate) fn change<T>(
        &mut self,
        id: &AgentId,
        act: impl FnOnce(&mut Member) -> T,
    ) -> Option<T> {
        let member = self.held.get_mut(id)?;
        let was_free = member.is_free();
        let outcome = act(member);
        match (was_free, member.is_free()) {
            (false, true) => {
                self.free.insert(id.clone());
            }
            (true, false) => {
                self.free.remove(id);
            }
            _ => {}
        }
        Some(outcome)
    }
}

/// An agent that was heard of.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) capabilities: Capabilities,
    /// It presented itself, and so gives signs of life. Others are known by their bids.
    pub(crate) registered: bool,
    pub(crate) online: bool,
    pub(crate) registered_at: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// When `last_seen` was last written into the file.
    pub(crate) saved: Instant,
    /// Its last sign of life.
    pub(crate) heard: Instant,
    /// When it last did something about its tasks.
    pub(crate) moved: Instant,
    /// The attempts that it has, in the order in which it won them.
    pub(crate) queue: VecDeque<AttemptToken>,
}

impl Member {
    /// Somebody of whom nothing is known but that it is here.
    pub(crate) fn new(now: Instant, shown: Timestamp) -> Self {
        Self {
            name: String::new(),
            capabilities: Capabilities::default(),
            registered: false,
            online: true,
            registered_at: shown,
            last_seen: shown,
            saved: now,
            heard: now,
            moved: now,
            queue: VecDeque::new(),
        }
    }

    pub(crate) fn status(&self) -> AgentStatus {
        match (self.online, self.queue.is_empty()) {
            (false, _) => AgentStatus::Offline,
            (true, true) => AgentStatus::Idle,
            (true, false) => AgentStatus::Busy,
        }
    }

    pub(crate) fn is_free(&self) -> bool {
        self.online && self.queue.is_empty()
    }

    pub(crate) fn view(&self, id: &AgentId) -> AgentView {
        AgentView::new(
            id.clone(),
            self.name.clone(),
            self.status(),
            self.registered_at,
            self.last_seen,
        )
        .with_capabilities(self.capabilities.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn who_is_free_is_known_whatever_has_been_done(
            acts in prop::collection::vec((0u8..4, 0u8..5), 0..40),
        ) {
            let mut members = Members::of(0);
            let now = Instant::now();
            for (who, what) in acts {
                let id = AgentId::new(format!("a{who}")).unwrap();
                match what {
                    0 => members.enter(id, Member::new(now, Timestamp::from_millis(0))),
                    1 => members.leave(&id),
                    2 => drop(members.change(&id, |member| member.online = !member.online)),
                    3 => drop(members.change(&id, |member| member.queue.push_back(AttemptToken::random()))),
                    _ => drop(members.change(&id, |member| member.queue.pop_front())),
                }
                let free = members.iter().filter(|(_, member)| member.is_free());
                prop_assert!(free.map(|(id, _)| id).eq(members.free()));
            }
        }
    }
}
