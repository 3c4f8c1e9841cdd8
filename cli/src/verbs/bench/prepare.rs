//! What is measured on: a swarm on each backend, and the bare engine beside it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::AtomicU64;

use alveary::{
    AgentBackend, AgentId, AgentInfo, Error, Escaped, Fleet, FleetAgent, Health, LoadOptions,
};

use crate::bench::floor::{ByApi, ByFork, ByProgram, Caught, Floor};
use crate::bench::hive::Hive;
use crate::bench::measure::{Subject, end};
use crate::bench::report::{FleetFacts, Floor as Measured, Run};
use crate::context::Context;
use crate::failure::Failure;

/// The backend whose bare engine is a program.
const BY_PROGRAM: &str = "docker-cli";

/// All that is there while it is measured, and has to go.
#[derive(Debug, Default)]
pub(super) struct Ground {
    pub(super) subjects: Vec<Subject>,
    pub(super) hives: Vec<Hive>,
    /// Whose the containers are that are made without alveary.
    pub(super) bare: Vec<Hive>,
}

impl Ground {
    /// Brings up a swarm on each backend and sees that it starts these agents.
    pub(super) async fn prepare(
        &mut self,
        context: &Context,
        agents: &[String],
        no_floor: bool,
    ) -> Result<FleetFacts, Failure> {
        let said = context.global.backend.clone().unwrap_or_default();
        let words: Vec<Option<String>> = match said.as_str() {
            "" => vec![None],
            words => words
                .split(',')
                .map(|word| Some(word.trim().to_owned()))
                .collect(),
        };
        let mut facts = None;
        let drawn = AgentId::random().to_string();
        for (n, word) in words.into_iter().enumerate() {
            let mut options = context.load_options();
            options.backend = word;
            let fleet = Fleet::load(&options).map_err(Error::from)?;
            facts.get_or_insert_with(|| FleetFacts {
                file: fleet.file.display().to_string(),
                swarm: fleet.swarm.to_string(),
            });
            let name = format!("bench-{}-{n}", drawn.get(..8).unwrap_or_default());
            Box::pin(self.add(fleet, &options, &name, agents, no_floor)).await?;
        }
        facts.ok_or_else(|| Failure::input("no backend is named", "name one by --backend"))
    }

    async fn add(
        &mut self,
        fleet: Fleet,
        options: &LoadOptions,
        name: &str,
        agents: &[String],
        no_floor: bool,
    ) -> Result<(), Failure> {
        let meant = meant(&fleet, agents)?;
        let checked = meant.iter().any(|agent| agent.template.ready.is_some());
        let place = self.hives.len();
        self.hives
            .push(Hive::open(fleet.clone(), name, checked).await?);
        let health = self.hives[place].opened.swarm.backend().check().await?;
        if let Some(hive) = self.hives.pop() {
            self.hives.push(hive.used());
        }
        let kind = self.hives[place].opened.swarm.backend().kind().to_string();
        let contained = self.hives[place]
            .opened
            .swarm
            .backend()
            .capabilities()
            .container;
        if contained && !no_floor {
            // Nothing listens there: what is bare is not ours to look at.
            let bare = Hive::open(fleet.clone(), &format!("{name}-bare"), false).await?;
            self.bare.push(bare.used());
        }
        for agent in meant {
            let fixed = AgentId::new("bench")
                .map_err(|error| Failure::input(error.to_string(), "report this"))?;
            let spec = self.hives[place].spec(&agent, &agent.name, &fixed)?;
            let mut subject = Subject {
                hive: place,
                floor: None,
                run: Run {
                    agent: agent.name.clone(),
                    backend: kind.clone(),
                    engine: health.version.clone(),
                    endpoint: health.endpoint.clone(),
                    spec_hash: spec.hash().to_string(),
                    phases: BTreeMap::new(),
                    floor: None,
                    no_floor: no_floor.then(|| "none was wanted".to_owned()),
                    ended_early: 0,
                    cut_short: false,
                },
                agent,
            };
            if !no_floor {
                match self.floor(&mut subject, &kind, &health, options).await? {
                    Ok(floor) => {
                        subject.run.floor = Some(Measured {
                            what: floor.what(),
                            phases: BTreeMap::new(),
                        });
                        subject.floor = Some(floor);
                    }
                    Err(why) => subject.run.no_floor = Some(why.to_string()),
                }
            }
            self.subjects.push(subject);
        }
        Ok(())
    }

