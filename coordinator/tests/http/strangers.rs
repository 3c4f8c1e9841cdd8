//! Those who are not whom they say, or come from elsewhere: each is refused, on every route.

use serde_json::{Value, json};

use super::bed::Bed;
use super::hostile::{TASK, book, is_refused, patient};

/// Every operation that the document names, with something in the place of each name in its path.
async fn operations(bed: &Bed) -> Vec<(String, String)> {
    let document = bed.document().await;
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            all.push((method.to_uppercase(), path.replace("{id}", TASK)));
        }
    }
    assert!(all.len() > 20, "{all:?}");
    all
}

#[tokio::test]
async fn nobody_speaks_in_another_s_name_on_any_route() {
    let bed = patient().await;
    let task = bed.give("sing").await;
    let bid = json!({"task_id": task, "agent_id": "echo", "bid_sats": 5});
    bed.post("/internal/bids")
        .agent("echo")
        .json(&bid)
        .send()
        .await;
    let claim = json!({"agent_id": "echo", "wait_ms": 20_000});
    let claim = bed.post("/v1/claims").agent("echo").json(&claim);
    let attempt = claim.send().await.json()["attempt"].clone();
    assert!(attempt.is_string(), "the task was not won");
    let before = book(&bed).await;
    let path = |end: &str| format!("/swarm/tasks/{task}/{end}");
    let v1 = |end: &str| format!("/v1/tasks/{task}/{end}");
    for ask in [
        bed.post("/internal/bids").json(&bid),
        bed.post(path("complete")).form("result=stolen"),
        bed.post(path("fail")).form("reason=stolen"),
        bed.post("/v1/agents")
            .json(&json!({"agent_id": "echo", "name": "thief"})),
        bed.post("/v1/claims").json(&json!({"agent_id": "echo"})),
        bed.post("/v1/heartbeats")
            .json(&json!({"agent_id": "echo"})),
        bed.post(v1("complete"))
            .json(&json!({"attempt": attempt, "result": "stolen"})),
        bed.post(v1("fail"))
            .json(&json!({"attempt": attempt, "reason": "stolen"})),
        bed.ask("DELETE", "/v1/agents/echo"),
        bed.ask("DELETE", "/swarm/agents/echo"),
    ] {
        let what = format!("{ask:?}");
        is_refused(&ask.clone().agent("thief").send().await, 403, &what);
        is_refused(&ask.send().await, 401, &what);
    }
    // Time goes on for the agent that works; nothing else has changed.
    let still = |(tasks, agents): (Value, Value)| (tasks, agents["agents"][0]["name"].clone());
    assert_eq!(still(book(&bed).await), still(before));
}

#[tokio::test]
async fn without_tokens_on_the_originals_routes_everything_beyond_them_asks_for_one() {
    let bed = Bed::open().await;
    let before = book(&bed).await;
    let mut asked = 0;
    for (method, path) in operations(&bed).await {
        if !path.starts_with("/v1/") {
            continue;
        }
        let body = json!({"description": "sing", "agent_id": "echo", "name": "Echo", "attempt": TASK, "result": "la"});
        let answer = bed.ask(&method, &path).json(&body).send().await;
        is_refused(&answer, 401, &format!("{method} {path}"));
        asked += 1;
    }
    assert!(asked >= 10, "{asked}");
    assert_eq!(book(&bed).await, before);
    // The original's are open to anybody.
    let given = bed.post("/swarm/tasks").form("description=sing").send();
    assert_eq!(given.await.status, 200);
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused_on_every_route() {
    let bed = Bed::open().await;
    for (method, path) in operations(&bed).await {
        let what = format!("{method} {path}");
        let ask = || bed.ask(&method, &path).admin();
        let misled = ask().header("host", "evil.example").send().await;
        assert_eq!(misled.status, 421, "{what}");
        for foreign in ["http://evil.example", "null"] {
            let answer = ask().header("origin", foreign).send().await;
            assert_eq!(answer.status, 403, "{what} {foreign}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
        }
        let picture = ask().header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(picture.status, 403, "{what}");
    }
    // What a browser asks before it sends JSON to another site is answered with nothing that would let it.
    let preflight = bed
        .ask("OPTIONS", "/v1/tasks")
        .header("origin", "http://evil.example")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        );
    assert_eq!(preflight.send().await.status, 403);
}

#[tokio::test]
async fn a_token_in_the_url_or_in_a_cookie_is_none() {
    let bed = Bed::closed().await;
    let token = bed.tokens.admin();
    let token = token.expose();
    for ask in [
        bed.get(format!("/v1/agents?token={token}")),
        bed.get(format!("/v1/agents?access_token={token}")),
        bed.get("/v1/agents")
            .header("cookie", format!("token={token}")),
        bed.get("/v1/agents").header("x-api-key", token),
    ] {
        assert_eq!(ask.send().await.status, 401);
    }
}
