//! What goes wrong, where in the life of a request and its answer.

use std::time::Duration;

use tokio::sync::watch;

use super::answer::Answer;

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The client is cut off; the engine may hear of the request after a while.
    Cut { pass_on: Option<Wait> },
    /// The engine hears of it after a while, whether or not the client is still there.
    HoldRequest(Wait),
    /// The engine does not hear of it, and this is the answer.
    Instead(Answer),
    /// The engine answers, and then this happens.
    Answered(AnswerFault),
    /// The engine's answer begins well.
    Body(BodyFault),
}

/// What becomes of an answer that the engine has given.
#[derive(Debug, Clone)]
pub(super) enum AnswerFault {
    /// The client is cut off instead.
    Lose,
    /// It is passed back after a while.
    Hold(Wait),
    /// This is passed back.
    Replace(Answer),
}

/// What becomes of the body of an answer.
#[derive(Debug, Clone)]
pub(super) enum BodyFault {
    /// It follows the head after a while.
    Hold(Wait),
    /// It goes so far, and then this happens.
    End(Limit, Then),
}

/// How much of a body goes well.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    /// So many bytes, as they are on the wire.
    Bytes(u64),
    /// So many values of JSON.
    Values(u64),
}

/// What comes after that.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    Cut,
    /// Nothing, on a connection that stays open.
    Silence,
}

/// How long something is held.
#[derive(Debug, Clone)]
pub(super) enum Wait {
    For(Duration),
    /// Until a test lets go; for ever where it never does.
    Until(watch::Receiver<bool>),
    ForEver,
}

impl Wait {
    pub(super) async fn over(&mut self) {
        match self {
            Self::For(time) => tokio::time::sleep(*time).await,
            Self::Until(released) => {
                if released.wait_for(|released| *released).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Self::ForEver => std::future::pending().await,
        }
    }
}
