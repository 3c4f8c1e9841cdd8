//! Events and logs whose streams stall, break off, or say nothing.

use std::time::Duration;

use alveary_conformance::proxy::Answer;
use alveary_conformance::proxy::Method::{Get, Post};
use alveary_core::{
    AgentBackendExt, AgentState, ErrorKind, EventOptions, LogOptions, LogStreamKind, WatchEvent,
    WatchOptions,
};
use futures_util::StreamExt;
use libtest_mimic::Trial;
use tokio::time::timeout;

use crate::ground::{Ground, Wanted};
use crate::{scenario, scenario_by_the_program};

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        scenario(
            "events::a_watch_comes_to_the_truth_though_the_stream_is_mute",
            "events: the stream is open and mute",
            mute,
        ),
        scenario(
            "events::a_watch_tells_that_the_stream_broke_off_and_comes_to_the_truth",
            "events: the stream breaks off after each event",
            broken,
        ),
        scenario(
            "events::nothing_is_known_for_as_long_as_no_stream_can_be_had",
            "events: no stream can be had",
            refused,
        ),
        scenario(
            "events::a_stream_of_garbage_is_an_error_and_no_event",
            "events: garbage, and lines without end",
            garbage,
        ),
        scenario(
            "pull::an_image_of_which_nothing_comes_is_given_up_and_leaves_nothing",
            "pull: headers and then nothing; nothing at all; garbage; without end",
            stalled_pull,
        ),
        scenario(
            "logs::following_goes_on_where_it_was_cut_and_loses_and_doubles_no_byte",
            "logs: a followed log is cut again and again",
            cut_logs,
        ),
        scenario(
            "logs::following_ends_with_the_agent_though_the_stream_is_mute",
            "logs: a followed log is open and mute",
            mute_logs,
        ),
        scenario_by_the_program(
            "docker-cli::events_a_watch_tells_that_the_stream_broke_off_and_comes_to_the_truth",
            "docker-cli, events: the stream breaks off after each event",
            broken,
        ),
        scenario_by_the_program(
            "docker-cli::events_a_watch_comes_to_the_truth_though_the_stream_is_mute",
            "docker-cli, events: the stream is open and mute",
            mute,
        ),
        scenario_by_the_program(
            "docker-cli::logs_following_goes_on_where_it_was_cut_and_loses_and_doubles_no_byte",
            "docker-cli, logs: a followed log is cut again and again",
            cut_logs,
        ),
        scenario(
            "logs::reading_a_log_that_stalls_ends",
            "logs: headers and then nothing; nothing at all; cut",
            stalled_logs,
        ),
    ]
}

fn watching() -> WatchOptions {
    WatchOptions::default()
        .with_relist(Duration::from_millis(500))
        .with_delay(Duration::from_millis(10), Duration::from_millis(100))
}

/// Whether the watch comes to tell that this agent runs; how often it said that nothing is known.
async fn told_as_running(ground: &Ground, wanted: &Wanted) -> (bool, usize) {
    let mut watch = ground.backend.watch(watching());
    let mut lost = 0;
    let told = timeout(PATIENCE, async {
        loop {
            let told = match watch.next().await.unwrap() {
                WatchEvent::Snapshot(all) => all.into_iter().find(|info| info.id == wanted.id),
                WatchEvent::Changed(info) => Some(info).filter(|info| info.id == wanted.id),
                WatchEvent::Lost(_) => {
                    lost += 1;
                    None
                }
                _ => None,
            };
            if told.is_some_and(|info| info.state == AgentState::Running) {
                return;
            }
        }
    });
    let told = told.await.is_ok();
    (told, lost)
}

async fn mute(mut ground: Ground) -> Ground {
    ground.proxy.on(Get, "/events").mute();
    let wanted = Wanted::new();
    let ((told, lost), _) = {
        let backend = std::sync::Arc::clone(&ground.backend);
        let Wanted { id, spec, options } = wanted.clone();
        tokio::join!(told_as_running(&ground, &wanted), async move {
            backend.spawn(&id, &spec, options).await
        })
    };
    if !told {
        ground.wrong(format!(
            "not told, and the engine did not answer {lost} times"
        ));
    }
    ground.comes_to_be(&wanted).await;
    ground
}

