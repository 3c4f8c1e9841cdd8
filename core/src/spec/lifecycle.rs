//! How an agent becomes ready, is restarted, and ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Probe, is_default};
use crate::signal::Signal;

/// How an agent is asked to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Stop {
    /// The signal that asks. Without it the one that an image names, and TERM where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// How long it then has, before it is ended by force.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(skip_serializing_if = "is_default_grace", with = "humantime_serde")]
    pub grace: Duration,
}

const DEFAULT_GRACE: Duration = Duration::from_secs(10);

fn is_default_grace(grace: &Duration) -> bool {
    *grace == DEFAULT_GRACE
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            signal: None,
            grace: DEFAULT_GRACE,
        }
    }
}

impl Stop {
    /// Sets the signal that asks.
    #[must_use]
    pub fn signal(mut self, signal: Signal) -> Self {
        self.signal = Some(signal);
        self
    }

    /// The signal that asks where no image has a say.
    pub fn signal_or_term(&self) -> Signal {
        self.signal.unwrap_or(Signal::TERM)
    }

    /// Sets how long the agent then has.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// Whether an agent is started again when it ends, and how often at the most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Restart {
    /// When.
    #[serde(skip_serializing_if = "is_default")]
    pub policy: RestartPolicy,
    /// Who starts it again.
    #[serde(skip_serializing_if = "is_default")]
    pub by: RestartBy,
    /// How many restarts within [`within`](Self::within); one more and the agent has failed.
    #[serde(skip_serializing_if = "is_default_max")]
    pub max: u32,
    /// The window in which restarts are counted. An agent that has run this long begins anew.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(skip_serializing_if = "is_default_within", with = "humantime_serde")]
    pub within: Duration,
    /// The pause before the first restart; it doubles with each, up to [`max_delay`](Self::max_delay), and
    /// is jittered.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(skip_serializing_if = "is_default_delay", with = "humantime_serde")]
    pub delay: Duration,
    /// The longest pause.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(skip_serializing_if = "is_default_max_delay", with = "humantime_serde")]
    pub max_delay: Duration,
}

const DEFAULT_MAX: u32 = 5;
const DEFAULT_WITHIN: Duration = Duration::from_mins(1);
const DEFAULT_DELAY: Duration = Duration::from_millis(500);
const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(30);

fn is_default_max(max: &u32) -> bool {
    *max == DEFAULT_MAX
}
fn is_default_within(within: &Duration) -> bool {
    *within == DEFAULT_WITHIN
}
fn is_default_delay(delay: &Duration) -> bool {
    *delay == DEFAULT_DELAY
}
fn is_default_max_delay(delay: &Duration) -> bool {
    *delay == DEFAULT_MAX_DELAY
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::Never,
            by: RestartBy::Supervisor,
            max: DEFAULT_MAX,
            within: DEFAULT_WITHIN,
            delay: DEFAULT_DELAY,
            max_delay: DEFAULT_MAX_DELAY,
        }
    }
}

/// When an agent is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RestartPolicy {
    /// Not at all.
    #[default]
    Never,
    /// When it ended otherwise than with code 0.
    OnFailure,
    /// Whenever it ended.
    Always,
}

/// Who starts an agent again. It is one of the two and never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RestartBy {
    /// The swarm's supervisor, with the window and the pauses that stand here.
    #[default]
    Supervisor,
    /// The engine, by its own policy and with its own pauses, whether a supervisor lives or not.
    ///
    /// As long as the engine is to start it again the agent has not ended: its backend tells of no exit, and
    /// each start that the engine makes belongs to the same incarnation.
    Engine,
}

impl Restart {
    /// Not started again: the default.
    pub fn never() -> Self {
        Self::default()
    }

    /// Started again when it ended otherwise than with code 0.
    pub fn on_failure() -> Self {
        Self {
            policy: RestartPolicy::OnFailure,
            ..Self::default()
        }
    }

    /// Started again whenever it ended.
    pub fn always() -> Self {
        Self {
            policy: RestartPolicy::Always,
            ..Self::default()
        }
    }

    /// Bounds the restarts: at most `max` within any window of this length.
    #[must_use]
    pub fn at_most(mut self, max: u32, within: Duration) -> Self {
        self.max = max;
        self.within = within;
        self
    }

    /// Sets the first pause and the longest.
    #[must_use]
    pub fn delay(mut self, first: Duration, longest: Duration) -> Self {
        self.delay = first;
        self.max_delay = longest;
        self
    }

