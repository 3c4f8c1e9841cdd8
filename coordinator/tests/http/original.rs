//! The original's routes, to the letter.

use std::time::Duration;

use alveary_coordinator::http::Guard;
use alveary_coordinator::{Bidders, Settings};
use serde_json::{Value, json};

use super::bed::{Answer, Bed};

const OVER: &str = "No open auction for this task — it may have already closed.";

pub(crate) async fn bid(bed: &Bed, body: &Value) -> Answer {
    bed.post("/internal/bids").json(body).send().await
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// Short enough to wait for, long enough to bid in.
pub(crate) fn short() -> Settings {
    Settings::default()
        .with_bidders(Bidders::Anybody)
        .with_auction(Duration::from_millis(700))
}

#[tokio::test]
async fn a_task_that_a_form_gives_is_open_for_bids_at_once() {
    let bed = Bed::open().await;
    let given = bed
        .post("/swarm/tasks")
        .form("description=sing+%C3%A4+song")
        .send()
        .await;
    assert_eq!(given.status, 200, "{given:?}");
    assert_eq!(given.headers["content-type"], "application/json");
    let given = given.json();
    assert_eq!(keys(&given), ["description", "status", "task_id"]);
    assert_eq!(given["description"], "sing ä song");
    assert_eq!(given["status"], "bidding");
    let open = bed.get("/internal/tasks").send().await;
    assert_eq!(
        open.json(),
        json!([{"task_id": given["task_id"], "description": "sing ä song", "status": "bidding"}])
    );
}

#[tokio::test]
async fn a_bid_is_answered_with_what_it_named_and_a_sentence() {
    let bed = Bed::open().await;
    let task = bed.give("sing").await;
    let body = json!({"task_id": task, "agent_id": "never-heard-of", "bid_sats": 21, "capabilities": null});
    for _ in 0..2 {
        let answer = bid(&bed, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.json(),
            json!({"accepted": true, "task_id": task, "agent_id": "never-heard-of", "message": "Bid accepted."})
        );
    }
}

#[tokio::test]
async fn a_bid_for_what_is_not_open_is_an_answer_and_no_error() {
    let bed = Bed::open().await;
    for task in [
        "9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1",
        "no-uuid",
        "",
        "'; DROP TABLE tasks; --",
    ] {
        let answer = bid(
            &bed,
            &json!({"task_id": task, "agent_id": "a1", "bid_sats": 5}),
        )
        .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.json(),
            json!({"accepted": false, "task_id": task, "agent_id": "a1", "message": OVER})
        );
    }
}

#[tokio::test]
async fn nothing_and_less_is_no_bid() {
    let bed = Bed::open().await;
    let task = bed.give("sing").await;
    for sats in [0, -5] {
        let answer = bid(
            &bed,
            &json!({"task_id": task, "agent_id": "a1", "bid_sats": sats}),
        )
        .await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.json(), json!({"detail": "bid_sats must be > 0"}));
    }
}

#[tokio::test]
async fn a_bid_of_another_form_is_answered_with_the_list_of_its_faults() {
    let bed = Bed::open().await;
    let body = json!({"agent_id": 5, "bid_sats": "many"});
    let answer = bid(&bed, &body).await;
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.json(),
        json!({"detail": [
            {"type": "missing", "loc": ["body", "task_id"], "msg": "Field required", "input": body},
            {"type": "string_type", "loc": ["body", "agent_id"], "msg": "Input should be a valid string", "input": 5},
            {"type": "int_parsing", "loc": ["body", "bid_sats"], "input": "many",
             "msg": "Input should be a valid integer, unable to parse string as an integer"},
        ]})
    );
}

