//! The JSON Schema of a fleet file: that of the tables in [`raw`](super::raw), with what they leave to others.

use std::borrow::Cow;

use alveary_core::{Restart, RestartPolicy, schema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::raw::{AgentTable, Bid, Command, EnvFile, EnvFiles, FileTable, OneOrMany, Text};

/// `known` are the backends that can be chosen; of the others, the settings may stand in a file all the same.
pub(crate) fn file<'a>(
    known: impl Iterator<Item = (&'a str, Option<Value>)>,
    absent: impl Iterator<Item = &'a str>,
) -> Value {
    let any_table = || json!({ "type": "object" });
    let mut words = vec![Value::from("auto")];
    let mut tables = Map::new();
    for (word, table) in known {
        words.push(word.into());
        tables.insert(word.to_owned(), table.unwrap_or_else(any_table));
    }
    tables.extend(absent.map(|word| (word.to_owned(), any_table())));

    let mut file = schema::of::<FileTable>();
    let names = json!({ "pattern": schema::name_pattern() });
    let agent = json!({ "$ref": "#/definitions/agent" });
    for (key, said) in [
        ("backend", json!({ "enum": words })),
        (
            "backends",
            json!({ "type": "object", "properties": tables, "additionalProperties": false }),
        ),
        ("defaults", json!({ "allOf": [agent] })),
        (
            "agents",
            json!({ "type": "object", "propertyNames": names, "additionalProperties": agent }),
        ),
    ] {
        if let (Some(property), Value::Object(said)) =
            (file["properties"][key].as_object_mut(), said)
        {
            property.extend(said);
        }
    }
    file["definitions"] = json!({ "agent": schema::of::<AgentTable>() });
    file["title"] = "alveary.toml".into();
    file["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    file
}

/// What is read by itself, and said by [`file`].
pub(super) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}

/// Its table, or the policy alone.
pub(super) fn restart(generator: &mut SchemaGenerator) -> Schema {
    let policy = generator.subschema_for::<RestartPolicy>();
    let table = generator.subschema_for::<Restart>();
    json_schema!({ "anyOf": [policy, table] })
}

impl JsonSchema for Command {
    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "string" }, "examples": [["python3", "agent.py"]] })
    }
}

impl JsonSchema for EnvFiles {
    fn schema_name() -> Cow<'static, str> {
        "EnvFiles".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<EnvFile>();
        let one = json_schema!({ "anyOf": [{ "type": "string" }, table] });
        json_schema!({ "anyOf": [{ "type": "string" }, table, { "type": "array", "items": one }] })
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl JsonSchema for Bid {
    fn schema_name() -> Cow<'static, str> {
        "Bid".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "\\S" },
        ] })
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}
