//! What every verb is given: whom it is about.

use std::collections::HashMap;
use std::path::Path;

use alveary::{
    Agent, ConfigError, Error, FILE_NAME, Fleet, LoadOptions, OpenOptions, Opened, Supervision,
    SwarmMetrics, SwarmName, SwarmRecord, SwarmUid, recorded_swarm,
};
use tempfile::TempDir;

use crate::args::Global;
use crate::coordinating::tell_agents;
use crate::failure::Failure;
use crate::output::note;

/// What was said around the verb.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
}

impl Context {
    /// Reads the swarm's file.
    pub(crate) fn fleet(&self) -> Result<Fleet, Error> {
        Ok(Fleet::load(&self.load_options())?)
    }

    /// Opens the swarm of the file, and makes its state folder if it has none: for verbs that start agents.
    ///
    /// `supervise`: agents are restarted here, as soon as nobody else does it.
    pub(crate) async fn open_to_start(&self, supervise: bool) -> Result<Opened, Failure> {
        let fleet = self.fleet()?;
        Ok(open(options(supervise), fleet).await?)
    }

    /// The same, to restart its agents: also where the swarm has no file, as `spawn` makes one.
    pub(crate) async fn open_to_supervise(&self) -> Result<Opened, Failure> {
        let fleet = self.fleet_or_recorded()?;
        Ok(open(options(true), fleet).await?)
    }

    /// As [`open_to_start`](Self::open_to_start), and takes over what bears the swarm's names in its engine.
    pub(crate) async fn open_to_take_over(
        &self,
        supervise: bool,
        whose: Whose,
    ) -> Result<Opened, Failure> {
        let fleet = self.fleet()?;
        let options = options(supervise);
        let options = match whose {
            Whose::Anybodys => options.adopt(),
            Whose::Of(uid) => options.adopt_from(uid),
        };
        let opened = open(options, fleet).await?;
        if let Some(taken) = &opened.adopted {
            let parts = [
                ("agents", taken.agents),
                ("networks and volumes", taken.belongings.len()),
            ];
            let parts = parts.iter().filter(|(_, count)| *count > 0);
            let parts: Vec<String> = parts
                .map(|(what, count)| format!("{count} {what}"))
                .collect();
            note(format_args!(
                "this swarm goes by the uid {} from now on, and has taken over {}",
                taken.uid,
                parts.join(", ")
            ));
        }
        Ok(opened)
    }

    /// The same, of a fleet that is not quite what the file says, where its agents are.
    pub(crate) async fn open_fleet_to_start(&self, fleet: Fleet) -> Result<Opened, Failure> {
        Ok(open_where_its_agents_are(fleet).await?)
    }

    /// Opens the swarm of the file to say what would be done. One that never was leaves no trace: its state folder is gone
    /// with what this gives beside it.
    pub(crate) async fn open_to_plan(&self) -> Result<(Option<TempDir>, Opened), Failure> {
        let mut fleet = self.fleet()?;
        let mut passing = None;
        if recorded_swarm(&fleet.swarm, fleet.state_dir.as_deref())?.is_none() {
            let folder = tempfile::tempdir().map_err(|error| {
                let what = format!("no folder for the time being can be made: {error}");
                Failure::input(
                    what,
                    "make room in the folder that TMPDIR names, or name another",
                )
            })?;
            fleet.state_dir = Some(folder.path().to_owned());
            passing = Some(folder);
        }
        let opened = open(options(false), fleet).await?;
        Ok((passing, opened))
    }

    /// Reads the swarm's file, or, where there is none, gives the swarm that is recorded, or else one of no agents: for who
    /// asks about the backend.
    pub(crate) fn fleet_to_ask(&self) -> Result<Fleet, Failure> {
        let mut options = self.load_options();
        let fleet = match Fleet::load(&options) {
            Err(error) if error.is_no_file() && options.file.is_none() => {
                let there = match &self.global.swarm {
                    Some(name) => recorded_swarm(name, None)?
                        .map(|record| self.fleet_of(&record, None))
                        .transpose()?,
                    None => spawned_here(&options)?,
                };
                if let Some(fleet) = there {
                    return Ok(fleet);
                }
                note(format_args!(
                    "{}: this is about the backend alone",
                    error.message()
                ));
                options.swarm.get_or_insert_with(|| "doctor".to_owned());
                Fleet::parse("", FILE_NAME, &options)
            }
            read => read,
        };
        Ok(fleet.map_err(Error::from)?)
    }

