//! JSON Schema of what stands in fleet files (feature `schema`): made of the types that read them, so that an editor
//! knows what the program knows.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::id::MAX_ID_LEN;
use crate::signal::Signal;
use crate::spec::{ByteSize, Mount, User};

/// The schema of `T`, without references, in the draft that editors know best (draft 7).
///
/// Descriptions are the types' own documentation, without the links that only lead somewhere in it. There is no `null`
/// in TOML, and none here.
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    let mut schema = schema.to_value();
    tidy(&mut schema);
    schema
}

/// How names of swarms, agents, networks and the like are made.
pub fn name_pattern() -> String {
    let rest = MAX_ID_LEN - 1;
    format!("^[A-Za-z0-9][A-Za-z0-9_.-]{{0,{rest}}}$")
}

fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(keys) => {
            if let Some(Value::String(text)) = keys.get_mut("description") {
                *text = prose(text);
            }
            // Words of schemars' own (`uint32`), about which validators complain.
            if let Some(Value::String(_)) = keys.get("format") {
                keys.remove("format");
            }
            without_null(keys);
            keys.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

fn without_null(keys: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = keys.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = &mut types[..] {
            let one = one.take();
            keys.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(words)) = keys.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if keys.get("default").is_some_and(Value::is_null) {
        keys.remove("default");
    }
    let Some(Value::Array(ways)) = keys.get_mut("anyOf") else {
        return;
    };
    ways.retain(|way| way.get("type").is_none_or(|one| one != "null"));
    if let [Value::Object(only)] = &mut ways[..] {
        let only = std::mem::take(only);
        keys.remove("anyOf");
        for (key, value) in only {
            // What is said of the key says more than what is said of its type.
            keys.entry(key).or_insert(value);
        }
    }
}

/// Documentation as somebody reads it who hovers over a key: paragraphs in one line each, no examples in Rust, and of a
/// link to an item its text alone.
fn prose(documentation: &str) -> String {
    let text = documentation.split("\n```").next().unwrap_or_default();
    let paragraphs: Vec<_> = text
        .split("\n\n")
        .map(|paragraph| paragraph.split('\n').collect::<Vec<_>>().join(" "))
        .collect();
    let mut rest = paragraphs.join("\n\n");
    let mut plain = String::new();
    while let Some((before, from)) = rest.split_once('[') {
        plain.push_str(before);
        let link = from.split_once("](").and_then(|(shown, target)| {
            let (target, after) = target.split_once(')')?;
            (target.contains("::") && !shown.contains('[')).then_some((shown, after))
        });
        match link {
            Some((shown, after)) => {
                plain.push_str(shown);
                rest = after.to_owned();
            }
            None => {
                plain.push('[');
                rest = from.to_owned();
            }
        }
    }
    plain.push_str(&rest);
    plain.trim().to_owned()
}

/// A length of time as it is written in a fleet file, for `#[schemars(with = "…")]`.
#[derive(Debug)]
#[non_exhaustive]
pub struct TimeText;

/// A length of time that is not nothing, for `#[schemars(with = "…")]`.
#[derive(Debug)]
#[non_exhaustive]
pub struct TimeAboveZero;

const TIME: &str = r"^\s*([0-9][0-9\s]*(\.[0-9\s]+)?(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)\s*)+$";
const SIZE: &str =
    r"^(\+?[0-9]+|([0-9]+\.?[0-9]*|\.[0-9]+)\s*([bB]|[kKmMgGtTpPeE]([iI]?[bB]|[iI])?))$";

macro_rules! text_of {
    ($type:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

text_of!(
    TimeText,
    "Time",
    json_schema!({ "type": "string", "pattern": TIME, "examples": ["500ms", "5s", "1m 30s"] })
);
text_of!(
    TimeAboveZero,
    "TimeAboveZero",
    json_schema!({
        "type": "string", "pattern": TIME, "allOf": [{ "pattern": "[1-9]" }], "examples": ["500ms", "5s", "1m 30s"],
    })
);
text_of!(
    ByteSize,
    "Size",
    json_schema!({ "type": "string", "pattern": SIZE, "examples": ["256MiB", "1.5GB", "4096"] })
);
text_of!(
    User,
    "User",
    json_schema!({
        "type": "string", "pattern": r"^\+?[0-9]+(:\+?[0-9]+)?$", "examples": ["1000", "1000:100"],
    })
);
text_of!(
    Mount,
    "Mount",
    json_schema!({
        "type": "string",
        "pattern": "^[^:]+:/[^:]*(:(ro|rw))?$",
        "examples": ["volume:/inside", "/outside:/inside:ro"],
    })
);
text_of!(Signal, "Signal", signal());

fn signal() -> Schema {
    let names: Vec<_> = (1..=64)
        .filter_map(|number| Signal::from_number(number)?.name())
        .collect();
    let in_any_case: Vec<String> = names
        .iter()
        .map(|name| {
            let letters = name.chars().map(|c| match c {
                c if c.is_ascii_alphabetic() => format!("[{c}{}]", c.to_ascii_lowercase()),
                c => c.to_string(),
            });
            letters.collect()
        })
        .collect();
    let pattern = format!(
        r"^(([sS][iI][gG])?({})|\+?0*([1-9]|[1-5][0-9]|6[0-4]))$",
        in_any_case.join("|")
    );
    json_schema!({ "type": "string", "anyOf": [{ "enum": names }, { "pattern": pattern }] })
}

#[cfg(test)]
mod tests {
    use super::prose;

    #[test]
    fn a_description_is_prose_without_the_links_and_examples_of_the_documentation() {
        assert_eq!(
            prose(
                "The spec's [`user`](super::AgentSpec::user),\nor `[a]`.\n\nMore.\n\n```\nlet x = 1;\n```"
            ),
            "The spec's `user`, or `[a]`.\n\nMore."
        );
        assert_eq!(
            prose("See [there](https://x.y)."),
            "See [there](https://x.y)."
        );
    }
}
