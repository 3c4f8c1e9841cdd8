//! A list that is under way while events go on being told: which of the two is the later word on whom.

use std::collections::HashMap;

use crate::id::AgentId;
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
                let further = listed.state.progress() > told.state.progress();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{EndedBy, Exit, ExitStatus};
    use crate::id::Incarnation;
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
