//! What goes wrong.

use std::time::Duration;

use alveary_conformance::proxy::Answer;
use alveary_conformance::proxy::Method::{Any, Get, Post};
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::client::{Client, ask, heard, piece};
use super::engine::CHUNKS;
use super::{Setting, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_rule_strikes_the_occurrences_that_it_names_until_it_is_called_off",
            a_rule_strikes_the_occurrences_that_it_names_until_it_is_called_off,
        ),
        trial(
            "a_held_request_is_carried_out_though_its_client_has_given_up",
            a_held_request_is_carried_out_though_its_client_has_given_up,
        ),
        trial(
            "a_held_request_is_answered_to_a_client_that_has_waited",
            a_held_request_is_answered_to_a_client_that_has_waited,
        ),
        trial(
            "a_request_is_carried_out_after_its_client_was_cut_off",
            a_request_is_carried_out_after_its_client_was_cut_off,
        ),
        trial(
            "a_request_that_is_cut_is_never_heard_of",
            a_request_that_is_cut_is_never_heard_of,
        ),
        trial(
            "what_a_lost_answer_was_to_has_been_done",
            what_a_lost_answer_was_to_has_been_done,
        ),
        trial(
            "a_held_answer_comes_when_it_is_let_go",
            a_held_answer_comes_when_it_is_let_go,
        ),
        trial("delays_take_their_time", delays_take_their_time),
        trial(
            "a_body_is_cut_where_it_is_to_be_cut",
            a_body_is_cut_where_it_is_to_be_cut,
        ),
        trial(
            "headers_come_and_then_nothing",
            headers_come_and_then_nothing,
        ),
        trial(
            "a_mute_stream_is_open_and_says_nothing",
            a_mute_stream_is_open_and_says_nothing,
        ),
        trial(
            "a_stream_breaks_off_after_so_many_values",
            a_stream_breaks_off_after_so_many_values,
        ),
        trial(
            "an_answer_of_its_own_stands_in_for_the_engines",
            an_answer_of_its_own_stands_in_for_the_engines,
        ),
        trial(
            "an_answer_can_be_no_answer_at_all",
            an_answer_can_be_no_answer_at_all,
        ),
        trial(
            "an_answer_can_be_longer_than_anybody_reads",
            an_answer_can_be_longer_than_anybody_reads,
        ),
        trial(
            "what_is_answered_falsely_can_have_been_done",
            what_is_answered_falsely_can_have_been_done,
        ),
        trial(
            "nothing_passes_while_it_is_paused_and_all_of_it_later",
            nothing_passes_while_it_is_paused_and_all_of_it_later,
        ),
        trial("its_end_ends_everything", its_end_ends_everything),
    ]
}

async fn status(client: &Client, what: &str) -> Option<u16> {
    client.ask(what, "").await.ok().map(|(status, _)| status)
}

async fn a_rule_strikes_the_occurrences_that_it_names_until_it_is_called_off(setting: Setting) {
    let Setting { proxy, client, .. } = &setting;
    proxy.on(Get, "/small").nth(2).cut();
    let later = proxy
        .on(Any, "/small")
        .from_nth(4)
        .answer(Answer::status(304));
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(status(client, "GET /v1.41/small").await);
    }
    assert_eq!(told, [Some(200), None, Some(200), Some(304), Some(304)]);
    assert_eq!(later.times(), 2);
    later.call_off();
    assert_eq!(status(client, "GET /small").await, Some(200));
    assert_eq!(status(client, "GET /chunks").await, Some(200));
}

async fn a_held_request_is_carried_out_though_its_client_has_given_up(setting: Setting) {
    let Setting {
        engine,
        proxy,
        client,
    } = &setting;
    let held = proxy.on(Post, "/make").once().hold_request();
    let asking = client.asking("POST /make");
    held.struck(1).await;
    assert!(!proxy.seen(Post, "/make")[0].over);
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert_eq!(engine.made(), 0);
    held.release();
    let late = proxy.answered(Post, "/make", 1).await;
    assert_eq!((late.answered, engine.made()), (Some(201), 1));
}

async fn a_held_request_is_answered_to_a_client_that_has_waited(setting: Setting) {
    let held = setting.proxy.on(Post, "/make").hold_request();
    let asking = setting.client.asking("POST /make");
    held.struck(1).await;
    held.release();
    assert_eq!(asking.await.unwrap().unwrap(), (201, "took 0".into()));
    assert_eq!(status(&setting.client, "POST /make").await, Some(201));
}

