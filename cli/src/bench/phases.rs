//! Hears the steps of starts, which backends tell to whoever listens to traces.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alveary::{AgentId, SpawnPhase};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Steps and how long they took, by agent.
type Steps = HashMap<String, Vec<(String, Duration)>>;

/// What was heard and nobody has asked for yet.
static HEARD: Mutex<Option<Steps>> = Mutex::new(None);

/// Listens from now on.
pub(crate) fn listener<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Listener.with_filter(filter_fn(|event| event.target() == SpawnPhase::TARGET))
}

/// What was heard of an agent's start; it is forgotten here.
pub(crate) fn of(agent: &AgentId) -> Vec<(String, Duration)> {
    let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    let heard = heard.as_mut();
    heard
        .and_then(|heard| heard.remove(agent.as_str()))
        .unwrap_or_default()
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = heard.get_or_insert_default();
        heard
            .entry(told.agent)
            .or_default()
            .push((told.phase, told.took));
    }
}

#[derive(Default)]
struct Told {
    agent: String,
    phase: String,
    took: Duration,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "agent" => value.clone_into(&mut self.agent),
            "phase" => value.clone_into(&mut self.phase),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "took_ns" {
            self.took = Duration::from_nanos(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
