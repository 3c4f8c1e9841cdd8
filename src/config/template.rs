//! The placeholders of a fleet file.

use std::borrow::Cow;

/// What the placeholders stand for, for one agent.
///
/// They are `{index}`, `{name}`, `{agent_id}`, `{swarm}` and `{exe}`, and they expand in `command`, in the
/// values of `env`, in `cwd` and in `ready`. Everything else between braces is left as it is: JSON in an
/// argument needs no escaping. So is a placeholder that `$` or another `{` stands right before, because
/// `${name}` belongs to the shell and `{{name}}` to somebody's template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placeholders<'a> {
    pub(crate) index: u32,
    pub(crate) name: &'a str,
    pub(crate) agent_id: &'a str,
    pub(crate) swarm: &'a str,
    pub(crate) exe: &'a str,
}

impl Placeholders<'_> {
    /// The text with each placeholder replaced, once: what comes in by one is not looked at again.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while let Some(at) = rest.find('{') {
            let (plain, from_brace) = rest.split_at(at);
            out.push_str(plain);
            let last = plain.chars().next_back().or(before);
            match self.placeholder(from_brace) {
                Some((length, value)) if !matches!(last, Some('$' | '{')) => {
                    out.push_str(&value);
                    rest = &from_brace[length..];
                    before = Some('}');
                }
                _ => {
                    out.push('{');
                    rest = &from_brace[1..];
                    before = Some('{');
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// The placeholder with which the text begins: its length, and what it stands for.
    fn placeholder(&self, text: &str) -> Option<(usize, Cow<'_, str>)> {
        let (word, _) = text.strip_prefix('{')?.split_once('}')?;
        let value = match word {
            "index" => Cow::Owned(self.index.to_string()),
            "name" => Cow::Borrowed(self.name),
            "agent_id" => Cow::Borrowed(self.agent_id),
            "swarm" => Cow::Borrowed(self.swarm),
            "exe" => Cow::Borrowed(self.exe),
            _ => return None,
        };
        Some((word.len() + 2, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO_3: Placeholders<'_> = Placeholders {
        index: 3,
        name: "echo-3",
        agent_id: "{name}",
        swarm: "demo",
        exe: "/bin/alveary",
    };

    #[test]
    fn each_placeholder_stands_for_its_thing() {
        assert_eq!(
            ECHO_3.expand("{exe} run {swarm}/{name}#{index}"),
            "/bin/alveary run demo/echo-3#3"
        );
    }

    #[test]
    fn what_comes_in_by_a_placeholder_is_not_expanded_again() {
        assert_eq!(ECHO_3.expand("{agent_id}{name}"), "{name}echo-3");
    }

    #[test]
    fn other_braces_pass_through_untouched() {
        for text in [
            r#"{"name": "x", "list": [{}]}"#,
            "{unknown} {Name} { name } {}",
            "{",
            "}{",
            "{name",
            "é{è}",
        ] {
            assert_eq!(ECHO_3.expand(text), text);
        }
    }

    #[test]
    fn a_placeholder_inside_json_expands() {
        assert_eq!(
            ECHO_3.expand(r#"{"id": "{name}", "n": {index}}"#),
            r#"{"id": "echo-3", "n": 3}"#
        );
    }

    #[test]
    fn the_shells_variables_and_double_braces_are_not_ours() {
        for text in ["echo ${name}", "{{name}}", "$${index}"] {
            assert_eq!(ECHO_3.expand(text), text);
        }
        assert_eq!(ECHO_3.expand("$ {name}{index}"), "$ echo-33");
    }
}
