//! What who watches from outside sees.

use serde_json::Value;

use super::bed::Bed;

#[tokio::test]
async fn it_says_that_it_is_well_to_anybody() {
    let bed = Bed::closed().await;
    let answer = bed.get("/healthz").send().await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &Value::from("ok"))
    );
}

#[tokio::test]
async fn it_ends_with_its_coordinator() {
    let bed = Bed::closed().await;
    bed.coordinator.close().await;
    assert_eq!(bed.get("/healthz").send().await.status, 503);
    assert_eq!(bed.get("/v1/tasks").admin().send().await.status, 503);
}

#[tokio::test]
async fn its_numbers_have_the_form_that_prometheus_reads_and_name_nobody() {
    let bed = Bed::closed().await;
    bed.give("a secret song").await;
    let answer = bed.get("/metrics").send().await;
    assert_eq!(
        answer.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(
        answer
            .body
            .contains("\nalveary_tasks{status=\"bidding\"} 1\n"),
        "{}",
        answer.body
    );
    assert!(!answer.body.contains("secret"));
    let mut declared = std::collections::HashSet::new();
    for line in answer.body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(
                declared.insert(rest.split(' ').next().unwrap().to_owned()),
                "twice: {line}"
            );
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let name = name.split('{').next().unwrap();
            assert!(declared.contains(name), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[tokio::test]
async fn its_document_has_every_route_and_no_loose_end() {
    let bed = Bed::closed().await;
    let answer = bed.get("/openapi.json").send().await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let document = answer.json();
    for (path, method) in [
        ("/internal/tasks", "get"),
        ("/internal/bids", "post"),
        ("/swarm/tasks", "get"),
        ("/swarm/tasks", "post"),
        ("/swarm/tasks/auction", "post"),
        ("/swarm/tasks/{id}/complete", "post"),
        ("/swarm/tasks/{id}/fail", "post"),
        ("/swarm/agents", "get"),
        ("/swarm/agents/{id}", "delete"),
        ("/swarm/spawn", "post"),
        ("/v1/tasks", "get"),
        ("/v1/tasks", "post"),
        ("/v1/tasks/{id}", "get"),
        ("/v1/tasks/{id}/bids", "get"),
        ("/v1/tasks/{id}/cancel", "post"),
        ("/v1/tasks/{id}/complete", "post"),
        ("/v1/tasks/{id}/fail", "post"),
        ("/v1/claims", "post"),
        ("/v1/heartbeats", "post"),
        ("/v1/agents", "get"),
        ("/v1/agents", "post"),
        ("/v1/agents/{id}", "delete"),
        ("/v1/events", "get"),
        ("/healthz", "get"),
        ("/metrics", "get"),
    ] {
        let operation = &document["paths"][path][method];
        assert!(operation["responses"].is_object(), "{method} {path}");
        assert!(operation["responses"]["429"].is_object(), "{method} {path}");
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.push(reference.clone());
            }
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
