//! What an engine can do for us, whichever way it is reached.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use alveary_core::{FetchStage, Health, LogStreamKind, PublishedPort, Signal};
use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use jiff::Timestamp;

use crate::belongings::Belongs;
use crate::classify::Trouble;
use crate::http::Http;
use crate::labels::Labels;
use crate::plan::Plan;

pub(crate) type Answer<T> = Result<T, Trouble>;

/// A container's name or engine's id. It has nothing in it that means something in a URL or to a program's
/// flags.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ref(String);

impl Ref {
    /// `None` for what is no name: `[A-Za-z0-9][A-Za-z0-9_.-]*`.
    pub(crate) fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        (begins && text.chars().all(allowed)).then_some(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Made and never started.
    Created,
    Running,
    Paused,
    /// The engine starts it again by its own policy.
    Restarting,
    Removing,
    Ended,
}

/// A container, as the engine tells of it now.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) id: Ref,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) labels: Labels,
    pub(crate) created_at: Option<SystemTime>,
    pub(crate) phase: Phase,
    pub(crate) pid: Option<u32>,
    pub(crate) started_at: Option<SystemTime>,
    pub(crate) finished_at: Option<SystemTime>,
    pub(crate) exit_code: i32,
    pub(crate) oom: bool,
    /// Why it could not start, in the engine's words.
    pub(crate) error: String,
    pub(crate) stop_signal: Option<Signal>,
    pub(crate) log_driver: String,
    /// What it runs: entrypoint and command in one.
    pub(crate) argv: Vec<String>,
    /// The `PATH` that it is given.
    pub(crate) path: Option<String>,
    /// As whom it runs, in the words that it was made with; empty for nobody said.
    pub(crate) user: String,
    /// Its folders in memory.
    pub(crate) tmpfs: Vec<String>,
    /// The most memory that it may hold, in bytes, where that is limited.
    pub(crate) memory: Option<u64>,
    /// The most processes, where they are limited.
    pub(crate) pids: Option<u64>,
    /// The capabilities that it was given, without `CAP_` before them.
    pub(crate) cap_add: Vec<String>,
    /// The capabilities that were taken from it, or `ALL`.
    pub(crate) cap_drop: Vec<String>,
    /// Whether it has all rights.
    pub(crate) privileged: bool,
    /// Where its ports are reached, while it runs.
    pub(crate) ports: Vec<PublishedPort>,
    /// Whether the engine starts it again by itself.
    pub(crate) is_restarted: bool,
}

/// A container that was made, and what the engine remarks on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Created {
    pub(crate) id: Ref,
    pub(crate) remarks: Vec<String>,
}

/// Something happened to a container. Only a hint: what counts is what an inspection then finds.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    pub(crate) container: Ref,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// It is no more.
    pub(crate) gone: bool,
}

/// An entry of a container's log, with its time, whole or a part of a long line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    pub(crate) stream: LogStreamKind,
    pub(crate) at: Timestamp,
    pub(crate) bytes: Bytes,
}

/// What of a log is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogQuery {
    pub(crate) follow: bool,
    /// Nothing before this moment.
    pub(crate) since: Option<Timestamp>,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

/// What a path inside a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inside {
    Nothing,
    Folder,
    File {
        executable: bool,
    },
    /// Leads on to this path.
    Link(String),
}

/// What is known of the engine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineFacts {
    pub(crate) version: String,
    /// The version of its API that is spoken with it; empty where only its program tells.
    pub(crate) api: String,
    /// Podman's logs and init differ from Docker's.
    pub(crate) podman: bool,
}

impl EngineFacts {
    /// As whoever asks for it is told.
    pub(crate) fn health(&self) -> Health {
        let health = Health::default().with_version(self.version.clone());
        if self.api.is_empty() {
            return health;
        }
        health.with_api(self.api.clone())
    }

    /// Before Docker 23 the driver `local` drops the line break of a line that it kept in parts.
    pub(crate) fn drops_line_breaks(&self) -> bool {
        self.is_docker_before(23)
    }

    /// Podman before 4.7 takes the word `host-gateway` for an address by its API, by which nothing is then reached,
    /// and refuses it by its program.
    pub(crate) fn knows_host_gateway(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse::<u32>().ok());
        let version = (numbers.next().flatten(), numbers.next().flatten());
        !self.podman || version >= (Some(4), Some(7))
    }

    /// Whether it is Docker's, and of a version before this.
    pub(crate) fn is_docker_before(&self, version: u32) -> bool {
        let major = self.version.split('.').next();
        let major = major.and_then(|major| major.parse::<u32>().ok());
        !self.podman && major.is_some_and(|major| major < version)
    }
}

/// Who is told how far something has come.
pub(crate) type Telling<'a> = &'a mut (dyn FnMut(FetchStage) + Send);