async fn a_request_is_carried_out_after_its_client_was_cut_off(setting: Setting) {
    let Setting {
        engine,
        proxy,
        client,
    } = &setting;
    let held = proxy.on(Post, "/make").once().cut_and_hold();
    client.ask("POST /make", "xyz").await.unwrap_err();
    assert_eq!(engine.made(), 0);
    held.release();
    proxy.answered(Post, "/make", 1).await;
    assert_eq!(engine.made(), 1);
    let soon = Duration::from_millis(5);
    proxy.on(Post, "/make").once().cut_and_pass_on_after(soon);
    client.ask("POST /make", "xyz").await.unwrap_err();
    proxy.answered(Post, "/make", 2).await;
    assert_eq!(engine.made(), 2);
}

async fn a_request_that_is_cut_is_never_heard_of(setting: Setting) {
    setting.proxy.on(Post, "/make").once().cut();
    let (client, engine) = (&setting.client, &setting.engine);
    client.ask("POST /make", "x").await.unwrap_err();
    client.ask("POST /make", "x").await.unwrap();
    assert_eq!(engine.made(), 1);
    assert_eq!(setting.proxy.seen(Post, "/make").len(), 2);
}

async fn what_a_lost_answer_was_to_has_been_done(setting: Setting) {
    setting.proxy.on(Post, "/make").lose_answer();
    setting.client.ask("POST /make", "x").await.unwrap_err();
    assert_eq!(setting.engine.made(), 1);
    assert!(setting.proxy.seen(Post, "/make")[0].over);
}

async fn a_held_answer_comes_when_it_is_let_go(setting: Setting) {
    let held = setting.proxy.on(Post, "/make").hold_answer();
    let asking = setting.client.asking("POST /make");
    setting.proxy.answered(Post, "/make", 1).await;
    assert!(!asking.is_finished());
    assert_eq!(setting.engine.made(), 1);
    held.release();
    assert_eq!(asking.await.unwrap().unwrap().0, 201);
}

async fn delays_take_their_time(setting: Setting) {
    let Setting { proxy, client, .. } = &setting;
    let time = Duration::from_millis(30);
    for delay in [
        |proxy: &super::FaultProxy, time| proxy.on(Get, "/chunks").once().delay_request(time),
        |proxy: &super::FaultProxy, time| proxy.on(Get, "/chunks").once().delay_answer(time),
        |proxy: &super::FaultProxy, time| proxy.on(Get, "/chunks").once().delay_body(time),
    ] {
        delay(proxy, time);
        let begun = Instant::now();
        let (_, body) = client.ask("GET /chunks", "").await.unwrap();
        assert_eq!(body, CHUNKS.concat());
        assert!(begun.elapsed() >= time);
    }
}

async fn a_body_is_cut_where_it_is_to_be_cut(setting: Setting) {
    for bytes in [0, 3] {
        setting.proxy.on(Get, "/small").once().cut_body_after(bytes);
        let response = setting.client.open("GET /small").await.unwrap();
        assert_eq!(response.status(), 200);
        let (heard, broken) = heard(response.into_body()).await;
        let bytes = usize::try_from(bytes).unwrap();
        assert_eq!(heard, "small".as_bytes()[..bytes]);
        broken.unwrap_err();
    }
}

async fn headers_come_and_then_nothing(setting: Setting) {
    let Setting { proxy, client, .. } = &setting;
    proxy.on(Get, "/small").withhold_body();
    let response = client.open("GET /small").await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
    // It ends for another reason.
    proxy.cut_all();
    let (heard, broken) = heard(response.into_body()).await;
    assert_eq!(heard, b"");
    broken.unwrap_err();
}

async fn a_mute_stream_is_open_and_says_nothing(setting: Setting) {
    let Setting {
        engine,
        proxy,
        client,
    } = &setting;
    let mute = proxy.on(Get, "/events").mute();
    let response = client.open("GET /events").await.unwrap();
    mute.call_off();
    let mut hears = client.open("GET /events").await.unwrap().into_body();
    engine.listened_to_by(2).await;
    for _ in 0..3 {
        engine.say(CHUNKS[0]);
        assert_eq!(piece(&mut hears).await, CHUNKS[0]);
    }
    proxy.cut_all();
    let (said, broken) = heard(response.into_body()).await;
    assert_eq!(said, b"");
    broken.unwrap_err();
}

async fn a_stream_breaks_off_after_so_many_values(setting: Setting) {
    let Setting {
        engine,
        proxy,
        client,
    } = &setting;
    proxy.on(Get, "/chunks").once().cut_after_values(2);
    let response = client.open("GET /chunks").await.unwrap();
    let (said, broken) = heard(response.into_body()).await;
    assert_eq!(said, CHUNKS[..2].concat().as_bytes());
    broken.unwrap_err();
    proxy.on(Get, "/events").mute_after_values(1);
    let mut events = client.open("GET /events").await.unwrap().into_body();
    engine.listened_to_by(1).await;
    engine.say(CHUNKS[1]);
    engine.say(CHUNKS[2]);
    assert_eq!(piece(&mut events).await, CHUNKS[1]);
    proxy.cut_all();
    assert_eq!(heard(events).await.0, b"");
}