    /// Leaves it to the engine: see [`RestartBy::Engine`].
    #[must_use]
    pub fn by_engine(mut self) -> Self {
        self.by = RestartBy::Engine;
        self
    }

    /// What stands here that only a supervisor can do, by its key.
    pub(super) fn only_supervised(&self) -> Option<&'static str> {
        let always = self.policy == RestartPolicy::Always;
        [
            // No engine counts the restarts of what it is to start again whatever happens.
            (always && !is_default_max(&self.max), "max"),
            (!is_default_within(&self.within), "within"),
            (!is_default_delay(&self.delay), "delay"),
            (!is_default_max_delay(&self.max_delay), "max_delay"),
        ]
        .into_iter()
        .find_map(|(said, key)| said.then_some(key))
    }
}

/// By what one sees that an agent is up, and how long that may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "RawReady", into = "RawReady")]
#[non_exhaustive]
pub struct Ready {
    /// What is looked at.
    pub check: ReadyCheck,
    /// After this time without it, waiting for the agent is an error.
    pub timeout: Duration,
}

/// What is looked at to see that an agent is up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadyCheck {
    /// A line of its output contains this text.
    Log(String),
    /// It answers, each time within five seconds.
    Probe(Probe),
    /// It has run for this long.
    Delay(Duration),
}

const DEFAULT_READY_TIMEOUT: Duration = Duration::from_mins(1);

impl Ready {
    /// Sees that it is up by `check`, within a minute.
    pub fn new(check: ReadyCheck) -> Self {
        Self {
            check,
            timeout: DEFAULT_READY_TIMEOUT,
        }
    }

    /// Sets how long that may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl From<Probe> for Ready {
    fn from(probe: Probe) -> Self {
        Self::new(ReadyCheck::Probe(probe))
    }
}

impl From<ReadyCheck> for Ready {
    fn from(check: ReadyCheck) -> Self {
        Self::new(check)
    }
}

#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(extend("not" = { "anyOf": [
        { "required": ["log", "tcp"] }, { "required": ["log", "http"] }, { "required": ["log", "command"] },
        { "required": ["log", "delay"] }, { "required": ["tcp", "http"] }, { "required": ["tcp", "command"] },
        { "required": ["tcp", "delay"] }, { "required": ["http", "command"] }, { "required": ["http", "delay"] },
        { "required": ["command", "delay"] },
    ] }))
)]
#[serde(deny_unknown_fields)]
struct RawReady {
    /// It is up when a line of its output contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// It is up when something accepts connections at this `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    /// It is up when this host answers at this `http://host:port/path` with a status from 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    /// It is up when this program, run beside it, ends with code 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    /// It is up when it has run for this long.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "humantime_serde"
    )]
    delay: Option<Duration>,
    /// How long that may take.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "humantime_serde"
    )]
    timeout: Option<Duration>,
}

impl TryFrom<RawReady> for Ready {
    type Error = &'static str;

    fn try_from(raw: RawReady) -> Result<Self, &'static str> {
        let mut checks = [
            raw.log.map(ReadyCheck::Log),
            raw.tcp
                .map(|address| ReadyCheck::Probe(Probe::Tcp(address))),
            raw.http.map(|url| ReadyCheck::Probe(Probe::Http(url))),
            (raw.command).map(|command| ReadyCheck::Probe(Probe::Command(command))),
            raw.delay.map(ReadyCheck::Delay),
        ]
        .into_iter()
        .flatten();
        let (Some(check), None) = (checks.next(), checks.next()) else {
            return Err("`ready` has exactly one of `log`, `tcp`, `http`, `command` and `delay`");
        };
        Ok(Self {
            check,
            timeout: raw.timeout.unwrap_or(DEFAULT_READY_TIMEOUT),
        })
    }
}

impl From<Ready> for RawReady {
    fn from(ready: Ready) -> Self {
        let timeout = (ready.timeout != DEFAULT_READY_TIMEOUT).then_some(ready.timeout);
        let mut raw = Self {
            timeout,
            ..Self::default()
        };
        match ready.check {
            ReadyCheck::Log(text) => raw.log = Some(text),
            ReadyCheck::Probe(Probe::Tcp(address)) => raw.tcp = Some(address),
            ReadyCheck::Probe(Probe::Http(url)) => raw.http = Some(url),
            ReadyCheck::Probe(Probe::Command(command)) => raw.command = Some(command),
            ReadyCheck::Delay(delay) => raw.delay = Some(delay),
        }
        raw
    }
}
