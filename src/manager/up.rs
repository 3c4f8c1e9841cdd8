//! Bringing a swarm to what its fleet file says.

mod options;
mod order;
mod plan;
mod report;
mod run;

use std::collections::HashSet;

use alveary_core::{AgentBackend, AgentId, AgentPlan, Error, ErrorKind, Operation, Plans, Result};

use super::SwarmManager;
use super::row::Row;
use crate::config::{Fleet, Member, Place};
use crate::state::Record;

pub use options::{ProgressFn, UpEvent, UpOptions};
pub use report::{UpAction, UpOutcome, UpPlan, UpReport, UpStep};

use plan::{Known, Spares, Wanted, plan};

/// How often a plan is made anew because somebody else has recorded one of its names meanwhile.
const PLANS: usize = 20;

fn overtaken() -> Error {
    Error::new(
        ErrorKind::Conflict,
        Operation::Spawn,
        "others go on bringing this swarm up at the same moment",
    )
    .with_cure("see `ps`, and bring it up again")
}

/// A refused agent that is new has an id that nobody ever sees: it is called by its name.
fn planned_by(plans: &dyn Plans, record: &Record) -> Result<AgentPlan> {
    let planned = plans.plan(&record.id, &record.spec);
    planned.map_err(|error| error.with_name(&record.spec.name))
}

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// What [`up`](Self::up) would do, without doing it.
    pub async fn plan_up(&self, fleet: &Fleet, options: &UpOptions) -> Result<Vec<UpPlan>> {
        let plans = self.backend().plans();
        let planned = self.plan(fleet, options).await?;
        let told = planned.into_iter().map(|planned| {
            let record = planned.record.filter(|_| planned.step.action.starts());
            UpPlan {
                agent: plans
                    .zip(record)
                    .map(|(plans, record)| planned_by(plans, &record)),
                step: planned.step,
            }
        });
        Ok(told.collect())
    }

    /// Refuses what [`up`](Self::up) would refuse before it starts anything, and does nothing.
    pub async fn check_up(&self, fleet: &Fleet, options: &UpOptions) -> Result<()> {
        let planned = self.plan(fleet, options).await?;
        self.look_ahead(fleet, &planned, options)
    }

    /// Brings the swarm to what the file says: starts what is new or has ended, recreates what has changed,
    /// leaves the rest; names keep their ids. Those that others come after are waited for until they are
    /// ready; independent ones start at once, so many at a time. One that runs is left as it is where what is to
    /// come in its place cannot be had ([`Plans::prepare`](alveary_core::Plans::prepare)).
    ///
    /// An error where nothing was begun; what became of each agent is in the report.
    pub async fn up(&self, fleet: &Fleet, options: UpOptions) -> Result<UpReport> {
        for _ in 0..PLANS {
            let planned = self.plan(fleet, &options).await?;
            self.look_ahead(fleet, &planned, &options)?;
            if run::record_all(self, &planned).await? {
                return run::run(self, planned, &options).await;
            }
        }
        Err(overtaken())
    }

    /// Refuses what cannot start before the first agent is started.
    fn look_ahead(
        &self,
        fleet: &Fleet,
        planned: &[plan::Planned],
        options: &UpOptions,
    ) -> Result<()> {
        let to_start: Vec<Member> = planned
            .iter()
            .filter(|planned| planned.step.action.starts())
            .filter_map(|planned| fleet.member(&planned.step.name))
            .collect();
        let place = self.place(options.exe.as_deref())?;
        fleet.preflight(&to_start, &place)?;
        let Some(plans) = self.backend().plans() else {
            return Ok(());
        };
        planned
            .iter()
            .filter(|planned| planned.step.action.starts())
            .filter_map(|planned| planned.record.as_ref())
            .try_for_each(|record| planned_by(plans, record).map(drop))
    }

    async fn plan(&self, fleet: &Fleet, options: &UpOptions) -> Result<Vec<plan::Planned>> {
        self.look_around().await?;
        let members = chosen(fleet, &options.names)?;
        let wanted = self.wanted(fleet, &members, options)?;
        let mut known = self.known();
        if !options.names.is_empty() {
            // Of the others nothing is said, good or bad.
            known = only(known, &wanted);
        }
        plan(wanted, known, options.prune)
    }

    /// Brings these members up, but for those whom somebody has stopped, and leaves everybody else alone.
    pub(super) async fn up_members(
        &self,
        fleet: &Fleet,
        members: &[Member],
        options: &UpOptions,
    ) -> Result<UpReport> {
        for _ in 0..PLANS {
            self.look_around().await?;
            let mut wanted = self.wanted(fleet, members, options)?;
            // That there are to be more, or fewer, is nothing new about those whom somebody has stopped.
            self.core().store.look(|records| {
                wanted.retain(|wanted| {
                    let record = records.get(wanted.id());
                    record.is_none_or(|record| record.is_called_for())
                });
            });
            for wanted in &mut wanted {
                wanted.spares = Spares::OtherGroups;
            }
            let known = only(self.known(), &wanted);
            let planned = plan(wanted, known, false)?;
            self.look_ahead(fleet, &planned, options)?;
            if run::record_all(self, &planned).await? {
                return run::run(self, planned, options).await;
            }
        }
        Err(overtaken())
    }

    /// Brings what is known up to date, and asks for those of whom the engine did not know whether they run:
    /// none is started beside itself, or stopped, for a doubt that has passed.
    async fn look_around(&self) -> Result<()> {
        let core = self.core();
        core.attach(Operation::List).await?;
        core.up_to_date().await?;
        core.ask_all(core.table.ids(Row::is_doubtful)).await;
        Ok(())
    }

    /// What these members are to be, under the ids that their names have.
    fn wanted(
        &self,
        fleet: &Fleet,
        members: &[Member],
        options: &UpOptions,
    ) -> Result<Vec<Wanted>> {
        let core = self.core();
        let place = self.place(options.exe.as_deref())?;
        members
            .iter()
            .map(|member| {
                let id = core
                    .table
                    .named(&member.name)
                    .unwrap_or_else(AgentId::random);
                let spec = fleet.spec(member, &id, &place)?;
                let mut record = Record::new(id, spec);
                record.group.clone_from(&member.group);
                if let Some(agent) = fleet.agent(&member.group) {
                    record.after.clone_from(&agent.after);
                }
                record.index = (member.name != member.group).then_some(member.index);
                let is_asked_for = options.asks_for(member);
                Ok(Wanted {
                    record,
                    anew: options.recreate && is_asked_for,
                    spares: if options.refuse_living && is_asked_for {
                        Spares::Everybody
                    } else {
                        Spares::Nobody
                    },
                })
            })
            .collect()
    }

    /// What the file's placeholders stand for here.
    fn place(&self, exe: Option<&std::path::Path>) -> Result<Place> {
        let exe = match exe {
            Some(exe) => exe.to_owned(),
            None => std::env::current_exe().map_err(|error| {
                Error::new(
                    ErrorKind::Engine,
                    Operation::Configure,
                    "it cannot be found where this program is, which `{exe}` stands for",
                )
                .with_cure("write the program's whole path in place of `{exe}`")
                .with_source(error)
            })?,
        };
        Ok(Place::of(exe, &self.core().backend.capabilities()))
    }

    /// Everyone who is there.
    fn known(&self) -> Vec<Known> {
        let (table, store) = (&self.core().table, &self.core().store);
        let agents = table.agents(|_| true);
        agents
            .into_iter()
            .map(|agent| {
                let parts = table.look(agent.id(), |row| {
                    (
                        row.record.clone(),
                        row.info.is_some() || row.unsure.is_some(),
                        row.starting.is_some(),
                        row.intended_by(),
                    )
                });
                let (record, known_to_engine, starting, intended_by) = parts.unwrap_or_default();
                let is_seen_to = || intended_by.is_some_and(|by| store.intender_lives(by));
                Known {
                    lives: !agent.is_settled() && (known_to_engine || starting || is_seen_to()),
                    id: agent.info.id.clone(),
                    name: agent.info.name.clone(),
                    group: agent.group.clone(),
                    info: known_to_engine.then_some(agent.info),
                    record,
                }
            })
            .collect()
    }
}

