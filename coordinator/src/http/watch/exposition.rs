//! Numbers in the text form of Prometheus.

use std::fmt::{self, Display, Write as _};

use alveary_agent::protocol::{AgentStatus, TaskStatus};

use crate::Metrics;

/// How many clients there are of those that stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clients {
    /// They follow the events.
    pub(super) following: usize,
    /// They asked for something that is not there yet.
    pub(super) waiting: usize,
}

/// The numbers as text.
pub(super) fn of(metrics: &Metrics, clients: Clients) -> String {
    let mut text = String::new();
    // A string takes everything that is written into it.
    let written = write(&mut text, metrics, clients);
    debug_assert!(written.is_ok());
    text
}

fn write(text: &mut String, metrics: &Metrics, clients: Clients) -> fmt::Result {
    family(text, "alveary_tasks", "gauge", "Tasks by how they stand.")?;
    for status in TaskStatus::ALL {
        let count = metrics.tasks.get(&status).unwrap_or(&0);
        writeln!(text, "alveary_tasks{{status=\"{status}\"}} {count}")?;
    }
    family(text, "alveary_agents", "gauge", "Agents by how they stand.")?;
    for status in [AgentStatus::Idle, AgentStatus::Busy, AgentStatus::Offline] {
        let count = metrics.agents.get(&status).unwrap_or(&0);
        writeln!(text, "alveary_agents{{status=\"{status}\"}} {count}")?;
    }
    let many = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    for (name, kind, help, value) in [
        (
            "alveary_open_auctions",
            "gauge",
            "Auctions that are open.",
            metrics.open_auctions,
        ),
        (
            "alveary_open_attempts",
            "gauge",
            "Attempts that are assigned or running.",
            metrics.open_attempts,
        ),
        (
            "alveary_event_clients",
            "gauge",
            "Clients that follow the events.",
            many(clients.following),
        ),
        (
            "alveary_waiting_clients",
            "gauge",
            "Clients that wait for a task, or for an auction's end.",
            many(clients.waiting),
        ),
        (
            "alveary_bids_total",
            "counter",
            "Bids that took part in an auction, since the start.",
            metrics.bids,
        ),
        (
            "alveary_refused_bids_total",
            "counter",
            "Bids that were refused, since the start.",
            metrics.refused_bids,
        ),
        (
            "alveary_superseded_attempts_total",
            "counter",
            "Attempts that ended without a report, since the start.",
            metrics.superseded,
        ),
        (
            "alveary_late_reports_total",
            "counter",
            "Reports that were refused, since the start.",
            metrics.late_reports,
        ),
        (
            "alveary_events_total",
            "counter",
            "Events in the book.",
            metrics.latest_event.0,
        ),
    ] {
        single(text, name, kind, help, value)?;
    }
    Ok(())
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}")?;
    writeln!(text, "# TYPE {name} {kind}")
}

fn single(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    value: impl Display,
) -> fmt::Result {
    family(text, name, kind, help)?;
    writeln!(text, "{name} {value}")
}
