//! From a fleet file to a manager.

mod adopt;
mod settled;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use alveary_core::{AgentBackend, ConnectContext, Namesake, Result, SwarmName, SwarmUid};

use self::adopt::Adopt;
use crate::config::{BackendChoice, Fleet, LoadOptions};
use crate::layers;
use crate::manager::{ManagerOptions, SwarmManager};
use crate::metrics::SwarmMetrics;
use crate::registry::{AutoChoice, Registry};
use crate::state::{
    Claim, Folder, Journal, Lease, LeaseHolder, Patience, SwarmRecord, Way, default_root,
    secrets_dir, swarms_in,
};

/// Opens the swarm of a fleet file: its manager, on the backend that the file names. Nothing is started;
/// what runs already is found.
///
/// ```no_run
/// use alveary::{AgentSpec, StopOptions};
///
/// # async fn run() -> alveary::Result<()> {
/// let swarm = alveary::open("alveary.toml").await?;
/// let echo = swarm.spawn(AgentSpec::new("echo", ["python3", "agent.py"])).await?;
/// let exit = swarm.stop(&echo.id, StopOptions::default()).await?;
/// # Ok(()) }
/// ```
pub async fn open(file: impl AsRef<Path>) -> Result<SwarmManager> {
    let opened = OpenOptions::new()
        .load(LoadOptions::default().with_file(file.as_ref()))
        .open()
        .await?;
    Ok(opened.swarm)
}

/// How a swarm is opened.
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `open` is called"]
pub struct OpenOptions {
    load: LoadOptions,
    registry: Registry,
    supervise: bool,
    keeper: Option<PathBuf>,
    secrets_root: Option<PathBuf>,
    manager: ManagerOptions,
    layers: Vec<Layer>,
    adopt: Adopt,
    follow: bool,
}

type Around = dyn Fn(Arc<dyn AgentBackend>) -> Arc<dyn AgentBackend> + Send + Sync;

/// What a program puts around a backend.
#[derive(Clone)]
struct Layer(Arc<Around>);

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layer")
    }
}

/// A swarm that was opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Opened {
    /// Its manager.
    pub swarm: SwarmManager,
    /// The file as it was read.
    pub fleet: Fleet,
    /// What the swarm's state folder says of it.
    pub record: SwarmRecord,
    /// How the backend was chosen, where it was to be the first that can be reached. `None` also where that was
    /// decided earlier: a swarm that has agents stays on the backend that runs them.
    pub auto: Option<AutoChoice>,
    /// Whether its backend is the one that runs its agents, and not the one that the file names: see
    /// [`OpenOptions::follow`].
    pub followed: bool,
    /// What was taken over: see [`OpenOptions::adopt`].
    pub adopted: Option<Namesake>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            load: LoadOptions::default(),
            registry: Registry::builtin(),
            supervise: true,
            keeper: None,
            secrets_root: None,
            manager: ManagerOptions::default(),
            layers: Vec::new(),
            adopt: Adopt::Nothing,
            follow: false,
        }
    }
}

impl OpenOptions {
    /// The file that is found upward from the working directory, the backends that were compiled in, and
    /// supervision.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how the fleet file is found and read.
    pub fn load(mut self, load: LoadOptions) -> Self {
        self.load = load;
        self
    }

    /// Chooses among these backends.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Whether agents are restarted and looked at for readiness here, as soon as no other process does it.
    /// A program that only asks or tells something does not.
    pub fn supervise(mut self, supervise: bool) -> Self {
        self.supervise = supervise;
        self
    }

    /// Goes where the swarm's agents are, where it has some and only the file, or nobody, names a backend: another one
    /// could not see them. For a program that looks after what is there already.
    ///
    /// Without it, such a file is a `Conflict`, as is what a caller or a variable names: whoever changed it learns that
    /// the swarm has not moved.
    pub fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// Names the program that can be asked to keep what this process leaves: see each backend.
    pub fn keeper(mut self, program: impl Into<PathBuf>) -> Self {
        self.keeper = Some(program.into());
        self
    }

    /// The folder in which each swarm has a folder for its secrets, where that is not the usual one in memory
    /// (`$XDG_RUNTIME_DIR/alveary`, or one in `/dev/shm`). Secrets lie there as plain files; a folder that is not in
    /// memory is taken with a warning.
    pub fn secrets_root(mut self, dir: impl Into<PathBuf>) -> Self {
        self.secrets_root = Some(dir.into());
        self
    }

