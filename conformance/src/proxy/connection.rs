//! One client's connection: requests one after the other, each with the fault that is meant for it.

use std::io;
use std::sync::Arc;

use bytes::Buf;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;

use super::Shared;
use super::back::Back;
use super::fault::{AnswerFault, BodyFault, Fault, Wait};
use super::head::{AnswerHead, RequestHead};
use super::record::Number;
use super::side::{Client, Engine, Gone};

/// What becomes of the connection after an answer.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Request,
    End,
}

/// A client, and the connection to the engine that is there for it alone, as long as its own: what the engine
/// hears of its coming and going is what it would hear without a proxy.
struct Connection {
    client: Client,
    write: OwnedWriteHalf,
    engine: Option<Engine>,
    shared: Arc<Shared>,
}

/// A request under way, until it is dropped.
struct Exchange {
    head: RequestHead,
    number: Number,
    shared: Arc<Shared>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.shared.record.over(self.number);
    }
}

/// Serves a client until it, the engine or a fault ends the connection.
pub(super) async fn serve(client: UnixStream, shared: Arc<Shared>) -> io::Result<()> {
    let (read, write) = client.into_split();
    let connection = Connection {
        client: Client::new(read),
        write,
        engine: None,
        shared,
    };
    connection.run().await
}

impl Connection {
    async fn run(mut self) -> io::Result<()> {
        while let Some(mut head) = self.next_request().await? {
            self.shared.gate.pass().await;
            self.client.begin(&mut head);
            let number = self.shared.record.arrived(&head);
            let fault = self.shared.rules.strike(&head.method, &head.path);
            let exchange = Exchange {
                head,
                number,
                shared: Arc::clone(&self.shared),
            };
            let next = match fault {
                None => self.pass(&exchange, None, None).await?,
                Some(Fault::Answered(fault)) => self.pass(&exchange, Some(fault), None).await?,
                Some(Fault::Body(fault)) => self.pass(&exchange, None, Some(fault)).await?,
                Some(Fault::HoldRequest(wait)) => self.hold(&exchange, wait).await?,
                Some(Fault::Cut { pass_on }) => return self.cut(&exchange, pass_on).await,
                Some(Fault::Instead(answer)) => {
                    self.client.take_whole().await?;
                    let (method, gate) = (&exchange.head.method, &self.shared.gate);
                    return answer.send(&mut self.write, method, gate).await;
                }
            };
            if next == Next::End {
                break;
            }
        }
        Ok(())
    }

    /// `None` where the client has no more, or the engine has ended the connection meanwhile.
    async fn next_request(&mut self) -> io::Result<Option<RequestHead>> {
        let Some(engine) = &mut self.engine else {
            return self.client.request().await;
        };
        tokio::select! {
            biased;
            request = self.client.request() => request,
            // Unasked, an engine says nothing but its end.
            _ = engine.incoming.fill() => Ok(None),
        }
    }

    /// Passes on what the client sends, and what the engine answers, up to where something goes wrong.
    async fn pass(
        &mut self,
        exchange: &Exchange,
        answer_fault: Option<AnswerFault>,
        body_fault: Option<BodyFault>,
    ) -> io::Result<Next> {
        let (gate, method) = (&self.shared.gate, &exchange.head.method);
        let engine = open(&mut self.engine, &self.shared).await?;
        let mut back = Back {
            from: &mut engine.incoming,
            to: &mut self.write,
            gate,
        };
        let answered = async {
            loop {
                let head = back.from.answer_head(method).await?;
                if !head.is_interim() {
                    return io::Result::Ok(head);
                }
                back.head(&head).await?;
            }
        };
        let head = tokio::select! {
            biased;
            head = answered => head?,
            gone = self.client.pass(&mut engine.write, false, gate) => return gone.map(ended),
        };
        self.shared.record.answered(exchange.number, head.status);
        match answer_fault {
            None => {}
            Some(AnswerFault::Lose) => return Ok(Next::End),
            Some(AnswerFault::Replace(answer)) => {
                return answer
                    .send(&mut self.write, method, gate)
                    .await
                    .map(|()| Next::End);
            }
            Some(AnswerFault::Hold(mut wait)) => tokio::select! {
                () = wait.over() => {}
                gone = self.client.pass(&mut engine.write, false, gate) => return gone.map(ended),
            },
        }
        self.pass_back(exchange, head, body_fault).await
    }

