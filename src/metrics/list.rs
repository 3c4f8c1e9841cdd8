//! Every number that there is, once: what it is called, what it does, and how it is read. Prometheus and a meter of
//! OpenTelemetry are both told by this list.

use std::time::Duration;

use alveary_core::{Exposition, Family, MetricKind};

use super::histogram::Times;
use super::standing::Standing;
use super::{Counts, lock};

/// Takes one number with its labels.
pub(super) type Tell<'a> = dyn FnMut(&[(&'static str, &str)], u64) + 'a;

/// Numbers of one name, which differ by their labels.
pub(super) struct Metric {
    /// What it is called.
    pub(super) name: Name,
    /// What is counted, as [UCUM](https://ucum.org) writes it; OpenTelemetry puts what is no measure into braces.
    #[cfg_attr(
        not(feature = "otel"),
        expect(dead_code, reason = "Prometheus has the unit in the name")
    )]
    pub(super) unit: &'static str,
    /// What it is, in a sentence.
    pub(super) help: &'static str,
    pub(super) read: Read,
}

/// What a number is called by each. One follows from the other by OpenTelemetry's rules for Prometheus, which a test holds
/// them to; both are written out so that both are found.
pub(super) struct Name {
    pub(super) prometheus: &'static str,
    #[cfg_attr(
        not(feature = "otel"),
        expect(dead_code, reason = "there is no meter without the feature")
    )]
    pub(super) otel: &'static str,
}

/// What a number does, and where it is read.
pub(super) enum Read {
    /// It only grows.
    Counted(fn(&Counts, &mut Tell<'_>)),
    /// Those of one family are parts, which can be added up.
    Parts(fn(&Standing, &mut Tell<'_>)),
    /// It says what is so.
    Facts(fn(&Standing, &mut Tell<'_>)),
    /// How long ago something was, if it was.
    Ago(fn(&Counts) -> Option<Duration>),
    /// How many times were how long.
    Times(fn(&Counts) -> &Times),
}

impl Metric {
    pub(super) fn write(&self, counts: &Counts, standing: &Standing, text: &mut Exposition) {
        match self.read {
            Read::Counted(read) => {
                let mut family = self.begin(text, MetricKind::Counter);
                read(counts, &mut |labels, count| family.sample(labels, count));
            }
            Read::Parts(read) | Read::Facts(read) => {
                let mut family = self.begin(text, MetricKind::Gauge);
                read(standing, &mut |labels, count| family.sample(labels, count));
            }
            Read::Ago(read) => {
                if let Some(ago) = read(counts) {
                    let mut family = self.begin(text, MetricKind::Gauge);
                    family.sample(&[], ago.as_secs_f64());
                }
            }
            Read::Times(of) => {
                let times = of(counts).counted();
                let mut family = self.begin(text, MetricKind::Histogram);
                family.histogram(&[], times.buckets(), times.count(), times.sum());
            }
        }
    }

    fn begin<'a>(&'a self, text: &'a mut Exposition, kind: MetricKind) -> Family<'a> {
        text.family(self.name.prometheus, kind, self.help)
    }
}

/// In the order in which they are told.
pub(super) const METRICS: [Metric; 11] = [
    Metric {
        name: Name {
            prometheus: "alveary_swarm_info",
            otel: "alveary.swarm.info",
        },
        unit: "",
        help: "What runs the swarm.",
        read: Read::Facts(|standing, tell| {
            let version = env!("CARGO_PKG_VERSION");
            tell(&[("backend", standing.backend()), ("version", version)], 1);
        }),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_agents",
            otel: "alveary.swarm.agents",
        },
        unit: "{agent}",
        help: "Agents by how they stand.",
        read: Read::Parts(|standing, tell| {
            for (state, count) in standing.by_state() {
                tell(&[("state", state)], count);
            }
        }),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_agents_ready",
            otel: "alveary.swarm.agents_ready",
        },
        unit: "{agent}",
        help: "Agents that run and are ready.",
        read: Read::Parts(|standing, tell| tell(&[], standing.ready())),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_engine_heard",
            otel: "alveary.swarm.engine_heard",
        },
        unit: "",
        help: "Whether the engine is heard.",
        read: Read::Facts(|standing, tell| tell(&[], u64::from(standing.heard()))),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_spawn_seconds",
            otel: "alveary.swarm.spawn",
        },
        unit: "s",
        help: "How long starts took that succeeded, in seconds.",
        read: Read::Times(|counts| &counts.spawns),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_calls_total",
            otel: "alveary.swarm.calls",
        },
        unit: "{call}",
        help: "Calls of the engine, since the start.",
        read: Read::Counted(|counts, tell| {
            for (operation, of) in lock(&counts.calls).iter() {
                tell(&[("operation", operation)], of.all);
            }
        }),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_failures_total",
            otel: "alveary.swarm.failures",
        },
        unit: "{call}",
        help: "Calls of the engine that failed, since the start.",
        read: Read::Counted(|counts, tell| {
            for (operation, of) in lock(&counts.calls).iter() {
                for (kind, count) in &of.failed {
                    tell(&[("operation", operation), ("kind", kind)], *count);
                }
            }
        }),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_restarts_total",
            otel: "alveary.swarm.restarts",
        },
        unit: "{restart}",
        help: "Agents that were started again because they had ended, since the start.",
        read: Read::Counted(|counts, tell| tell(&[], counts.restarts())),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_restarts_used_up_total",
            otel: "alveary.swarm.restarts_used_up",
        },
        unit: "{agent}",
        help: "Agents that were given up because they ended too often, since the start.",
        read: Read::Counted(|counts, tell| tell(&[], counts.used_up())),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_reconciles_total",
            otel: "alveary.swarm.reconciles",
        },
        unit: "{reconcile}",
        help: "How often all that is known was held against the engine's list, since the start.",
        read: Read::Counted(|counts, tell| tell(&[], counts.reconciles())),
    },
    Metric {
        name: Name {
            prometheus: "alveary_swarm_reconcile_lag_seconds",
            otel: "alveary.swarm.reconcile_lag",
        },
        unit: "s",
        help: "How long ago all that is known was held against the engine's list.",
        read: Read::Ago(Counts::lag),
    },
];
