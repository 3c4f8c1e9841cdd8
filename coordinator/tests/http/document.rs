//! The document, against what is really answered.

use std::collections::BTreeSet;
use std::time::Duration;

use alveary_coordinator::Settings;
use alveary_coordinator::http::Guard;
use serde_json::{Value, json};

use super::bed::{Answer, Ask, Bed};

/// Somebody who holds each answer against the document.
struct Reader<'a> {
    bed: &'a Bed,
    document: Value,
    read: BTreeSet<(String, String, u16)>,
}

impl<'a> Reader<'a> {
    async fn of(bed: &'a Bed) -> Self {
        Self {
            bed,
            document: bed.document().await,
            read: BTreeSet::new(),
        }
    }

    /// Asks as the admin for a path of the document, with `id` in the place of the name in it.
    async fn ask(
        &mut self,
        method: &'static str,
        path: &str,
        id: &str,
        with: impl FnOnce(Ask<'a>) -> Ask<'a>,
    ) -> Value {
        let (plain, query) = path.split_once('?').unwrap_or((path, ""));
        let ask = self.bed.ask(method, path.replace("{id}", id)).admin();
        let answer = with(ask).send().await;
        self.hold(method, plain, &answer);
        assert!(answer.status < 300, "{method} {path} {query}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap_or(Value::Null)
    }

    /// Holds an answer against what the document says of its status.
    fn hold(&mut self, method: &str, path: &str, answer: &Answer) {
        let what = format!("{method} {path}: {answer:?}");
        let operation = &self.document["paths"][path][method.to_lowercase()];
        let said = &operation["responses"][answer.status.to_string()];
        assert!(said.is_object(), "it is not documented: {what}");
        self.read
            .insert((method.to_owned(), path.to_owned(), answer.status));
        let Some(content) = said["content"].as_object() else {
            assert_eq!(answer.body, "", "{what}");
            return;
        };
        let kind = answer.headers["content-type"].split(';').next().unwrap();
        let schema = content
            .get(kind)
            .unwrap_or_else(|| panic!("{kind} is not documented: {what}"));
        if kind != "application/json" {
            return;
        }
        let misfit = misfit(&self.document, &schema["schema"], &answer.json());
        assert_eq!(misfit, None, "{what}");
    }
}

/// Where a value is not what a schema allows. Bounds and patterns are for `tests/openapi/fuzz`; a field that is not
/// documented is a misfit here.
fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        return misfit(document, schema, value);
    }
    if let Some(either) = schema["oneOf"].as_array() {
        let mut misfits = either.iter().map(|one| misfit(document, one, value));
        return misfits
            .all(|one| one.is_some())
            .then(|| format!("{value} is none of {schema}"));
    }
    let kinds: Vec<_> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = schema["enum"].as_array();
    if !kinds.is_empty() && !kinds.contains(&kind)
        || allowed.is_some_and(|all| !all.contains(value))
    {
        return Some(format!("{value} is not {schema}"));
    }
    let nothing = serde_json::Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&nothing);
    let required = schema["required"].as_array().into_iter().flatten();
    let mut required = required.filter_map(Value::as_str);
    match value {
        Value::Array(items) => items
            .iter()
            .find_map(|item| misfit(document, &schema["items"], item)),
        Value::Object(fields) if !kinds.is_empty() => required
            .find(|name| !fields.contains_key(*name))
            .map(|name| format!("{name} is missing in {value}"))
            .or_else(|| {
                fields
                    .iter()
                    .find_map(|(name, field)| match properties.get(name) {
                        Some(schema) => misfit(document, schema, field),
                        None => Some(format!("{name} is not documented")),
                    })
            }),
        _ => None,
    }
}