    /// Opens a swarm as [`Self::fleet_of`] has it.
    pub(crate) async fn open_recorded(&self, fleet: Fleet) -> Result<Opened, Error> {
        open_where_its_agents_are(fleet).await
    }

    /// Opens the swarm of a file that was read, to ask about its backend.
    pub(crate) async fn open_to_ask(&self, fleet: Fleet) -> Result<Opened, Failure> {
        Ok(open_where_its_agents_are(fleet).await?)
    }

    /// Opens a swarm that has been there before; what it never had cannot be asked for.
    pub(crate) async fn open(&self) -> Result<Opened, Failure> {
        let fleet = self.fleet_or_recorded()?;
        let name = fleet.swarm.clone();
        self.open_if_recorded(fleet).await?.ok_or_else(|| {
            Failure::input(
                format!("the swarm `{name}` has never been brought up"),
                "bring it up by `alveary up`, or name another by `-p`",
            )
        })
    }

    /// Opens the swarm if it has ever been there.
    pub(crate) async fn open_existing(&self) -> Result<Option<Opened>, Failure> {
        self.open_if_recorded(self.fleet_or_recorded()?).await
    }

    /// The same, for who shows what there is of these, or of all: where the swarm never was, that is said of one that
    /// somebody has named, and is an error where its agents are.
    pub(crate) async fn open_to_show(&self, names: &[String]) -> Result<Option<Opened>, Failure> {
        if !names.is_empty() {
            return self.open().await.map(Some);
        }
        let opened = self.open_existing().await?;
        if let (None, Some(name)) = (&opened, &self.global.swarm) {
            note(format_args!(
                "there has never been a swarm `{name}`; `alveary swarms --all` shows those that there are"
            ));
        }
        Ok(opened)
    }

    async fn open_if_recorded(&self, fleet: Fleet) -> Result<Option<Opened>, Failure> {
        if recorded_swarm(&fleet.swarm, fleet.state_dir.as_deref())?.is_none() {
            return Ok(None);
        }
        Ok(Some(open_where_its_agents_are(fleet).await?))
    }

    /// The same of a fleet that was read, by somebody whose screen is not to be written on.
    #[cfg(feature = "top")]
    pub(crate) async fn open_quietly_if_recorded(fleet: Fleet) -> Result<Option<Opened>, Error> {
        if recorded_swarm(&fleet.swarm, fleet.state_dir.as_deref())?.is_none() {
            return Ok(None);
        }
        let options = options(false).follow(true);
        options.open_fleet(fleet).await.map(Some)
    }

    /// The file as it is, or, where the swarm is given by name, what its state folder knows of it: a file that
    /// is gone or broken keeps nobody from seeing and stopping what was started from it.
    pub(crate) fn fleet_or_recorded(&self) -> Result<Fleet, Error> {
        let options = self.load_options();
        let broken = match Fleet::load(&options) {
            Ok(fleet) => return Ok(fleet),
            Err(error) => error,
        };
        match &self.global.swarm {
            Some(name) => recorded(name, options, broken),
            None if broken.is_no_file() && options.file.is_none() => {
                spawned_here(&options)?.ok_or_else(|| broken.into())
            }
            None => Err(broken.into()),
        }
    }

    /// What a record says of a swarm, and its file where that can still be read: what is left of it is there whether or not
    /// it can. `root` is the folder that its state folder is in, unless it is the usual one.
    pub(crate) fn fleet_of(
        &self,
        record: &SwarmRecord,
        root: Option<&Path>,
    ) -> Result<Fleet, Error> {
        let mut options = LoadOptions::default();
        options.swarm = Some(record.name.to_string());
        options.backend.clone_from(&record.backend);
        if self.global.backend.is_some() {
            options.backend.clone_from(&self.global.backend);
        }
        let file = record.file.as_deref().unwrap_or(Path::new(FILE_NAME));
        let read = Fleet::load(&options.clone().with_file(file));
        let mut fleet = read.or_else(|_| Fleet::parse("", file, &options))?;
        if let Some(root) = root {
            fleet.state_dir = Some(root.to_owned());
        }
        Ok(fleet)
    }

