//! The suite, on a memory backend through each layer, through the narrowest bound, and through all of them
//! together.

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alveary::AgentBackend;
use alveary::layers::{
    AtOnce, LayerOptions, Limit, Retry, RetryOptions, Timeout, Timeouts, Trace, standard,
};
use alveary_conformance::{Harness, MemoryHarness, Wrapped, run};

type Backend = Arc<dyn AgentBackend>;

fn through(
    name: &'static str,
    layer: impl Fn(Backend) -> Backend + Send + Sync + 'static,
) -> Box<dyn Harness> {
    Box::new(Wrapped::new(name, MemoryHarness::default(), layer))
}

/// One call of a kind at a time: whoever holds a turn that it does not need stops everything.
fn one_at_once() -> AtOnce {
    let one = NonZeroU32::MIN;
    AtOnce::default().with_spawn(one).with_other(one)
}

fn main() -> ExitCode {
    let harnesses = vec![
        through("memory-limited", |backend| {
            Arc::new(Limit::new(backend, &AtOnce::default()))
        }),
        through("memory-limited-to-one", |backend| {
            Arc::new(Limit::new(backend, &one_at_once()))
        }),
        through("memory-timed", |backend| {
            let limits = Timeouts::all(Duration::from_secs(5));
            Arc::new(Timeout::new(backend, limits))
        }),
        through("memory-retried", |backend| {
            Arc::new(Retry::new(backend, RetryOptions::default()))
        }),
        through("memory-traced", |backend| Arc::new(Trace::new(backend))),
        through("memory-layered", |backend| {
            standard(backend, &LayerOptions::default())
        }),
    ];
    run(std::env::args_os(), harnesses)
}
