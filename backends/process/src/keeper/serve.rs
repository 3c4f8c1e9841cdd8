//! Answering those who ask a keeper.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{AgentId, Error, ErrorKind, Operation, RemoveOptions, StopOptions};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::net::UnixStream;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::codec::FramedRead;

use super::beside;
use super::handover::Handover;
use crate::keep::Keep;
use crate::wire::{
    self, Answer, Event, Facts, Outbox, Problem, Request, VERSION, codec, decode_request, encode,
};

/// Counts those who are served.
#[derive(Debug, Clone, Default)]
pub(super) struct Clients(Arc<()>);

impl Clients {
    pub(super) fn enter(&self) -> Self {
        self.clone()
    }

    pub(super) fn any(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// Serves one connection to its end. Each request has a task of its own, so that a long stop holds up nobody.
pub(super) async fn serve(
    keep: Keep,
    stream: UnixStream,
    _client: Clients,
    handover: Arc<Handover>,
) {
    if !is_ours(&stream) {
        return;
    }
    let (inward, outbox) = match wire::open(stream) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::warn!(%error, "a connection cannot be used");
            return;
        }
    };
    let mut requests = FramedRead::new(inward, codec());
    let answers = Answers {
        outbox: Arc::new(outbox),
        under_way: Arc::default(),
    };
    while let Some(Ok(frame)) = requests.next().await {
        if answers.outbox.room().await.is_err() {
            break;
        }
        let request = match decode_request(&frame) {
            Ok(request) => request,
            Err(unknown) => {
                tracing::warn!(error = %unknown.why, "a request cannot be understood");
                let problem = Problem::from(&unknown_request());
                if !answers.send(unknown.n, Answer::Error(problem)) {
                    break;
                }
                continue;
            }
        };
        if let Request::Exec(errand) = &request.body {
            beside::serve(&keep, request.n, errand, &mut requests, &answers).await;
            break;
        }
        let (keep, answers, handover) = (keep.clone(), answers.clone(), Arc::clone(&handover));
        if matches!(request.body, Request::Events) {
            tokio::spawn(tell_events(keep, request.n, Arc::clone(&answers.outbox)));
            continue;
        }
        tokio::spawn(async move {
            let answer = answer(&keep, request.body, &handover).await;
            answers.send(request.n, answer);
        });
    }
    // What was asked is still done; only its answer has nobody to go to.
    answers.outbox.close();
}

/// Where the answers of one connection go.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    outbox: Arc<Outbox>,
    /// One for each request that has none yet.
    under_way: Arc<()>,
}

impl Answers {
    /// Whether anybody may still read it.
    pub(super) fn send(&self, n: u64, answer: Answer) -> bool {
        framed(n, answer).is_some_and(|frame| {
            // Of a hundred answers to a hundred requests each would wake its asker, who would take the
            // processor from the agents that are just starting.
            let sent = if self.are_many() {
                self.outbox.send_soon(frame)
            } else {
                self.outbox.send(frame)
            };
            sent.is_ok()
        })
    }

    /// Whether others than this one are under way: the connection itself holds one more.
    fn are_many(&self) -> bool {
        Arc::strong_count(&self.under_way) > 2
    }
}

/// Nobody but our own user, and root, has any business here.
fn is_ours(stream: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == me || peer.uid() == 0)
}

fn framed(n: u64, answer: Answer) -> Option<Bytes> {
    encode(n, answer)
        .inspect_err(|error| tracing::error!(%error, "an answer could not be written"))
        .ok()
}

/// Events can wait for the answer to what brought them about, and answers do not wait for them.
async fn tell_events(keep: Keep, n: u64, outbox: Arc<Outbox>) {
    let mut events = keep.events();
    // The first answer means: subscribed.
    let mut answer = Answer::Done;
    while let Some(frame) = framed(n, answer)
        && outbox.send_soon(frame).is_ok()
        && outbox.room().await.is_ok()
    {
        answer = tokio::select! {
            event = events.recv() => match event {
                Ok(event) => Answer::Event(event.into()),
                Err(RecvError::Lagged(_)) => Answer::Event(Event::Lagged),
                Err(RecvError::Closed) => return,
            },
            () = outbox.closed() => return,
        };
    }
}

