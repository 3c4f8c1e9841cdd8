//! Backends that take, keep or use networks and volumes as they should not.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alveary_conformance::{Behaviour, Harness, MemoryHarness, Thing, Things};
use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Case, Inner};

/// `Flaw: trial, trial;` for each.
macro_rules! cases {
    ($($flaw:ident: $($id:literal),+;)+) => {
        pub(crate) fn cases() -> Vec<Case> {
            vec![$(Case {
                name: stringify!($flaw),
                harness: || harness(Some(Flaw::$flaw)),
                failed_by: &[$(concat!("belongings::", $id)),+],
            }),+]
        }

        #[derive(Debug, Clone, Copy, PartialEq)]
        enum Flaw {
            $($flaw),+
        }
    };
}

cases! {
    MakesThemBeforeAnyoneNeedsThem:
        "they_are_made_with_the_first_that_uses_them";
    KeepsItsNetworks:
        "networks_go_with_the_swarm_and_volumes_when_they_are_asked_for",
        "a_manager_that_declares_nothing_finds_them";
    TakesVolumesUnasked:
        "networks_go_with_the_swarm_and_volumes_when_they_are_asked_for";
    TakesWhatIsInUse:
        "what_is_in_use_stays_and_is_told";
    UsesWhatIsAStrangers:
        "what_is_a_strangers_is_neither_used_nor_taken";
    TakesWhateverIsDeclared:
        "what_is_external_is_used_and_left";
    KnowsOnlyWhatItDeclares:
        "a_manager_that_declares_nothing_finds_them";
    TakesThoseOfAll:
        "those_of_another_swarm_are_left";
}

pub(crate) fn flawless() -> Arc<dyn Harness> {
    harness(None)
}

fn harness(flaw: Option<Flaw>) -> Arc<dyn Harness> {
    Arc::new(Housing {
        memory: MemoryHarness::default().with_deadline(Duration::from_secs(2)),
        flaw,
        store: Arc::default(),
    })
}

/// What the engine has: whose each is.
type Store = Mutex<HashMap<(Thing, String), Option<SwarmUid>>>;

/// The memory backend's engine, with networks and volumes in it.
struct Housing {
    memory: MemoryHarness,
    flaw: Option<Flaw>,
    store: Arc<Store>,
}

#[async_trait]
impl Harness for Housing {
    fn name(&self) -> &'static str {
        "Housing"
    }
    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        self.connect_with(swarm, Declared::default()).await
    }
    async fn connect_with(
        &self,
        swarm: &SwarmUid,
        declared: Declared,
    ) -> Result<Arc<dyn AgentBackend>> {
        let owner = Owner {
            inner: self.memory.connect(swarm).await?,
            swarm: *swarm,
            declared,
            flaw: self.flaw,
            store: Arc::clone(&self.store),
        };
        if owner.has(Flaw::MakesThemBeforeAnyoneNeedsThem) {
            owner.furnish()?;
        }
        Ok(Arc::new(owner))
    }
    fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec> {
        self.memory.spec(behaviour)
    }
    fn reconnects(&self, _: &Capabilities) -> bool {
        true
    }
    fn deadline(&self) -> Duration {
        self.memory.deadline()
    }
    fn things(&self) -> Option<&dyn Things> {
        Some(self)
    }
}

#[async_trait]
impl Things for Housing {
    async fn is_there(&self, thing: Thing, name: &str) -> bool {
        let store = self.store.lock().unwrap();
        store.contains_key(&(thing, name.to_owned()))
    }
    async fn make(&self, thing: Thing, name: &str) {
        let mut store = self.store.lock().unwrap();
        store.insert((thing, name.to_owned()), None);
    }
    async fn take_away(&self, thing: Thing, name: &str) {
        self.store.lock().unwrap().remove(&(thing, name.to_owned()));
    }
}

struct Owner {
    inner: Inner,
    swarm: SwarmUid,
    declared: Declared,
    flaw: Option<Flaw>,
    store: Arc<Store>,
}

impl Owner {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// All that is declared, and whether it is somebody else's.
    fn declared(&self) -> Vec<((Thing, String), bool)> {
        let networks = self.declared.networks.values();
        let volumes = self.declared.volumes.values();
        networks
            .map(|spec| (Thing::Network, &spec.name, spec.external))
            .chain(volumes.map(|spec| (Thing::Volume, &spec.name, spec.external)))
            .map(|(thing, name, external)| ((thing, name.clone().unwrap()), external))
            .collect()
    }

    fn furnish(&self) -> Result<()> {
        let mut store = self.store.lock().unwrap();
        for (what, external) in self.declared() {
            match store.get(&what) {
                _ if external => {}
                Some(owner) if *owner == Some(self.swarm) => {}
                Some(_) if self.has(Flaw::UsesWhatIsAStrangers) => {}
                Some(_) => {
                    let words = "it is there and not this swarm's";
                    return Err(Error::new(ErrorKind::Conflict, Operation::Spawn, words)
                        .with_cure("give it another name"));
                }
                None => {
                    store.insert(what, Some(self.swarm));
                }
            }
        }
        Ok(())
    }

    fn is_taken(&self, what: &(Thing, String), owner: Option<SwarmUid>) -> bool {
        let declared = self.declared().into_iter().any(|(it, _)| it == *what);
        if self.has(Flaw::TakesWhateverIsDeclared) && declared {
            return true;
        }
        if self.has(Flaw::KnowsOnlyWhatItDeclares) && !declared {
            return false;
        }
        owner == Some(self.swarm) || (self.has(Flaw::TakesThoseOfAll) && owner.is_some())
    }
}

#[async_trait]
impl Belongings for Owner {
    async fn discard(&self, options: DiscardOptions) -> Result<Discarded> {
        let living = ListOptions::default().with_living_only(true);
        let in_use = !self.inner.list(living).await?.is_empty();
        let mut done = Discarded::default();
        let mut store = self.store.lock().unwrap();
        let all: Vec<_> = store.iter().map(|(what, of)| (what.clone(), *of)).collect();
        for (what, owner) in all {
            if !self.is_taken(&what, owner) {
                continue;
            }
            let shown = format!("{:?} {}", what.0, what.1);
            let asked = what.0 == Thing::Network || options.volumes;
            if in_use && !self.has(Flaw::TakesWhatIsInUse) {
                let error = Error::new(ErrorKind::Conflict, Operation::Remove, "it is in use");
                done.left.push((shown, error.with_cure("end what uses it")));
            } else if self.has(Flaw::KeepsItsNetworks) && what.0 == Thing::Network {
                done.kept.push(shown);
            } else if asked || self.has(Flaw::TakesVolumesUnasked) {
                store.remove(&what);
                done.removed.push(shown);
            } else {
                done.kept.push(shown);
            }
        }
        Ok(done)
    }
    async fn host_address(&self, _: &AgentSpec) -> Result<HostAddress> {
        Ok(HostAddress::loopback())
    }
}

#[async_trait]
impl AgentBackend for Owner {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        self.furnish()?;
        self.inner.spawn(id, spec, o).await
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.inner.inspect(id).await
    }
    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        self.inner.list(options).await
    }
    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.inner.stop(id, options).await
    }
    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.inner.remove(id, options).await
    }
    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        self.inner.events(options).await
    }
    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.inner.logs(id, options).await
    }
    fn belongings(&self) -> Option<&dyn Belongings> {
        Some(self)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner")
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner")
    }
}
