//! An engine that does as it is told, for what real ones do not do on demand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use alveary_core::{FetchStage, FetchUnit, Signal};
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use tokio::sync::Notify;

use super::super::*;
use crate::belongings::{Belonging, Belongs, Kind, Network};
use crate::engine::{
    Answer, Container, Created, Happening, Inside, LogEntry, LogQuery, Phase, Telling,
};
use crate::http::{Dial, Http, Io};
use crate::labels::Labels;
use crate::plan::Plan;

/// An engine in memory, whose images come when they are let.
#[derive(Clone)]
pub(super) struct Fake(pub(super) Arc<FakeInner>, Http);

impl Default for Fake {
    fn default() -> Self {
        Self(Arc::default(), Http::new(Nowhere, Duration::ZERO))
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Nothing here is asked over HTTP.
struct Nowhere;

impl fmt::Display for Nowhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nowhere")
    }
}

#[async_trait]
impl Dial for Nowhere {
    async fn dial(&self) -> Result<Box<dyn Io>, Trouble> {
        Err(Trouble::new(Class::Unreachable, ""))
    }

    fn is_local(&self) -> bool {
        true
    }
}

#[derive(Debug, Default)]
pub(super) struct FakeInner {
    pub(super) containers: Mutex<Vec<Container>>,
    pub(super) fetched: Mutex<bool>,
    pub(super) pulls: AtomicUsize,
    /// By which id it goes, and how often it was asked.
    pub(super) id: Mutex<Option<String>>,
    pub(super) asked: AtomicUsize,
    /// How often it was asked what it is.
    pub(super) facts: AtomicUsize,
    pub(super) come: Notify,
    pub(super) refuse: Mutex<bool>,
    /// Somebody else removes what is to be removed, which is gone when it is looked for so often.
    pub(super) being_removed: AtomicUsize,
    /// How long it takes to send a signal, and what it has sent, when.
    pub(super) sends_for: Mutex<Duration>,
    pub(super) sent: Mutex<Vec<(Signal, tokio::time::Instant)>>,
    /// So many signals are not sent, and their answers are lost.
    pub(super) loses: AtomicUsize,
    /// Whether there is nothing at any path, and how often it was looked.
    pub(super) empty: Mutex<bool>,
    pub(super) looked: AtomicUsize,
    /// Volumes that there are, of strangers, whether it tells of them, and what was asked for.
    pub(super) volumes: Mutex<Vec<&'static str>>,
    pub(super) hides_volumes: Mutex<bool>,
    pub(super) sought: Mutex<Vec<String>>,
    /// Whatever is looked for, it fails.
    pub(super) unwell: Mutex<bool>,
    /// Its agents end by force alone.
    pub(super) stubborn: Mutex<bool>,
    /// Says that a start failed, which was carried out, and whose agent has ended already.
    pub(super) lies: Mutex<bool>,
    /// When it says of all of them that their memory ran out.
    pub(super) flags_at: Mutex<Option<tokio::time::Instant>>,
    /// What it remarks on whatever it makes.
    pub(super) remarks: Mutex<Vec<String>>,
    /// What it tells of a log, one time after the other.
    pub(super) tells: Mutex<VecDeque<Told>>,
}

/// What is told of a log at one time.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) entries: Vec<Answer<LogEntry>>,
    /// Whether its container is gone by then.
    pub(super) gone: bool,
}

impl fmt::Display for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fake engine")
    }
}

impl Fake {
    pub(super) fn change(&self, which: &Ref, change: impl FnOnce(&mut Container)) -> Answer<()> {
        let mut containers = self.0.containers.lock().unwrap();
        let is = |c: &&mut Container| c.id == *which || c.name == which.as_str();
        match containers.iter_mut().find(is) {
            Some(container) => {
                change(container);
                Ok(())
            }
            None => Err(Trouble::new(Class::NoContainer, "")),
        }
    }
}

/// It has no networks.
#[async_trait]
impl Belongs for Fake {
    async fn labels_of(&self, kind: Kind, name: &Ref) -> Answer<Option<Labels>> {
        if *self.0.hides_volumes.lock().unwrap() {
            return Err(Trouble::said(Some(403), "not for you"));
        }
        self.0.sought.lock().unwrap().push(name.as_str().to_owned());
        let volumes = self.0.volumes.lock().unwrap();
        let is_there = kind == Kind::Volume && volumes.contains(&name.as_str());
        Ok(is_there.then(Labels::default))
    }

    async fn network(&self, _: &Ref) -> Answer<Option<Network>> {
        Ok(None)
    }

    async fn make(&self, _: &Belonging, _: &Labels) -> Answer<()> {
        Err(Trouble::new(Class::Other, "it makes none"))
    }

    async fn labelled(&self, _: Kind, _: &str) -> Answer<Vec<Ref>> {
        Ok(Vec::new())
    }

    async fn discard(&self, _: Kind, _: &Ref) -> Answer<()> {
        Ok(())
    }
}

#[async_trait]
impl Engine for Fake {
    const KIND: &'static str = "fake";

    fn is_local(&self) -> bool {
        true
    }

    async fn facts(&self) -> Answer<EngineFacts> {
        self.0.facts.fetch_add(1, Ordering::SeqCst);
        Ok(EngineFacts {
            version: "28.5".into(),
            api: String::new(),
            podman: false,
        })
    }