#[expect(clippy::too_many_lines, reason = "it is one life, told in order")]
#[tokio::test]
async fn every_answer_has_the_form_that_the_document_gives_it() {
    // An auction ends by the bid of the last that is idle, and not by time.
    let settings = Settings::default().with_auction(Duration::from_mins(5));
    let bed = Bed::with(settings, Guard::default()).await;
    let mut reader = Reader::of(&bed).await;
    let echo = json!({"agent_id": "echo", "name": "Echo", "capabilities": ["sing", "dance"]});
    reader
        .ask("POST", "/v1/agents", "", |ask| ask.json(&echo))
        .await;

    // One task goes by `/v1`, one by the original's routes; one of each fails.
    let wanted =
        json!([{"description": "sing", "capabilities": ["sing"]}, {"description": "dance"}]);
    let given = reader
        .ask("POST", "/v1/tasks", "", |ask| ask.json(&wanted))
        .await;
    let form = "description=hum";
    let hum = reader
        .ask("POST", "/swarm/tasks", "", |ask| ask.form(form))
        .await;
    let mum = reader
        .ask("POST", "/swarm/tasks", "", |ask| {
            ask.form("description=mum")
        })
        .await;
    reader
        .ask("GET", "/internal/tasks?wait=1s", "", |ask| ask)
        .await;
    let ids = [
        &given["tasks"][0]["id"],
        &given["tasks"][1]["id"],
        &hum["task_id"],
        &mum["task_id"],
    ];
    for id in ids {
        let bid = json!({"task_id": id, "agent_id": "echo", "bid_sats": 5, "capabilities": "sing"});
        reader
            .ask("POST", "/internal/bids", "", |ask| ask.json(&bid))
            .await;
    }
    let ids = ids.map(|id| id.as_str().unwrap().to_owned());
    reader
        .ask("GET", "/v1/tasks/{id}/bids", &ids[0], |ask| ask)
        .await;
    for end in ["complete", "fail"] {
        let claim = json!({"agent_id": "echo", "wait_ms": 20_000});
        let claim = reader
            .ask("POST", "/v1/claims", "", |ask| ask.json(&claim))
            .await;
        let pulse = json!({"agent_id": "echo", "attempts": [claim["attempt"], claim["task_id"]]});
        let pulse = reader
            .ask("POST", "/v1/heartbeats", "", |ask| ask.json(&pulse))
            .await;
        assert_eq!(pulse["superseded"], json!([claim["task_id"]]));
        let field = if end == "complete" {
            "result"
        } else {
            "reason"
        };
        let report = json!({"attempt": claim["attempt"], field: "la"});
        let path = format!("/v1/tasks/{{id}}/{end}");
        let id = claim["task_id"].as_str().unwrap();
        reader.ask("POST", &path, id, |ask| ask.json(&report)).await;
    }
    for (id, end, form) in [
        (&ids[2], "complete", "result=la"),
        (&ids[3], "fail", "reason=la"),
    ] {
        let assigned = reader
            .ask("GET", "/swarm/tasks?status=assigned", "", |ask| ask)
            .await;
        assert_eq!(assigned["tasks"][0]["id"], json!(id), "{assigned}");
        let path = format!("/swarm/tasks/{{id}}/{end}");
        reader.ask("POST", &path, id, |ask| ask.form(form)).await;
    }
    let off = reader
        .ask("POST", "/v1/tasks", "", |ask| {
            ask.json(&json!({"description": "off"}))
        })
        .await;
    let off = off["tasks"][0]["id"].as_str().unwrap();
    reader
        .ask("POST", "/v1/tasks/{id}/cancel", off, |ask| ask)
        .await;
    let none = json!({"agent_id": "echo"});
    reader
        .ask("POST", "/v1/claims", "", |ask| ask.json(&none))
        .await;
    // An auction without bidders is waited for elsewhere, where it is short.
    let brief = Settings::default().with_auction(Duration::from_millis(50));
    let brief = Bed::with(brief, Guard::default()).await;
    let alone = brief.post("/swarm/tasks/auction").admin();
    let alone = alone.form("description=alone").send().await;
    assert_eq!(alone.json()["status"], "failed", "{alone:?}");
    reader.hold("POST", "/swarm/tasks/auction", &alone);
    for path in [
        "/v1/tasks",
        "/v1/tasks?status=failed&limit=1",
        "/v1/agents",
        "/swarm/tasks",
        "/swarm/agents",
        "/healthz",
        "/metrics",
    ] {
        reader.ask("GET", path, "", |ask| ask).await;
    }
    reader
        .ask("GET", "/v1/tasks/{id}", &ids[0], |ask| ask)
        .await;
    reader
        .ask("DELETE", "/swarm/agents/{id}", "echo", |ask| ask)
        .await;
    reader
        .ask("DELETE", "/v1/agents/{id}", "echo", |ask| ask)
        .await;
    // It starts agents only with a swarm around it.
    let refused = bed.post("/swarm/spawn").admin();
    let refused = refused.form("name=echo").send().await;
    reader.hold("POST", "/swarm/spawn", &refused);

    // What was not asked is the stream, which has no end.
    let mut left: BTreeSet<_> = BTreeSet::new();
    for (path, item) in reader.document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            left.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    for (method, path, _) in &reader.read {
        left.remove(&format!("{method} {path}"));
    }
    assert_eq!(left, BTreeSet::from(["GET /v1/events".to_owned()]));
}

