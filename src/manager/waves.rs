//! In which order agents are stopped: the reverse of that in which they were started.

use std::cmp::Reverse;
use std::collections::HashMap;

use alveary_core::AgentBackend;

use super::agent::Agent;
use super::core::Core;

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Those that may be stopped together, wave by wave: whoever comes after another is in an earlier wave,
    /// and within one the youngest comes first.
    pub(super) fn last_first(&self, agents: Vec<Agent>) -> Vec<Vec<Agent>> {
        let after: HashMap<String, Vec<String>> = self.store.look(|records| {
            let groups = records.iter().map(|r| (r.group.clone(), r.after.clone()));
            groups.collect()
        });
        let mut depths = HashMap::new();
        let deep: Vec<_> = agents
            .iter()
            .map(|agent| depth(&agent.group, &after, &mut depths))
            .collect();
        let mut waves: HashMap<usize, Vec<Agent>> = HashMap::new();
        for (depth, agent) in deep.into_iter().zip(agents) {
            waves.entry(depth).or_default().push(agent);
        }
        let mut waves: Vec<_> = waves.into_iter().collect();
        waves.sort_unstable_by_key(|(depth, _)| Reverse(*depth));
        waves
            .into_iter()
            .map(|(_, mut wave)| {
                wave.sort_unstable_by_key(|agent| Reverse(agent.info.created_at));
                wave
            })
            .collect()
    }
}

/// How many others, one after the other, come before a group.
fn depth<'a>(
    group: &'a str,
    after: &'a HashMap<String, Vec<String>>,
    known: &mut HashMap<&'a str, usize>,
) -> usize {
    // Deepest first, without recursion, so that no record, however made, exhausts the stack.
    let mut path = vec![group];
    while let Some(&at) = path.last() {
        let before = after.get(at).map_or(&[][..], Vec::as_slice);
        let unknown = before
            .iter()
            .map(String::as_str)
            // A cycle, which only a damaged record can have, is cut where it closes.
            .find(|name| !known.contains_key(name) && !path.contains(name));
        if let Some(next) = unknown {
            path.push(next);
            continue;
        }
        let deepest = before
            .iter()
            .filter_map(|name| known.get(name.as_str()))
            .max();
        known.insert(at, deepest.map_or(0, |depth| depth + 1));
        path.pop();
    }
    known.get(group).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depths(after: &[(&str, &[&str])]) -> Vec<usize> {
        let map: HashMap<String, Vec<String>> = after
            .iter()
            .map(|(name, before)| {
                let before = before.iter().map(|name| (*name).to_owned()).collect();
                ((*name).to_owned(), before)
            })
            .collect();
        let mut known = HashMap::new();
        let mut of = Vec::new();
        for (name, _) in after {
            let Some((name, _)) = map.get_key_value(*name) else {
                continue;
            };
            of.push(depth(name, &map, &mut known));
        }
        of
    }

    #[test]
    fn a_group_is_as_deep_as_the_longest_chain_before_it() {
        assert_eq!(
            depths(&[
                ("web", &["api", "db"]),
                ("api", &["db"]),
                ("db", &[]),
                ("alone", &["not recorded"]),
            ]),
            [2, 1, 0, 1]
        );
    }

    #[test]
    fn a_cycle_in_a_damaged_record_does_no_harm() {
        let found = depths(&[("a", &["b"]), ("b", &["a"])]);
        assert_eq!(found.len(), 2);
    }
}