    /// Says how the manager works.
    pub fn manager(mut self, options: ManagerOptions) -> Self {
        self.manager = options;
        self
    }

    /// Has what happens counted, and the calls of the backend, too: [`SwarmManager::metrics`] gives it again.
    pub fn metrics(mut self, metrics: SwarmMetrics) -> Self {
        self.manager.metrics = Some(metrics);
        self
    }

    /// Takes over what bears the swarm's names in its engine under another uid, as the swarm itself does once its state
    /// folder is lost: from then on that uid is the swarm's. And another engine may take the place of the one that the
    /// swarm was brought up with, where that one is gone.
    ///
    /// Opening is a `Conflict` where what is there is of several others, where this swarm has agents or volumes of its
    /// own there, where somebody on another host restarts those agents, and where another swarm of the same state folder
    /// goes by that uid. Nobody knows of one whose state is elsewhere on this host, or another user's.
    pub fn adopt(mut self) -> Self {
        self.adopt = Adopt::Any;
        self
    }

    /// The same of what goes by this uid; `NotFound` where nothing does.
    pub fn adopt_from(mut self, uid: SwarmUid) -> Self {
        self.adopt = Adopt::From(uid);
        self
    }

    /// Puts a layer of one's own around the backend, whichever the file names: outside of the
    /// [standard ones](crate::layers::standard), and of those that were added before it. What it refuses is not
    /// tried again.
    ///
    /// `examples/custom_layer.rs` has a whole one.
    pub fn layer<B: AgentBackend>(
        mut self,
        layer: impl Fn(Arc<dyn AgentBackend>) -> B + Send + Sync + 'static,
    ) -> Self {
        self.layers
            .push(Layer(Arc::new(move |inner| Arc::new(layer(inner)))));
        self
    }

    /// Reads the file and opens its swarm.
    pub async fn open(self) -> Result<Opened> {
        let fleet = Fleet::load(&self.load)?;
        self.open_fleet(fleet).await
    }

    /// Opens the swarm of a file that was read.
    ///
    /// `Conflict`: the swarm's name belongs to another file, or its agents run on another backend.
    /// `PermissionDenied`: its state folder cannot be trusted or written.
    pub async fn open_fleet(self, mut fleet: Fleet) -> Result<Opened> {
        let mut prepared = self.registry.prepare(&fleet);
        if !self.may_follow(&fleet) {
            prepared = Ok(prepared?);
        }
        let root = root_of(&fleet)?;
        let folder = Folder::prepare(&root, &fleet.swarm)?;
        let mut journal = Journal::open(&folder)?;
        // Before anything is connected to: whether the swarm is this file's, and by which uid it goes.
        let word = (!self.is_undecided(&fleet)).then(|| fleet.backend.as_str());
        let mut record = claimed(&mut journal, &folder, &self.claim(&fleet, word)).await?;
        // Apart, since hardly anybody needs it.
        let adopted = Box::pin(self.take_over(&fleet, &folder, &mut journal, &record)).await?;
        if adopted.is_some() {
            record = claimed(&mut journal, &folder, &self.claim(&fleet, word)).await?;
        }
        let uid = record.uid;
        let settled = self.settled(&fleet, &journal, &record);
        let prepared = match &settled {
            Some(word) => self.registry.settled(&fleet, word)?,
            None => prepared?,
        };
        let secrets = OnceLock::new();
        let connected = prepared
            .connect(|word| {
                let context = self.context(&fleet, uid, &folder, word)?;
                secrets.get_or_init(|| context.secrets_dir.clone());
                Ok(context)
            })
            .await?;
        if word.is_none() {
            let taken = connected.auto.as_ref().map(|auto| auto.taken);
            let word = taken.or(settled.as_deref());
            let word = word.unwrap_or(fleet.backend.as_str());
            record = claimed(&mut journal, &folder, &self.claim(&fleet, Some(word))).await?;
        }
        let standard = match &self.manager.metrics {
            Some(metrics) => layers::measured(connected.backend, &fleet.calls, metrics),
            None => layers::standard(connected.backend, &fleet.calls),
        };
        let backend = self
            .layers
            .iter()
            .fold(standard, |inner, Layer(around)| around(inner));
        let swarm = SwarmManager::in_folder(
            backend,
            folder,
            journal,
            secrets.into_inner().flatten(),
            self.manager,
            self.supervise,
        )?;
        // What `auto` decided once is what the file wants.
        let followed = settled.filter(|_| !fleet.backend.is_auto());
        if let Some(word) = &followed {
            fleet.backend = BackendChoice::named(word);
        }
        Ok(Opened {
            swarm,
            fleet,
            record,
            auto: connected.auto,
            followed: followed.is_some(),
            adopted,
        })
    }

