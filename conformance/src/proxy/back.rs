//! The way back: an answer from the engine to the client, as far as nothing goes wrong with it.

use std::io;

use bytes::Buf;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;

use super::fault::{BodyFault, Limit, Then};
use super::framing::Framing;
use super::gate::Gate;
use super::head::AnswerHead;
use super::side::Incoming;
use super::values::Values;

#[derive(Debug)]
pub(super) struct Back<'a> {
    pub(super) from: &'a mut Incoming,
    pub(super) to: &'a mut OwnedWriteHalf,
    pub(super) gate: &'a Gate,
}

/// How far a body goes.
struct Bounds {
    limit: Option<(Limit, Then)>,
    values: Values,
}

impl Back<'_> {
    /// Passes back the head that the buffer begins with.
    pub(super) async fn head(&mut self, head: &AnswerHead) -> io::Result<()> {
        self.gate.pass().await;
        self.to.write_all(&self.from.buffer[..head.length]).await?;
        self.from.buffer.advance(head.length);
        Ok(())
    }

    /// Passes back the body. Whether it came to its end and the connection is still good.
    pub(super) async fn body(
        &mut self,
        mut body: Framing,
        fault: Option<BodyFault>,
    ) -> io::Result<bool> {
        let mut bounds = Bounds {
            limit: None,
            values: Values::default(),
        };
        match fault {
            None => {}
            Some(BodyFault::Hold(mut wait)) => wait.over().await,
            Some(BodyFault::End(limit, then)) => bounds.limit = Some((limit, then)),
        }
        loop {
            if let Some(then) = bounds.reached() {
                return self.end(then).await;
            }
            if body.is_done() {
                return Ok(true);
            }
            if self.from.buffer.is_empty() && self.from.fill().await? == 0 {
                // An end in the midst of it is the client's to see as well.
                return Ok(false);
            }
            let part = body.part(&self.from.buffer)?;
            let length = bounds.pass(&self.from.buffer[..part.length], part.is_payload);
            self.gate.pass().await;
            self.to.write_all(&self.from.buffer[..length]).await?;
            body.take(&self.from.buffer[..length])?;
            self.from.buffer.advance(length);
        }
    }

    async fn end(&mut self, then: Then) -> io::Result<bool> {
        match then {
            Then::Cut => Ok(false),
            // The engine speaks on, and nobody hears it.
            Then::Silence => {
                while self.from.fill().await? > 0 {
                    self.from.buffer.clear();
                }
                std::future::pending().await
            }
        }
    }
}

impl Bounds {
    /// How much of these bytes goes.
    fn pass(&mut self, bytes: &[u8], is_payload: bool) -> usize {
        match &mut self.limit {
            None => bytes.len(),
            Some((Limit::Bytes(left), _)) => {
                let length = usize::try_from(*left).map_or(bytes.len(), |n| n.min(bytes.len()));
                *left -= length as u64;
                length
            }
            Some((Limit::Values(_), _)) if !is_payload => bytes.len(),
            Some((Limit::Values(values), _)) => {
                self.values.until(*values, bytes).unwrap_or(bytes.len())
            }
        }
    }

    fn reached(&self) -> Option<Then> {
        match self.limit? {
            (Limit::Bytes(0), then) => Some(then),
            (Limit::Values(values), then) if self.values.ended() >= values => Some(then),
            _ => None,
        }
    }
}