#[tokio::test]
async fn a_bid_that_is_no_json_is_told_where_it_breaks() {
    let bed = Bed::open().await;
    let answer = bed
        .post("/internal/bids")
        .header("content-type", "application/json")
        .body(r#"{"task_id": NaN}"#)
        .send()
        .await;
    assert_eq!(answer.status, 422);
    let fault = &answer.json()["detail"][0];
    assert_eq!(fault["type"], "json_invalid");
    assert_eq!(fault["loc"], json!(["body", 12]));
    assert_eq!(fault["msg"], "JSON decode error");
    let none = bed.post("/internal/bids").send().await;
    assert_eq!(
        none.json(),
        json!({"detail": [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": null}]})
    );
}

#[tokio::test]
async fn the_lowest_bid_wins_and_its_agent_finds_delivers_and_is_answered() {
    let bed = Bed::with(short(), Guard::default()).await;
    let task = bed.give("sing").await;
    for (agent, sats) in [("dear", 90), ("timmy", 12), ("late", 12)] {
        bid(
            &bed,
            &json!({"task_id": task, "agent_id": agent, "bid_sats": sats}),
        )
        .await;
    }
    let row = loop {
        let answer = bed.get("/swarm/tasks?status=assigned").send().await;
        assert_eq!(answer.status, 200);
        if let Some(row) = answer.json()["tasks"].get(0) {
            break row.clone();
        }
    };
    assert_eq!(
        keys(&row),
        [
            "assigned_agent",
            "completed_at",
            "created_at",
            "description",
            "id",
            "result",
            "status"
        ]
    );
    assert_eq!(row["id"], task);
    assert_eq!(row["assigned_agent"], "timmy");
    assert_eq!(
        (&row["result"], &row["completed_at"]),
        (&Value::Null, &Value::Null)
    );
    let done = bed
        .post(format!("/swarm/tasks/{task}/complete"))
        .form("result=la+la")
        .send()
        .await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.json(), json!({"task_id": task, "status": "completed"}));
    let all = bed.get("/swarm/tasks").send().await.json();
    assert_eq!(all["tasks"][0]["result"], "la la");
    assert_ne!(all["tasks"][0]["completed_at"], Value::Null);
    let agents = bed.get("/swarm/agents").send().await.json();
    let timmy = agents["agents"]
        .as_array()
        .unwrap()
        .iter()
        .find(|agent| agent["id"] == "timmy");
    assert_eq!(timmy.unwrap()["status"], "idle");
}

#[tokio::test]
async fn a_task_without_bids_fails() {
    let bed = Bed::with(short(), Guard::default()).await;
    let answer = bed
        .post("/swarm/tasks/auction")
        .form("description=sing")
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!(
        keys(&answer),
        [
            "assigned_agent",
            "description",
            "status",
            "task_id",
            "winning_bid"
        ]
    );
    assert_eq!(answer["status"], "failed");
    assert_eq!(
        (&answer["assigned_agent"], &answer["winning_bid"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn an_auction_that_is_waited_for_tells_who_won_and_for_what() {
    let bed = Bed::with(short(), Guard::default()).await;
    let bids = async {
        let task = loop {
            let open = bed.get("/internal/tasks?wait=5s").send().await.json();
            if let Some(task) = open[0]["task_id"].as_str() {
                break task.to_owned();
            }
        };
        bid(
            &bed,
            &json!({"task_id": task, "agent_id": "a1", "bid_sats": 33}),
        )
        .await
    };
    let asked = bed
        .post("/swarm/tasks/auction")
        .form("description=sing")
        .send();
    let (answer, _) = tokio::join!(asked, bids);
    let answer = answer.json();
    assert_eq!(answer["status"], "assigned");
    assert_eq!(
        (&answer["assigned_agent"], &answer["winning_bid"]),
        (&json!("a1"), &json!(33))
    );
}

#[tokio::test]
async fn a_status_that_is_none_is_told_so() {
    let bed = Bed::open().await;
    let answer = bed.get("/swarm/tasks?status=done").send().await;
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.json()["detail"][0]["loc"],
        json!(["query", "status"])
    );
}

#[tokio::test]
async fn a_coordinator_without_a_swarm_starts_and_stops_nothing_and_says_so() {
    let bed = Bed::open().await;
    let answer = bed.post("/swarm/spawn").form("name=echo").send().await;
    assert_eq!(answer.status, 409);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("alveary up")
    );
    let answer = bed.ask("DELETE", "/swarm/agents/echo").send().await;
    assert_eq!(answer.json(), json!({"stopped": false, "agent_id": "echo"}));
}

#[tokio::test]
async fn what_is_not_there_is_told_as_the_original_tells_it() {
    let bed = Bed::open().await;
    let nothing = bed.get("/swarm/nothing").send().await;
    assert_eq!(
        (nothing.status, nothing.json()),
        (404, json!({"detail": "Not Found"}))
    );
    let method = bed.ask("PUT", "/internal/tasks").send().await;
    assert_eq!(
        (method.status, method.json()),
        (405, json!({"detail": "Method Not Allowed"}))
    );
    assert!(method.headers["allow"].contains("GET"), "{method:?}");
}
