//! What a bench has measured, as a file keeps it: for programs, and for the next bench to be held against.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::times::Times;
use crate::failure::Failure;

/// The number of this form. Fields are added under the same number, and nothing else is changed.
pub(crate) const SCHEMA: u32 = 1;

/// The step that is a whole start: from the call until the agent is told to run.
pub(crate) const SPAWN: &str = "spawn";
/// Of many starts at once: from the first call until the last agent is told to run.
pub(crate) const BURST: &str = "burst";
/// From then until its own check says that it is ready.
pub(crate) const READY: &str = "ready";

/// The steps in the order in which they are shown.
pub(crate) const STEPS: [&str; 6] = [BURST, SPAWN, "pull", "create", "start", READY];

/// All of one bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    /// The version of alveary that was measured.
    pub(crate) alveary: String,
    /// When it began, by RFC 3339.
    pub(crate) taken_at: String,
    pub(crate) took_seconds: f64,
    pub(crate) machine: Machine,
    pub(crate) fleet: FleetFacts,
    pub(crate) asked: Asked,
    pub(crate) runs: Vec<Run>,
}

/// Whose agents they were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FleetFacts {
    pub(crate) file: String,
    pub(crate) swarm: String,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) spawns: usize,
    pub(crate) warm_up: usize,
    pub(crate) at_once: usize,
}

/// One agent of the fleet on one backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) agent: String,
    pub(crate) backend: String,
    /// Which version of the engine, where it has one.
    pub(crate) engine: Option<String>,
    pub(crate) endpoint: Option<String>,
    /// From which spec: another is another agent.
    pub(crate) spec_hash: String,
    /// By step.
    pub(crate) phases: BTreeMap<String, Times>,
    /// What the engine takes bare, measured in turn with it.
    pub(crate) floor: Option<Floor>,
    /// Why there is none.
    pub(crate) no_floor: Option<String>,
    /// How many had ended by themselves before they were taken away.
    pub(crate) ended_early: usize,
    /// Whether its time was up before it was through.
    pub(crate) cut_short: bool,
}

/// The same without alveary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// What was done, in words.
    pub(crate) what: String,
    pub(crate) phases: BTreeMap<String, Times>,
}

impl Run {
    /// The step by which a run is judged: the whole of what was asked for.
    pub(crate) fn whole(&self) -> &'static str {
        if self.phases.contains_key(BURST) {
            BURST
        } else {
            SPAWN
        }
    }

    pub(crate) fn floor_of(&self, step: &str) -> Option<&Times> {
        self.floor.as_ref()?.phases.get(step)
    }

    /// How many times the bare engine's median this one's is.
    pub(crate) fn ratio(&self, step: &str, part: usize) -> Option<f64> {
        let bare = self.floor_of(step)?.percentile(part);
        let ours = self.phases.get(step)?.percentile(part);
        (bare > 0.0).then_some(ours / bare)
    }

    /// What it is called where several are spoken of.
    pub(crate) fn title(&self) -> String {
        format!("{} on {}", self.agent, self.backend)
    }
}

impl Report {
    /// Reads what a bench has written.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let refuse = |what: String| {
            Failure::input(
                what,
                "name a file that `alveary bench --out FILE` has written",
            )
        };
        let text =
            fs::read(file).map_err(|error| refuse(format!("{shown} cannot be read: {error}")))?;
        let json: serde_json::Value = serde_json::from_slice(&text)
            .map_err(|error| refuse(format!("{shown} is no JSON: {error}")))?;
        match json.get("schema").and_then(serde_json::Value::as_u64) {
            None => return Err(refuse(format!("{shown} is no report of a bench"))),
            Some(schema) if schema != u64::from(SCHEMA) => {
                return Err(Failure::input(
                    format!(
                        "{shown} is a report of form {schema}, and this program reads form {SCHEMA}"
                    ),
                    "use the version of alveary that wrote it, or measure anew",
                ));
            }
            Some(_) => {}
        }
        let report: Self = serde_json::from_value(json)
            .map_err(|error| refuse(format!("{shown} is no whole report of a bench: {error}")))?;
        let all = report.runs.iter().flat_map(|run| {
            let bare = run.floor.iter().flat_map(|floor| floor.phases.iter());
            run.phases.iter().chain(bare)
        });
        for (step, times) in all {
            if times.is_empty() || !times.are_times() {
                return Err(refuse(format!("{shown} has no times of `{step}`")));
            }
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn times(millis: &[f64]) -> Times {
        millis.iter().copied().collect()
    }

    fn report() -> Report {
        let machine = Machine::this();
        Report {
            schema: SCHEMA,
            alveary: "0.1.0".to_owned(),
            taken_at: "2026-01-02T03:04:05.678Z".to_owned(),
            took_seconds: 1.5,
            machine,
            fleet: FleetFacts {
                file: "/srv/alveary.toml".to_owned(),
                swarm: "demo".to_owned(),
            },
            asked: Asked {
                spawns: 3,
                warm_up: 1,
                at_once: 1,
            },
            runs: vec![Run {
                agent: "echo".to_owned(),
                backend: "process".to_owned(),
                engine: Some("0.1.0".to_owned()),
                endpoint: None,
                spec_hash: "abc".to_owned(),
                phases: BTreeMap::from([(SPAWN.to_owned(), times(&[3.0, 2.0, 4.0]))]),
                floor: Some(Floor {
                    what: "fork".to_owned(),
                    phases: BTreeMap::from([(SPAWN.to_owned(), times(&[1.0, 2.0, 1.5]))]),
                }),
                no_floor: None,
                ended_early: 0,
                cut_short: false,
            }],
        }
    }

    fn read(json: &Value) -> Result<Report, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        fs::write(&file, json.to_string()).unwrap();
        Report::read(&file).map_err(|failure| match failure {
            Failure::Input { what, .. } => what,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let report = report();
        let written = serde_json::to_value(&report).unwrap();
        assert_eq!(read(&written).unwrap(), report);
        // What programs hold on to.
        let spawn = &written["runs"][0]["phases"]["spawn"];
        assert_eq!(
            *spawn,
            json!({ "count": 3, "min_ms": 2.0, "p50_ms": 3.0, "p90_ms": 4.0, "p99_ms": 4.0, "max_ms": 4.0,
                    "samples_ms": [3.0, 2.0, 4.0] })
        );
        let keys = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut top = keys(&written);
        top.sort_unstable();
        assert_eq!(
            top,
            [
                "alveary",
                "asked",
                "fleet",
                "machine",
                "runs",
                "schema",
                "taken_at",
                "took_seconds"
            ]
        );
        assert!((report.runs[0].ratio(SPAWN, 50).unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_field_more_is_no_harm_and_one_less_is() {
        let mut more = serde_json::to_value(report()).unwrap();
        more["weather"] = "fine".into();
        assert_eq!(read(&more).unwrap(), report_of(&more));
        let mut less = more.clone();
        less["runs"][0].as_object_mut().unwrap().remove("spec_hash");
        assert!(read(&less).unwrap_err().contains("spec_hash"));
        let mut empty = more.clone();
        empty["runs"][0]["phases"]["spawn"]["samples_ms"] = json!([]);
        assert!(read(&empty).unwrap_err().contains("no times of `spawn`"));
        let mut backwards = more;
        backwards["runs"][0]["phases"]["spawn"]["samples_ms"] = json!([1.0, -1.0]);
        assert!(
            read(&backwards)
                .unwrap_err()
                .contains("no times of `spawn`")
        );
    }

    fn report_of(json: &Value) -> Report {
        serde_json::from_value(json.clone()).unwrap()
    }
}
