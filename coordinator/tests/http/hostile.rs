//! Bad input, at every route that takes any: it is refused in a sentence, and nothing comes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use alveary_coordinator::Settings;
use alveary_coordinator::http::Guard;
use serde_json::{Value, json};

use super::bed::{Answer, Bed};

pub(crate) const TASK: &str = "9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1";

/// Every route of `/v1` that takes JSON, with something that is right for it.
fn questions() -> [(&'static str, Value); 6] {
    [
        ("/v1/tasks", json!({"description": "sing"})),
        ("/v1/agents", json!({"agent_id": "echo", "name": "Echo"})),
        ("/v1/claims", json!({"agent_id": "echo"})),
        ("/v1/heartbeats", json!({"agent_id": "echo"})),
        (
            "/v1/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1/complete",
            json!({"attempt": TASK, "result": "la"}),
        ),
        (
            "/v1/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1/fail",
            json!({"attempt": TASK, "reason": "no voice"}),
        ),
    ]
}

/// Every route of the original that takes a form, with its field.
const FORMS: [(&str, &str); 5] = [
    ("/swarm/tasks", "description"),
    ("/swarm/tasks/auction", "description"),
    (
        "/swarm/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1/complete",
        "result",
    ),
    (
        "/swarm/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1/fail",
        "reason",
    ),
    ("/swarm/spawn", "name"),
];

/// What a coordinator holds, to be the same before and after.
pub(crate) async fn book(bed: &Bed) -> (Value, Value) {
    let tasks = bed.get("/v1/tasks").admin().send().await.json();
    let agents = bed.get("/v1/agents").admin().send().await.json();
    (tasks, agents)
}

pub(crate) fn is_refused(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let told = answer.json();
    let sentence = if told["error"].is_object() {
        &told["error"]["message"]
    } else {
        &told["detail"]
    };
    assert!(
        sentence.is_string() || sentence.is_array(),
        "{what}: {told}"
    );
}

/// A coordinator whose auctions end by the bid of the last that is idle, and not by time.
pub(crate) async fn patient() -> Bed {
    let settings = Settings::default().with_auction(Duration::from_mins(5));
    Bed::with(settings, Guard::default()).await
}

#[test]
fn the_routes_that_are_tried_here_are_all_that_take_a_body() {
    let document: Value =
        serde_json::from_str(&alveary_coordinator::http::document().unwrap()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            if operation["requestBody"].is_object() {
                documented.insert(path.replace("{id}", TASK));
            }
        }
    }
    let tried = questions().into_iter().map(|(path, _)| path);
    let tried = tried.chain(FORMS.into_iter().map(|(path, _)| path));
    let tried: BTreeSet<_> = tried.chain(["/internal/bids"]).map(str::to_owned).collect();
    assert_eq!(tried, documented);
}

#[tokio::test]
async fn what_is_no_json_is_refused_everywhere() {
    let bed = Bed::open().await;
    let before = book(&bed).await;
    for broken in [
        &b"{"[..],
        b"",
        b"\0",
        b"nul",
        b"[1,",
        b"{\"a\" 1}",
        b"{'a': 1}",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"{\"agent_id\": \"\xc3\x28\"}",
        b"{} {}",
        b"{\"agent_id\": \"\\ud800\"}",
    ] {
        let said = String::from_utf8_lossy(broken);
        for (path, _) in questions() {
            let ask = bed.post(path).admin();
            let ask = ask.header("content-type", "application/json").body(broken);
            is_refused(&ask.send().await, 400, &format!("{path} {said}"));
        }
        let ask = bed.post("/internal/bids");
        let ask = ask.header("content-type", "application/json").body(broken);
        is_refused(&ask.send().await, 422, &said);
    }
    assert_eq!(book(&bed).await, before);
}

