//! The harness of the memory backend: the fastest that the suite can be tried on.

mod errands;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentContext, AgentId, AgentSpec, Capabilities, ExecContext, ExecSpec,
    ExitStatus, MemoryBackend, MemoryEngine, Result, Signal, SwarmUid,
};
use async_trait::async_trait;

use crate::behaviour::{Behaviour, READY, TERM_LINE};
use crate::errand::Errand;
use crate::harness::Harness;
use crate::witness::{Witness, Witnessed};

/// What the engine keeps of each agent's output: little, so that a flood loses some.
const LOG_BOUND: usize = 256 * 1024;

const PROGRAM: &str = "conformance-agent";

/// The harness of [`MemoryBackend`]: for wrappers, and for the suite's own tests.
#[derive(Debug)]
pub struct MemoryHarness {
    engine: MemoryEngine,
    living: Arc<Living>,
    deadline: Duration,
}

/// The programs that run, as they know it themselves.
#[derive(Debug, Default)]
struct Living(Mutex<HashMap<String, Vec<Witnessed>>>);

impl Living {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Vec<Witnessed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One running program; ends with the future that holds it.
struct Alive {
    living: Arc<Living>,
    swarm: String,
    me: Witnessed,
}

impl Alive {
    fn new(living: Arc<Living>, swarm: Option<&str>, id: &AgentId, args: &[String]) -> Self {
        let swarm = swarm.unwrap_or_default().to_owned();
        let me = Witnessed {
            id: id.clone(),
            pid: None,
            argv: args
                .iter()
                .flat_map(|arg| [arg, "\0"])
                .collect::<String>()
                .into_bytes(),
        };
        living
            .all()
            .entry(swarm.clone())
            .or_default()
            .push(me.clone());
        Self { living, swarm, me }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut all = self.living.all();
        if let Some(agents) = all.get_mut(&self.swarm)
            && let Some(at) = agents.iter().position(|agent| *agent == self.me)
        {
            agents.swap_remove(at);
        }
    }
}

impl Default for MemoryHarness {
    fn default() -> Self {
        let living = Arc::new(Living::default());
        let (agents, beside) = (living.clone(), living.clone());
        let engine = MemoryEngine::with_log_bound(LOG_BOUND)
            .with_program(PROGRAM, move |agent: AgentContext| {
                let swarm = agent.var("ALVEARY_SWARM");
                let alive = Alive::new(agents.clone(), swarm, agent.id(), agent.args());
                async move {
                    let _alive = alive;
                    behave(agent).await
                }
            })
            .with_exec(PROGRAM, move |exec: ExecContext| {
                let swarm = exec.var("ALVEARY_SWARM");
                let alive = Alive::new(beside.clone(), swarm, exec.id(), exec.args());
                async move {
                    let _alive = alive;
                    errands::run(exec).await
                }
            });
        Self {
            engine,
            living,
            deadline: Duration::from_secs(20),
        }
    }
}

impl MemoryHarness {
    /// Sets how long a trial may take: wrappers that are known to be broken need little.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

#[async_trait]
impl Harness for MemoryHarness {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        Ok(Arc::new(MemoryBackend::on(&self.engine, *swarm)))
    }

    fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec> {
        let mut command = vec![PROGRAM.to_owned()];
        command.extend(arguments(behaviour)?);
        Some(AgentSpec::new("conformance", command))
    }

    fn errand(&self, errand: &Errand) -> Option<ExecSpec> {
        let mut command = vec![PROGRAM.to_owned()];
        command.extend(errands::arguments(errand)?);
        Some(ExecSpec::new(command))
    }

