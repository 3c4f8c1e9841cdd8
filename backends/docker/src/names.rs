//! What agents' containers are called.

use alveary_core::{AgentId, Error, ErrorKind, Operation, Result, SwarmName};

/// The longest prefix: with the longest id it stays within what host names and engines take.
const MAX_PREFIX: usize = 128;

/// The names of one swarm's containers: the prefix and the whole id, so that no two agents share one.
///
/// The engine holds names unique, which is what keeps an id from being started twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// `prefix` is one per swarm; `alveary-` and the swarm's name unless said.
    pub(crate) fn new(prefix: Option<&str>, swarm: &SwarmName) -> Result<Self> {
        let prefix = match prefix {
            Some(prefix) => prefix.to_owned(),
            None => format!("alveary-{swarm}"),
        };
        let begins = prefix.starts_with(|c: char| c.is_ascii_alphanumeric());
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if !begins || !prefix.chars().all(allowed) || prefix.len() > MAX_PREFIX {
            return Err(Error::new(
                ErrorKind::InvalidSpec,
                Operation::Connect,
                format!("`name_prefix = \"{prefix}\"` cannot begin the name of a container"),
            )
            .with_cure(format!(
                "use letters, digits, `_`, `.` and `-`, the first a letter or a digit, {MAX_PREFIX} at the most"
            )));
        }
        Ok(Self { prefix })
    }

    /// What all of them begin with, and perhaps others.
    pub(crate) fn beginning(&self) -> &str {
        &self.prefix
    }

    /// What an agent's container is called.
    pub(crate) fn of(&self, id: &AgentId) -> String {
        format!("{}-{id}", self.prefix)
    }

    /// What the container of its next start is called until the last one's has made room. No id makes it the
    /// name of another agent: the two differ in the character behind the prefix.
    pub(crate) fn of_next(&self, id: &AgentId) -> String {
        format!("{}.{id}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(None, &SwarmName::new("demo").unwrap()).unwrap()
    }

    #[test]
    fn a_name_carries_the_whole_id() {
        let id = AgentId::new("a".repeat(64)).unwrap();
        assert!(names().of(&id).ends_with(id.as_str()));
        assert_eq!(
            names().of(&AgentId::new("echo").unwrap()),
            "alveary-demo-echo"
        );
    }

    #[test]
    fn the_next_starts_name_is_never_another_agents() {
        let names = names();
        let ids =
            ["a", "a-b", "a.b", "demo-a", "demo.a", "next"].map(|id| AgentId::new(id).unwrap());
        for one in &ids {
            for other in &ids {
                assert_ne!(names.of(one), names.of_next(other));
            }
        }
    }

    #[test]
    fn a_prefix_that_no_engine_takes_is_refused() {
        let swarm = SwarmName::new("demo").unwrap();
        for prefix in ["", "-rm", "a/b", "a b", "ä", &"x".repeat(129)] {
            let error = Names::new(Some(prefix), &swarm).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{prefix}");
        }
        assert!(Names::new(Some("timmy-agent"), &swarm).is_ok());
    }
}
