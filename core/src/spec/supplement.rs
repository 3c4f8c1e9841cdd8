//! What an agent is given at a start besides what its spec says.

use std::collections::BTreeMap;

use super::{AgentSpec, SecretSpec};

/// What an agent is given at one start of it besides what its spec says, as the address of something that its
/// manager runs beside it.
///
/// It is no part of what the agent is to be: nobody records it, and [`AgentSpec::hash`] does not count it, so that
/// another address tomorrow makes it no other agent.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Supplement {
    /// Variables of its environment.
    pub env: BTreeMap<String, String>,
    /// Secrets, by the names of the variables under which the agent finds them.
    pub secrets: BTreeMap<String, SecretSpec>,
}

impl Supplement {
    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// Adds a secret.
    #[must_use]
    pub fn secret(mut self, key: impl Into<String>, secret: impl Into<SecretSpec>) -> Self {
        self.secrets.insert(key.into(), secret.into());
        self
    }
}

impl AgentSpec {
    /// This spec with so much more for one start. What it says itself stays: a variable or a secret of a name
    /// that it uses, or inherits, is left out of the supplement.
    ///
    /// Its [`hash`](Self::hash) is still that of `self`, so that every backend knows it for the same agent. To be
    /// made last: what is changed in the result afterwards does not count either.
    #[must_use]
    pub fn supplemented(&self, supplement: &Supplement) -> Self {
        let mut whole = self.clone();
        if *supplement == Supplement::default() {
            return whole;
        }
        whole.known_by = Some(self.hash());
        for (key, value) in &supplement.env {
            if !self.says(key) {
                whole.env.insert(key.clone(), value.clone());
            }
        }
        for (key, secret) in &supplement.secrets {
            if !self.says(key) && !self.says(&format!("{key}_FILE")) {
                whole.secrets.insert(key.clone(), secret.clone());
            }
        }
        whole
    }

    /// Whether it says itself what this variable is to be.
    pub fn says(&self, variable: &str) -> bool {
        let of_secret =
            |key: &String| variable == key || variable.strip_suffix("_FILE") == Some(key);
        self.env.contains_key(variable)
            || self.inherit.iter().any(|key| key == variable)
            || self.secrets.keys().any(of_secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn supplement() -> Supplement {
        Supplement::default()
            .env("URL", "http://here")
            .secret("TOKEN", Secret::new("hidden"))
    }

    #[test]
    fn a_supplement_is_given_and_does_not_count() {
        let spec = AgentSpec::new("echo", ["true"]).env("A", "1");
        let whole = spec.supplemented(&supplement());
        assert_eq!(whole.env["URL"], "http://here");
        assert_eq!(
            whole.secrets["TOKEN"].read("TOKEN").unwrap().expose(),
            "hidden"
        );
        assert_eq!(whole.hash(), spec.hash());
        let twice = whole.supplemented(&Supplement::default().env("B", "2"));
        assert_eq!(twice.hash(), spec.hash());
        assert!(whole.validate().is_ok());
    }

    #[test]
    fn what_the_spec_says_itself_stays() {
        for spec in [
            AgentSpec::new("echo", ["true"])
                .env("URL", "mine")
                .env("TOKEN", "mine"),
            AgentSpec::new("echo", ["true"])
                .env("URL", "mine")
                .env("TOKEN_FILE", "mine"),
            AgentSpec::new("echo", ["true"])
                .inherit("URL")
                .inherit("TOKEN_FILE"),
            AgentSpec::new("echo", ["true"])
                .secret("URL", SecretSpec::env("MINE").as_env())
                .secret("TOKEN", SecretSpec::env("MINE")),
        ] {
            let whole = spec.supplemented(&supplement());
            assert_eq!((&whole.env, &whole.secrets), (&spec.env, &spec.secrets));
        }
    }
}