async fn broken(mut ground: Ground) -> Ground {
    ground.proxy.on(Get, "/events").cut_after_values(1);
    let mut watch = ground.backend.watch(watching());
    let first = watch.next().await;
    assert!(matches!(first, Some(WatchEvent::Snapshot(_))), "{first:?}");
    drop(watch);
    for _ in 0..3 {
        let wanted = Wanted::new();
        let (told, lost) = {
            let backend = std::sync::Arc::clone(&ground.backend);
            let Wanted { id, spec, options } = wanted.clone();
            let spawn = async move { backend.spawn(&id, &spec, options).await };
            tokio::join!(told_as_running(&ground, &wanted), spawn).0
        };
        if !told {
            ground.wrong(format!("not told, with the stream lost {lost} times"));
        }
        ground.comes_to_be(&wanted).await;
    }
    let mut events = ground
        .backend
        .events(EventOptions::default())
        .await
        .unwrap();
    // The program may not have asked yet: what is cut then are others that have ended meanwhile.
    let mut again = tokio::time::interval(Duration::from_secs(1));
    let said = async {
        loop {
            tokio::select! {
                said = events.next() => return said,
                _ = again.tick() => ground.proxy.cut_all(),
            }
        }
    };
    match timeout(PATIENCE, said).await {
        Ok(Some(Err(_))) => {}
        other => ground.wrong(format!("a cut stream says {other:?}")),
    }
    ground
}