/// An engine, by one of the ways to it. Every call is bounded in time; none is cancelled half-way by us that
/// could leave more than [`Class::Lost`](crate::classify::Class::Lost) says.
#[async_trait]
pub(crate) trait Engine:
    Belongs + fmt::Debug + fmt::Display + Send + Sync + 'static
{
    /// The word that picks this way.
    const KIND: &'static str;

    /// Whether the engine's host is this one, so that its paths and processes are ours.
    fn is_local(&self) -> bool;

    async fn facts(&self) -> Answer<EngineFacts>;

    /// By which id it goes, as long as it keeps what it has. Asked of Docker alone.
    async fn id(&self) -> Answer<String>;

    /// Makes a container under this name. Starts nothing.
    async fn create(&self, name: &Ref, plan: &Plan) -> Answer<Created>;

    /// Makes it join one more network, where others find it by this name.
    async fn connect(&self, container: &Ref, network: &str, alias: Option<&String>) -> Answer<()>;

    /// Starts it; `Ok` too where it runs already.
    async fn start(&self, container: &Ref) -> Answer<()>;

    /// `None` where there is no such container.
    async fn inspect(&self, which: &Ref) -> Answer<Option<Container>>;

    /// All containers with this label, `key` or `key=value`, whose names begin so, those too that do not run.
    async fn list(&self, label: &str, beginning: &str) -> Answer<Vec<Container>>;

    async fn kill(&self, container: &Ref, signal: Signal) -> Answer<()>;

    /// Completes when it does not run, at the latest after `patience`. Only a hint.
    async fn until_ended(&self, container: &Ref, patience: Duration);

    /// Removes it with its nameless volumes; by force, a running one too.
    async fn remove(&self, which: &Ref, force: bool) -> Answer<()>;

    async fn rename(&self, container: &Ref, name: &Ref) -> Answer<()>;

    /// Never starts it again by itself from now on.
    async fn restart_no_more(&self, container: &Ref) -> Answer<()>;

    async fn pause(&self, container: &Ref) -> Answer<()>;

    async fn unpause(&self, container: &Ref) -> Answer<()>;

    /// What happens to containers with this label from now on.
    async fn events(&self, label: &str) -> Answer<BoxStream<'static, Answer<Happening>>>;

    async fn logs(
        &self,
        container: &Ref,
        query: LogQuery,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>>;

    /// What this path is in the container.
    async fn look(&self, container: &Ref, path: &str) -> Answer<Inside>;

    /// The paths that a container has and its image has not.
    async fn added(&self, container: &Ref) -> Answer<Vec<String>>;

    /// [`Class::NoImage`](crate::classify::Class::NoImage) where it has no such image.
    async fn has_image(&self, image: &str) -> Answer<()>;

    /// Fetches an image, and says how far it has come.
    async fn pull(&self, image: &str, tell: Telling<'_>) -> Answer<()>;

    /// The engine's API, for what only it says in full: programs beside agents, what these use, their files.
    fn http(&self) -> &Http;
}

#[cfg(test)]
pub(crate) mod test {
    use super::*;

    /// A container that has ended with this code.
    pub(crate) fn ended(code: i32) -> Container {
        Container {
            id: Ref::new("0123abcd").unwrap(),
            name: "alveary-demo-echo".into(),
            image: "busybox".into(),
            labels: Labels::new(),
            created_at: None,
            phase: Phase::Ended,
            pid: None,
            started_at: None,
            finished_at: None,
            exit_code: code,
            oom: false,
            error: String::new(),
            stop_signal: None,
            log_driver: "local".into(),
            argv: Vec::new(),
            path: None,
            user: String::new(),
            tmpfs: Vec::new(),
            memory: None,
            pids: None,
            cap_add: Vec::new(),
            cap_drop: vec!["ALL".to_owned()],
            privileged: false,
            ports: Vec::new(),
            is_restarted: false,
        }
    }

    #[test]
    fn only_podman_before_4_7_knows_no_host_gateway() {
        let knows = |version: &str, podman| {
            let version = version.to_owned();
            let api = String::new();
            EngineFacts {
                version,
                api,
                podman,
            }
            .knows_host_gateway()
        };
        assert!(!knows("4.3.1", true));
        assert!(!knows("3.4.4", true));
        assert!(knows("4.7.0", true));
        assert!(knows("5.0.0-rc1", true));
        assert!(knows("1.13.1", false));
    }

    #[test]
    fn what_could_mean_something_else_in_a_url_is_no_name() {
        for text in [
            "../images/json",
            "x?force=true",
            "",
            "-f",
            "a/b",
            "a b",
            "ä",
        ] {
            assert_eq!(Ref::new(text), None, "{text}");
        }
    }
}
