//! Answering those who ask a keeper.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{AgentId, Error, ErrorKind, Operation, RemoveOptions, StopOptions};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite};

use super::handover::Handover;
use crate::keep::Keep;
use crate::wire::{Answer, Event, Facts, Problem, Request, VERSION, codec, decode_request, encode};

/// How many answers may wait for a client that does not read before its requests wait too.
const ANSWERS: usize = 1024;

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
    let (read, write) = stream.into_split();
    let (mut requests, mut sink) = (
        FramedRead::new(read, codec()),
        FramedWrite::new(write, codec()),
    );
    let (answers, mut outbox) = mpsc::channel::<Bytes>(ANSWERS);
    let sending = tokio::spawn(async move {
        while let Some(frame) = outbox.recv().await {
            // Whatever else is ready goes first: of a hundred answers to a hundred requests each would wake
            // its asker, who would take the processor from the agents that are just starting.
            tokio::task::yield_now().await;
            let mut frames = vec![frame];
            while let Ok(frame) = outbox.try_recv() {
                frames.push(frame);
            }
            let mut frames = futures_util::stream::iter(frames.into_iter().map(Ok));
            if sink.send_all(&mut frames).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(frame)) = requests.next().await {
        let request = match decode_request(&frame) {
            Ok(request) => request,
            Err(unknown) => {
                tracing::warn!(error = %unknown.why, "a request cannot be understood");
                let problem = Problem::from(&unknown_request());
                if !send(&answers, unknown.n, Answer::Error(problem)).await {
                    break;
                }
                continue;
            }
        };
        let (keep, answers, handover) = (keep.clone(), answers.clone(), Arc::clone(&handover));
        if matches!(request.body, Request::Events) {
            tokio::spawn(tell_events(keep, request.n, answers));
            continue;
        }
        tokio::spawn(async move {
            let answer = answer(&keep, request.body, &handover).await;
            send(&answers, request.n, answer).await;
        });
    }
    drop(answers);
    // What was asked is still done; only its answer has nobody to go to.
    sending.abort();
}

/// Nobody but our own user, and root, has any business here.
fn is_ours(stream: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == me || peer.uid() == 0)
}

async fn send(answers: &mpsc::Sender<Bytes>, n: u64, answer: Answer) -> bool {
    match encode(n, answer) {
        Ok(frame) => answers.send(frame).await.is_ok(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            false
        }
    }
}

async fn tell_events(keep: Keep, n: u64, answers: mpsc::Sender<Bytes>) {
    let mut events = keep.events();
    // The first answer means: subscribed.
    let mut answer = Answer::Done;
    while send(&answers, n, answer).await {
        answer = tokio::select! {
            event = events.recv() => match event {
                Ok(event) => Answer::Event(event.into()),
                Err(RecvError::Lagged(_)) => Answer::Event(Event::Lagged),
                Err(RecvError::Closed) => return,
            },
            () = answers.closed() => return,
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
        Request::GiveWay { .. } if !keep.is_written_down() => Err(Error::new(
            ErrorKind::OutOfResources,
            Operation::Connect,
            "the keeper knows what its journal does not, and cannot give way",
        )
        .cure("make room on the disk that holds the swarm's state")),
        Request::GiveWay { program } => Err(Error::new(
            ErrorKind::Engine,
            Operation::Connect,
            "the keeper could not become another program",
        )
        .engine_words(
            keep.as_it_was_started(|| handover.become_program(&program))
                .to_string(),
        )),
        Request::Events => Err(Error::new(
            ErrorKind::Engine,
            Operation::Events,
            "events are asked for on a connection of their own",
        )),
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
        .cure("give each swarm a state folder of its own"));
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
