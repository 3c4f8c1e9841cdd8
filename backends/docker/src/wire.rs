//! What engines tell of containers, as the API serves it and the programs print it: the same JSON, read as far
//! as it is needed and forgiving in the rest.

mod published;

use std::collections::BTreeMap;
use std::time::SystemTime;

use alveary_core::Signal;
use jiff::Timestamp;
use serde::Deserialize;

use crate::engine::{Container, Created, Happening, Phase, Ref};

/// A container that was made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Made {
    id: String,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

impl Made {
    /// `None` where the engine's id is none.
    pub(crate) fn into_created(self) -> Option<Created> {
        Some(Created {
            id: Ref::new(self.id)?,
            remarks: self.warnings.unwrap_or_default(),
        })
    }
}

/// A container, inspected.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspected {
    id: String,
    name: String,
    #[serde(default)]
    created: String,
    state: InspectedState,
    config: InspectedConfig,
    #[serde(default)]
    host_config: InspectedHost,
    #[serde(default)]
    network_settings: published::Settings,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct InspectedState {
    status: String,
    running: bool,
    paused: bool,
    restarting: bool,
    #[serde(alias = "OOMKilled")]
    oom_killed: bool,
    pid: i64,
    exit_code: i64,
    error: String,
    started_at: String,
    finished_at: String,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedConfig {
    image: String,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: Option<serde_json::Value>,
    entrypoint: Option<Words>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: String,
}

/// Podman's program prints an entrypoint as one string.
#[derive(Debug)]
struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(match value {
            serde_json::Value::Array(words) => words
                .iter()
                .filter_map(|word| word.as_str().map(ToOwned::to_owned))
                .collect(),
            serde_json::Value::String(words) => {
                words.split_whitespace().map(ToOwned::to_owned).collect()
            }
            _ => Vec::new(),
        }))
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedHost {
    log_config: InspectedLog,
    restart_policy: InspectedRestart,
    memory: u64,
    pids_limit: Option<i64>,
    tmpfs: Option<BTreeMap<String, String>>,
    cap_add: Option<Vec<String>>,
    cap_drop: Option<Vec<String>>,
    privileged: bool,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedLog {
    r#type: String,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedRestart {
    name: String,
}

impl Inspected {
    /// `None` where the engine's id is none: such a container cannot be asked for.
    pub(crate) fn into_container(self) -> Option<Container> {
        let Self {
            state,
            config,
            host_config,
            network_settings,
            ..
        } = self;
        let phase = state.phase();
        // Podman goes on telling those of what has ended.
        let ports = match phase {
            Phase::Running | Phase::Paused => network_settings.ports(),
            _ => Vec::new(),
        };
        let mut argv = config.entrypoint.map(|words| words.0).unwrap_or_default();
        argv.extend(config.cmd.unwrap_or_default());
        let path = config
            .env
            .unwrap_or_default()
            .iter()
            .find_map(|variable| variable.strip_prefix("PATH=").map(ToOwned::to_owned));
        Some(Container {
            id: Ref::new(self.id)?,
            name: self.name.trim_start_matches('/').to_owned(),
            image: config.image,
            labels: config.labels.unwrap_or_default(),
            created_at: time(&self.created),
            phase,
            pid: u32::try_from(state.pid).ok().filter(|pid| *pid != 0),
            started_at: time(&state.started_at),
            finished_at: time(&state.finished_at),
            exit_code: i32::try_from(state.exit_code).unwrap_or(-1),
            oom: state.oom_killed,
            error: state.error,
            stop_signal: config.stop_signal.as_ref().and_then(signal),
            log_driver: host_config.log_config.r#type,
            argv,
            path,
            user: config.user,
            tmpfs: host_config.tmpfs.unwrap_or_default().into_keys().collect(),
            memory: Some(host_config.memory).filter(|bytes| *bytes != 0),
            pids: (host_config.pids_limit)
                .and_then(|most| u64::try_from(most).ok())
                .filter(|most| *most != 0),
            cap_add: capabilities(host_config.cap_add.unwrap_or_default()),
            cap_drop: capabilities(host_config.cap_drop.unwrap_or_default()),
            privileged: host_config.privileged,
            ports,
            is_restarted: !matches!(host_config.restart_policy.name.as_str(), "" | "no"),
        })
    }
}

impl InspectedState {
    fn phase(&self) -> Phase {
        match self.status.as_str() {
            "created" | "initialized" | "configured" => Phase::Created,
            "running" | "stopping" => Phase::Running,
            "paused" => Phase::Paused,
            "restarting" => Phase::Restarting,
            "removing" => Phase::Removing,
            "exited" | "dead" | "stopped" => Phase::Ended,
            // Newer words than these are read by the flags.
            _ if self.paused => Phase::Paused,
            _ if self.restarting => Phase::Restarting,
            _ if self.running => Phase::Running,
            _ => Phase::Ended,
        }
    }
}

/// What engines take for the first and the last of the signals without a name.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// Engines name them with `CAP_` before them and without.
fn capabilities(names: Vec<String>) -> Vec<String> {
    let bare = |name: String| match name.strip_prefix("CAP_") {
        Some(bare) => bare.to_owned(),
        None => name,
    };
    names.into_iter().map(bare).collect()
}

/// A name in Docker, a number in Podman.
fn signal(value: &serde_json::Value) -> Option<Signal> {
    match value {
        serde_json::Value::String(name) => {
            let known = name.parse().ok().or_else(|| real_time(name));
            if known.is_none() && !name.is_empty() {
                tracing::debug!(name, "the image's stop signal is none that is known here");
            }
            known
        }
        serde_json::Value::Number(number) => {
            Signal::from_number(i32::try_from(number.as_i64()?).ok()?)
        }
        _ => None,
    }
}

/// The nameless ones as engines read them: `SIGRTMIN+3`, `RTMAX-1`.
fn real_time(text: &str) -> Option<Signal> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = |rest: &str| {
        let is_number = rest.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| rest.parse::<u8>().ok().map(i32::from))?
    };
    let after = |rest: &str, sign| match rest {
        "" => Some(0),
        rest => number(rest.strip_prefix(sign)?),
    };
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        RTMIN + after(rest, '+')?
    } else {
        RTMAX - after(name.strip_prefix("RTMAX")?, '-')?
    };
    (RTMIN..=RTMAX)
        .contains(&number)
        .then(|| Signal::from_number(number))?
}