    /// The engine is this process's own and outlives each of its managers.
    fn reconnects(&self, _capabilities: &Capabilities) -> bool {
        true
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn witness(&self) -> Option<&dyn Witness> {
        Some(self)
    }
}

#[async_trait]
impl Witness for MemoryHarness {
    async fn living(&self, swarm: &SwarmUid) -> Vec<Witnessed> {
        let all = self.living.all();
        all.get(&swarm.to_string()).cloned().unwrap_or_default()
    }
}

/// A behaviour as arguments, which [`behave`] reads.
fn arguments(behaviour: &Behaviour) -> Option<Vec<String>> {
    let words: Vec<String> = match behaviour {
        Behaviour::Sleep => vec!["sleep".to_owned()],
        Behaviour::Exit(code) => vec!["exit".to_owned(), code.to_string()],
        Behaviour::Print { stdout, stderr } => vec!["print".to_owned(), hex(stdout), hex(stderr)],
        Behaviour::ExitLater { seconds, code } => {
            vec![
                "exit-later".to_owned(),
                seconds.to_string(),
                code.to_string(),
            ]
        }
        Behaviour::Count { lines, pause } => vec![
            "count".to_owned(),
            lines.to_string(),
            pause.as_micros().to_string(),
        ],
        Behaviour::Spin => vec!["spin".to_owned()],
        Behaviour::Flood(bytes) => vec!["flood".to_owned(), bytes.to_string()],
        Behaviour::IgnoreTerm => vec!["ignore-term".to_owned()],
        Behaviour::ExitOnSignal { signal, code } => vec![
            "exit-on-signal".to_owned(),
            signal.number().to_string(),
            code.to_string(),
        ],
        Behaviour::DieBySignal(signal) => vec!["die".to_owned(), signal.number().to_string()],
        Behaviour::PrintEnvironment => vec!["environment".to_owned()],
        Behaviour::PrintSecret(key) => vec!["secret".to_owned(), key.clone()],
        Behaviour::PrintArgs(arguments) => {
            let mut words = vec!["arguments".to_owned()];
            words.extend(arguments.iter().cloned());
            words
        }
        // There are no processes and no folders here.
        Behaviour::EscapingGrandchild | Behaviour::LeaveChild | Behaviour::PrintCwd => return None,
    };
    Some(words)
}

async fn behave(agent: AgentContext) -> ExitStatus {
    let words: Vec<&str> = agent.args().iter().map(String::as_str).collect();
    let code = match words[..] {
        // Whatever a wrapper may have added.
        ["sleep", ..] => {
            agent.print(READY);
            agent.stop_requested().await;
            143
        }
        ["exit", code] => number(code),
        ["print", stdout, stderr] => {
            agent.print(unhex(stdout));
            agent.eprint(unhex(stderr));
            0
        }
        ["exit-later", seconds, code] => {
            tokio::time::sleep(Duration::from_secs(number(seconds))).await;
            number(code)
        }
        ["count", lines, pause] => {
            for line in 1..=number::<u64>(lines) {
                agent.print(format!("{line}\n"));
                pause_for(Duration::from_micros(number(pause))).await;
            }
            0
        }
        ["spin"] => {
            agent.print(READY);
            let asked = agent.stop_token();
            while !asked.is_cancelled() {
                (0..10_000).for_each(|_| std::hint::spin_loop());
                tokio::task::yield_now().await;
            }
            143
        }
        ["flood", bytes] => {
            flood(&agent, number(bytes)).await;
            0
        }
        ["ignore-term"] => {
            agent.print(READY);
            loop {
                if agent.signal().await == Signal::TERM {
                    agent.print(TERM_LINE);
                }
            }
        }
        ["exit-on-signal", signal, code] => {
            agent.print(READY);
            while agent.signal().await.number() != number::<i32>(signal) {}
            agent.print("caught\n");
            number(code)
        }
        ["die", signal] => {
            // A closure cannot die by a signal; it can say that it did.
            let signal = Signal::from_number(number(signal)).unwrap_or(Signal::KILL);
            return ExitStatus::Signal(signal);
        }
        ["environment"] => {
            for (key, value) in agent.env() {
                agent.print(format!("{key}={value}\0"));
            }
            0
        }
        ["secret", key] => match agent.secret(key) {
            Some(secret) => {
                agent.print(secret.expose());
                0
            }
            None => 1,
        },
        ["arguments", ref arguments @ ..] => {
            for argument in arguments {
                agent.print(format!("{argument}\0"));
            }
            0
        }
        _ => 127,
    };
    ExitStatus::Code(code)
}

async fn pause_for(pause: Duration) {
    if pause.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(pause).await;
    }
}

async fn flood(agent: &AgentContext, bytes: u64) {
    const AT_ONCE: usize = 64 * 1024;
    let block = vec![b'x'; AT_ONCE];
    let mut left = bytes;
    while left > 0 {
        let part = AT_ONCE.min(usize::try_from(left).unwrap_or(AT_ONCE));
        agent.print(&block[..part]);
        left -= part as u64;
        tokio::task::yield_now().await;
    }
}

/// These arguments are our own; one that is no number would show as a wrong code.
fn number<T: std::str::FromStr + Default>(text: &str) -> T {
    text.parse().unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