async fn answer(keep: &Keep, request: Request, handover: &Handover) -> Answer {
    let outcome = match request {
        // Of whichever version it is: what it asks next is understood, or is answered so.
        Request::Hello { version: _, swarm } => hello(keep, swarm),
        Request::List => Ok(Answer::List(keep.list())),
        Request::Inspect { id } => keep
            .inspect(&id)
            .map(|report| Answer::Report(Box::new(report))),
        Request::Spawn(launch) => keep
            .spawn(*launch)
            .await
            .map(|info| Answer::Info(Box::new(info))),
        Request::Stop {
            id,
            grace_ms,
            signal,
            incarnation,
        } => {
            let mut options = StopOptions::default();
            options.grace = grace_ms.map(Duration::from_millis);
            options.signal = signal;
            options.incarnation = incarnation;
            keep.stop(&id, options).await.map(Answer::Exit)
        }
        Request::Remove { id, force } => remove(keep, &id, force).await,
        Request::Signal {
            id,
            signal,
            incarnation,
        } => keep.signal(&id, signal, incarnation).map(|()| Answer::Done),
        Request::Pause { id, incarnation } => {
            keep.freeze(&id, incarnation).await.map(|()| Answer::Done)
        }
        Request::Resume { id, incarnation } => keep.thaw(&id, incarnation).map(|()| Answer::Done),
        Request::Usage { id, incarnation } => keep.usage(&id, incarnation).map(Answer::Usage),
        Request::GiveWay { .. } if !keep.is_written_down() => Err(Error::new(
            ErrorKind::OutOfResources,
            Operation::Connect,
            "the keeper knows what its journal does not, and cannot give way",
        )
        .with_cure("make room on the disk that holds the swarm's state")),
        Request::GiveWay { program } => Err(Error::new(
            ErrorKind::Engine,
            Operation::Connect,
            "the keeper could not become another program",
        )
        .with_cure("see that the program which takes its place is there and may be run")
        .with_engine_words(
            {
                keep.end_all_beside();
                keep.as_it_was_started(|| handover.become_program(&program))
            }
            .to_string(),
        )),
        Request::Exec(_) | Request::ExecStart | Request::ExecEnd => Err(Error::new(
            ErrorKind::Engine,
            Operation::Exec,
            "a program is run on a connection of its own",
        )
        .with_cure("report this")),
        Request::Events => Err(Error::new(
            ErrorKind::Engine,
            Operation::Events,
            "events are asked for on a connection of their own",
        )
        .with_cure("report this")),
    };
    outcome.unwrap_or_else(|error| Answer::Error(Problem::from(&error)))
}

/// Who asks is of another version: what is frozen it can still ask.
fn unknown_request() -> Error {
    let what = format!(
        "unknown request: the keeper is alveary {}, whose wire has version {VERSION}",
        env!("CARGO_PKG_VERSION")
    );
    Error::unsupported(
        Operation::Connect,
        what,
        "have it give way to a newer program, or use the version that it is",
    )
}

fn hello(keep: &Keep, swarm: alveary_core::SwarmUid) -> alveary_core::Result<Answer> {
    if swarm != keep.swarm() {
        return Err(Error::new(
            ErrorKind::Conflict,
            Operation::Connect,
            "this folder's keeper keeps another swarm",
        )
        .with_cure("give each swarm a state folder of its own"));
    }
    Ok(Answer::Hello(Facts {
        version: VERSION,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        cgroups: keep.cgroups().is_some(),
        limits_memory: keep
            .cgroups()
            .is_some_and(crate::os::cgroup::Cgroups::limits_memory),
        bounds_logs: keep.bounds_logs(),
        limits_pids: keep
            .cgroups()
            .is_some_and(crate::os::cgroup::Cgroups::limits_pids),
    }))
}

async fn remove(keep: &Keep, id: &AgentId, force: bool) -> alveary_core::Result<Answer> {
    keep.remove(id, RemoveOptions::default().with_force(force))
        .await
        .map(|()| Answer::Done)
}
