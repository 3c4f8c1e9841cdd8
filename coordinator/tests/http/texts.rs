//! Markup, SQL and worse, in every text: it stays a text, and as an id it finds nothing.

use serde_json::json;

use super::bed::{Answer, Bed};
use super::hostile::{book, is_refused, patient};

#[tokio::test]
async fn hostile_texts_stay_texts_from_end_to_end() {
    let bed = patient().await;
    let form = |field: &str, text: &str| {
        form_urlencoded::Serializer::new(String::new())
            .append_pair(field, text)
            .finish()
    };
    for (round, text) in [
        "<script>alert(1)</script>",
        "'; DROP TABLE tasks; --",
        "\" OR \"\"=\"",
        "\\'; UPDATE agents SET status='idle'; --",
        "%27%20OR%201=1 ${jndi:ldap://x} {{7*7}} $(reboot) `reboot`",
        "\u{0}\u{1b}[2J\r\nset-cookie: a=b\r\n\r\n",
        "\u{202e}\u{fffd}\u{10ffff}😀",
    ]
    .into_iter()
    .enumerate()
    {
        let agent = format!("a{round}");
        // Control characters are no part of a capability, and everything else is.
        let able: String = text
            .chars()
            .filter(|c| !alveary_core::is_unsafe(*c))
            .collect();
        let register =
            json!({"agent_id": agent, "name": text, "capabilities": [able.replace(',', "")]});
        let answer = bed.post("/v1/agents").admin().json(&register).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let agents = bed.get("/v1/agents").admin().send().await.json();
        let listed = &agents["agents"][round];
        assert_eq!(listed["name"], text);
        let all = bed.get("/swarm/agents").admin().send().await.json();
        assert_eq!(all["agents"][round]["name"], text);
        // One is given and delivered by the original's routes, one by `/v1`.
        let first = bed
            .post("/swarm/tasks")
            .admin()
            .form(&form("description", text))
            .send()
            .await;
        let first = first.json();
        assert_eq!(first["description"], text);
        let second = bed
            .post("/v1/tasks")
            .admin()
            .header("idempotency-key", "'--<b>");
        let second = second.json(&json!({"description": text})).send().await;
        let key_is_taken = round > 0;
        assert_eq!(
            second.status,
            if key_is_taken { 409 } else { 201 },
            "{second:?}"
        );
        let second = bed.post("/v1/tasks").admin();
        let second = second
            .json(&json!({"description": text}))
            .send()
            .await
            .json();
        let (first, second) = (&first["task_id"], &second["tasks"][0]["id"]);
        for task in [first, second] {
            let bid =
                json!({"task_id": task, "agent_id": agent, "bid_sats": 5, "capabilities": able});
            let answer = bed.post("/internal/bids").admin().json(&bid).send().await;
            assert_eq!(answer.json()["accepted"], true, "{answer:?}");
        }
        let claim = json!({"agent_id": agent, "wait_ms": 20_000});
        let claim = || bed.post("/v1/claims").admin().json(&claim).send();
        assert_eq!(&claim().await.json()["task_id"], first);
        let path = format!("/swarm/tasks/{}/complete", first.as_str().unwrap());
        let done = bed
            .post(path)
            .admin()
            .form(&form("result", text))
            .send()
            .await;
        assert_eq!(done.status, 200, "{done:?}");
        let claimed = claim().await.json();
        let path = format!("/v1/tasks/{}/fail", second.as_str().unwrap());
        let failed = json!({"attempt": claimed["attempt"], "reason": text});
        let failed = bed.post(path).admin().json(&failed).send().await;
        assert_eq!(failed.json()["result"], text, "{failed:?}");
        let rows = bed.get("/swarm/tasks").admin().send().await.json();
        let mine = rows["tasks"].as_array().unwrap().iter();
        let mine: Vec<_> = mine.filter(|row| row["description"] == text).collect();
        assert_eq!(mine.len(), if key_is_taken { 2 } else { 3 }, "{rows}");
        let told = mine.iter().filter(|row| row["result"] == text).count();
        assert_eq!(told, 2, "{rows}");
        // The next one is waited for alone.
        let gone = bed.ask("DELETE", format!("/v1/agents/{agent}")).admin();
        assert_eq!(gone.send().await.status, 204);
    }
    // The table is still there.
    let metrics = bed.get("/metrics").send().await.body;
    assert!(
        metrics.contains("\nalveary_tasks{status=\"completed\"} 7\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn hostile_texts_in_the_place_of_attempts_keys_and_names_do_nothing() {
    let bed = Bed::closed().await;
    let before = book(&bed).await;
    for text in ["<script>alert(1)</script>", "'; DROP TABLE attempts; --"] {
        for (path, question) in [
            ("/v1/claims", json!({"agent_id": "echo", "holding": [text]})),
            (
                "/v1/heartbeats",
                json!({"agent_id": "echo", "attempts": [text]}),
            ),
        ] {
            let asked = bed.post(path).admin().json(&question).send().await;
            is_refused(&asked, 422, &format!("{path} {text}"));
        }
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("name", text)
            .finish();
        let spawn = bed.post("/swarm/spawn").admin().form(&form).send().await;
        assert!((400..500).contains(&spawn.status), "{spawn:?}");
        assert_eq!(spawn.headers["content-type"], "application/json");
    }
    assert_eq!(book(&bed).await, before);
    // As the key under which a task is given it is a key like any other: the same task is given once.
    for text in ["<script>alert(1)</script>", "';DROP/**/TABLE/**/tasks;--"] {
        let (task, keyed) = (
            json!({"description": "sing"}),
            json!({"description": "sing", "key": text}),
        );
        for (task, key) in [(&task, Some(text)), (&keyed, None)] {
            let give = || {
                let ask = bed.post("/v1/tasks").admin().json(task);
                match key {
                    Some(key) => ask.header("idempotency-key", key).send(),
                    None => ask.send(),
                }
            };
            let (first, again) = (give().await, give().await);
            assert_eq!(first.status, 201, "{first:?}");
            let id = |given: &Answer| given.json()["tasks"][0]["id"].clone();
            assert_eq!(id(&first), id(&again));
        }
    }
}

#[tokio::test]
async fn hostile_texts_in_the_place_of_ids_find_nothing() {
    let bed = Bed::open().await;
    for id in [
        "%27%3B%20DROP%20TABLE%20tasks%3B--",
        "%3Cscript%3E",
        "%00",
        "%FF",
        "..%2F..%2Fetc",
        "0",
    ] {
        for (method, path) in [
            ("GET", format!("/v1/tasks/{id}")),
            ("GET", format!("/v1/tasks/{id}/bids")),
            ("POST", format!("/v1/tasks/{id}/cancel")),
        ] {
            is_refused(&bed.ask(method, &path).admin().send().await, 404, &path);
        }
        let path = format!("/swarm/tasks/{id}/complete");
        is_refused(&bed.post(&path).form("result=x").send().await, 404, &path);
        let query = bed.get(format!("/v1/tasks?agent={id}&status={id}")).admin();
        is_refused(&query.send().await, 400, id);
        let query = bed.get(format!("/swarm/tasks?status={id}"));
        is_refused(&query.send().await, 422, id);
        let page = bed.get(format!("/tasks/{id}")).send().await;
        assert_eq!(page.status, 303, "{page:?}");
    }
}