    async fn id(&self) -> Answer<String> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let id = self.0.id.lock().unwrap().clone();
        id.ok_or_else(|| Trouble::new(Class::Refused, "it is not said"))
    }

    async fn create(&self, name: &Ref, plan: &Plan) -> Answer<Created> {
        self.has_image(&plan.image).await?;
        let mut containers = self.0.containers.lock().unwrap();
        if containers.iter().any(|c| c.name == name.as_str()) {
            return Err(Trouble::new(Class::NameTaken, ""));
        }
        let mut container = crate::engine::test::ended(0);
        container.id = Ref::new(format!("{:064}", containers.len())).unwrap();
        container.name = name.as_str().to_owned();
        container.labels = plan.labels.clone();
        container.phase = Phase::Created;
        container.argv = vec!["/bin/true".into()];
        let id = container.id.clone();
        containers.push(container);
        let remarks = self.0.remarks.lock().unwrap().clone();
        Ok(Created { id, remarks })
    }

    async fn connect(&self, _: &Ref, _: &str, _: Option<&String>) -> Answer<()> {
        Ok(())
    }

    async fn start(&self, container: &Ref) -> Answer<()> {
        if *self.0.lies.lock().unwrap() {
            self.change(container, |container| {
                container.phase = Phase::Ended;
                container.started_at = Some(std::time::SystemTime::now());
            })?;
            return Err(Trouble::said(Some(500), "something went wrong"));
        }
        self.change(container, |container| container.phase = Phase::Running)
    }

    async fn inspect(&self, which: &Ref) -> Answer<Option<Container>> {
        if *self.0.unwell.lock().unwrap() {
            return Err(Trouble::said(Some(500), "something went wrong"));
        }
        if self.0.being_removed.load(Ordering::SeqCst) > 0
            && self.0.being_removed.fetch_sub(1, Ordering::SeqCst) == 1
        {
            self.0.containers.lock().unwrap().clear();
        }
        let flags_at = *self.0.flags_at.lock().unwrap();
        let containers = self.0.containers.lock().unwrap();
        let is = |c: &&Container| c.id == *which || c.name == which.as_str();
        Ok(containers.iter().find(is).map(|container| Container {
            oom: flags_at.is_some_and(|at| at <= tokio::time::Instant::now()),
            ..container.clone()
        }))
    }

    async fn list(&self, _: &str, _: &str) -> Answer<Vec<Container>> {
        Ok(self.0.containers.lock().unwrap().clone())
    }

    async fn kill(&self, container: &Ref, signal: Signal) -> Answer<()> {
        let takes = *self.0.sends_for.lock().unwrap();
        tokio::time::sleep(takes).await;
        let now = tokio::time::Instant::now();
        self.0.sent.lock().unwrap().push((signal, now));
        if self.0.loses.load(Ordering::SeqCst) > 0 {
            self.0.loses.fetch_sub(1, Ordering::SeqCst);
            return Err(Trouble::new(Class::Lost, "no answer"));
        }
        if *self.0.stubborn.lock().unwrap() && signal != Signal::KILL {
            return Ok(());
        }
        self.change(container, |container| container.phase = Phase::Ended)
    }

    async fn until_ended(&self, _: &Ref, _: Duration) {}

    async fn remove(&self, which: &Ref, _: bool) -> Answer<()> {
        self.change(which, |_| {})?;
        if self.0.being_removed.load(Ordering::SeqCst) > 0 {
            let words = format!(
                "removal of container {} is already in progress",
                which.as_str()
            );
            return Err(Trouble::said(Some(409), words));
        }
        let mut containers = self.0.containers.lock().unwrap();
        containers.retain(|c| c.id != *which && c.name != which.as_str());
        Ok(())
    }

    async fn rename(&self, container: &Ref, name: &Ref) -> Answer<()> {
        self.change(container, |c| c.name = name.as_str().to_owned())
    }

    async fn restart_no_more(&self, which: &Ref) -> Answer<()> {
        self.change(which, |container| container.is_restarted = false)
    }

    async fn pause(&self, _: &Ref) -> Answer<()> {
        Ok(())
    }

    async fn unpause(&self, _: &Ref) -> Answer<()> {
        Ok(())
    }

    async fn events(&self, _: &str) -> Answer<BoxStream<'static, Answer<Happening>>> {
        Ok(futures_util::stream::pending().boxed())
    }

    async fn logs(&self, _: &Ref, _: LogQuery) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        let told = self.0.tells.lock().unwrap().pop_front().unwrap_or_default();
        if told.gone {
            self.0.containers.lock().unwrap().clear();
        }
        Ok(futures_util::stream::iter(told.entries).boxed())
    }

    async fn look(&self, _: &Ref, _: &str) -> Answer<Inside> {
        self.0.looked.fetch_add(1, Ordering::SeqCst);
        if *self.0.empty.lock().unwrap() {
            return Ok(Inside::Nothing);
        }
        Ok(Inside::File { executable: true })
    }

    async fn added(&self, _: &Ref) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }

    fn http(&self) -> &Http {
        &self.1
    }

    async fn has_image(&self, _: &str) -> Answer<()> {
        if *self.0.fetched.lock().unwrap() {
            return Ok(());
        }
        Err(Trouble::new(Class::NoImage, "no such image"))
    }

    async fn pull(&self, _: &str, tell: Telling<'_>) -> Answer<()> {
        self.0.pulls.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        // As often as an engine does, and more often than anybody wants to hear it.
        for _ in 0..100 {
            tell(half());
        }
        self.0.come.notified().await;
        if *self.0.refuse.lock().unwrap() {
            return Err(Trouble::new(Class::NoImage, "manifest unknown"));
        }
        *self.0.fetched.lock().unwrap() = true;
        Ok(())
    }
}

pub(super) fn half() -> FetchStage {
    FetchStage::UnderWay {
        done: 1,
        total: Some(2),
        unit: FetchUnit::Parts,
    }
}
