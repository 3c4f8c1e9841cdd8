//! A coordinator's numbers, as Prometheus reads them.

use alveary_agent::protocol::{AgentStatus, TaskStatus};
use alveary_core::{Exposition, MetricKind};

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
    let mut text = Exposition::new();
    let help = "Tasks by how they stand.";
    let mut tasks = text.family("alveary_tasks", MetricKind::Gauge, help);
    for status in TaskStatus::ALL {
        let count = metrics.tasks.get(&status).unwrap_or(&0);
        tasks.sample(&[("status", &status.to_string())], count);
    }
    let help = "Agents by how they stand.";
    let mut agents = text.family("alveary_agents", MetricKind::Gauge, help);
    for status in [AgentStatus::Idle, AgentStatus::Busy, AgentStatus::Offline] {
        let count = metrics.agents.get(&status).unwrap_or(&0);
        agents.sample(&[("status", &status.to_string())], count);
    }
    let many = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    for (name, kind, help, value) in [
        (
            "alveary_open_auctions",
            MetricKind::Gauge,
            "Auctions that are open.",
            metrics.open_auctions,
        ),
        (
            "alveary_open_attempts",
            MetricKind::Gauge,
            "Attempts that are assigned or running.",
            metrics.open_attempts,
        ),
        (
            "alveary_event_clients",
            MetricKind::Gauge,
            "Clients that follow the events.",
            many(clients.following),
        ),
        (
            "alveary_waiting_clients",
            MetricKind::Gauge,
            "Clients that wait for a task, or for an auction's end.",
            many(clients.waiting),
        ),
        (
            "alveary_bids_total",
            MetricKind::Counter,
            "Bids that took part in an auction, since the start.",
            metrics.bids,
        ),
        (
            "alveary_refused_bids_total",
            MetricKind::Counter,
            "Bids that were refused, since the start.",
            metrics.refused_bids,
        ),
        (
            "alveary_superseded_attempts_total",
            MetricKind::Counter,
            "Attempts that ended without a report, since the start.",
            metrics.superseded,
        ),
        (
            "alveary_late_reports_total",
            MetricKind::Counter,
            "Reports that were refused, since the start.",
            metrics.late_reports,
        ),
        (
            "alveary_events_total",
            MetricKind::Counter,
            "Events in the book.",
            metrics.latest_event.0,
        ),
    ] {
        text.single(name, kind, help, value);
    }
    text.into_text()
}
