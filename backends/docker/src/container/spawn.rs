//! Spawning: one container for one start, whoever asks how often, and whatever becomes of the answers.

use std::time::Duration;

use alveary_core::{
    AgentId, AgentInfo, AgentSpec, Error, ErrorKind, Incarnation, Operation, Pull, Result, Retry,
    SpawnPhase, SwarmUid,
};

use tokio::sync::oneshot;

use super::agent::Agent;
use super::ahead::Judged;
use super::namesakes::of_a_namesake;
use super::secrets::Values;
use super::{Containers, detached, named};
use crate::classify::{Class, Trouble};
use crate::engine::{Engine, Ref};
use crate::plan::Plan;

/// After so long a fetch of its image, a start is told to be accepted: well within the time that callers give
/// a start.
const ACCEPTED_AFTER: Duration = Duration::from_secs(5);

/// How often a name is tried for that others take and leave meanwhile.
const ATTEMPTS: usize = 8;

/// A container that is ready to be started, or an agent that is there.
pub(super) enum Made {
    New(Ref),
    There(Box<Agent>),
    /// There is no image; and the container of the last start, where it has one.
    NoImage(Trouble, Option<Ref>),
}

/// Who is to be told that the start is accepted, until that was done.
struct Waiting(Option<oneshot::Sender<AgentInfo>>);

/// Who has the name that an agent is to have.
pub(super) enum Holder {
    Nobody,
    Stranger,
    /// An agent of the swarm with this uid, which has the same names.
    Namesake(SwarmUid),
    /// The very start that is asked for.
    This(Box<Agent>),
    /// Another start, which lives.
    Living,
    /// Another start, which was never begun and so never will be by whoever made it.
    Intent(Box<Agent>),
    /// Another start, which has ended.
    Ended(Box<Agent>),
}

fn spawning(trouble: Trouble) -> Error {
    trouble.error(Operation::Spawn)
}

pub(super) fn already_exists() -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        Operation::Spawn,
        "it lives, as another start or from another spec",
    )
    .with_cure("stop it first, or choose another id")
}

impl<E: Engine> Containers<E> {
    pub(super) async fn spawn_agent(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        incarnation: Incarnation,
    ) -> Result<AgentInfo> {
        let Judged {
            mut plan,
            needed,
            values,
        } = self.judged(id, spec, incarnation).await?;
        if let Some(there) = self.coming(&plan)? {
            return Ok(there);
        }
        let this = self.clone();
        let (accepted, early) = oneshot::channel();
        let whole = detached(Operation::Spawn, async move {
            let seat = this.seat(&plan.marks.id);
            let _seated = seat.lock().await;
            this.furnish(&needed).await?;
            this.finds_volumes(&plan, &needed).await?;
            this.say_where_the_host_is(&mut plan).await?;
            let mut waiting = Waiting(Some(accepted));
            let spawned = this.spawn_planned(&plan, &values, &mut waiting).await;
            if let Err(error) = &spawned
                && error.retry() != Retry::SameId
            {
                this.forget_secrets(&plan).await;
            }
            match &spawned {
                Err(error) if waiting.0.is_none() => {
                    this.come_to_nothing(&plan.marks.id, error.to_string())
                        .await;
                }
                Err(_) => this.0.comings.forget(&plan.marks.id),
                Ok(info) => this.0.comings.arrive(info),
            }
            spawned
        });
        tokio::pin!(whole);
        tokio::select! {
            spawned = &mut whole => spawned,
            Ok(info) = early => Ok(info),
        }
    }