    /// The bare engine beside it; the inner error says why there is none.
    async fn floor(
        &mut self,
        subject: &mut Subject,
        kind: &str,
        health: &Health,
        options: &LoadOptions,
    ) -> Result<std::io::Result<Floor>, Failure> {
        let place = subject.hive;
        let Some(bare) = self
            .bare
            .last()
            .map(Hive::names)
            .filter(|_| kind != "process")
        else {
            return fork(&self.hives[place], subject).map(Ok);
        };
        if kind != BY_PROGRAM {
            let hive = &self.hives[place];
            let model = subject.model(hive).await?;
            let api = health.api.as_deref().unwrap_or("1.41");
            let endpoint = health.endpoint.as_deref().unwrap_or_default();
            let floor = ByApi::after(endpoint, api, &model, &hive.names(), &bare);
            end(hive, &model).await?;
            return Ok(floor.map(Floor::new));
        }
        let (model, caught) = self.overheard(subject, options).await?;
        let floor = ByProgram::after(&caught, &model, &self.hives[place].names(), &bare);
        Ok(floor.map(Floor::new))
    }

    /// Makes one while somebody listens to what is said to the program. From then on nobody does.
    async fn overheard(
        &mut self,
        subject: &mut Subject,
        options: &LoadOptions,
    ) -> Result<(AgentInfo, Caught), Failure> {
        let place = subject.hive;
        let fleet = self.hives[place].opened.fleet.clone();
        let (name, program) = (fleet.swarm.to_string(), program_of(&fleet)?);
        let folder = self.hives[place].subfolder("bare")?;
        let caught = Caught::before(&program, &folder)?;
        let mut listening = with_program(&fleet, options, &caught)?;
        listening.swarm = fleet.swarm.clone();
        let checked = subject.agent.template.ready.is_some();
        // One at a time has a swarm open.
        let plain = self.hives.remove(place);
        drop(plain);
        let hive = Hive::open(listening, &name, checked).await?.used();
        let model = subject.model(&hive).await;
        let model = match model {
            Ok(model) => end(&hive, &model).await.map(|_| model),
            Err(failure) => Err(failure),
        };
        drop(hive);
        self.hives
            .insert(place, Hive::open(fleet, &name, checked).await?.used());
        // Here it learns again where its engine is, so that it is nobody's first start.
        self.hives[place].opened.swarm.backend().check().await?;
        Ok((model?, caught))
    }
}

/// The agents that are meant: those that were named, or else the first.
fn meant(fleet: &Fleet, names: &[String]) -> Result<Vec<FleetAgent>, Failure> {
    if !names.is_empty() {
        let agents = names.iter().map(|name| fleet.find_agent(name).cloned());
        return Ok(agents.collect::<Result<_, _>>().map_err(Error::from)?);
    }
    let first = fleet.agents().first().cloned();
    let first = first.ok_or_else(|| {
        Failure::input(
            format!(
                "{} has no agent that could be started",
                Escaped(&fleet.file.display().to_string())
            ),
            "add one to the file",
        )
    })?;
    Ok(vec![first])
}

/// The same program by fork and exec.
fn fork(hive: &Hive, subject: &Subject) -> Result<Floor, Failure> {
    let id = AgentId::random();
    let spec = hive.spec(&subject.agent, &subject.agent.name, &id)?;
    let backend = hive.opened.swarm.backend();
    let program = match backend.plans() {
        Some(plans) => {
            let plan = plans.plan(&id, &spec)?;
            let found = plan.lines().find(|(what, _)| *what == "program");
            found.map(|(_, is)| is.to_owned())
        }
        None => None,
    };
    let program = program
        .or_else(|| spec.command.first().cloned())
        .unwrap_or_default();
    Ok(Floor::new(ByFork {
        program: program.into(),
        swarm: hive.names().uid,
        folder: hive.subfolder("bare")?,
        made: AtomicU64::new(0),
        spec,
    }))
}

fn read(fleet: &Fleet) -> Result<toml::Table, Failure> {
    let text = fs::read_to_string(&fleet.file).map_err(|error| {
        let what = format!("{} cannot be read: {error}", fleet.file.display());
        Failure::input(what, "let yourself read it")
    })?;
    text.parse()
        .map_err(|error: toml::de::Error| Failure::input(error.message(), "mend the file"))
}

/// What the file says is the program, or the usual one.
fn program_of(fleet: &Fleet) -> Result<String, Failure> {
    let table = read(fleet)?;
    let settings = table
        .get("backends")
        .and_then(|backends| backends.get(BY_PROGRAM));
    let program = settings.and_then(|settings| settings.get("program")?.as_str());
    Ok(program.unwrap_or("docker").to_owned())
}

/// The same fleet, with a script where the program is.
fn with_program(fleet: &Fleet, options: &LoadOptions, caught: &Caught) -> Result<Fleet, Failure> {
    let mut table = read(fleet)?;
    let backends = table
        .entry("backends")
        .or_insert_with(|| toml::Table::new().into());
    if let Some(backends) = backends.as_table_mut() {
        let settings = backends
            .entry(BY_PROGRAM)
            .or_insert_with(|| toml::Table::new().into());
        if let Some(settings) = settings.as_table_mut() {
            settings.insert(
                "program".to_owned(),
                caught.script().display().to_string().into(),
            );
        }
    }
    Ok(Fleet::parse(&table.to_string(), &fleet.file, options).map_err(Error::from)?)
}