#[tokio::test]
async fn values_without_names_are_refused_by_v1() {
    let bed = Bed::open().await;
    let before = book(&bed).await;
    for (path, body) in questions() {
        let values: Vec<_> = body.as_object().unwrap().values().cloned().collect();
        for nameless in [
            json!(values),
            json!([values]),
            json!([]),
            json!("x"),
            json!(null),
        ] {
            let answer = bed.post(path).admin().json(&nameless).send().await;
            is_refused(&answer, 422, &format!("{path} {nameless}"));
        }
    }
    assert_eq!(book(&bed).await, before);
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_refused_by_v1_and_ignored_as_by_the_original() {
    let bed = Bed::open().await;
    for (path, mut body) in questions() {
        body["surplus"] = json!({"a": [1]});
        let answer = bed.post(path).admin().json(&body).send().await;
        is_refused(&answer, 422, path);
        assert!(answer.body.contains("surplus"), "{path}: {answer:?}");
    }
    assert_eq!(book(&bed).await.1, json!({"agents": []}));
    let task = bed.give("sing").await;
    let bid = json!({"task_id": task, "agent_id": "a1", "bid_sats": 5, "surplus": 1});
    let answer = bed.post("/internal/bids").json(&bid).send().await;
    assert_eq!(answer.json()["accepted"], true, "{answer:?}");
    let form = bed
        .post("/swarm/tasks")
        .form("description=sing&surplus=1")
        .send()
        .await;
    assert_eq!(form.status, 200, "{form:?}");
}

#[tokio::test]
async fn what_is_no_amount_is_no_bid() {
    let bed = Bed::open().await;
    let task = bed.give("sing").await;
    for sats in [
        "0",
        "-1",
        "-0",
        "-9223372036854775808",
        "-1e300",
        "9007199254740992",
        "1e16",
        "18446744073709551616",
        "1e308",
        "1e999",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "1.5",
        "\"\"",
        "\"many\"",
        "\"NaN\"",
        "\"1e2\"",
        "\"１２\"",
        "\"5; DROP TABLE bids\"",
        "null",
        "[]",
        "[5]",
        "{}",
        "false",
    ] {
        let body = format!(r#"{{"task_id": "{task}", "agent_id": "a1", "bid_sats": {sats}}}"#);
        let ask = bed.post("/internal/bids");
        let ask = ask.header("content-type", "application/json").body(body);
        is_refused(&ask.send().await, 422, sats);
    }
    let bids = bed.get(format!("/v1/tasks/{task}/bids")).admin().send();
    assert_eq!(bids.await.json(), json!({"bids": []}));
    assert_eq!(book(&bed).await.1, json!({"agents": []}));
}

#[tokio::test]
async fn an_agent_that_nobody_knows_bids_as_with_the_original_and_gets_nothing_of_v1() {
    let bed = Bed::open().await;
    for path in ["/v1/claims", "/v1/heartbeats"] {
        let ask = bed
            .post(path)
            .agent("ghost")
            .json(&json!({"agent_id": "ghost"}));
        is_refused(&ask.send().await, 404, path);
    }
    let task = bed.give("sing").await;
    let bid = json!({"task_id": task, "agent_id": "ghost", "bid_sats": 5});
    let answer = bed.post("/internal/bids").json(&bid).send().await;
    assert_eq!(answer.json()["accepted"], true, "{answer:?}");
}

#[tokio::test]
async fn what_cannot_be_an_agent_is_none() {
    let bed = Bed::open().await;
    let task = bed.give("sing").await;
    let long = "a".repeat(65);
    for id in [
        "", " ", "a b", "../a", "-a", "<script>", "a\u{0}", "é", "'; --", &long,
    ] {
        for path in ["/v1/agents", "/v1/claims", "/v1/heartbeats"] {
            let body = match path {
                "/v1/agents" => json!({"agent_id": id, "name": "x"}),
                _ => json!({"agent_id": id}),
            };
            let answer = bed.post(path).admin().json(&body).send().await;
            is_refused(&answer, 422, &format!("{path} {id:?}"));
        }
        let bid = json!({"task_id": task, "agent_id": id, "bid_sats": 5});
        let answer = bed.post("/internal/bids").json(&bid).send().await;
        is_refused(&answer, 422, id);
    }
    assert_eq!(book(&bed).await.1, json!({"agents": []}));
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_too_large_everywhere() {
    let bed = Bed::open().await;
    let body = vec![b'a'; 10 * 1024 * 1024];
    let forms = FORMS.map(|(path, _)| (path, "application/x-www-form-urlencoded"));
    let multipart = FORMS.map(|(path, _)| (path, "multipart/form-data; boundary=XX"));
    let json = questions().map(|(path, _)| (path, "application/json"));
    let others = [
        ("/internal/bids", "application/json"),
        ("/login", "application/x-www-form-urlencoded"),
    ];
    for (path, kind) in forms.into_iter().chain(multipart).chain(json).chain(others) {
        let ask = bed.post(path).admin().header("content-type", kind);
        assert_eq!(ask.body(body.clone()).send().await.status, 413, "{path}");
    }
    assert_eq!(book(&bed).await.0["tasks"], json!([]));
    // Who shows no token where one is needed is not even listened to.
    let ask = bed
        .post("/v1/tasks")
        .header("content-type", "application/json");
    assert_eq!(ask.body(&body[..100]).send().await.status, 401);
}

#[tokio::test]
async fn a_text_that_is_longer_than_is_taken_is_told_so() {
    let bed = patient().await;
    let long = "a".repeat(256 * 1024 + 1);
    let answer = bed
        .post("/swarm/tasks")
        .admin()
        .form(&format!("description={long}"));
    is_refused(&answer.send().await, 422, "description");
    let answer = bed.post("/v1/tasks").admin();
    let answer = answer.json(&json!({"description": long})).send().await;
    is_refused(&answer, 422, "description");
    let name = "é".repeat(257);
    let register = |name: &str| json!({"agent_id": "echo", "name": name});
    let answer = bed.post("/v1/agents").admin().json(&register(&name)).send();
    is_refused(&answer.await, 422, "name");
    let fits: String = name.chars().skip(1).collect();
    let answer = bed.post("/v1/agents").admin().json(&register(&fits)).send();
    assert_eq!(answer.await.status, 200);
    let task = bed.give("sing").await;
    let bid = json!({"task_id": task, "agent_id": "echo", "bid_sats": 5});
    bed.post("/internal/bids").admin().json(&bid).send().await;
    let claim = json!({"agent_id": "echo", "wait_ms": 20_000});
    let claim = bed
        .post("/v1/claims")
        .admin()
        .json(&claim)
        .send()
        .await
        .json();
    for (end, field) in [("complete", "result"), ("fail", "reason")] {
        let form = bed.post(format!("/swarm/tasks/{task}/{end}")).admin();
        let form = form.form(&format!("{field}={long}")).send().await;
        is_refused(&form, 413, field);
        let report = json!({"attempt": claim["attempt"], field: long});
        let report = bed
            .post(format!("/v1/tasks/{task}/{end}"))
            .admin()
            .json(&report);
        is_refused(&report.send().await, 413, field);
    }
    let task = bed.get(format!("/v1/tasks/{task}")).admin().send().await;
    assert_eq!(task.json()["status"], "running");
}

#[tokio::test]
async fn a_body_of_another_type_is_not_read() {
    let bed = Bed::open().await;
    let before = book(&bed).await;
    for (path, body) in questions() {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "text/json",
            "*/*",
            "",
        ] {
            let ask = bed.post(path).admin().header("content-type", kind);
            let answer = ask.body(body.to_string()).send().await;
            is_refused(&answer, 415, &format!("{path} {kind}"));
        }
        let none = bed.post(path).admin().body(body.to_string()).send().await;
        is_refused(&none, 415, path);
    }
    for (path, field) in FORMS {
        // A failure without a reason is one, so its task is looked for.
        let status = if field == "reason" { 404 } else { 422 };
        for kind in [
            "application/json",
            "text/plain",
            "multipart/mixed; boundary=XX",
        ] {
            let ask = bed.post(path).header("content-type", kind);
            let answer = ask.body(format!("{field}=x")).send().await;
            is_refused(&answer, status, &format!("{path} {kind}"));
        }
    }
    let bid = json!({"task_id": TASK, "agent_id": "a1", "bid_sats": 5}).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let ask = bed.post("/internal/bids").header("content-type", kind);
        is_refused(&ask.body(bid.clone()).send().await, 422, kind);
    }
    assert_eq!(book(&bed).await, before);
}
