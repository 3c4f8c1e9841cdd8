//! A connection by which somebody runs a program beside an agent: the program ends with it.

use alveary_core::{Error, ErrorKind, Operation, Result};
use futures_util::StreamExt;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use super::serve::Answers;
use crate::keep::{Beside, Errand, Keep};
use crate::os::socket::Inward;
use crate::os::streams::Theirs;
use crate::wire::{Answer, Problem, Request, decode_request};

type Requests = FramedRead<Inward, LengthDelimitedCodec>;

/// Takes the streams of a program, runs it, and tells how it ended. Returns when the connection is closed.
pub(super) async fn serve(
    keep: &Keep,
    n: u64,
    errand: &Errand,
    requests: &mut Requests,
    answers: &Answers,
) {
    if !answers.send(n, Answer::Done) {
        return;
    }
    let streams = streams(requests).await;
    let Some((n, Request::ExecStart)) = next(requests).await else {
        return;
    };
    let mut program = match streams.and_then(|streams| keep.run_beside(errand, &streams)) {
        Ok(program) => program,
        Err(error) => {
            answers.send(n, Answer::Error(Problem::from(&error)));
            return;
        }
    };
    if answers.send(n, Answer::Done) {
        until_closed(&mut program, requests, answers).await;
    }
}

/// Dropping the program ends it, and so does whoever closes the connection.
async fn until_closed(program: &mut Beside, requests: &mut Requests, answers: &Answers) {
    let mut status = None;
    let mut asked = None;
    loop {
        tokio::select! {
            ended = program.ended(), if status.is_none() => status = Some(ended),
            request = next(requests) => match request {
                Some((n, Request::ExecEnd)) => asked = Some(n),
                _ => return,
            }
        }
        if let (Some(n), Some(status)) = (asked, &status) {
            answers.send(n, Answer::Ended(status.clone()));
            asked = None;
        }
    }
}

async fn streams(requests: &Requests) -> Result<Theirs> {
    // Whoever hands descriptors over waits for our answer before it.
    let received = requests.get_ref().receive_descriptors().await;
    received.ok().and_then(Theirs::from_passed).ok_or_else(|| {
        let what = "the streams of the program did not come through";
        Error::new(ErrorKind::Engine, Operation::Exec, what).with_cure("run it again")
    })
}

async fn next(requests: &mut Requests) -> Option<(u64, Request)> {
    let frame = requests.next().await?.ok()?;
    let request = decode_request(&frame).ok()?;
    Some((request.n, request.body))
}