#[tokio::test]
async fn every_refusal_has_the_form_that_the_document_gives_it() {
    let bed = Bed::closed().await;
    let mut reader = Reader::of(&bed).await;
    let all: Vec<_> = reader.document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    for (method, path) in all {
        let ask = || bed.ask(&method, path.replace("{id}", "x"));
        for refused in [
            ask().header("host", "evil.example"),
            ask().header("origin", "http://evil.example"),
            ask().header("host", "a b"),
            ask().bearer("nonsense"),
            ask().agent("thief").json(&json!({"agent_id": "echo"})),
            ask(),
            ask().admin(),
            ask().admin().json(&json!([7])),
            ask().admin().json(&json!({"agent_id": 7})),
            ask().admin().form("result=x&name=x"),
        ] {
            // The stream is left out where it would be given: it has no end.
            if path == "/v1/events" && format!("{refused:?}").contains(bed.tokens.admin().expose())
            {
                continue;
            }
            reader.hold(&method, &path, &refused.send().await);
        }
    }
    let statuses: BTreeSet<_> = reader.read.iter().map(|(_, _, status)| *status).collect();
    assert!(
        BTreeSet::from([400, 401, 403, 404, 409, 415, 421, 422]).is_subset(&statuses),
        "{statuses:?}"
    );
}

#[test]
fn no_two_schemas_bear_one_name() {
    // A later one takes the earlier one's place without a word, and answers are then documented as what they are not.
    let document: Value =
        serde_json::from_str(&alveary_coordinator::http::document().unwrap()).unwrap();
    for (path, method, field) in [
        ("/swarm/tasks", "get", "tasks"),
        ("/swarm/agents", "get", "agents"),
        ("/v1/tasks", "get", "next"),
        ("/v1/agents", "get", "agents"),
    ] {
        let schema = &document["paths"][path][method]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        let pointer = schema["$ref"].as_str().unwrap().trim_start_matches('#');
        let properties = &document.pointer(pointer).unwrap()["properties"];
        assert!(properties[field].is_object(), "{path}: {properties}");
    }
}

#[test]
fn the_page_has_a_line_for_every_route_and_for_no_other() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coordinator.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("\n## Route by route\n").unwrap();
    let lines = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut told: Vec<_> = lines
        .filter_map(|line| Some(line.split_once("` |")?.0.to_owned()))
        .collect();
    let document: Value =
        serde_json::from_str(&alveary_coordinator::http::document().unwrap()).unwrap();
    let mut served = Vec::new();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            served.push(format!("{} {path}", method.to_uppercase()));
            // Clients that are generated call an operation by it.
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} is twice");
        }
    }
    told.sort_unstable();
    served.sort_unstable();
    assert_eq!(told, served);
}