async fn an_answer_of_its_own_stands_in_for_the_engines(setting: Setting) {
    let Setting {
        engine,
        proxy,
        client,
    } = &setting;
    let refusal = r#"{"message":"no"}"#;
    for (answer, told) in [
        (Answer::status(500).json(refusal), (500, refusal)),
        (Answer::status(409).json("<garbage"), (409, "<garbage")),
        (Answer::status(200), (200, "")),
        (Answer::status(304).json("not sent"), (304, "")),
        (Answer::status(404).text("none"), (404, "none")),
    ] {
        proxy.on(Post, "/make").once().answer(answer);
        let said = client.ask("POST /make", vec![b'x'; 1 << 20]).await.unwrap();
        assert_eq!(said, (told.0, told.1.into()));
    }
    proxy
        .on(Any, "/small")
        .answer(Answer::status(200).json("{}"));
    assert_eq!(client.ask("HEAD /small", "").await.unwrap().1, "");
    assert_eq!(engine.made(), 0);
}

async fn an_answer_can_be_no_answer_at_all(setting: Setting) {
    let answer = Answer::raw("SSH-2.0-x\r\n");
    setting.proxy.on(Get, "/small").answer(answer);
    setting.client.ask("GET /small", "").await.unwrap_err();
    let mut raw = UnixStream::connect(setting.proxy.socket()).await.unwrap();
    raw.write_all(b"GET /small HTTP/1.1\r\n\r\n").await.unwrap();
    let mut said = String::new();
    raw.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "SSH-2.0-x\r\n");
}

async fn an_answer_can_be_longer_than_anybody_reads(setting: Setting) {
    let Setting { proxy, client, .. } = &setting;
    let long = Answer::status(200).json("[").with_filler(32 << 20);
    proxy.on(Get, "/small").once().answer(long);
    let (_, body) = client.ask("GET /small", "").await.unwrap();
    assert_eq!(body.len(), (32 << 20) + 1);
    let long = Answer::status(200).with_long_header(32 << 20);
    proxy.on(Get, "/small").once().answer(long);
    client.ask("GET /small", "").await.unwrap_err();
    assert_eq!(status(client, "GET /small").await, Some(200));
}

async fn what_is_answered_falsely_can_have_been_done(setting: Setting) {
    let answer = Answer::status(500).json("{}");
    setting.proxy.on(Post, "/make").pass_on_and_answer(answer);
    let said = setting.client.ask("POST /make", "x").await.unwrap();
    assert_eq!((said.0, setting.engine.made()), (500, 1));
    assert_eq!(setting.proxy.seen(Post, "/make")[0].answered, Some(201));
}

async fn nothing_passes_while_it_is_paused_and_all_of_it_later(setting: Setting) {
    let Setting {
        engine,
        proxy,
        client,
    } = &setting;
    let mut events = client.open("GET /events").await.unwrap().into_body();
    engine.listened_to_by(1).await;
    proxy.pause();
    engine.say(CHUNKS[0]);
    let asking = client.asking("POST /make");
    let beside = Client::of(&engine.socket());
    for _ in 0..50 {
        beside.ask("GET /small", "").await.unwrap();
    }
    assert!(!asking.is_finished());
    assert_eq!(engine.made(), 0);
    proxy.resume();
    assert_eq!(asking.await.unwrap().unwrap().0, 201);
    assert_eq!(piece(&mut events).await, CHUNKS[0]);
}

async fn its_end_ends_everything(setting: Setting) {
    let Setting {
        engine,
        proxy,
        client,
    } = setting;
    let held = proxy.on(Post, "/make").hold_request();
    let asking = client.asking("POST /make");
    let mut idle = client.connect().await.unwrap();
    ask(&mut idle, "GET /small", "").await.unwrap();
    let events = client.open("GET /events").await.unwrap().into_body();
    held.struck(1).await;
    let socket = proxy.socket().to_owned();
    drop(proxy);
    asking.await.unwrap().unwrap_err();
    heard(events).await.1.unwrap_err();
    ask(&mut idle, "GET /small", "").await.unwrap_err();
    engine.listened_to_by(0).await;
    assert_eq!(engine.made(), 0);
    assert!(!socket.exists());
    UnixStream::connect(socket).await.unwrap_err();
}
