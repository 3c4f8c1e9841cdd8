//! An agent of a fleet file, and the members that it stands for.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use alveary_core::AgentSpec;

use super::source::Span;
use super::tree::Table;

/// The most members that one name can stand for.
pub const MAX_COUNT: u32 = 10_000;

/// An agent as the fleet file has it, `[defaults]` merged in.
#[derive(Clone)]
#[non_exhaustive]
pub struct FleetAgent {
    /// The key in the file: the agent's name, or that of the group where there is a count.
    pub name: String,
    /// How many there are. `None`: one, which bears the name itself.
    pub count: Option<u32>,
    /// The names of those that are started, and ready, before it.
    pub after: Vec<String>,
    /// Files of variables, each over those before it and all beneath `env`: absolute.
    pub env_file: Vec<PathBuf>,
    /// The spec before its placeholders are filled in. What came from `env_file` is not in it; its `cwd` is as
    /// it stands in the file.
    pub template: AgentSpec,
    /// What it asks for a task, in the words of the file; its `AGENT_BID`.
    pub bid: Option<String>,
    pub(crate) file_env: BTreeMap<String, String>,
    pub(crate) written: Written,
}

/// Everything but the values of variables.
impl fmt::Debug for FleetAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetAgent")
            .field("name", &self.name)
            .field("count", &self.count)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

/// One agent that is to run: a [`FleetAgent`] without a count, or one of its many.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Member {
    /// Its name: `echo`, or `echo-3`.
    pub name: String,
    /// The name in the file: `echo`.
    pub group: String,
    /// Which of the group it is, counted from one; one where there is no count.
    pub index: u32,
}

impl FleetAgent {
    /// Its members, as many as the file says.
    pub fn members(&self) -> Vec<Member> {
        self.members_for(self.count)
    }

    /// Its members if there were so many: what a swarm is scaled to. `None`: the one that bears the name.
    pub fn members_for(&self, count: Option<u32>) -> Vec<Member> {
        match count {
            None => vec![self.only()],
            Some(count) => (1..=count).map(|index| self.numbered(index)).collect(),
        }
    }

    /// One of its members, if it has any.
    pub(crate) fn first_member(&self) -> Option<Member> {
        match self.count {
            None => Some(self.only()),
            Some(count) => (count > 0).then(|| self.numbered(1)),
        }
    }

    /// The member of that name, whether or not the count reaches to it.
    pub fn member(&self, name: &str) -> Option<Member> {
        if name == self.name {
            return self.count.is_none().then(|| self.only());
        }
        let index = index_in(&self.name, name)?;
        Some(self.numbered(index))
    }

    fn only(&self) -> Member {
        Member {
            name: self.name.clone(),
            group: self.name.clone(),
            index: 1,
        }
    }

    pub(crate) fn numbered(&self, index: u32) -> Member {
        Member {
            name: format!("{}-{index}", self.name),
            group: self.name.clone(),
            index,
        }
    }
}

/// `3`, where `name` is the third of `group`: `echo-3`, and not `echo-03`.
pub(crate) fn index_in(group: &str, name: &str) -> Option<u32> {
    let digits = name.strip_prefix(group)?.strip_prefix('-')?;
    let index: u32 = digits.parse().ok()?;
    let canonical = index.to_string() == digits;
    (canonical && (1..=MAX_COUNT).contains(&index)).then_some(index)
}

/// Where an agent was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) name: Span,
    pub(crate) table: Table,
}

impl Written {
    /// Where this key stands, or the innermost around it that there is.
    pub(crate) fn key(&self, path: &[&str]) -> Span {
        let mut span = &self.name;
        let mut table = Some(&self.table);
        for key in path {
            let Some((key, node)) = table.and_then(|table| table.entry(key)) else {
                break;
            };
            span = &key.span;
            table = node.table();
        }
        span.clone()
    }

    /// Where this key's value stands, or else the agent's name.
    pub(crate) fn value(&self, key: &str) -> Span {
        let node = self.table.get(key);
        node.map_or(&self.name, |node| &node.span).clone()
    }
}
