//! The original's routes where tokens are asked for.

use std::time::Duration;

use alveary_coordinator::Settings;
use alveary_coordinator::http::Guard;
use serde_json::json;

use super::bed::Bed;

#[tokio::test]
async fn with_tokens_an_agent_speaks_as_itself_alone() {
    let bed = Bed::closed().await;
    let task = bed.give("sing").await;
    let body = json!({"task_id": task, "agent_id": "echo", "bid_sats": 5});
    let ask = || bed.post("/internal/bids").json(&body);
    let nobody = ask().send().await;
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.headers["www-authenticate"], "Bearer");
    assert!(nobody.json()["detail"].is_string());
    let other = ask().agent("other").send().await;
    assert_eq!(other.status, 403);
    assert!(other.json()["detail"].is_string());
    let own = ask().agent("echo").send().await;
    assert_eq!(own.status, 200, "{own:?}");
    assert_eq!(bed.get("/internal/tasks").send().await.status, 401);
    assert_eq!(
        bed.get("/internal/tasks").agent("echo").send().await.status,
        200
    );
}

#[tokio::test]
async fn with_tokens_what_is_no_agent_s_business_is_the_admin_s() {
    let bed = Bed::closed().await;
    for (method, path) in [
        ("POST", "/swarm/tasks"),
        ("POST", "/swarm/tasks/auction"),
        ("POST", "/swarm/spawn"),
        ("GET", "/swarm/agents"),
        ("DELETE", "/swarm/agents/echo"),
    ] {
        let ask = || bed.ask(method, path).form("name=x");
        assert_eq!(ask().send().await.status, 401, "{path}");
        assert_eq!(ask().agent("echo").send().await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn with_tokens_only_the_agent_that_has_a_task_reports_on_it() {
    let bed = Bed::with(
        Settings::default().with_auction(Duration::from_millis(300)),
        Guard::default(),
    )
    .await;
    let task = bed.give("sing").await;
    let body = json!({"task_id": task, "agent_id": "echo", "bid_sats": 5});
    let accepted = bed
        .post("/internal/bids")
        .json(&body)
        .agent("echo")
        .send()
        .await;
    assert_eq!(accepted.json()["accepted"], true, "{accepted:?}");
    let path = format!("/swarm/tasks/{task}/complete");
    loop {
        let mine = bed
            .get("/swarm/tasks?status=assigned")
            .agent("echo")
            .send()
            .await;
        if mine.json()["tasks"][0]["id"] == json!(task) {
            break;
        }
    }
    let other = bed.post(&path).form("result=x").agent("other").send().await;
    assert_eq!(other.status, 403, "{other:?}");
    let own = bed.post(&path).form("result=x").agent("echo").send().await;
    assert_eq!(own.status, 200, "{own:?}");
}
