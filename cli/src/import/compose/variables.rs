//! `${VARIABLE}` in a compose file. A fleet file has none: what it stands for is written in its place.

use super::Yaml;
use crate::failure::Failure;
use crate::import::Imported;

/// Fills them in, everywhere. A variable that an agent is given under its own name is left to be inherited, so that
/// its value, which may be a secret, stands in no file.
pub(super) fn fill_in(
    file: &mut Yaml,
    variable: &dyn Fn(&str) -> Option<String>,
    imported: &mut Imported,
) -> Result<(), Failure> {
    let mut found = Found {
        variable,
        seen: Vec::new(),
    };
    found.within(file, false)?;
    for (name, stands) in found.seen {
        imported.leave(format!("${{{name}}}"), stands);
    }
    Ok(())
}

struct Found<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// Each variable once, and what stands in its place.
    seen: Vec<(String, String)>,
}

impl Found<'_> {
    fn within(&mut self, part: &mut Yaml, is_environment: bool) -> Result<(), Failure> {
        match part {
            Yaml::Text(text) => {
                if is_environment
                    && let Some((key, value)) = text.split_once('=')
                    && stands_for(value, key)
                {
                    *text = key.to_owned();
                } else if text.contains('$') {
                    *text = self.filled(text)?;
                }
            }
            Yaml::List(items) => {
                for item in items {
                    self.within(item, is_environment)?;
                }
            }
            Yaml::Map(entries) => {
                for (key, value) in entries {
                    let is_its_own = matches!(value, Yaml::Text(text) if stands_for(text, key));
                    if is_environment && is_its_own {
                        *value = Yaml::Null;
                    } else {
                        self.within(value, key == "environment")?;
                    }
                }
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Integer(_) | Yaml::Float(_) => {}
        }
        Ok(())
    }

    fn filled(&mut self, text: &str) -> Result<String, Failure> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            filled.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(more) = rest.strip_prefix('$') {
                filled.push('$');
                rest = more;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let end = closing(inner).ok_or_else(|| {
                    Failure::input(
                        format!("`{text}` has a `${{` that is not closed"),
                        "close it by `}`, or write `$$` for a dollar itself",
                    )
                })?;
                filled.push_str(&self.value(&inner[..end])?);
                rest = &inner[end + 1..];
            } else {
                let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
                if end == 0 {
                    filled.push('$');
                } else {
                    filled.push_str(&self.value(&rest[..end])?);
                    rest = &rest[end..];
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// What `NAME`, `NAME:-default`, `NAME-default`, `NAME:?words`, `NAME?words` or `NAME:+other` stands for.
    fn value(&mut self, inner: &str) -> Result<String, Failure> {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let end = inner.find(|letter| !is_part(letter)).unwrap_or(inner.len());
        let (name, rule) = inner.split_at(end);
        let (counts_empty, rule) = match rule.strip_prefix(':') {
            Some(rule) => (false, rule),
            None => (true, rule),
        };
        let held = (self.variable)(name).filter(|held| counts_empty || !held.is_empty());
        let (value, why) = match (rule.chars().next(), held) {
            (Some('-'), None) => (self.filled(&rule[1..])?, "its default stands in its place"),
            (Some('+'), Some(_)) => (self.filled(&rule[1..])?, "what is written for it is there"),
            (Some('+'), None) => (String::new(), "it was not set, and nothing is there"),
            (Some('?'), None) => {
                return Err(Failure::input(
                    format!("the compose file wants the variable {name}: {}", &rule[1..]),
                    format!("set {name} and import again"),
                ));
            }
            (Some(other), _) if !matches!(other, '-' | '+' | '?') => {
                return Err(Failure::input(
                    format!("the compose file has a variable `{inner}`, and there is no such form"),
                    "write `${NAME}`, `${NAME:-default}`, `${NAME:?words}` or `${NAME:+other}`, and `$$` for a dollar itself",
                ));
            }
            (_, Some(held)) => (held, "what it holds now stands in its place"),
            (_, None) => (
                String::new(),
                "it was not set, and nothing stands in its place",
            ),
        };
        if self.seen.iter().all(|(seen, _)| seen != name) {
            self.seen.push((name.to_owned(), why.to_owned()));
        }
        Ok(value)
    }
}

/// Where the brace ends that was opened before this text: a default may have variables in it.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    // Two dollars are one itself, and open nothing.
    let opens = |at: usize| {
        let before = text[..at].trim_end_matches('$');
        (at - before.len()) % 2 == 1
    };
    for (at, letter) in text.char_indices() {
        match letter {
            '{' if opens(at) => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// Whether a text is this variable and nothing else.
fn stands_for(text: &str, variable: &str) -> bool {
    let inner = text.strip_prefix('$');
    inner.is_some_and(|inner| {
        inner == variable
            || inner
                .strip_prefix('{')
                .and_then(|inner| inner.strip_suffix('}'))
                == Some(variable)
    })
}
