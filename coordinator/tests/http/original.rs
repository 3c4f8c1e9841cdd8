//! The original's routes, to the letter.

use std::time::{Duration, Instant};

use alveary_coordinator::http::Guard;
use alveary_coordinator::{Bidders, Settings};
use serde_json::{Value, json};

use super::bed::{Answer, Bed};

const OVER: &str = "No open auction for this task — it may have already closed.";

async fn bid(bed: &Bed, body: &Value) -> Answer {
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
fn short() -> Settings {
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

#[tokio::test]
async fn who_waits_for_tasks_is_answered_as_soon_as_there_is_one() {
    let bed = Bed::open().await;
    let first = bed.get("/internal/tasks").send().await;
    let mut after = first.headers["x-alveary-after"].clone();
    let mut delays = Vec::new();
    for round in 0..9 {
        let waited = async {
            let path = format!("/internal/tasks?wait=20s&after={after}");
            let answer = bed.get(path).send().await;
            (answer, Instant::now())
        };
        let given = async {
            // What was there before somebody waits would be told without waking anybody.
            bed.until_waiting(1).await;
            (bed.give(&format!("sing {round}")).await, Instant::now())
        };
        let ((answer, told), (task, given)) = tokio::join!(waited, given);
        assert_eq!(answer.json().as_array().unwrap().len(), 1, "{answer:?}");
        assert_eq!(answer.json()[0]["task_id"], json!(task));
        delays.push(told.saturating_duration_since(given));
        let next = answer.headers["x-alveary-after"].clone();
        assert!(next.parse::<u64>().unwrap() > after.parse::<u64>().unwrap());
        after = next;
    }
    // One may be unlucky on a busy machine. Who looks every so often is late in most rounds.
    delays.sort_unstable();
    assert!(delays[4] < Duration::from_millis(200), "{delays:?}");
    let nothing_new = bed.get(format!("/internal/tasks?after={after}"));
    assert_eq!(nothing_new.send().await.json(), json!([]));
    bed.until_waiting(0).await;
}

#[tokio::test]
async fn who_waits_in_vain_is_answered_when_the_time_is_over_and_not_before() {
    let bed = Bed::open().await;
    for (wait, least) in [("300ms", 300), ("1", 1_000), ("1s", 1_000)] {
        let began = Instant::now();
        let answer = bed.get(format!("/internal/tasks?wait={wait}")).send().await;
        let took = began.elapsed();
        assert_eq!(answer.json(), json!([]), "{wait}");
        assert!(took >= Duration::from_millis(least), "{wait}: {took:?}");
        assert!(
            took < Duration::from_millis(least + 5_000),
            "{wait}: {took:?}"
        );
    }
    let mut guard = Guard::default();
    guard.longest_wait = Duration::from_millis(100);
    let bed = Bed::with(short(), guard).await;
    let began = Instant::now();
    bed.get("/internal/tasks?wait=999999999m").send().await;
    assert!(began.elapsed() < Duration::from_secs(5), "it is not cut");
}

#[tokio::test]
async fn an_empty_parameter_is_as_good_as_none_and_a_bad_one_is_named() {
    let bed = Bed::open().await;
    for query in [
        "wait=",
        "after=",
        "wait=&after=",
        "wait=0",
        "wait=20s&wait=",
    ] {
        let answer = bed.get(format!("/internal/tasks?{query}")).send().await;
        assert_eq!((answer.status, answer.json()), (200, json!([])), "{query}");
    }
    assert_eq!(bed.get("/swarm/tasks?status=").send().await.status, 200);
    for (name, value) in [
        ("wait", "soon"),
        ("wait", "-1"),
        ("wait", "1h"),
        ("wait", "1.5"),
        ("wait", "NaN"),
        ("wait", "1000000000"),
        ("wait", "s"),
        ("wait", "%F0%9F%90%9D"),
        ("after", "x"),
        ("after", "-1"),
        ("after", "18446744073709551616"),
    ] {
        let answer = bed
            .get(format!("/internal/tasks?{name}={value}"))
            .send()
            .await;
        assert_eq!(answer.status, 422, "{name}={value}: {answer:?}");
        assert_eq!(answer.json()["detail"][0]["loc"], json!(["query", name]));
    }
}

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