/// `None` for the year 1, by which engines say "never".
pub(crate) fn time(text: &str) -> Option<SystemTime> {
    let time: Timestamp = text.parse().ok()?;
    (time > Timestamp::UNIX_EPOCH).then(|| time.into())
}

/// An event, as the API streams it and the programs print it.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "Actor", default)]
    actor: Option<Actor>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Actor {
    #[serde(alias = "ID")]
    id: String,
    attributes: BTreeMap<String, String>,
}

impl Told {
    /// `None` for what tells nothing of where a container stands.
    pub(crate) fn happening(self) -> Option<Happening> {
        let actor = self.actor?;
        // `exec_start: sh -c …` and `health_status: healthy` change no state; and what was only created is an
        // intent, of which the next list tells if no start follows: to look at each would slow every start.
        let gone = match self.action.as_str() {
            "destroy" | "remove" => true,
            "start" | "die" | "died" | "kill" | "oom" | "stop" | "pause" | "unpause"
            | "restart" | "rename" => false,
            _ => return None,
        };
        Some(Happening {
            container: Ref::new(actor.id)?,
            name: actor.attributes.get("name").cloned().unwrap_or_default(),
            labels: actor.attributes,
            gone,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_signal_of_an_image_is_read_by_its_name_its_number_or_its_place() {
        let read = |value: serde_json::Value| signal(&value).map(Signal::number);
        for (said, number) in [
            (json!("SIGTERM"), Some(15)),
            (json!("usr1"), Some(10)),
            (json!("37"), Some(37)),
            (json!(37), Some(37)),
            // Which systemd is stopped by.
            (json!("SIGRTMIN+3"), Some(37)),
            (json!("rtmin"), Some(34)),
            (json!("SIGRTMAX-1"), Some(63)),
            (json!("RTMAX"), Some(64)),
            (json!("SIGRTMIN+31"), None),
            (json!("RTMAX-31"), None),
            (json!("RTMIN++3"), None),
            (json!("RTMIN-3"), None),
            (json!("SIGNOTHING"), None),
            (json!(""), None),
        ] {
            assert_eq!(read(said.clone()), number, "{said}");
        }
    }

    #[test]
    fn the_year_one_is_never() {
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
        assert_eq!(time(""), None);
        let zulu = time("2026-11-25T00:40:23.5Z").unwrap();
        assert_eq!(time("2026-11-25T02:40:23.5+02:00"), Some(zulu));
    }
}
