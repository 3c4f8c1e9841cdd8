//! A program run in a container, over a connection that becomes its streams.

mod input;
mod output;

use std::sync::Arc;
use std::time::{Duration, Instant};

use alveary_core::{
    AgentId, Error, ExecSpec, ExecStdin, Execution, ExitStatus, Operation, TtySize,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::{Http, Line, SMALL, archive, query};
use crate::classify::{Class, Trouble};
use crate::engine::Ref;
use input::Input;
use output::Output;

type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// The longest pause between two looks at whether it has ended.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// Until then a program that neither runs nor has a code is about to run.
const LONGEST_START: Duration = Duration::from_secs(30);

/// What sizes a terminal where the engine cannot.
const SHELL: &str = "/bin/sh";

/// An older engine takes a terminal's size when the program runs already, and may have asked for it.
fn size_by_shell(command: &mut Vec<String>, size: TtySize) {
    let TtySize { columns, rows } = size;
    let script = format!("stty rows {rows} cols {columns} 2>/dev/null; exec \"$@\"");
    let shell = [SHELL, "-c", &script, "sh"].map(ToOwned::to_owned);
    command.splice(0..0, shell);
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Make<'a> {
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    tty: bool,
    cmd: &'a [String],
    env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_size: Option<[u16; 2]>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    detach: bool,
    tty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_size: Option<[u16; 2]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Looked {
    running: bool,
    exit_code: Option<i32>,
    #[serde(default)]
    can_remove: bool,
}

/// A program that was made in a container.
struct Program {
    http: Http,
    /// By which it is asked about.
    line: Line,
    id: Ref,
    /// Beside whom it runs.
    agent: AgentId,
    podman: bool,
    begun: Instant,
    /// Nobody writes to its output any more: it has ended, or closed it.
    silent: Notify,
}

/// Runs a program in a container.
pub(crate) async fn run(
    http: &Http,
    agent: &AgentId,
    container: &Ref,
    spec: &ExecSpec,
) -> Result<Execution, Trouble> {
    let mut command = spec.command.clone();
    if let Some(size) = spec.tty
        && !http.sizes_terminals().await?
        && archive::look(http, container, SHELL).await?.is_some()
    {
        size_by_shell(&mut command, size);
    }
    let tty = spec.tty.is_some();
    let console_size = spec.tty.map(|size| [size.rows, size.columns]);
    let make = Make {
        attach_stdin: spec.stdin,
        attach_stdout: true,
        attach_stderr: true,
        tty,
        cmd: &command,
        env: (spec.env.iter())
            .map(|(key, value)| format!("{key}={value}"))
            .collect(),
        user: spec.user.map(String::from),
        working_dir: (spec.cwd.as_ref()).map(|cwd| cwd.to_string_lossy().into_owned()),
        console_size,
    };
    let path = format!("/containers/{}/exec", container.as_str());
    let made: Made = http
        .post(&path, json(&make)?, http.patience(), SMALL)
        .await?;
    let id = Ref::new(made.id)
        .ok_or_else(|| Trouble::new(Class::Other, "it made something without an id"))?;
    let start = Start {
        detach: false,
        tty,
        console_size,
    };
    let path = format!("/exec/{}/start", id.as_str());
    let upgraded = http.upgrade(&path, json(&start)?, http.patience()).await?;
    let program = Arc::new(Program {
        http: http.clone(),
        line: Line::new(http.clone()),
        id,
        agent: agent.clone(),
        podman: http.facts().await?.podman,
        begun: Instant::now(),
        silent: Notify::new(),
    });
    let (from, to) = tokio::io::split(TokioIo::new(upgraded));
    let output = Output::new(Arc::clone(&program), from, !tty);
    let ending = Arc::clone(&program);
    let mut execution = Execution::new(output.into_stream(), async move { ending.end().await });
    if spec.stdin {
        execution = execution.with_stdin(ExecStdin::new(Input(Some(to))));
    }
    if let Some(size) = spec.tty {
        // An older engine takes no size with the start.
        program.resize_when_there(size).await;
        execution = execution.with_resize(move |size| {
            let program = Arc::clone(&program);
            async move { program.resize(size).await }
        });
    }
    Ok(execution)
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Trouble> {
    serde_json::to_vec(value).map_err(|error| Trouble::new(Class::BadRequest, error.to_string()))
}

impl Program {
    /// How it ended, where it has.
    async fn ended(&self) -> Result<Option<ExitStatus>, Trouble> {
        let path = format!("/exec/{}/json", self.id.as_str());
        let looked: Looked = match self.line.get(&path, SMALL).await {
            Err(trouble) if is_gone(&trouble) => return Ok(Some(forgotten())),
            looked => looked?,
        };
        if looked.running {
            return Ok(None);
        }
        // Podman has a code for it before it runs, and lets it be removed only once it has ended.
        let over = !self.podman || looked.can_remove;
        match looked.exit_code.filter(|_| over) {
            Some(code) => Ok(Some(ExitStatus::Code(code))),
            // The connection is handed over before the program runs.
            None if self.begun.elapsed() < LONGEST_START => Ok(None),
            None => Ok(Some(forgotten())),
        }
    }

    async fn end(&self) -> Result<ExitStatus, Error> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.ended().await {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(trouble) if trouble.class == Class::Lost => {}
                Err(trouble) => return Err(self.failed(trouble)),
            }
            let silent = timeout(pause, self.silent.notified()).await.is_ok();
            pause = if silent {
                SHORTEST_PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
        }
    }

    async fn resize(&self, size: TtySize) -> Result<(), Error> {
        match self.try_resize(size).await {
            Ok(()) => Ok(()),
            // It has ended meanwhile.
            Err(_) if matches!(self.ended().await, Ok(Some(_))) => Ok(()),
            Err(trouble) => Err(self.failed(trouble)),
        }
    }

    fn failed(&self, trouble: Trouble) -> Error {
        trouble.error(Operation::Exec).with_agent(&self.agent)
    }

    async fn try_resize(&self, size: TtySize) -> Result<(), Trouble> {
        let (rows, columns) = (size.rows.to_string(), size.columns.to_string());
        let path = format!(
            "/exec/{}/resize?{}",
            self.id.as_str(),
            query(&[("h", &rows), ("w", &columns)])
        );
        self.http.done(&path, self.http.patience()).await
    }

    /// The terminal is there only when the program is.
    async fn resize_when_there(&self, size: TtySize) {
        let tried = async {
            for _ in 0..20 {
                if self.try_resize(size).await.is_ok() {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        // All of them within the time of one: nobody who has asked for a program waits for its terminal.
        if timeout(self.http.patience(), tried).await.is_err() {
            tracing::debug!(
                ?size,
                "the engine does not say whether the terminal has its size"
            );
        }
    }
}

/// Engines forget what ran in a container that is gone.
fn is_gone(trouble: &Trouble) -> bool {
    matches!(trouble.class, Class::NoContainer | Class::NotRunning)
        || trouble.words.to_lowercase().contains("no such exec")
}

fn forgotten() -> ExitStatus {
    ExitStatus::Unknown {
        why: "it ended, and the engine does not know how".to_owned(),
    }
}
