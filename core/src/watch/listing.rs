//! A list that is under way while events go on being told: which of the two is the later word on whom.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::id::{AgentId, Incarnation};
use crate::info::AgentInfo;

/// What was told of each agent since the list was begun; `None`: that it is no more.
pub(super) type Told = HashMap<AgentId, Option<AgentInfo>>;

/// How everybody stands by a list and by what was told while it was under way, and about whom the two disagree, so
/// that only the engine knows.
pub(super) fn merge(listed: Vec<AgentInfo>, mut told: Told) -> (Vec<AgentInfo>, Vec<AgentId>) {
    let mut snapshot = Vec::with_capacity(listed.len());
    let mut doubtful = Vec::new();
    for listed in listed {
        match told.remove(&listed.id) {
            None => snapshot.push(listed),
            Some(Some(told)) if told.incarnation == listed.incarnation => {
                let further = listed.runs_again_after(&told)
                    || (listed.state.progress() > told.state.progress()
                        && !told.runs_again_after(&listed));
                snapshot.push(if further { listed } else { told });
            }
            Some(Some(told)) => {
                doubtful.push(told.id.clone());
                snapshot.push(told);
            }
            // It was there when the list was made, or has been started again since it was gone.
            Some(None) => doubtful.push(listed.id),
        }
    }
    // It has come since, or had gone and its event was late.
    for told in told.into_values().flatten() {
        doubtful.push(told.id.clone());
        snapshot.push(told);
    }
    (snapshot, doubtful)
}

/// How far an agent has come by what was told of it.
pub(super) struct Reached {
    pub(super) incarnation: Incarnation,
    progress: u8,
    /// When its last run ended: one that began since is another.
    ended: Option<SystemTime>,
}

impl Reached {
    pub(super) fn by(info: &AgentInfo) -> Self {
        Self {
            incarnation: info.incarnation,
            progress: info.state.progress().unwrap_or(0),
            ended: info.exit().and_then(|exit| exit.at),
        }
    }

    /// Whether this is news of a moment that it has left behind.
    pub(super) fn is_past(&self, news: &AgentInfo) -> bool {
        let progress = news.state.progress();
        self.incarnation == news.incarnation
            && progress.is_some_and(|progress| progress < self.progress)
            && !news.began_after(self.ended)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::exit::{EndedBy, Exit, ExitStatus};
    use crate::info::AgentState;

    fn agent(id: &str) -> AgentInfo {
        let id = AgentId::new(id).unwrap();
        AgentInfo::new(id, Incarnation::random(), "echo", AgentState::Running)
    }

    fn ended(agent: &AgentInfo) -> AgentInfo {
        let exit = Exit::new(ExitStatus::Code(0), EndedBy::Itself);
        let mut ended = agent.clone();
        ended.state = AgentState::Exited(exit);
        ended
    }

    fn told(agents: &[(&AgentInfo, bool)]) -> Told {
        let told = |(agent, there): &(&AgentInfo, bool)| {
            (agent.id.clone(), there.then(|| (*agent).clone()))
        };
        agents.iter().map(told).collect()
    }

    #[test]
    fn of_one_start_whoever_saw_it_further_is_right() {
        let (a, b) = (agent("a"), agent("b"));
        let listed = vec![a.clone(), ended(&b)];
        let (snapshot, doubtful) = merge(listed, told(&[(&ended(&a), true), (&b, true)]));
        assert_eq!(snapshot, [ended(&a), ended(&b)]);
        assert!(doubtful.is_empty());
    }

    #[test]
    fn of_two_runs_of_one_start_the_later_is_right_whoever_saw_it() {
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        let run = |began| AgentInfo {
            started_at: Some(at(began)),
            ..agent("a")
        };
        let (first, mut again) = (run(1), run(3));
        again.incarnation = first.incarnation;
        let mut ended = ended(&first);
        let exit = Exit::new(ExitStatus::Code(0), EndedBy::Itself).with_at(at(2));
        ended.state = AgentState::Exited(exit);
        for (listed, told_of) in [(&ended, &again), (&again, &ended)] {
            let (snapshot, doubtful) = merge(vec![listed.clone()], told(&[(told_of, true)]));
            assert_eq!(snapshot, [again.clone()]);
            assert!(doubtful.is_empty());
        }
        assert!(Reached::by(&ended).is_past(&first));
        assert!(!Reached::by(&ended).is_past(&again));
    }

    #[test]
    fn who_came_or_went_or_began_anew_meanwhile_is_asked_for() {
        let (came, went, old, new) = (agent("came"), agent("went"), agent("a"), agent("a"));
        let listed = vec![went.clone(), old];
        let (snapshot, mut doubtful) =
            merge(listed, told(&[(&came, true), (&went, false), (&new, true)]));
        doubtful.sort();
        assert_eq!(snapshot, [new.clone(), came.clone()]);
        assert_eq!(doubtful, [new.id, came.id, went.id]);
    }

    #[test]
    fn of_whom_nothing_was_told_the_list_is_right() {
        let a = agent("a");
        assert_eq!(merge(vec![a.clone()], Told::new()), (vec![a], Vec::new()));
    }
}
