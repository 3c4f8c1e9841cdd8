//! The page, as a browser is sent it.

use serde_json::json;

use super::bed::{Answer, Bed};

async fn sign_in(bed: &Bed, token: &str) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token)
        .finish();
    bed.post("/login")
        .header("origin", format!("http://{}", bed.address))
        .form(&form)
        .send()
        .await
}

/// The cookie of a browser that has signed in.
async fn cookie(bed: &Bed) -> String {
    let answer = sign_in(bed, bed.tokens.admin().expose()).await;
    assert_eq!(
        (answer.status, answer.headers["location"].as_str()),
        (303, "/")
    );
    let set = &answer.headers["set-cookie"];
    for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(word), "{set}");
    }
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn who_has_not_signed_in_is_led_to_where_one_does() {
    for bed in [Bed::closed().await, Bed::open().await] {
        for path in ["/", "/tasks/9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1"] {
            let answer = bed.get(path).send().await;
            assert_eq!(
                (answer.status, answer.headers["location"].as_str()),
                (303, "/login")
            );
        }
        let form = bed.get("/login").send().await;
        assert_eq!(form.status, 200);
        assert!(form.body.contains("type=\"password\""));
    }
}

#[tokio::test]
async fn the_admin_s_token_opens_the_page_and_is_not_in_the_cookie() {
    let bed = Bed::closed().await;
    let cookie = cookie(&bed).await;
    assert!(!cookie.contains(bed.tokens.admin().expose()));
    let page = bed.get("/").header("cookie", cookie.as_str()).send().await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let again = bed
        .get("/login")
        .header("cookie", cookie.as_str())
        .send()
        .await;
    assert_eq!(again.status, 303);
}

#[tokio::test]
async fn no_other_token_opens_it() {
    let bed = Bed::closed().await;
    let agent = bed.tokens.agent(&Bed::agent("echo"));
    for token in ["", "x", agent.expose()] {
        let answer = sign_in(&bed, token).await;
        assert_eq!(answer.status, 403);
        assert!(!answer.headers.contains_key("set-cookie"));
        assert!(answer.body.contains("not this coordinator’s admin token"));
    }
}

#[tokio::test]
async fn a_session_reads_and_changes_nothing() {
    let bed = Bed::closed().await;
    let cookie = cookie(&bed).await;
    let with = |method: &'static str, path: &'static str| {
        bed.ask(method, path).header("cookie", cookie.as_str())
    };
    assert_eq!(with("GET", "/v1/tasks").send().await.status, 200);
    let add = with("POST", "/v1/tasks").json(&json!({"description": "a"}));
    assert_eq!(add.send().await.status, 401);
    assert_eq!(
        with("POST", "/swarm/tasks")
            .form("description=a")
            .send()
            .await
            .status,
        401
    );
    assert_eq!(with("DELETE", "/v1/agents/echo").send().await.status, 401);
}

#[tokio::test]
async fn a_cookie_that_was_written_elsewhere_or_altered_is_none() {
    let bed = Bed::closed().await;
    let cookie = cookie(&bed).await;
    let (name, value) = cookie.split_once('=').unwrap();
    let (ends, proof) = value.split_once('.').unwrap();
    let later = ends.parse::<u64>().unwrap() + 1;
    for forged in [
        format!("{name}={later}.{proof}"),
        format!("{name}={ends}.x{proof}"),
        format!("{name}={ends}."),
        format!("{name}="),
        format!("alveary-other={value}"),
    ] {
        let page = bed.get("/").header("cookie", forged.as_str()).send().await;
        assert_eq!(page.status, 303, "{forged}");
    }
    let among = format!("a=b; {cookie}; c=d");
    assert_eq!(
        bed.get("/").header("cookie", among).send().await.status,
        200
    );
}

#[tokio::test]
async fn hostile_texts_are_shown_and_not_obeyed() {
    let bed = Bed::open().await;
    let cookie = cookie(&bed).await;
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}";
    let task = bed.give(hostile).await;
    bed.post("/v1/agents")
        .admin()
        .json(&json!({"agent_id": "a1", "name": hostile, "capabilities": ["<b>\"x\"</b>"]}))
        .send()
        .await;
    for path in ["/".to_owned(), format!("/tasks/{task}")] {
        let page = bed
            .get(&path)
            .header("cookie", cookie.as_str())
            .send()
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(
            page.body.contains("&#60;script&#62;alert(1)"),
            "{}",
            page.body
        );
        for wrong in ["<script>alert", "<img", "<b>\""] {
            assert!(!page.body.contains(wrong), "{path}: {wrong}");
        }
    }
}

#[tokio::test]
async fn nothing_on_the_page_is_from_elsewhere_or_in_line() {
    let bed = Bed::closed().await;
    let cookie = cookie(&bed).await;
    let page = bed.get("/").header("cookie", cookie.as_str()).send().await;
    let policy = &page.headers["content-security-policy"];
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    for wrong in ["style=", "onclick", "http://", "https://", "javascript:"] {
        assert!(!page.body.contains(wrong), "{wrong}");
    }
    for (path, kind) in [
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/favicon.ico", "image/svg+xml"),
    ] {
        let asset = bed.get(path).send().await;
        assert_eq!(
            (asset.status, asset.headers["content-type"].as_str()),
            (200, kind)
        );
    }
}

#[tokio::test]
async fn what_a_person_types_wrongly_is_shown_as_if_it_were_not_said() {
    let bed = Bed::closed().await;
    let cookie = cookie(&bed).await;
    for path in [
        "/?status=done",
        "/?after=x",
        "/?after=9d0a3a66-7b2d-4a53-9cf0-2a4a4d0f33d1",
        "/?%FF=%FF",
        "/?status=a&status=b",
    ] {
        let page = bed.get(path).header("cookie", cookie.as_str()).send().await;
        assert_eq!(page.status, 200, "{path}");
    }
    let none = bed
        .get("/tasks/x")
        .header("cookie", cookie.as_str())
        .send()
        .await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn signing_out_takes_the_cookie_away() {
    let bed = Bed::closed().await;
    let answer = bed.post("/logout").send().await;
    assert_eq!(
        (answer.status, answer.headers["location"].as_str()),
        (303, "/login")
    );
    assert!(answer.headers["set-cookie"].contains("Max-Age=0"));
}
