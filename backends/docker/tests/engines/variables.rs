//! Environments as large as a kernel takes them, and larger.

use alveary_core::{AgentId, ErrorKind, MAX_ARGUMENT, Secret, SecretSpec, SpawnOptions};

use crate::common::TestEngine;
use crate::here::{Here, both, remove_all, sh, written};

/// More than the program takes in a line of its file of variables, and a megabyte in all.
pub(crate) async fn a_large_environment_comes_whole(engine: TestEngine) {
    let here = Here::on(&engine);
    let mut spec = sh("env | grep '^BIG' | wc -c; sleep 1000");
    let mut bytes = 0;
    for number in 10..20 {
        let longest = MAX_ARGUMENT - "BIG10=".len();
        let value = "x".repeat(if number == 10 { longest } else { 100_000 });
        bytes += "BIG10=\n".len() + value.len();
        spec = spec.env(format!("BIG{number}"), value);
    }
    for backend in both(&here).await {
        let id = AgentId::random();
        let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
        spawned.unwrap_or_else(|error| panic!("by {}: {error}", backend.kind()));
        written(&*backend, &id, &format!("{bytes}\n")).await;
        remove_all(&*backend).await;
    }
}

/// Without a break in any of them, the program takes them from its file of variables, line by line. (A shell shows no
/// variable whose name is none of its own kind.)
pub(crate) async fn odd_values_come_as_they_were_given(engine: TestEngine) {
    let here = Here::on(&engine);
    let odd = [
        ("EMPTY", ""),
        ("BLANKS", "  two before, and one behind "),
        ("QUOTES", "'one' \"two\" `three`"),
        ("SIGNS", "a=b #c $HOME ${X:-y} %s \\n \\"),
        ("WIDE", "\u{fc}\u{1f41d}\u{a0}"),
        ("lower_name", "kept"),
        ("HASH", "#first"),
    ];
    let mut spec = sh("env | sort; echo ready; sleep 1000");
    for (key, value) in odd {
        spec = spec.env(key, value);
    }
    for backend in both(&here).await {
        let id = AgentId::random();
        let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
        spawned.unwrap_or_else(|error| panic!("by {}: {error}", backend.kind()));
        let output = written(&*backend, &id, "ready\n").await;
        let output = String::from_utf8_lossy(&output);
        let lines: Vec<&str> = output.lines().collect();
        for (key, value) in odd {
            let line = format!("{key}={value}");
            assert!(
                lines.contains(&&*line),
                "by {}: {line} in {output}",
                backend.kind()
            );
        }
        remove_all(&*backend).await;
    }
}

pub(crate) async fn a_variable_that_no_kernel_takes_is_refused_with_its_cure(engine: TestEngine) {
    let here = Here::on(&engine);
    let value = "x".repeat(MAX_ARGUMENT + 1 - "BIG=".len());
    let secret = SecretSpec::given(Secret::new(value.clone())).as_env();
    for backend in both(&here).await {
        for (spec, words, cure) in [
            (
                sh("sleep 1000").env("BIG", value.clone()),
                "the variable `BIG` has 131072 bytes, and 131071 is the most",
                "put it into a file",
            ),
            (
                sh("sleep 1000").secret("BIG", secret.clone()),
                "the variable `BIG` is too long for any program",
                "hand it over as a file",
            ),
        ] {
            let id = AgentId::random();
            let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
            let error = spawned.expect_err("it is too long");
            assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{error}");
            assert_eq!(error.message(), words, "by {}", backend.kind());
            assert_eq!(error.cure(), Some(cure), "by {}", backend.kind());
            assert_eq!(here.containers(), Vec::<String>::new(), "{error}");
        }
    }
}
