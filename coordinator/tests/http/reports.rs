//! Forms of the original: reports, and what a form has to be.

use alveary_coordinator::http::Guard;
use serde_json::json;

use super::bed::Bed;
use super::original::{bid, short};

#[tokio::test]
async fn a_failure_goes_with_a_reason_or_without() {
    let bed = Bed::with(short(), Guard::default()).await;
    for (form, result) in [("reason=no+voice", "no voice"), ("", "")] {
        let task = bed.give("sing").await;
        bid(
            &bed,
            &json!({"task_id": task, "agent_id": "a1", "bid_sats": 3}),
        )
        .await;
        while bed.get("/swarm/tasks?status=assigned").send().await.json()["tasks"] == json!([]) {}
        let answer = bed
            .post(format!("/swarm/tasks/{task}/fail"))
            .form(form)
            .send()
            .await;
        assert_eq!(
            answer.json(),
            json!({"task_id": task, "status": "failed"}),
            "{form}"
        );
        let all = bed.get("/swarm/tasks?status=failed").send().await.json();
        assert_eq!(all["tasks"][0]["result"], result);
    }
}

#[tokio::test]
async fn a_report_for_a_task_that_is_not_there_is_not_found() {
    let bed = Bed::open().await;
    for task in [
        "9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1",
        "no-uuid",
        "%FF",
        "..%2f..%2fetc",
    ] {
        let answer = bed
            .post(format!("/swarm/tasks/{task}/complete"))
            .form("result=x")
            .send()
            .await;
        assert_eq!(answer.status, 404, "{task}");
        assert_eq!(answer.json(), json!({"detail": "Task not found"}));
    }
}

#[tokio::test]
async fn a_report_for_a_task_that_is_open_for_bids_is_refused() {
    let bed = Bed::open().await;
    let task = bed.give("sing").await;
    let answer = bed
        .post(format!("/swarm/tasks/{task}/complete"))
        .form("result=x")
        .send()
        .await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.json()["detail"].is_string());
}

#[tokio::test]
async fn a_form_without_its_field_is_told_so() {
    let bed = Bed::open().await;
    let missing = |name: &str| json!({"detail": [{"type": "missing", "loc": ["body", name], "msg": "Field required", "input": null}]});
    for body in ["", "description=", "other=1"] {
        let answer = bed.post("/swarm/tasks").form(body).send().await;
        assert_eq!(
            (answer.status, answer.json()),
            (422, missing("description")),
            "{body}"
        );
    }
    let task = bed.give("sing").await;
    let answer = bed
        .post(format!("/swarm/tasks/{task}/complete"))
        .form("")
        .send()
        .await;
    assert_eq!((answer.status, answer.json()), (422, missing("result")));
    let json = bed
        .post("/swarm/tasks")
        .json(&json!({"description": "x"}))
        .send()
        .await;
    assert_eq!((json.status, json.json()), (422, missing("description")));
}

#[tokio::test]
async fn a_form_in_parts_is_read_as_well() {
    let bed = Bed::open().await;
    let body =
        "--XX\r\ncontent-disposition: form-data; name=\"description\"\r\n\r\nsing\r\n--XX--\r\n";
    let parts = bed
        .post("/swarm/tasks")
        .header("content-type", "multipart/form-data; boundary=XX");
    let answer = parts.clone().body(body).send().await;
    assert_eq!(answer.json()["description"], "sing");
    let broken = parts.body(&body[..40]).send().await;
    assert_eq!(broken.status, 400);
    assert_eq!(
        broken.json(),
        json!({"detail": "There was an error parsing the body"})
    );
}
