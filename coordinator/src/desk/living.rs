//! Agents: they come, give signs of life, fall silent and go.

use alveary_agent::protocol::{
    AgentStatus, Capabilities, Happening, MAX_NAME, NewBid, ProblemKind, Pulse, PulseAnswer,
    Registration, Welcome,
};
use alveary_core::AgentId;

use super::Turn;
use crate::book::{Due, FORGOTTEN, Member};
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
        self.recall(id)?;
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
        let now = self.events.last().map_or_else(
            || crate::store::events::latest(self.db).map_err(Error::from),
            |event| Ok(event.id),
        )?;
        Ok(Welcome::new(self.settings.heartbeat).with_now(now))
    }

    /// An agent that bids is here. One that is not known is entered by its bid.
    pub(super) fn enter_bidder(&mut self, bid: &NewBid) -> Result<()> {
        self.recall(&bid.agent_id)?;
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
        self.changed = true;
        if self.book.members.get(id).is_none() {
            let new = Member::new(self.at.now, self.at.shown);
            self.book.enter_member(id, new);
        }
        self.book.members.change(id, |member| {
            member.name = name;
            member.capabilities = capabilities.clone();
            member.registered |= registered;
        });
        self.freed = true;
        self.save(id)?;
        if !was_watched {
            self.book.watch(id, self.settings);
        }
        Ok(())
    }

    /// Writes how an agent stands.
    fn save(&mut self, id: &AgentId) -> Result<()> {
        let saved = self.book.members.change(id, |member| {
            member.saved = self.at.now;
            agents::Recorded {
                id: id.clone(),
                name: member.name.clone(),
                capabilities: member.capabilities.clone(),
                registered: member.registered,
                online: member.online,
                registered_at: member.registered_at,
                last_seen: member.last_seen,
            }
        });
        match saved {
            Some(recorded) => Ok(agents::put(self.db, &recorded)?),
            None => Ok(()),
        }
    }

    /// Has the book hold an agent that only the file remembers, if there is one of this name.
    pub(super) fn recall(&mut self, id: &AgentId) -> Result<()> {
        if self.book.members.get(id).is_none()
            && let Some(recorded) = agents::get(self.db, id)?
        {
            let member = recorded.member(self.at.now);
            self.book.recall_member(id, member, self.settings);
        }
        Ok(())
    }

    /// Looks whether an agent needs to be held: not if it has nothing to do, and has not been heard of for long.
    pub(super) fn check_silence(&mut self, id: &AgentId) -> Result<()> {
        let Some(member) = self.book.members.get(id) else {
            return Ok(());
        };
        let (heard, idle) = (member.heard, member.queue.is_empty());
        let watched = self.book.lives_until(id, self.settings).is_some();
        let now = self.at.now;
        if idle && !watched && heard + FORGOTTEN <= now {
            self.save(id)?;
            self.changed = true;
            self.book.members.leave(id);
            return Ok(());
        }
        let again = (heard + FORGOTTEN).max(now + FORGOTTEN / 2);
        self.book.due.at(again, Due::Silence(id.clone()));
        Ok(())
    }

    /// A sign of life of an agent, if there is one of this name.
    pub(crate) fn heard(&mut self, id: &AgentId) -> Result<()> {
        let at = self.at;
        self.recall(id)?;
        let heard = self.book.members.change(id, |member| {
            member.heard = at.now;
            member.last_seen = at.shown;
            (std::mem::replace(&mut member.online, true), member.saved)
        });
        let Some((was_online, saved)) = heard else {
            return Ok(());
        };
        let returned = !was_online;
        // That it was seen is written now and then, and when it comes back.
        if returned || at.now.duration_since(saved) >= self.settings.heartbeat / 2 {
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
        self.heard(id)?;
        match self.book.members.get(id) {
            Some(_) => Ok(()),
            None => Err(Error::no_agent(id)),
        }
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
        self.recall(id)?;
        let known = self.book.members.get(id);
        if known.is_some_and(|member| member.online || !member.queue.is_empty()) {
            self.lost(id, "its agent is gone")?;
        }
        Ok(())
    }

    fn lost(&mut self, id: &AgentId, why: &str) -> Result<()> {
        let held = self.book.members.change(id, |member| {
            member.online = false;
            member.queue.clone()
        });
        let Some(held) = held else {
            return Ok(());
        };
        self.changed = true;
        self.freed = true;
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
        Ok(PulseAnswer::new(superseded))
    }

    /// An agent has done something about its tasks.
    pub(super) fn moved(&mut self, id: &AgentId) {
        let now = self.at.now;
        self.book.members.change(id, |member| member.moved = now);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alveary_agent::protocol::{AgentStatus, NewTask, Sats, TaskStatus, Timestamp};
    use tokio::time::Instant;

    use super::super::{Desk, Moment};
    use super::*;
    use crate::settings::{Bidders, Settings};
    use crate::store::{Database, Store};

    const MANY: u64 = 2_000;

    /// A desk, and what its clocks show a time after it was opened.
    fn desk(settings: Settings) -> (Desk, impl Fn(Duration) -> Moment) {
        let begun = Instant::now();
        let at = move |time: Duration| Moment {
            now: begun + time,
            shown: Timestamp::from_millis(i64::try_from(time.as_millis()).unwrap()),
        };
        let store = Store::open(&Database::Memory).unwrap();
        (Desk::open(store, settings, at(Duration::ZERO)).unwrap(), at)
    }

    fn id(number: u64) -> AgentId {
        AgentId::new(format!("a{number}")).unwrap()
    }

    fn do_turn<T>(desk: &mut Desk, at: Moment, act: impl FnOnce(&mut Turn<'_>) -> Result<T>) -> T {
        let outcome = desk.turn(at, act).unwrap();
        desk.commit().unwrap();
        outcome
    }

    #[test]
    fn agents_that_are_long_gone_are_left_to_the_file_and_known_again_when_they_return() {
        let (mut desk, at) = desk(Settings::default());
        do_turn(&mut desk, at(Duration::ZERO), |turn| {
            (0..MANY).try_for_each(|number| {
                let registration = Registration::new(id(number), format!("Agent {number}"))
                    .with_capabilities("song".parse().unwrap());
                turn.register(&registration).map(drop)
            })
        });
        assert_eq!(desk.book.members.iter().count() as u64, MANY);
        let silent = Settings::default().heartbeat;
        let later = at(silent + FORGOTTEN + FORGOTTEN);
        for moment in [at(silent), at(FORGOTTEN), later] {
            do_turn(&mut desk, moment, |turn| turn.do_what_is_due());
        }
        assert_eq!(desk.book.members.iter().count(), 0);
        assert_eq!(desk.next_due(), None);
        assert_eq!(desk.metrics().agents[&AgentStatus::Offline], MANY);
        assert_eq!(desk.agents().unwrap().len() as u64, MANY);
        // One comes back by a heartbeat, and is who it was.
        let pulse = |number| Pulse::new(id(number));
        do_turn(&mut desk, later, |turn| turn.pulse(&pulse(7)));
        assert!(desk.turn(later, |turn| turn.pulse(&pulse(MANY))).is_err());
        let agents = desk.agents().unwrap();
        let back = agents.iter().find(|agent| agent.id == id(7)).unwrap();
        assert_eq!(
            (back.name.as_str(), back.status),
            ("Agent 7", AgentStatus::Idle)
        );
        assert_eq!(back.capabilities, "song".parse().unwrap());
        assert_eq!(back.registered_at, Timestamp::from_millis(0));
        assert_eq!(desk.metrics().agents[&AgentStatus::Offline], MANY - 1);
        assert_eq!(desk.book.members.iter().count(), 1);
    }

    #[test]
    fn a_bid_of_who_is_left_to_the_file_by_the_end_of_the_auction_wins() {
        let long = FORGOTTEN * 4;
        let settings = Settings::default()
            .with_bidders(Bidders::Anybody)
            .with_auction(long);
        let (mut desk, at) = desk(settings);
        let task = do_turn(&mut desk, at(Duration::ZERO), |turn| {
            turn.add(&[NewTask::new("sing".parse().unwrap())], None)
        })[0]
            .id;
        do_turn(&mut desk, at(Duration::ZERO), |turn| {
            (0..MANY).try_for_each(|number| {
                let bid = NewBid::new(task, id(number), Sats::new(10 + number % 100).unwrap());
                turn.bid(&bid).map(drop)
            })
        });
        for moment in [at(FORGOTTEN), at(FORGOTTEN * 2)] {
            do_turn(&mut desk, moment, |turn| turn.do_what_is_due());
        }
        assert_eq!(desk.book.members.iter().count(), 0);
        do_turn(&mut desk, at(long), |turn| turn.do_what_is_due());
        let won = desk.task(task).unwrap();
        assert_eq!(won.status, TaskStatus::Assigned);
        assert_eq!(won.assigned_agent, Some(id(0)));
    }
}
