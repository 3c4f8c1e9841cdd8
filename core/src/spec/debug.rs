//! What a spec looks like in a log: names of variables and never their values, which may be anything.

use std::fmt;

use super::{AgentSpec, Supplement};

impl fmt::Debug for AgentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A field that is new is missed here by the compiler.
        let Self {
            name,
            command,
            env,
            inherit,
            secrets,
            cwd,
            capabilities,
            limits,
            user,
            stop,
            ready,
            alive,
            restart,
            container,
            known_by,
        } = self;
        f.debug_struct("AgentSpec")
            .field("name", name)
            .field("command", command)
            .field("env", &env.keys())
            .field("inherit", inherit)
            .field("secrets", secrets)
            .field("cwd", cwd)
            .field("capabilities", capabilities)
            .field("limits", limits)
            .field("user", user)
            .field("stop", stop)
            .field("ready", ready)
            .field("alive", alive)
            .field("restart", restart)
            .field("container", container)
            .field("known_by", known_by)
            .finish()
    }
}

impl fmt::Debug for Supplement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supplement")
            .field("env", &self.env.keys())
            .field("secrets", &self.secrets)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_and_their_values_are_not() {
        let spec = AgentSpec::new("echo", ["true"]).env("TOKEN", "hush");
        let supplement = Supplement::default().env("TOKEN", "hush");
        let whole = AgentSpec::new("echo", ["true"]).supplemented(&supplement);
        for shown in [
            format!("{spec:?}"),
            format!("{supplement:#?}"),
            format!("{whole:?}"),
        ] {
            assert!(shown.contains("TOKEN"), "{shown}");
            assert!(!shown.contains("hush"), "{shown}");
        }
    }
}
