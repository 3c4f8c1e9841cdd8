//! Agents that did not start, each in a sentence, and those that lack the same image in one: what is to be done about
//! it is done once.

use alveary::{Error, ErrorKind};

use crate::cures::cure_of;
use crate::failure::tell;

/// So many are named, and the others counted.
const NAMED: usize = 3;

/// Why one was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unstarted {
    name: String,
    /// The sentence before it speaks of the agent and after it.
    sentence: (String, String),
    cure: Option<String>,
    /// Whether others are told of in the same sentence.
    shared: bool,
}

impl Unstarted {
    /// By the name that people know it by.
    pub(crate) fn of(name: &str, error: &Error) -> Self {
        let summary = error.summary();
        let around = error.agent().and_then(|id| {
            let (before, after) = summary.split_once(&format!("agent {id}"))?;
            Some((before.to_owned(), after.to_owned()))
        });
        Self {
            name: name.to_owned(),
            shared: error.kind() == ErrorKind::ImageNotFound,
            sentence: around.unwrap_or_else(|| (String::new(), format!(": {summary}"))),
            cure: cure_of(error),
        }
    }

    /// Its start was accepted, and its image did not come.
    pub(crate) fn without_image(name: &str, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            shared: true,
            sentence: (String::new(), format!(" could not be started: {why}")),
            cure: Some("mend that, then `alveary up` starts it".to_owned()),
        }
    }

    pub(crate) fn tell(&self) {
        tell_all(self, std::slice::from_ref(&self.name));
    }
}

/// Those that are told of at the end, each sentence with all whom it is about.
#[derive(Debug, Default)]
pub(crate) struct Together(Vec<(Unstarted, Vec<String>)>);

impl Together {
    /// `Some`: it is to be told at once.
    #[must_use = "what is not kept is to be told"]
    pub(crate) fn keep(&mut self, unstarted: Unstarted) -> Option<Unstarted> {
        if !unstarted.shared {
            return Some(unstarted);
        }
        let same = |(other, _): &&mut (Unstarted, _)| other.sentence == unstarted.sentence;
        match self.0.iter_mut().find(same) {
            Some((_, names)) => names.push(unstarted.name),
            None => {
                let names = vec![unstarted.name.clone()];
                self.0.push((unstarted, names));
            }
        }
        None
    }

    /// Tells what was kept.
    pub(crate) fn tell(&mut self) {
        for (unstarted, names) in self.0.drain(..) {
            tell_all(&unstarted, &names);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn tell_all(why: &Unstarted, names: &[String]) {
    let (before, after) = &why.sentence;
    tell(
        &format!("{before}{}{after}", whom(names)),
        why.cure.as_deref(),
    );
}

/// The agents of these names, as the subject of a sentence.
pub(crate) fn whom(names: &[impl AsRef<str>]) -> String {
    if let [name] = names {
        return format!("agent {}", name.as_ref());
    }
    let named = names.iter().take(NAMED).map(AsRef::as_ref);
    let mut named: Vec<String> = named.map(str::to_owned).collect();
    if names.len() > NAMED {
        named.push(format!("{} more", names.len() - NAMED));
    }
    format!("{} agents ({})", names.len(), named.join(", "))
}

#[cfg(test)]
mod tests {
    use alveary::{AgentId, Operation};

    use super::*;

    fn absent(image: &str) -> Error {
        Error::new(
            ErrorKind::ImageNotFound,
            Operation::Spawn,
            format!("there is no image `{image}`"),
        )
        .with_agent(&AgentId::random())
    }

    fn told(together: &Together) -> Vec<String> {
        let sentence = |(why, names): &(Unstarted, Vec<String>)| {
            format!("{}{}{}", why.sentence.0, whom(names), why.sentence.1)
        };
        together.0.iter().map(sentence).collect()
    }

    #[test]
    fn those_that_lack_one_image_are_told_of_in_one_sentence() {
        let mut together = Together::default();
        for n in 1..=5 {
            let unstarted = Unstarted::of(&format!("echo-{n}"), &absent("a"));
            assert_eq!(together.keep(unstarted), None);
        }
        for name in ["one", "two"] {
            assert_eq!(together.keep(Unstarted::of(name, &absent("b"))), None);
        }
        assert_eq!(together.keep(Unstarted::of("alone", &absent("c"))), None);
        assert_eq!(
            told(&together),
            [
                "failed to spawn 5 agents (echo-1, echo-2, echo-3, 2 more): there is no image `a`",
                "failed to spawn 2 agents (one, two): there is no image `b`",
                "failed to spawn agent alone: there is no image `c`",
            ]
        );
    }

    #[test]
    fn every_other_failure_is_an_agents_own_and_is_told_at_once() {
        let error = Error::new(ErrorKind::Engine, Operation::Spawn, "it failed");
        let unstarted = Unstarted::of("echo", &error.with_agent(&AgentId::random()));
        let mut together = Together::default();
        assert_eq!(together.keep(unstarted.clone()), Some(unstarted));
        assert!(together.is_empty());
    }
}
