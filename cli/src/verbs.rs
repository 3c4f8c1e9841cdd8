//! The verbs, one a file.

#[cfg(feature = "coordinator")]
pub(crate) mod agent;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod config;
#[cfg(feature = "coordinator")]
pub(crate) mod coordinator;
pub(crate) mod cp;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod gc;
#[cfg(feature = "import")]
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod pause;
pub(crate) mod ps;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod scale;
pub(crate) mod spawn;
pub(crate) mod startup;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod supervise;
pub(crate) mod swarms;
#[cfg(feature = "coordinator")]
pub(crate) mod task;
#[cfg(feature = "top")]
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod up;
pub(crate) mod wait;

use crate::args::Verb;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;

/// Carries out what was asked for.
pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<Outcome, Failure> {
    match verb {
        // These have their own answer to Ctrl-C.
        Verb::Up(up) => up.run(context).await,
        Verb::Supervise(supervise) => supervise.run(context).await,
        Verb::Bench(bench) => bench.run(context).await,
        #[cfg(feature = "top")]
        Verb::Top(top) => top.run(context).await,
        #[cfg(feature = "coordinator")]
        Verb::Agent(agent) => agent.run().await,
        #[cfg(feature = "coordinator")]
        Verb::Coordinator(coordinator) => coordinator.run().await,
        verb => {
            let mut interrupts = Interrupts::take()?;
            tokio::select! {
                outcome = simple(verb, context) => outcome,
                // What was begun goes on or is undone by itself.
                () = interrupts.next() => Ok(Outcome::Interrupted),
            }
        }
    }
}

async fn simple(verb: &Verb, context: &Context) -> Result<Outcome, Failure> {
    match verb {
        Verb::Spawn(spawn) => spawn.run(context).await,
        Verb::Down(down) => down.run(context).await,
        Verb::Gc(gc) => gc.run(context).await,
        Verb::Ps(ps) => ps.run(context).await,
        Verb::Swarms(swarms) => swarms.run(context).await,
        Verb::Logs(logs) => logs.run(context).await,
        Verb::Inspect(inspect) => inspect.run(context).await,
        Verb::Wait(wait) => wait.run(context).await,
        Verb::Stop(stop) => stop.run(context).await,
        Verb::Kill(kill) => kill.run(context).await,
        Verb::Pause(pause) => pause.run(context).await,
        Verb::Unpause(unpause) => unpause.run(context).await,
        Verb::Exec(exec) => exec.run(context).await,
        Verb::Cp(cp) => cp.run(context).await,
        Verb::Events(events) => events.run(context).await,
        Verb::Stats(stats) => stats.run(context).await,
        Verb::Restart(restart) => restart.run(context).await,
        Verb::Rm(rm) => rm.run(context).await,
        Verb::Scale(scale) => scale.run(context).await,
        #[cfg(feature = "coordinator")]
        Verb::Task(task) => task.run(context).await,
        Verb::Doctor(doctor) => doctor.run(context).await,
        Verb::Config(config) => config.run(context),
        #[cfg(feature = "import")]
        Verb::Import(import) => import.run(),
        Verb::Init(init) => init.run(),
        Verb::Startup(startup) => startup.run(context),
        Verb::Completions(completions) => completions.run(),
        Verb::Man(man) => man.run(),
        Verb::Up(_) | Verb::Supervise(_) | Verb::Bench(_) => Ok(Outcome::Done),
        #[cfg(feature = "top")]
        Verb::Top(_) => Ok(Outcome::Done),
        #[cfg(feature = "coordinator")]
        Verb::Agent(_) | Verb::Coordinator(_) => Ok(Outcome::Done),
    }
}
