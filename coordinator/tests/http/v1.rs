//! `/v1`.

use std::time::Duration;

use alveary_coordinator::Settings;
use alveary_coordinator::http::Guard;
use serde_json::{Value, json};

use super::bed::{Answer, Bed};

async fn add(bed: &Bed, body: &Value) -> Answer {
    bed.post("/v1/tasks").admin().json(body).send().await
}

fn problem(answer: &Answer) -> (u16, String) {
    let error = &answer.json()["error"];
    assert!(error["message"].is_string(), "{answer:?}");
    (answer.status, error["kind"].as_str().unwrap().to_owned())
}

async fn register(bed: &Bed, id: &str) {
    let answer = bed
        .post("/v1/agents")
        .agent(id)
        .json(&json!({"agent_id": id, "name": id, "capabilities": ["sing"]}))
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A task that this agent, the only one, has won.
async fn won(bed: &Bed, id: &str) -> String {
    register(bed, id).await;
    let given = add(bed, &json!({"description": "sing"})).await.json();
    let task = given["tasks"][0]["id"].as_str().unwrap().to_owned();
    let bid = json!({"task_id": task, "agent_id": id, "bid_sats": 7});
    let answer = bed.post("/internal/bids").agent(id).json(&bid).send().await;
    assert_eq!(answer.json()["accepted"], true);
    task
}

async fn claim(bed: &Bed, id: &str) -> Value {
    let body = json!({"agent_id": id, "wait_ms": 10_000});
    let answer = bed.post("/v1/claims").agent(id).json(&body).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn one_task_or_many_are_given_and_found_again() {
    let bed = Bed::closed().await;
    let one = add(&bed, &json!({"description": "a", "capabilities": ["sing"]})).await;
    assert_eq!(one.status, 201);
    let many = add(&bed, &json!([{"description": "b"}, {"description": "c"}])).await;
    assert_eq!(many.json()["tasks"].as_array().unwrap().len(), 2);
    let id = one.json()["tasks"][0]["id"].as_str().unwrap().to_owned();
    let found = bed
        .get(format!("/v1/tasks/{id}"))
        .admin()
        .send()
        .await
        .json();
    assert_eq!(
        (&found["description"], &found["capabilities"]),
        (&json!("a"), &json!(["sing"]))
    );
    assert_eq!(found["status"], "bidding");
}

#[tokio::test]
async fn the_same_key_adds_nothing_and_other_tasks_under_it_are_refused() {
    let bed = Bed::closed().await;
    let send = async |body: Value| {
        bed.post("/v1/tasks")
            .admin()
            .header("idempotency-key", "k1")
            .json(&body)
            .send()
            .await
    };
    let first = send(json!({"description": "a"})).await.json();
    let again = send(json!({"description": "a"})).await.json();
    assert_eq!(first["tasks"][0]["id"], again["tasks"][0]["id"]);
    let other = send(json!({"description": "b"})).await;
    assert_eq!(problem(&other), (409, "conflict".to_owned()));
    let bad = bed
        .post("/v1/tasks")
        .admin()
        .header("idempotency-key", "a b")
        .json(&json!({"description": "a"}));
    assert_eq!(problem(&bad.send().await), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn pages_go_through_all_tasks_once_in_either_order() {
    let bed = Bed::closed().await;
    let tasks: Vec<_> = (0..7)
        .map(|n| json!({"description": n.to_string()}))
        .collect();
    add(&bed, &json!(tasks)).await;
    for order in ["oldest", "newest"] {
        let mut seen = Vec::new();
        let mut path = format!("/v1/tasks?limit=3&order={order}");
        loop {
            let page = bed.get(&path).admin().send().await.json();
            seen.extend(
                page["tasks"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|task| task["description"].clone()),
            );
            match page["next"].as_str() {
                Some(next) => path = format!("/v1/tasks?limit=3&order={order}&after={next}"),
                None => break,
            }
        }
        let mut expected: Vec<_> = (0..7).map(|n| json!(n.to_string())).collect();
        if order == "newest" {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
    let none = bed
        .get("/v1/tasks?status=completed")
        .admin()
        .send()
        .await
        .json();
    assert_eq!(none, json!({"tasks": [], "next": null}));
}

#[tokio::test]
async fn what_a_query_says_wrongly_is_refused() {
    let bed = Bed::closed().await;
    for (query, status) in [
        ("status=done", 400),
        ("limit=x", 400),
        ("limit=-1", 400),
        ("after=x", 400),
        ("sattus=failed", 400),
        ("agent=%3Cscript%3E", 400),
        ("limit=0", 422),
        ("limit=501", 422),
        ("after=9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1", 422),
    ] {
        let answer = bed.get(format!("/v1/tasks?{query}")).admin().send().await;
        assert_eq!(problem(&answer), (status, "invalid".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn what_a_body_says_wrongly_is_refused() {
    let bed = Bed::closed().await;
    for (body, status) in [
        ("{", 400),
        ("", 400),
        ("\u{0}", 400),
        ("[]", 422),
        ("{}", 422),
        ("7", 422),
        ("null", 422),
        (r#"{"description": ""}"#, 422),
        (r#"{"description": 7}"#, 422),
        (r#"{"description": "a", "capabilitys": []}"#, 422),
        (r#"{"description": "a", "capabilities": ["a,b"]}"#, 422),
    ] {
        let ask = bed
            .post("/v1/tasks")
            .admin()
            .header("content-type", "application/json");
        let answer = ask.body(body).send().await;
        assert_eq!(problem(&answer), (status, "invalid".to_owned()), "{body}");
    }
    let many: Vec<_> = (0..1_001).map(|_| json!({"description": "a"})).collect();
    assert_eq!(
        problem(&add(&bed, &json!(many)).await),
        (422, "invalid".to_owned())
    );
    let deep = "[".repeat(100_000);
    let ask = bed
        .post("/v1/tasks")
        .admin()
        .header("content-type", "application/json");
    assert_eq!(
        problem(&ask.body(deep).send().await),
        (400, "invalid".to_owned())
    );
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
    ] {
        let ask = bed.post("/v1/tasks").admin().header("content-type", kind);
        let answer = ask.body(r#"{"description": "a"}"#).send().await;
        assert_eq!(
            problem(&answer),
            (415, "unsupported_media_type".to_owned()),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn every_question_needs_the_right_token_even_where_anybody_may_bid() {
    for bed in [Bed::closed().await, Bed::open().await] {
        for (method, path) in [
            ("GET", "/v1/tasks"),
            ("POST", "/v1/tasks"),
            ("GET", "/v1/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1"),
            ("GET", "/v1/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1/bids"),
            (
                "POST",
                "/v1/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1/cancel",
            ),
            ("GET", "/v1/agents"),
            ("GET", "/v1/events"),
        ] {
            let ask = || bed.ask(method, path).json(&json!({"description": "a"}));
            assert_eq!(
                problem(&ask().send().await),
                (401, "unauthorized".to_owned()),
                "{path}"
            );
            let agent = ask().agent("echo").send().await;
            assert_eq!(problem(&agent), (403, "forbidden".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn an_agent_speaks_in_its_own_name_alone() {
    let bed = Bed::closed().await;
    for (method, path, body) in [
        (
            "POST",
            "/v1/agents",
            json!({"agent_id": "echo", "name": "echo"}),
        ),
        ("POST", "/v1/claims", json!({"agent_id": "echo"})),
        ("POST", "/v1/heartbeats", json!({"agent_id": "echo"})),
        ("DELETE", "/v1/agents/echo", json!(null)),
    ] {
        let ask = || bed.ask(method, path).json(&body);
        assert_eq!(
            problem(&ask().agent("other").send().await),
            (403, "forbidden".to_owned()),
            "{path}"
        );
        assert_eq!(problem(&ask().send().await).0, 401, "{path}");
    }
    assert_eq!(
        bed.get("/v1/agents").admin().send().await.json(),
        json!({"agents": []})
    );
}

#[tokio::test]
async fn a_winner_claims_works_and_reports() {
    let bed = Bed::closed().await;
    let task = won(&bed, "echo").await;
    let claimed = claim(&bed, "echo").await;
    assert_eq!(
        (&claimed["task_id"], &claimed["number"]),
        (&json!(task), &json!(1))
    );
    let attempt = &claimed["attempt"];
    let pulse = json!({"agent_id": "echo", "attempts": [attempt]});
    let answer = bed
        .post("/v1/heartbeats")
        .agent("echo")
        .json(&pulse)
        .send()
        .await;
    assert_eq!(answer.json(), json!({"superseded": []}));
    let report = json!({"attempt": attempt, "result": "la"});
    let path = format!("/v1/tasks/{task}/complete");
    for _ in 0..2 {
        let done = bed.post(&path).agent("echo").json(&report).send().await;
        assert_eq!(
            (done.status, &done.json()["status"]),
            (200, &json!("completed"))
        );
    }
    let bids = bed
        .get(format!("/v1/tasks/{task}/bids"))
        .admin()
        .send()
        .await
        .json();
    assert_eq!(
        (&bids["bids"][0]["agent_id"], &bids["bids"][0]["bid_sats"]),
        (&json!("echo"), &json!(7))
    );
    let none = json!({"agent_id": "echo", "wait_ms": 0});
    let answer = bed
        .post("/v1/claims")
        .agent("echo")
        .json(&none)
        .send()
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
}

#[tokio::test]
async fn another_agent_does_not_report_with_a_token_that_it_found() {
    let bed = Bed::closed().await;
    let task = won(&bed, "echo").await;
    let attempt = claim(&bed, "echo").await["attempt"].clone();
    let report = json!({"attempt": attempt, "result": "stolen"});
    let path = format!("/v1/tasks/{task}/complete");
    let other = bed.post(&path).agent("other").json(&report).send().await;
    assert_eq!(problem(&other), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn a_report_of_an_attempt_that_is_over_is_refused() {
    let bed = Bed::closed().await;
    let task = won(&bed, "echo").await;
    let attempt = claim(&bed, "echo").await["attempt"].clone();
    let gone = bed
        .ask("DELETE", "/v1/agents/echo")
        .agent("echo")
        .send()
        .await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    for (path, body) in [
        ("complete", json!({"attempt": attempt, "result": "late"})),
        ("fail", json!({"attempt": attempt, "reason": "late"})),
    ] {
        let late = bed
            .post(format!("/v1/tasks/{task}/{path}"))
            .agent("echo")
            .json(&body)
            .send()
            .await;
        assert_eq!(problem(&late), (409, "superseded".to_owned()));
    }
}

#[tokio::test]
async fn a_task_that_is_not_wanted_is_called_off_once() {
    let bed = Bed::closed().await;
    let given = add(&bed, &json!({"description": "a"})).await.json();
    let path = format!(
        "/v1/tasks/{}/cancel",
        given["tasks"][0]["id"].as_str().unwrap()
    );
    let off = bed.post(&path).admin().send().await.json();
    assert_eq!(
        (&off["status"], &off["result"]),
        (&json!("failed"), &json!("Cancelled."))
    );
    assert_eq!(
        problem(&bed.post(&path).admin().send().await),
        (409, "conflict".to_owned())
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_form_of_v1() {
    let bed = Bed::closed().await;
    for path in [
        "/v1/nothing",
        "/v1/tasks/no-uuid",
        "/v1/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1",
        "/v1/tasks/%FF",
    ] {
        let answer = bed.get(path).admin().send().await;
        assert_eq!(problem(&answer), (404, "not_found".to_owned()), "{path}");
    }
    let method = bed.ask("PUT", "/v1/tasks").admin().send().await;
    assert_eq!(problem(&method), (405, "method_not_allowed".to_owned()));
    assert!(method.headers["allow"].contains("POST"));
    let stranger = bed
        .post("/v1/heartbeats")
        .agent("echo")
        .json(&json!({"agent_id": "echo"}));
    assert_eq!(
        problem(&stranger.send().await),
        (404, "not_found".to_owned())
    );
}

#[tokio::test]
async fn hostile_texts_come_back_as_they_were() {
    let bed = Bed::with(
        Settings::default().with_auction(Duration::from_mins(1)),
        Guard::default(),
    )
    .await;
    for text in [
        "<script>alert(1)</script>",
        "'; DROP TABLE tasks; --",
        "\u{0}\u{1b}[31m\r\nset-cookie: a=b",
        "\u{202e}\u{fffd}😀",
    ] {
        let given = add(&bed, &json!({"description": text})).await;
        assert_eq!(given.status, 201);
        let id = given.json()["tasks"][0]["id"].as_str().unwrap().to_owned();
        let found = bed.get(format!("/v1/tasks/{id}")).admin().send().await;
        assert_eq!(found.json()["description"], text);
        assert_eq!(found.headers["content-type"], "application/json");
    }
}
