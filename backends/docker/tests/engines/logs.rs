//! What an engine keeps of what agents write.

use alveary_core::{ErrorKind, LogOptions, LogStreamKind};

use crate::common::TestEngine;
use crate::here::{Here, both, remove_all, run_to_its_end, sh};

/// What of logs is promised is so.
pub(crate) async fn logs_that_an_engine_does_not_give_back_are_unsupported(engine: TestEngine) {
    let podman = engine.name == "podman";
    let docker = |cached: &str| {
        serde_json::json!({
            "driver": "syslog",
            "options": { "syslog-address": "udp://127.0.0.1:9", "cache-disabled": cached },
        })
    };
    let none = serde_json::json!({ "driver": "none" });
    let mut tried = vec![(none, false)];
    if !podman {
        tried.extend([(docker("true"), false), (docker("false"), true)]);
    }
    for (log, readable) in tried {
        let mut here = Here::on(&engine);
        here.settings.insert("log".to_owned(), log.clone());
        for backend in both(&here).await {
            let said = format!("{log} on {}", backend.kind());
            assert_eq!(backend.capabilities().logs.readable, readable, "{said}");
            let (id, _) = run_to_its_end(&*backend, &sh("echo said; exit 3")).await;
            match backend.logs(&id, LogOptions::default()).await {
                Ok(logs) if readable => {
                    let read = logs.collect_bytes(LogStreamKind::Stdout).await;
                    assert_eq!(&read.expect("read")[..], b"said\n", "{said}");
                }
                Ok(logs) => {
                    // The program tells only once it is listened to.
                    let read = logs.collect_bytes(LogStreamKind::Stdout).await;
                    unreadable(&read.expect_err(&said), &said);
                }
                Err(error) if !readable => unreadable(&error, &said),
                Err(error) => panic!("{said}: {error}"),
            }
            remove_all(&*backend).await;
        }
    }
}

fn unreadable(error: &alveary_core::Error, said: &str) {
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{said}: {error}");
    assert!(error.cure().is_some_and(|cure| cure.contains("log.driver")));
}

pub(crate) async fn long_lines_are_read_as_they_were_written(engine: TestEngine) {
    let here = Here::on(&engine);
    // Lines around the length at which engines cut them, each with its number behind it.
    let script = "for n in 1 16382 16383 16384 16385 32767 32768 32769 50000 1; do \
                  head -c $n /dev/zero | tr '\\0' x; echo $n; done";
    let lengths = [1, 16382, 16383, 16384, 16385, 32767, 32768, 32769, 50000, 1];
    let mut expected = String::new();
    for n in lengths {
        expected.extend(std::iter::repeat_n('x', n));
        expected.push_str(&n.to_string());
        expected.push('\n');
    }
    for backend in both(&here).await {
        let (id, _) = run_to_its_end(&*backend, &sh(script)).await;
        let logs = backend
            .logs(&id, LogOptions::default())
            .await
            .expect("logs");
        let read = logs
            .collect_bytes(LogStreamKind::Stdout)
            .await
            .expect("read");
        let read = String::from_utf8_lossy(&read).into_owned();
        let lines = |text: &str| text.lines().map(str::len).collect::<Vec<_>>();
        assert_eq!(lines(&read), lines(&expected), "on {}", backend.kind());
        assert!(read == expected, "on {}", backend.kind());
        remove_all(&*backend).await;
    }
}

/// Each driver keeps what it promises to.
pub(crate) async fn what_is_no_utf8_is_kept_or_replaced_as_promised(engine: TestEngine) {
    // A byte that begins nothing, the beginning of a letter without its end, and a letter.
    let writes = "printf 'a\\377b\\303 \\303\\244\\n'";
    let exact: &[u8] = b"a\xffb\xc3 \xc3\xa4\n";
    let replaced = "a\u{FFFD}b\u{FFFD} \u{e4}\n".as_bytes();
    for (driver, byte_exact) in [("json-file", false), ("local", true)] {
        let mut here = Here::on(&engine);
        if !byte_exact {
            let log = serde_json::json!({ "driver": driver });
            here.settings.insert("log".to_owned(), log);
        }
        for backend in both(&here).await {
            let said = format!("{driver} on {}", backend.kind());
            let promised = backend.capabilities().logs;
            assert_eq!(promised.byte_exact, byte_exact, "{said}");
            let (id, _) = run_to_its_end(&*backend, &sh(writes)).await;
            let format = "--format={{.HostConfig.LogConfig.Type}}";
            let kept_by = engine.client(&["inspect", format, &here.name_of(&id)]);
            assert_eq!(kept_by, driver, "{said}");
            let logs = backend.logs(&id, LogOptions::default()).await;
            let read = logs.expect("logs").collect_bytes(LogStreamKind::Stdout);
            let read = read.await.expect("read");
            assert_eq!(read, if byte_exact { exact } else { replaced }, "{said}");
            remove_all(&*backend).await;
        }
    }
}