async fn refused(mut ground: Ground) -> Ground {
    let wanted = Wanted::new();
    ground.comes_to_be(&wanted).await;
    let refusal = Answer::status(500).json(r#"{"message":"no"}"#);
    let rule = ground.proxy.on(Get, "/events").answer(refusal);
    let mut watch = ground.backend.watch(watching());
    let mut wrong = Vec::new();
    for _ in 0..3 {
        match timeout(PATIENCE, watch.next()).await.unwrap() {
            Some(WatchEvent::Lost(_)) => {}
            other => wrong.push(format!("without a stream a watch says {other:?}")),
        }
    }
    rule.call_off();
    loop {
        match timeout(PATIENCE, watch.next()).await.unwrap() {
            Some(WatchEvent::Snapshot(all)) => {
                assert_eq!(all.len(), 1);
                break;
            }
            Some(WatchEvent::Lost(_)) => {}
            other => wrong.push(format!("the first that is known: {other:?}")),
        }
    }
    drop(watch);
    for what in wrong {
        ground.wrong(what);
    }
    ground
}

async fn garbage(mut ground: Ground) -> Ground {
    for answer in [
        Answer::status(200).json("{]"),
        Answer::status(200)
            .json("{\"Type\":\"")
            .with_filler(1 << 32),
        Answer::status(200).json(r#"{"Type":"container","Action":"die"}"#),
        Answer::status(200),
    ] {
        let rule = ground.proxy.on(Get, "/events").answer(answer);
        if let Ok(mut events) = ground.backend.events(EventOptions::default()).await {
            match timeout(PATIENCE, events.next()).await {
                Ok(Some(Err(_))) => {}
                other => ground.wrong(format!("garbage is told as {other:?}")),
            }
        }
        rule.call_off();
    }
    ground
}

async fn stalled_pull(mut ground: Ground) -> Ground {
    let path = "/images/create";
    for (fault, kind) in [
        ("headers", ErrorKind::Timeout),
        ("nothing", ErrorKind::Timeout),
        ("garbage", ErrorKind::ImageNotFound),
        ("without-end", ErrorKind::ImageNotFound),
    ] {
        let when = ground.proxy.on(Post, path);
        let rule = match fault {
            "headers" => when.withhold_body(),
            "nothing" => when.never_answer(),
            "garbage" => when.answer(Answer::status(200).json("}{")),
            _ => when.answer(Answer::status(200).json("{\"id\":\"").with_filler(1 << 32)),
        };
        let mut wanted = Wanted::new();
        wanted.spec.container.image = Some(format!("alveary-test/absent:{fault}"));
        match ground.spawn(&wanted).await {
            Some(Err(error)) if error.kind() == kind && error.cure().is_some() => {}
            other => ground.wrong(format!("{fault} is told as {other:?}")),
        }
        if rule.times() == 0 {
            ground.wrong("no image was asked for");
        }
        rule.call_off();
        if !ground.lists_what_is_there().await.is_empty() {
            ground.wrong("something is there without its image");
        }
    }
    ground
}

async fn cut_logs(mut ground: Ground) -> Ground {
    let script = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; usleep 5000; done";
    let wanted = Wanted::running(["sh", "-c", script]);
    let path = "/containers/*/logs";
    let cuts: Vec<_> = [700, 0, 2000, 1]
        .map(|bytes| ground.proxy.on(Get, path).once().cut_body_after(bytes))
        .into();
    ground.comes_to_be(&wanted).await;
    let options = LogOptions::default().with_follow(true);
    let whole = async {
        let logs = ground.backend.logs(&wanted.id, options).await?;
        logs.collect_bytes(LogStreamKind::Stdout).await
    };
    let told = timeout(PATIENCE * 2, whole).await;
    let wrote: Vec<String> = (1..=300).map(|i| format!("line {i}\n")).collect();
    match told {
        Ok(Ok(told)) if told == wrote.concat().as_bytes() => {}
        Ok(Ok(told)) => ground.wrong(format!("{:?}", String::from_utf8_lossy(&told))),
        Ok(Err(error)) => ground.wrong(error.to_string()),
        Err(_) => ground.wrong("following did not end with the agent"),
    }
    if cuts.iter().all(|cut| cut.times() == 0) {
        ground.wrong("nothing was cut");
    }
    ground
}

async fn mute_logs(mut ground: Ground) -> Ground {
    let wanted = Wanted::running(["sh", "-c", "echo said; exit 0"]);
    let rule = ground
        .proxy
        .on(Get, "/containers/*/logs")
        .once()
        .withhold_body();
    ground.comes_to_be(&wanted).await;
    let followed = async {
        let options = LogOptions::default().with_follow(true);
        let logs = ground.backend.logs(&wanted.id, options).await?;
        logs.collect_bytes(LogStreamKind::Stdout).await
    };
    match timeout(PATIENCE, followed).await {
        Ok(Ok(said)) if said[..] == *b"said\n" => {}
        other => ground.wrong(format!("following a mute log says {other:?}")),
    }
    if rule.times() == 0 {
        ground.wrong("nothing was mute");
    }
    ground
}

async fn stalled_logs(mut ground: Ground) -> Ground {
    let wanted = Wanted::running(["sh", "-c", "echo said; sleep 100000"]);
    ground.comes_to_be(&wanted).await;
    let backend = std::sync::Arc::clone(&ground.backend);
    for fault in [0, 1, 2, 3] {
        let when = ground.proxy.on(Get, "/containers/*/logs");
        let rule = match fault {
            0 => when.withhold_body(),
            1 => when.never_answer(),
            2 => when.lose_answer(),
            _ => when.answer(Answer::status(200).text("\u{1}\0\0\0\u{7f}\u{7f}\u{7f}\u{7f}")),
        };
        let read = async {
            let logs = backend.logs(&wanted.id, LogOptions::default()).await?;
            logs.collect_bytes(LogStreamKind::Stdout).await
        };
        if let Some(Ok(told)) = ground.bounded("reading a log", read).await {
            ground.wrong(format!(
                "fault {fault} is told as a log of {} bytes",
                told.len()
            ));
        }
        rule.call_off();
    }
    ground
}
