//! What the engine says, and what that means for the table.

use std::collections::HashSet;

use alveary_core::{AgentId, AgentInfo, Error, ErrorKind, Fetch, Operation};

use super::Table;
use crate::manager::row::Merged;
use crate::manager::subscribe::SwarmEvent;

/// Whether the engine is heard.
#[derive(Debug, Clone)]
pub(in crate::manager) enum Hearing {
    /// Nothing has been heard yet, good or bad.
    NotYet,
    Heard,
    /// What was the matter.
    Lost(Lost),
}

/// Why the engine is not heard: an error that can be told more than once.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Lost {
    kind: ErrorKind,
    message: String,
    words: Option<String>,
    cure: Option<String>,
}

impl From<&Error> for Lost {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
            words: error.engine_words().map(ToOwned::to_owned),
            cure: error.cure().map(ToOwned::to_owned),
        }
    }
}

impl Lost {
    pub(in crate::manager) fn error(&self, operation: Operation) -> Error {
        let mut error = Error::new(self.kind, operation, self.message.clone());
        if let Some(words) = &self.words {
            error = error.with_engine_words(words.clone());
        }
        if let Some(cure) = &self.cure {
            error = error.with_cure(cure.clone());
        }
        error
    }
}

/// What it means that the engine does not know an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Gone {
    /// It is there no more.
    NotThere,
    /// Its first start, whose outcome was not known, has not happened.
    NeverWas,
    /// Nothing: a verb has touched it since the engine was asked.
    TooOld,
}

/// What a snapshot leaves to be found out.
#[derive(Debug, Default)]
pub(in crate::manager) struct Findings {
    /// Only the engine knows how these stand.
    pub(in crate::manager) doubtful: Vec<AgentId>,
    /// The engine knows these no more.
    pub(in crate::manager) gone: Vec<AgentId>,
    /// These have changed.
    pub(in crate::manager) changed: Vec<AgentId>,
}

impl Table {
    /// News of one agent, as it was happened to be heard.
    pub(in crate::manager) fn hear(&self, info: AgentInfo) -> Merged {
        let mut rows = self.write();
        if rows.is_removed(&info) {
            return Merged::Nothing;
        }
        let id = info.id.clone();
        let merged = rows.change(&id, |row| row.merge(info, false));
        if merged == Merged::Changed {
            self.tell(&rows, &id);
        }
        merged
    }

    /// How one agent stands, by an answer to what was [asked](Self::ask).
    pub(in crate::manager) fn learn(&self, info: AgentInfo, asked: u64) {
        let mut rows = self.write();
        if rows.is_removed(&info) || rows.gone.get(&info.id).is_some_and(|gone| *gone > asked) {
            return;
        }
        let id = info.id.clone();
        rows.change(&id, |row| {
            // What a verb has done since is younger than the answer, and so is what was asked since.
            if row.touched <= asked && row.answered < asked {
                row.answered = asked;
                row.unsure = None;
                row.merge(info, true);
            }
        });
        self.tell(&rows, &id);
    }

    /// The whole truth, as of a list that began after `mark`.
    pub(in crate::manager) fn snapshot(&self, agents: Vec<AgentInfo>, mark: u64) -> Findings {
        let mut rows = self.write();
        let was_deaf = rows.deaf.take().is_some();
        rows.heard = true;
        let mut findings = Findings::default();
        let mut listed = HashSet::with_capacity(agents.len());
        for info in agents {
            if rows.is_removed(&info) {
                continue;
            }
            let id = info.id.clone();
            listed.insert(id.clone());
            match rows.change(&id, |row| row.merge(info, false)) {
                Merged::Changed => findings.changed.push(id),
                Merged::Doubtful => findings.doubtful.push(id),
                Merged::Nothing => {}
            }
        }
        // Whoever was removed before the list was begun is heard of no more.
        rows.removed.retain(|_, (_, touch)| *touch > mark);
        rows.gone.retain(|_, asked| *asked > mark);
        for (id, row) in &rows.by_id {
            let listed = listed.contains(id);
            let settled = if listed {
                row.unsure.is_none()
            } else {
                row.info.is_none() && row.unsure.is_none()
            };
            if settled || row.starting.is_some() {
                continue;
            }
            if listed || row.touched > mark {
                findings.doubtful.push(id.clone());
            } else {
                findings.gone.push(id.clone());
            }
        }
        if was_deaf {
            // Everybody's state has changed: those who watch are better served by a new snapshot.
            for row in rows.by_id.values() {
                row.wake();
            }
            let deaf = rows.deaf.as_deref();
            let all = rows.by_id.iter().filter_map(|(id, row)| row.view(id, deaf));
            if self.news.receiver_count() > 0 {
                let _ = self.news.send(SwarmEvent::Snapshot(all.collect()));
            }
        } else {
            for id in &findings.changed {
                self.tell(&rows, id);
            }
        }
        drop(rows);
        self.hearing.send_replace(Hearing::Heard);
        findings
    }

    /// The engine knows this agent no more, as it said after `mark`.
    pub(in crate::manager) fn gone(&self, id: &AgentId, mark: u64) -> Gone {
        let mut rows = self.write();
        rows.gone.insert(id.clone(), mark);
        let Some(row) = rows.by_id.get(id) else {
            return Gone::NotThere;
        };
        if row.touched > mark || row.answered > mark || row.starting.is_some() {
            // It touches nothing: the answer to a younger question may be on its way, and is not to be too old by this.
            return Gone::TooOld;
        }
        let touch = self.touch();
        let (changed, unsure) = rows.change(id, |row| {
            let changed = row.vanish();
            row.touched = touch;
            (changed || row.unsure.is_some(), row.unsure.take())
        });
        if changed {
            self.tell(&rows, id);
            rows.sweep(id);
        }
        match unsure {
            Some(unsure) if unsure.first => Gone::NeverWas,
            _ => Gone::NotThere,
        }
    }

    /// Those that have come to an end by being taken away in the engine, now that nobody has forgotten them.
    pub(in crate::manager) fn taken_away(&self) -> Vec<AgentId> {
        let missed = self.ids(|row| row.missed.is_some());
        let mut rows = self.write();
        let mut ended = missed;
        ended.retain(|id| {
            let touch = self.touch();
            let is_so = rows.by_id.contains_key(id)
                && rows.change(id, |row| {
                    let is_so = row.end_as_taken_away();
                    if is_so {
                        row.touched = touch;
                    }
                    is_so
                });
            if is_so {
                self.tell(&rows, id);
            }
            is_so
        });
        ended
    }

    /// Somebody begins to listen: whether the engine is heard is to be seen.
    pub(in crate::manager) fn listen_anew(&self) {
        self.hearing.send_replace(Hearing::NotYet);
    }

    /// Tells how far something has come that agents wait for.
    pub(in crate::manager) fn pass_on(&self, fetch: Fetch) {
        // Nobody may listen.
        let _ = self.news.send(SwarmEvent::Fetching(fetch));
    }

    /// The engine cannot be heard: nothing is known.
    pub(in crate::manager) fn lose(&self, error: &Error) {
        let why = error.to_string();
        let mut rows = self.write();
        rows.deaf = Some(why.clone());
        for row in rows.by_id.values() {
            row.wake();
        }
        let _ = self.news.send(SwarmEvent::Lost { why });
        drop(rows);
        self.hearing.send_replace(Hearing::Lost(error.into()));
    }
}
