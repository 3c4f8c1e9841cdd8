//! The suite, on a real engine through each layer, and through all of them together.
//!
//! In CI all together stand for each: the memory backend has been through every one of them by then.
//! `ALVEARY_LAYERS=each` tries each there too.

#[path = "../backends/docker/tests/common/mod.rs"]
mod common;
#[path = "../backends/docker/tests/conformance/harness.rs"]
mod harness;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alveary::AgentBackend;
use alveary::docker::DockerApiConfig;
use alveary::layers::{
    AtOnce, LayerOptions, Limit, Retry, RetryOptions, Timeout, Timeouts, Trace, standard,
};
use alveary_conformance::{Harness, Wrapped, run};

use common::TestEngine;
use harness::Docker;

type Backend = Arc<dyn AgentBackend>;
type Layer = fn(Backend) -> Backend;

/// The engine that all of them are tried on.
const ENGINE: &str = "docker-20";

/// Longer than that engine takes for anything while it makes the containers of all trials.
const LONG: Duration = Duration::from_mins(2);

const EACH: [(&str, Layer); 5] = [
    ("docker-api-limited", |backend| {
        Arc::new(Limit::new(backend, &AtOnce::default()))
    }),
    ("docker-api-timed", |backend| {
        Arc::new(Timeout::new(backend, Timeouts::all(LONG)))
    }),
    ("docker-api-retried", |backend| {
        Arc::new(Retry::new(backend, RetryOptions::default()))
    }),
    ("docker-api-traced", |backend| Arc::new(Trace::new(backend))),
    ("docker-api-in-arcs", |backend| Arc::new(Arc::new(backend))),
];

fn all_together(backend: Backend) -> Backend {
    let mut options = LayerOptions::default();
    options.timeout = Timeouts::all(LONG);
    standard(backend, &options)
}

fn main() -> ExitCode {
    if common::in_ci() {
        assert!(TestEngine::is_there(ENGINE), "{ENGINE}: {}", common::CURE);
    }
    let through = |name: &'static str, layer: Layer| -> Box<dyn Harness> {
        let engine = TestEngine::named(ENGINE);
        Box::new(Wrapped::new(
            name,
            Docker::<DockerApiConfig>::on(&engine),
            layer,
        ))
    };
    let mut harnesses = vec![through("docker-api-layered", all_together)];
    let each = std::env::var("ALVEARY_LAYERS").is_ok_and(|which| which == "each");
    if each || !common::in_ci() {
        harnesses.extend(EACH.map(|(name, layer)| through(name, layer)));
    } else {
        let names = EACH.map(|(name, _)| name).join(",");
        // Not where a manager that is killed tells what it does.
        let _ = writeln!(
            std::io::stderr(),
            "ignored {names}: docker-api-layered has all of them; ALVEARY_LAYERS=each tries each"
        );
    }
    run(std::env::args_os(), harnesses)
}
