//! `--filter KEY=VALUE`.

use alveary::{AgentInfo, Escaped};

/// One condition on an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    key: Key,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Name,
    Id,
    State,
    Capability,
    Ready,
}

const KEYS: [(&str, Key); 5] = [
    ("name", Key::Name),
    ("id", Key::Id),
    ("state", Key::State),
    ("capability", Key::Capability),
    ("ready", Key::Ready),
];

const STATES: [&str; 7] = [
    "pending", "starting", "running", "stopping", "exited", "failed", "unknown",
];

impl Key {
    /// What may stand behind it; anything where there are none.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::State => &STATES,
            Self::Ready => &["true", "false"],
            Self::Name | Self::Id | Self::Capability => &[],
        }
    }
}

/// `KEY=VALUE`.
pub(crate) fn parse(text: &str) -> Result<Filter, String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("it is not of the form KEY=VALUE, as in `state=running`")?;
    let key = KEYS
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, key)| *key)
        .ok_or_else(|| {
            let known = KEYS.map(|(name, _)| format!("`{name}`")).join(", ");
            format!("there is no filter `{}` ({known} are)", Escaped(key))
        })?;
    let known = key.words();
    if known.is_empty() || known.contains(&value) {
        return Ok(Filter {
            key,
            value: value.to_owned(),
        });
    }
    let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    Err(format!(
        "`{}` is none of {}",
        Escaped(value),
        known.join(", ")
    ))
}

impl Filter {
    fn holds(&self, agent: &AgentInfo, group: Option<&str>, ready: bool) -> bool {
        match self.key {
            Key::Name => agent.name == self.value || group == Some(&self.value),
            Key::Id => agent.id.as_str().starts_with(&self.value),
            Key::State => agent.state.as_str() == self.value,
            Key::Capability => agent.capabilities.contains(&self.value),
            Key::Ready => ready.to_string() == self.value,
        }
    }
}

/// Whether one of them is on the state: then those that have ended may be meant, too.
pub(crate) fn name_a_state(filters: &[Filter]) -> bool {
    filters.iter().any(|filter| filter.key == Key::State)
}

/// What may be typed, whole where only some words can stand behind the sign.
pub(crate) fn examples() -> impl Iterator<Item = String> {
    KEYS.iter().flat_map(|(name, key)| {
        let words = match key.words() {
            [] => &[""],
            words => words,
        };
        words.iter().map(move |word| format!("{name}={word}"))
    })
}

/// Whether all it was asked for is true of an agent. Of several values for one key, one is enough.
pub(crate) fn matches(
    filters: &[Filter],
    agent: &AgentInfo,
    group: Option<&str>,
    ready: bool,
) -> bool {
    KEYS.iter().all(|(_, key)| {
        let mut of_this_key = filters
            .iter()
            .filter(|filter| filter.key == *key)
            .peekable();
        of_this_key.peek().is_none() || of_this_key.any(|filter| filter.holds(agent, group, ready))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alveary::{AgentId, AgentState, Incarnation};

    fn holds(filters: &[&str]) -> bool {
        let mut agent = AgentInfo::new(
            AgentId::new("e1f0").unwrap(),
            Incarnation::random(),
            "echo-1",
            AgentState::Running,
        );
        agent.capabilities = vec!["summarise".to_owned()];
        let filters: Vec<Filter> = filters.iter().map(|text| parse(text).unwrap()).collect();
        matches(&filters, &agent, Some("echo"), true)
    }

    #[test]
    fn no_filter_leaves_nothing_out() {
        assert!(holds(&[]));
    }

    #[test]
    fn one_key_twice_means_either_and_two_keys_mean_both() {
        assert!(holds(&["state=running", "state=exited"]));
        assert!(holds(&[
            "state=running",
            "name=echo",
            "capability=summarise",
            "id=e1",
            "ready=true"
        ]));
        assert!(!holds(&["state=running", "name=scribe"]));
        assert!(!holds(&["name=ech"]));
        assert!(!holds(&["ready=false"]));
    }

    #[test]
    fn a_filter_that_could_never_hold_is_refused_with_what_could() {
        assert!(parse("stat=running").unwrap_err().contains("`state`"));
        assert!(parse("state=ended").unwrap_err().contains("`exited`"));
        assert!(parse("ready=yes").unwrap_err().contains("`true`"));
        assert!(parse("running").unwrap_err().contains("KEY=VALUE"));
    }
}
