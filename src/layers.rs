//! What is put around a backend, whichever it is: a bound, time limits, retries and a trace.
//!
//! Each layer is a backend around a backend: it forwards every method and every facet, and changes nothing
//! but what its name says. [`standard`] puts them around each other in the one order that is right.

mod facet;
mod limit;
mod options;
mod retry;
#[cfg(test)]
mod scripted;
mod timeout;
mod trace;

use std::sync::Arc;

use alveary_core::AgentBackend;

pub use limit::Limit;
pub use options::{AtOnce, LayerOptions, RetryOptions, Timeouts};
pub use retry::Retry;
pub use timeout::Timeout;
pub use trace::Trace;

use crate::metrics::SwarmMetrics;

/// All the layers around a backend, from the outside in: [`Trace`], [`Retry`], [`Limit`], [`Timeout`].
///
/// - `Timeout` is next to the engine, because only the engine's own time counts against it: a call that
///   waits for its turn has not been made.
/// - `Limit` is around it: one who waits for a turn holds nothing, and one who has it gives it back within
///   a known time.
/// - `Retry` is around that, because a pause between two attempts must not take up a turn, and each attempt
///   has a time limit of its own.
/// - `Trace` is outside, because what a caller waited for is the whole: turns, attempts and pauses.
///
/// ```
/// use std::sync::Arc;
/// use alveary::layers::{LayerOptions, standard};
/// use alveary::{AgentBackend, MemoryBackend};
///
/// let bare: Arc<dyn AgentBackend> = Arc::new(MemoryBackend::new());
/// let kind = bare.kind();
/// let backend = standard(bare, &LayerOptions::default());
/// assert_eq!(backend.kind(), kind);
/// ```
pub fn standard(backend: Arc<dyn AgentBackend>, options: &LayerOptions) -> Arc<dyn AgentBackend> {
    Arc::new(around(backend, options))
}

/// The same layers, of which the outermost counts the calls.
pub fn measured(
    backend: Arc<dyn AgentBackend>,
    options: &LayerOptions,
    metrics: &SwarmMetrics,
) -> Arc<dyn AgentBackend> {
    Arc::new(around(backend, options).counted(metrics))
}

fn around(backend: Arc<dyn AgentBackend>, options: &LayerOptions) -> Trace<impl AgentBackend> {
    let backend = Timeout::new(backend, options.timeout.clone());
    let backend = Limit::new(backend, &options.at_once);
    let backend = Retry::new(backend, options.retry.clone());
    Trace::new(backend)
}