    fn claim<'a>(&self, fleet: &'a Fleet, backend: Option<&'a str>) -> Claim<'a> {
        Claim {
            name: &fleet.swarm,
            file: Some(&fleet.file),
            backend: backend.map(|word| Way {
                word: word.into(),
                kin: self.registry.kin(word).collect(),
            }),
        }
    }

    fn context(
        &self,
        fleet: &Fleet,
        uid: SwarmUid,
        folder: &Folder,
        word: &str,
    ) -> Result<ConnectContext> {
        let mut context = ConnectContext::new(fleet.swarm.clone(), uid)
            .with_declared(fleet.declared.clone())
            .with_adopt(self.adopt != Adopt::Nothing)
            .with_state_dir(folder.subfolder(self.registry.family(word))?);
        if let Some(secrets) = secrets_dir(self.secrets_root.as_deref(), uid)? {
            context = context.with_secrets_dir(secrets);
        }
        if let Some(keeper) = &self.keeper {
            context = context.with_keeper(keeper);
        }
        Ok(context)
    }
}

/// What is recorded of the swarm of this name; `None` for a swarm that never was. Looks and makes nothing.
pub fn recorded_swarm(name: &SwarmName, state_dir: Option<&Path>) -> Result<Option<SwarmRecord>> {
    let root = match state_dir {
        Some(root) => root.to_owned(),
        None => default_root()?,
    };
    match Folder::existing(&root, name)? {
        Some(folder) => SwarmRecord::read(&folder),
        None => Ok(None),
    }
}

/// What is recorded of each swarm whose state folder is in `state_dir`, by name, or why that cannot be read. Looks and
/// makes nothing.
///
/// A swarm whose file names another folder for its state is not found here.
pub fn recorded_swarms(state_dir: Option<&Path>) -> Result<Vec<Result<SwarmRecord>>> {
    let root = match state_dir {
        Some(root) => root.to_owned(),
        None => default_root()?,
    };
    let names = swarms_in(&root)?;
    let records = names.iter().filter_map(|name| {
        let folder = Folder::existing(&root, name).transpose()?;
        folder
            .and_then(|folder| SwarmRecord::read(&folder))
            .transpose()
    });
    Ok(records.collect())
}

/// What the agents of this swarm are called, and their groups, as its state folder has it. No engine is asked.
pub fn recorded_names(name: &SwarmName, state_dir: Option<&Path>) -> Result<Vec<String>> {
    let root = match state_dir {
        Some(root) => root.to_owned(),
        None => default_root()?,
    };
    let Some(folder) = Folder::existing(&root, name)? else {
        return Ok(Vec::new());
    };
    let journal = Journal::open(&folder)?;
    let records = journal.records().iter();
    let mut names: Vec<String> = records
        .flat_map(|record| [record.name().to_owned(), record.group.clone()])
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Which process of this host restarts the agents of the swarm of this name, if any does. No engine is asked.
pub fn recorded_supervisor(
    name: &SwarmName,
    state_dir: Option<&Path>,
) -> Result<Option<LeaseHolder>> {
    match recorded_state_dir(name, state_dir)? {
        Some(folder) => Lease::holder(&folder),
        None => Ok(None),
    }
}

/// The folder in which the swarm of this name keeps its state; `None` for a swarm that never was. Looks and makes
/// nothing.
pub fn recorded_state_dir(name: &SwarmName, state_dir: Option<&Path>) -> Result<Option<PathBuf>> {
    let root = match state_dir {
        Some(root) => root.to_owned(),
        None => default_root()?,
    };
    let folder = Folder::existing(&root, name)?;
    Ok(folder.map(|folder| folder.path().to_owned()))
}

fn root_of(fleet: &Fleet) -> Result<PathBuf> {
    fleet.state_dir.clone().map_or_else(default_root, Ok)
}

async fn claimed(journal: &mut Journal, folder: &Folder, claim: &Claim<'_>) -> Result<SwarmRecord> {
    let mut patience = Patience::new();
    loop {
        if let Some(record) = journal.try_claim(folder, claim)? {
            return Ok(record);
        }
        patience.pause(journal.lock_path()).await?;
    }
}