    /// The start came to nothing. Where a container of it is there all the same, or nobody knows, its secrets stay.
    async fn forget_secrets(&self, plan: &Plan) {
        if !self.0.secrets.are_there(plan) {
            return;
        }
        for name in [&plan.name, &plan.next_name] {
            match self.holder(plan, name).await {
                Ok(Holder::This(agent)) if agent.marks.spec_hash == plan.marks.spec_hash => return,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        self.0.secrets.forget_start(plan);
    }

    /// What was accepted does not start; some other manager may have brought the agent up meanwhile.
    async fn come_to_nothing(&self, id: &AgentId, reason: String) {
        let there = self.look_for(id).await.ok().flatten();
        if !self.0.comings.fail(id, reason, there.as_ref())
            && let Some(agent) = there
        {
            self.0.comings.arrive(&self.info(&agent).await);
        }
    }

    /// Whether this very start is accepted already and waits for its image.
    fn coming(&self, plan: &Plan) -> Result<Option<AgentInfo>> {
        let Some(info) = self.0.comings.get(&plan.marks.id) else {
            return Ok(None);
        };
        let same = info.incarnation == plan.marks.incarnation;
        match (
            info.state.has_ended(),
            same && info.spec_hash == plan.marks.spec_hash,
        ) {
            (true, _) => Ok(None),
            (false, true) => Ok(Some(info)),
            (false, false) => Err(already_exists()),
        }
    }

    async fn spawn_planned(
        &self,
        plan: &Plan,
        values: &Values,
        waiting: &mut Waiting,
    ) -> Result<AgentInfo> {
        let mut fetched = plan.pull == Pull::Never;
        if plan.pull == Pull::Always {
            match self.holder(plan, &plan.name).await.map_err(spawning)? {
                Holder::This(_) | Holder::Living => {}
                Holder::Ended(last) => self.fetch(plan, Some(last.container.id), waiting).await?,
                _ => self.fetch(plan, None, waiting).await?,
            }
            fetched = true;
        }
        loop {
            let turn = self.0.starts.next().await;
            // Not before the image is there: who removes the agent meanwhile takes what was placed with it.
            self.0.secrets.place(plan, values)?;
            match self.make(plan).await {
                Ok(Made::New(container)) => {
                    self.0.secrets.renew(plan, values)?;
                    let begun = self.begin(plan, &container).await;
                    turn.became(&begun);
                    return begun;
                }
                Ok(Made::There(agent)) => return self.go_on(plan, values, &agent).await,
                Ok(Made::NoImage(trouble, _)) if fetched => return Err(no_image(plan, trouble)),
                Ok(Made::NoImage(_, last)) => {
                    // However long that takes, it holds up nobody else's start.
                    drop(turn);
                    self.fetch(plan, last, waiting).await?;
                    fetched = true;
                }
                Err(error) => {
                    let failed = Err(error);
                    turn.became(&failed);
                    return failed;
                }
            }
        }
    }

    /// The start was made before: it is finished, or told as it stands.
    async fn go_on(&self, plan: &Plan, values: &Values, agent: &Agent) -> Result<AgentInfo> {
        let same = agent.marks.spec_hash == plan.marks.spec_hash;
        if agent.is_intent() && agent.container.error.is_empty() {
            if !same {
                return Err(already_exists());
            }
            let heeded = self.heed_again(&agent.container, &plan.limits).await;
            heeded.map_err(spawning)?;
            self.0.secrets.renew(plan, values)?;
            return self.begin(plan, &agent.container.id).await;
        }
        let info = self.info(agent).await;
        if same || info.state.has_ended() {
            Ok(info)
        } else {
            Err(already_exists())
        }
    }

    /// Fetches the image. Whoever waits for the start is told that it is accepted when that takes a while.
    async fn fetch(&self, plan: &Plan, last: Option<Ref>, waiting: &mut Waiting) -> Result<()> {
        let reason = format!("the image `{}` is being fetched", plan.image);
        let (info, called_off) = self.0.comings.begin(plan, last, reason);
        let fetched = async {
            tokio::select! {
                fetched = SpawnPhase::Pull.time(&plan.marks.id, self.pull(&plan.image)) => fetched?,
                () = called_off.cancelled() => {}
            }
            if self.0.comings.go_on(&plan.marks.id) {
                Ok(())
            } else {
                Err(called_off_meanwhile())
            }
        };
        tokio::pin!(fetched);
        match tokio::time::timeout(ACCEPTED_AFTER, &mut fetched).await {
            Ok(fetched) => fetched,
            Err(_) => {
                if let Some(accepted) = waiting.0.take() {
                    // Its caller may be gone.
                    let _ = accepted.send(info);
                }
                fetched.await
            }
        }
    }

    /// Asks first and looks after: the usual case costs one call.
    async fn make(&self, plan: &Plan) -> Result<Made> {
        if let Some(next) = self.go_on_replacing(plan).await? {
            return Ok(Made::New(next));
        }
        for _ in 0..ATTEMPTS {
            let create = SpawnPhase::Create.time(&plan.marks.id, self.create(&plan.name, plan));
            let trouble = match create.await {
                Ok(container) => return Ok(Made::New(container)),
                // It was made, and is not to be found again.
                Err(trouble) if trouble.class == Class::Weakened => return Err(spawning(trouble)),
                Err(trouble) => trouble,
            };
            // Whatever it was, the start may have been made before: by a call whose answer was lost.
            match self
                .holder(plan, &plan.name)
                .await
                .map_err(|_| lost(&trouble))?
            {
                Holder::This(agent) => return Ok(Made::There(agent)),
                Holder::Living => return Err(already_exists()),
                Holder::Stranger => {
                    return Err(spawning(Trouble::new(Class::NameTaken, trouble.words)));
                }
                Holder::Namesake(uid) => {
                    return Err(of_a_namesake("a container of its name", &[uid]));
                }
                Holder::Ended(agent) => return self.replace(&agent, plan).await,
                Holder::Intent(agent) => self.sweep(&agent).await.map_err(spawning)?,
                Holder::Nobody => match trouble.class {
                    // It went between the two questions.
                    Class::NameTaken => {}
                    Class::NoImage => return Ok(Made::NoImage(trouble, None)),
                    // A late create starts nothing, and the next call with this start finds it.
                    Class::Lost => return Err(lost(&trouble)),
                    Class::NoNetwork | Class::NoVolume => {
                        self.0.own.doubt();
                        return Err(spawning(trouble));
                    }
                    _ => return Err(spawning(trouble)),
                },
            }
        }
        Err(busy())
    }

    pub(super) async fn create(&self, name: &str, plan: &Plan) -> Result<Ref, Trouble> {
        let created = self.engine().create(&named(name)?, plan).await?;
        self.heed(created, &plan.limits).await
    }

    pub(super) async fn holder(&self, plan: &Plan, name: &str) -> Result<Holder, Trouble> {
        let Some(container) = self.engine().inspect(&named(name)?).await? else {
            return Ok(Holder::Nobody);
        };
        if container.phase == crate::engine::Phase::Removing {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(Holder::Nobody);
        }
        let namesake = self.namesake(&container).map(|marks| marks.swarm);
        let Some(agent) = self.ours(container) else {
            return Ok(namesake.map_or(Holder::Stranger, Holder::Namesake));
        };
        let agent = Box::new(agent);
        Ok(if agent.marks.incarnation == plan.marks.incarnation {
            Holder::This(agent)
        } else if agent.is_intent() {
            Holder::Intent(agent)
        } else if agent.has_ended() {
            Holder::Ended(agent)
        } else {
            Holder::Living
        })
    }

    /// Removes what was never begun. Without force: the engine itself sees to it that nothing that runs goes.
    pub(super) async fn sweep(&self, agent: &Agent) -> Result<(), Trouble> {
        match self.engine().remove(&agent.container.id, false).await {
            Err(trouble)
                if !matches!(
                    trouble.class,
                    Class::NoContainer | Class::StillRunning | Class::BeingRemoved
                ) =>
            {
                Err(trouble)
            }
            _ => Ok(()),
        }
    }
}

fn called_off_meanwhile() -> Error {
    Error::new(
        ErrorKind::Conflict,
        Operation::Spawn,
        "it was stopped while its image was being fetched",
    )
    .with_cure("start it again")
}

fn lost(trouble: &Trouble) -> Error {
    spawning(Trouble::new(Class::Lost, trouble.words.clone()))
}

pub(super) fn no_image(plan: &Plan, trouble: Trouble) -> Error {
    let error = Error::new(
        ErrorKind::ImageNotFound,
        Operation::Spawn,
        format!("there is no image `{}`", plan.image),
    )
    .with_engine_words(trouble.words);
    error.with_cure(match plan.pull {
        Pull::Never => {
            "pull or build it, name another in `container.image`, or say `pull = \"missing\"`"
        }
        _ => "build it, or name another in `container.image`",
    })
}

pub(super) fn busy() -> Error {
    Error::new(
        ErrorKind::Conflict,
        Operation::Spawn,
        "others take and leave its name at the same time",
    )
    .with_cure("let one manager at a time start an agent")
    .with_retry(Retry::After(Duration::from_millis(500)))
}
