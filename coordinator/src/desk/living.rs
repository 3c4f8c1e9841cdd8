//! Agents: they come, give signs of life, fall silent and go.

use alveary_agent::protocol::{
    AgentStatus, Capabilities, Happening, MAX_NAME, NewBid, ProblemKind, Pulse, PulseAnswer,
    Registration, Welcome,
};
use alveary_core::AgentId;

use super::Turn;
use crate::book::{Due, Member};
use crate::error::{Error, Result};
use crate::store::agents;

impl Turn<'_> {
    /// An agent presents itself. Again: what it says now is what holds.
    pub(crate) fn register(&mut self, registration: &Registration) -> Result<Welcome> {
        let id = &registration.agent_id;
        let characters = registration.name.chars().count();
        if characters > MAX_NAME {
            return Err(Error::new(
                ProblemKind::Invalid,
                format!(
                    "the name of agent {id} has {characters} characters, and {MAX_NAME} is the most"
                ),
            )
            .with_cure("give it a shorter name"));
        }
        let known = self.book.members.get(id);
        let news = known.is_none_or(|member| {
            !member.registered
                || member.name != registration.name
                || member.capabilities != registration.capabilities
        });
        if news {
            let name = registration.name.clone();
            self.enter_member(id, name, &registration.capabilities, true)?;
            self.record(Happening::AgentRegistered {
                agent: id.clone(),
                name: registration.name.clone(),
            })?;
        }
        self.heard(id)?;
        Ok(Welcome {
            heartbeat: self.settings.heartbeat,
            now: self.events.last().map_or_else(
                || crate::store::events::latest(self.db).map_err(Error::from),
                |event| Ok(event.id),
            )?,
        })
    }

    /// An agent that bids is here. One that is not known is entered by its bid.
    pub(super) fn enter_bidder(&mut self, bid: &NewBid) -> Result<()> {
        let known = self.book.members.get(&bid.agent_id);
        // Who never presented itself can do what its last bid says.
        let news = known
            .is_none_or(|member| !member.registered && member.capabilities != bid.capabilities);
        if news {
            let name = bid.agent_id.to_string();
            self.enter_member(&bid.agent_id, name, &bid.capabilities, false)?;
        }
        self.heard(&bid.agent_id)
    }

    fn enter_member(
        &mut self,
        id: &AgentId,
        name: String,
        capabilities: &Capabilities,
        registered: bool,
    ) -> Result<()> {
        let was_watched = self.book.lives_until(id, self.settings).is_some();
        let member = self.book.members.entry(id.clone());
        let member = member.or_insert_with(|| Member::new(self.at.now, self.at.shown));
        member.name = name;
        member.capabilities = capabilities.clone();
        member.registered |= registered;
        self.changed = true;
        self.freed = true;
        self.save(id)?;
        if !was_watched {
            self.book.watch(id, self.settings);
        }
        Ok(())
    }

    /// Writes how an agent stands.
    fn save(&mut self, id: &AgentId) -> Result<()> {
        let Some(member) = self.book.members.get_mut(id) else {
            return Ok(());
        };
        member.saved = self.at.now;
        let recorded = agents::Recorded {
            id: id.clone(),
            name: member.name.clone(),
            capabilities: member.capabilities.clone(),
            registered: member.registered,
            online: member.online,
            registered_at: member.registered_at,
            last_seen: member.last_seen,
        };
        Ok(agents::put(self.db, &recorded)?)
    }

    /// A sign of life of an agent, if there is one of this name.
    pub(crate) fn heard(&mut self, id: &AgentId) -> Result<()> {
        let at = self.at;
        let Some(member) = self.book.members.get_mut(id) else {
            return Ok(());
        };
        member.heard = at.now;
        member.last_seen = at.shown;
        let returned = !std::mem::replace(&mut member.online, true);
        // That it was seen is written now and then, and when it comes back.
        if returned || at.now.duration_since(member.saved) >= self.settings.heartbeat / 2 {
            self.changed |= returned;
            self.save(id)?;
        }
        if returned {
            self.freed = true;
            self.book.watch(id, self.settings);
            self.tell_status(id, |_| true)?;
        }
        Ok(())
    }

    /// A sign of life of an agent that must be known.
    pub(super) fn heard_known(&mut self, id: &AgentId) -> Result<()> {
        if !self.book.members.contains_key(id) {
            return Err(Error::no_agent(id));
        }
        self.heard(id)
    }

    /// Looks whether an agent has fallen silent.
    pub(super) fn check_agent(&mut self, id: &AgentId) -> Result<()> {
        match self.book.lives_until(id, self.settings) {
            Some(until) if until <= self.at.now => self.lost(id, "its agent has fallen silent"),
            Some(until) => {
                self.book.due.at(until, Due::Agent(id.clone()));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// An agent is known to have ended. What it had is auctioned again at once.
    pub(crate) fn gone(&mut self, id: &AgentId) -> Result<()> {
        let known = self.book.members.get(id);
        if known.is_some_and(|member| member.online || !member.queue.is_empty()) {
            self.lost(id, "its agent is gone")?;
        }
        Ok(())
    }

    fn lost(&mut self, id: &AgentId, why: &str) -> Result<()> {
        let Some(member) = self.book.members.get_mut(id) else {
            return Ok(());
        };
        self.changed = true;
        self.freed = true;
        member.online = false;
        let held: Vec<_> = member.queue.iter().copied().collect();
        self.save(id)?;
        for token in held {
            self.supersede(token, why)?;
        }
        self.record(Happening::AgentChanged {
            agent: id.clone(),
            status: AgentStatus::Offline,
        })?;
        Ok(())
    }

    /// A heartbeat: the agent lives, and works on these attempts.
    pub(crate) fn pulse(&mut self, pulse: &Pulse) -> Result<PulseAnswer> {
        self.heard_known(&pulse.agent_id)?;
        let mut superseded = Vec::new();
        for token in &pulse.attempts {
            match self.book.attempts.get_mut(token) {
                Some(attempt) if attempt.agent == pulse.agent_id => {
                    attempt.since = self.at.now;
                    self.moved(&pulse.agent_id);
                }
                _ => superseded.push(*token),
            }
        }
        Ok(PulseAnswer { superseded })
    }

    /// An agent has done something about its tasks.
    pub(super) fn moved(&mut self, id: &AgentId) {
        if let Some(member) = self.book.members.get_mut(id) {
            member.moved = self.at.now;
        }
    }

    /// Tells how an agent stands, if the number of its attempts is one at which that changes.
    pub(super) fn tell_status(
        &mut self,
        id: &AgentId,
        changes: impl FnOnce(usize) -> bool,
    ) -> Result<()> {
        if let Some(member) = self.book.members.get(id)
            && changes(member.queue.len())
        {
            let status = member.status();
            self.record(Happening::AgentChanged {
                agent: id.clone(),
                status,
            })?;
        }
        Ok(())
    }
}