/// Those of them that are wanted.
fn only(mut known: Vec<Known>, wanted: &[Wanted]) -> Vec<Known> {
    let wanted: HashSet<&AgentId> = wanted.iter().map(Wanted::id).collect();
    known.retain(|known| wanted.contains(&known.id));
    known
}

/// The members that are asked for, and whoever is to be ready before them, in the order of starting.
fn chosen(fleet: &Fleet, names: &[String]) -> Result<Vec<Member>> {
    let in_order = || fleet.start_order().flat_map(|agent| agent.members());
    if names.is_empty() {
        return Ok(in_order().collect());
    }
    let mut members = Vec::new();
    let mut before = Vec::new();
    for name in names {
        if let Some(agent) = fleet.agent(name) {
            members.extend(agent.members());
            before.extend(&agent.after);
        } else if let Some(member) = fleet.member(name) {
            before.extend(
                fleet
                    .agent(&member.group)
                    .into_iter()
                    .flat_map(|a| &a.after),
            );
            members.push(member);
        } else {
            fleet.find_agent(name)?;
        }
    }
    let mut groups: Vec<&String> = Vec::new();
    while let Some(name) = before.pop() {
        if !groups.contains(&name) {
            groups.push(name);
            before.extend(fleet.agent(name).into_iter().flat_map(|agent| &agent.after));
        }
    }
    members.extend(in_order().filter(|member| groups.contains(&&member.group)));
    let place = |member: &Member| {
        let groups = fleet.start_order().position(|a| a.name == member.group);
        (groups, member.index)
    };
    members.sort_by_key(place);
    members.dedup();
    Ok(members)
}