    /// Which file, swarm and backend are meant.
    pub(crate) fn load_options(&self) -> LoadOptions {
        let mut options = LoadOptions::default();
        options.file.clone_from(&self.global.file);
        options.swarm = self.global.swarm.as_ref().map(ToString::to_string);
        options.backend.clone_from(&self.global.backend);
        options
    }
}

/// Whose agents are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those of the only one that there is.
    Anybodys,
    Of(SwarmUid),
}

fn options(supervise: bool) -> OpenOptions {
    let options = tell_agents(OpenOptions::new().supervise(supervise));
    if supervise {
        options.metrics(SwarmMetrics::new())
    } else {
        options
    }
}

/// Says so where agents are not started where the file says.
pub(crate) fn note_followed(opened: &Opened) {
    if opened.followed {
        note(format_args!(
            "the swarm's agents run on `{}`, which is not what the file says: `alveary down` and `alveary up` move them",
            opened.fleet.backend
        ));
    }
}

/// Opens the swarm on the backend that it was brought up with, whatever the file has said since.
async fn open_where_its_agents_are(fleet: Fleet) -> Result<Opened, Error> {
    open(options(false).follow(true), fleet).await
}

async fn open(options: OpenOptions, fleet: Fleet) -> Result<Opened, Error> {
    let opened = options.open_fleet(fleet).await?;
    if let Some(auto) = &opened.auto {
        note(format_args!("backend: {auto}"));
    }
    Ok(opened)
}

/// Puts agents in the order of the file, those that it does not name behind the others.
pub(crate) fn in_the_files_order(fleet: &Fleet, agents: &mut [Agent]) {
    let places: HashMap<&str, usize> = fleet
        .agents()
        .iter()
        .enumerate()
        .map(|(place, agent)| (agent.name.as_str(), place))
        .collect();
    // The sort is stable: within a group they stay in the order of their numbers.
    agents.sort_by_key(|agent| {
        places
            .get(agent.group.as_str())
            .copied()
            .unwrap_or(usize::MAX)
    });
}

/// The swarm that `spawn` makes in a folder without a file, if it has done so in this one.
fn spawned_here(options: &LoadOptions) -> Result<Option<Fleet>, Error> {
    let Ok(here) = std::path::absolute(FILE_NAME) else {
        return Ok(None);
    };
    let Ok(fleet) = Fleet::parse("", here.clone(), options) else {
        return Ok(None);
    };
    let record = recorded_swarm(&fleet.swarm, None)?;
    let ours = record.is_some_and(|record| record.file.is_some_and(|file| file == here));
    Ok(ours.then_some(fleet))
}

/// What the state folder of this swarm knows of it, as a fleet.
fn recorded(
    name: &SwarmName,
    mut options: LoadOptions,
    broken: ConfigError,
) -> Result<Fleet, Error> {
    let Some(record) = recorded_swarm(name, None)? else {
        if broken.is_no_file() && options.file.is_none() {
            // A swarm that never was.
            return Ok(Fleet::parse("", FILE_NAME, &options)?);
        }
        return Err(broken.into());
    };
    let file = record.file.unwrap_or_default();
    if options.backend.is_none() {
        options.backend = record.backend;
    }
    if options.file.is_none()
        && let Ok(fleet) = Fleet::load(&options.clone().with_file(&file))
    {
        return Ok(fleet);
    }
    Ok(Fleet::parse("", file, &options)?)
}

/// Says so where agents are there and nobody would restart them.
pub(crate) fn note_supervision(opened: &Opened, agents: &[Agent]) -> Result<(), Error> {
    if agents.iter().any(|agent| !agent.is_settled()) {
        note_if_unsupervised(opened)?;
    }
    Ok(())
}

/// Says so where nobody would restart agents.
pub(crate) fn note_if_unsupervised(opened: &Opened) -> Result<(), Error> {
    if opened.swarm.supervision()? == Supervision::Nobody {
        note_no_supervisor(opened);
    }
    Ok(())
}

/// Says that nobody restarts agents, and what to do about it.
pub(crate) fn note_no_supervisor(opened: &Opened) {
    // Without a file there is nothing to bring up.
    let by = if opened.fleet.file.exists() {
        "up -d"
    } else {
        "spawn --restart always"
    };
    note(format_args!(
        "no supervisor is running: restarts are off; `alveary {by}` starts one"
    ));
}