    /// Passes back an answer whose head is there.
    async fn pass_back(
        &mut self,
        exchange: &Exchange,
        head: AnswerHead,
        fault: Option<BodyFault>,
    ) -> io::Result<Next> {
        let gate = &self.shared.gate;
        let engine = open(&mut self.engine, &self.shared).await?;
        let mut back = Back {
            from: &mut engine.incoming,
            to: &mut self.write,
            gate,
        };
        let goes_on = head.keeps_alive && exchange.head.keeps_alive;
        let is_tunnel = head.is_tunnel;
        let passed = async {
            back.head(&head).await?;
            back.body(head.body, fault).await
        };
        let is_good = tokio::select! {
            biased;
            is_good = passed => is_good?,
            gone = self.client.pass(&mut engine.write, is_tunnel, gate) => return gone.map(ended),
        };
        Ok(if is_good && goes_on && self.client.has_passed() {
            Next::Request
        } else {
            Next::End
        })
    }

    /// Passes the request on after a while, whatever the client does meanwhile.
    async fn hold(&mut self, exchange: &Exchange, mut wait: Wait) -> io::Result<Next> {
        let request = self.client.take_whole().await?;
        wait.over().await;
        let head = ask(&mut self.engine, &self.shared, &request, exchange).await?;
        self.pass_back(exchange, head, None).await
    }

    /// Cuts the client off, and passes the request on after a while if that is wanted.
    async fn cut(mut self, exchange: &Exchange, pass_on: Option<Wait>) -> io::Result<()> {
        let request = self.client.take_whole().await?;
        let Self {
            client,
            write,
            mut engine,
            shared,
        } = self;
        // Both halves of the connection: this is the cut.
        drop((client, write));
        let Some(mut wait) = pass_on else {
            return Ok(());
        };
        wait.over().await;
        let head = ask(&mut engine, &shared, &request, exchange).await?;
        read_out(open(&mut engine, &shared).await?, head).await
    }
}

fn ended(_: Gone) -> Next {
    Next::End
}

async fn open<'a>(engine: &'a mut Option<Engine>, shared: &Shared) -> io::Result<&'a mut Engine> {
    let open = match engine.take() {
        Some(open) => open,
        None => Engine::new(UnixStream::connect(&shared.engine).await?),
    };
    Ok(engine.insert(open))
}

/// Has the engine carry out a request with nobody who could call it off, and waits for its answer's head.
async fn ask(
    engine: &mut Option<Engine>,
    shared: &Shared,
    request: &[u8],
    exchange: &Exchange,
) -> io::Result<AnswerHead> {
    shared.gate.pass().await;
    let engine = open(engine, shared).await?;
    engine.write.write_all(request).await?;
    loop {
        let head = engine.incoming.answer_head(&exchange.head.method).await?;
        if !head.is_interim() {
            shared.record.answered(exchange.number, head.status);
            return Ok(head);
        }
        engine.incoming.buffer.advance(head.length);
    }
}

/// Reads an answer that nobody waits for to its end, so that the engine comes to its own.
async fn read_out(engine: &mut Engine, mut head: AnswerHead) -> io::Result<()> {
    let incoming = &mut engine.incoming;
    incoming.buffer.advance(head.length);
    while !head.body.is_done() {
        if incoming.buffer.is_empty() && incoming.fill().await? == 0 {
            break;
        }
        let part = head.body.part(&incoming.buffer)?;
        head.body.take(&incoming.buffer[..part.length])?;
        incoming.buffer.advance(part.length);
    }
    Ok(())
}
