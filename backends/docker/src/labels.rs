//! The marks by which the engine's objects are known to be ours.

use std::collections::BTreeMap;
use std::time::Duration;

use alveary_core::{AgentId, Incarnation, SpecHash, SwarmUid};

const SWARM: &str = "alveary.swarm";
const AGENT_ID: &str = "alveary.agent-id";
const NAME: &str = "alveary.name";
const INCARNATION: &str = "alveary.incarnation";
const SPEC_HASH: &str = "alveary.spec-hash";
const VERSION: &str = "alveary.version";
const CAPABILITIES: &str = "alveary.capabilities";
const GRACE: &str = "alveary.grace-ms";
const LEASE: &str = "alveary.lease";
const HOLDER: &str = "alveary.holder";

/// A container's labels. Read with suspicion: containers inherit those of their image.
pub(crate) type Labels = BTreeMap<String, String>;

/// What an agent's container says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) swarm: SwarmUid,
    pub(crate) id: AgentId,
    pub(crate) name: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) spec_hash: SpecHash,
    pub(crate) capabilities: Vec<String>,
    /// How long it has to end once asked: engines know whole seconds alone.
    pub(crate) grace: Duration,
}

impl Marks {
    pub(crate) fn to_labels(&self) -> Labels {
        let millis = self.grace.as_millis();
        [
            (SWARM, self.swarm.to_string()),
            (AGENT_ID, self.id.to_string()),
            (NAME, self.name.clone()),
            (INCARNATION, self.incarnation.to_string()),
            (SPEC_HASH, self.spec_hash.to_string()),
            (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
            (CAPABILITIES, self.capabilities.join(",")),
            (GRACE, millis.to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// `None` for what carries not all of the marks, or any that cannot be ours.
    pub(crate) fn from_labels(labels: &Labels) -> Option<Self> {
        let get = |key: &str| labels.get(key);
        let capabilities = get(CAPABILITIES).map_or("", String::as_str);
        Some(Self {
            swarm: get(SWARM)?.parse().ok()?,
            id: get(AGENT_ID)?.parse().ok()?,
            name: get(NAME)?.clone(),
            incarnation: get(INCARNATION)?.parse().ok()?,
            spec_hash: get(SPEC_HASH)?.parse().ok()?,
            capabilities: capabilities
                .split(',')
                .filter(|capability| !capability.is_empty())
                .map(ToOwned::to_owned)
                .collect(),
            grace: Duration::from_millis(get(GRACE)?.parse().ok()?),
        })
    }
}

/// The filter that an engine is given for a swarm: `key=value`.
pub(crate) fn of_swarm(swarm: SwarmUid) -> String {
    format!("{SWARM}={swarm}")
}

/// The filter for what is of any swarm.
pub(crate) fn anybodys() -> &'static str {
    SWARM
}

/// Whose it is.
pub(crate) fn swarm_of(labels: &Labels) -> Option<SwarmUid> {
    labels.get(SWARM)?.parse().ok()
}

/// The marks of what is a swarm's own and no agent: its networks and volumes.
pub(crate) fn of_belonging(swarm: SwarmUid) -> Labels {
    [
        (SWARM.to_owned(), swarm.to_string()),
        (VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .into()
}

/// Whether what carries these is the swarm's.
pub(crate) fn is_of_swarm(labels: &Labels, swarm: SwarmUid) -> bool {
    labels
        .get(SWARM)
        .is_some_and(|uid| *uid == swarm.to_string())
}

/// What the terms of a swarm's lease carry. They are no belongings: no label says so.
pub(crate) fn of_term(swarm: SwarmUid, holder: &str) -> Labels {
    [
        (LEASE, swarm.to_string()),
        (HOLDER, holder.to_owned()),
        (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// By what all terms of a swarm's lease are found.
pub(crate) fn terms_of(swarm: SwarmUid) -> String {
    format!("{LEASE}={swarm}")
}

/// Whose a term is, where it is one of this swarm's.
pub(crate) fn term_holder(labels: &Labels, swarm: SwarmUid) -> Option<&str> {
    let ours = labels.get(LEASE) == Some(&swarm.to_string());
    labels.get(HOLDER).map(String::as_str).filter(|_| ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> Marks {
        Marks {
            swarm: SwarmUid::random(),
            id: AgentId::new("persona-echo").unwrap(),
            name: "echo".into(),
            incarnation: Incarnation::random(),
            spec_hash: SpecHash::default(),
            capabilities: vec!["summarise".into(), "translate".into()],
            grace: Duration::from_millis(300),
        }
    }

    #[test]
    fn marks_are_read_back_from_their_labels() {
        let marks = marks();
        assert_eq!(Marks::from_labels(&marks.to_labels()), Some(marks.clone()));
        let none = Marks {
            capabilities: Vec::new(),
            ..marks
        };
        assert_eq!(Marks::from_labels(&none.to_labels()), Some(none));
    }

    #[test]
    fn a_container_with_some_of_the_marks_is_a_strangers() {
        let whole = marks().to_labels();
        for key in [SWARM, AGENT_ID, NAME, INCARNATION, SPEC_HASH] {
            let mut labels = whole.clone();
            labels.remove(key);
            assert_eq!(Marks::from_labels(&labels), None, "without {key}");
            labels.insert(key.to_owned(), "../x".to_owned());
            let found = Marks::from_labels(&labels);
            assert!(found.is_none() || key == NAME, "a doctored {key}");
        }
    }
}
