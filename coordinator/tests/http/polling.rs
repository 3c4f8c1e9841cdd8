//! The original's question for tasks, which may wait.

use std::time::{Duration, Instant};

use alveary_coordinator::http::Guard;
use serde_json::json;

use super::bed::Bed;
use super::original::short;

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
