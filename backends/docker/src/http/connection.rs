//! A connection that is new. Its first request may come after its end: an engine says only after the greeting that it
//! does not let somebody in, and ssh after a while that it was not let in. What ended it then is told, and not that it
//! had ended.

use std::error::Error;

use ::http::Method;
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use super::{Io, MAX_ERROR, Sent, lost, request, said_well};
use crate::classify::{Class, Trouble};

const ENDED: &str = "it ends the connection before it is asked for anything";

pub(super) struct Fresh {
    sender: SendRequest<Sent>,
    /// Ends with the last answer's body, or as soon as nobody waits for one any more.
    driver: JoinHandle<hyper::Result<()>>,
}

impl Fresh {
    pub(super) async fn over(stream: Box<dyn Io>) -> Result<Self, Trouble> {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Trouble::new(Class::Unreachable, error.to_string()))?;
        let driver = tokio::spawn(async move {
            let ended = connection.with_upgrades().await;
            if let Err(error) = &ended {
                tracing::trace!(%error, "a connection broke off");
            }
            ended
        });
        Ok(Self { sender, driver })
    }

    /// To be asked by whoever takes it.
    pub(super) fn into_sender(self) -> SendRequest<Sent> {
        self.sender
    }

    /// Seen to work. As nothing was asked for yet, whatever was the matter has had no effect.
    pub(super) async fn tried(mut self) -> Result<SendRequest<Sent>, Trouble> {
        let trouble = match ping(&mut self.sender).await {
            Ok(()) => return Ok(self.sender),
            Err(Unanswered::Refused(trouble)) => trouble,
            Err(Unanswered::Broken(error)) if error.is_canceled() => {
                let told = error.source().filter(|why| why.is::<hyper::Error>());
                match told.map(lost) {
                    Some(trouble) => trouble,
                    None => match self.driver.await {
                        Ok(Err(why)) => lost(&why),
                        _ => Trouble::new(Class::Lost, ENDED),
                    },
                }
            }
            Err(Unanswered::Broken(error)) => lost(&error),
        };
        Err(match trouble.class {
            Class::Lost => Trouble::new(Class::Unreachable, trouble.words),
            _ => trouble,
        })
    }
}

enum Unanswered {
    Refused(Trouble),
    Broken(hyper::Error),
}

async fn ping(sender: &mut SendRequest<Sent>) -> Result<(), Unanswered> {
    let request = request(Method::GET, "/_ping", None).map_err(Unanswered::Refused)?;
    let answer = sender.send_request(request).await;
    let answer = said_well(answer.map_err(Unanswered::Broken)?).await;
    let body = answer.map_err(Unanswered::Refused)?.into_body();
    let body = Limited::new(body, MAX_ERROR).collect().await;
    body.map_err(|error| Unanswered::Refused(lost(&*error)))?;
    sender.ready().await.map_err(Unanswered::Broken)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;
    use crate::http::lost::Carried;

    /// Takes everything, and says no word but why it ends.
    struct Ends(Option<io::Error>);

    impl AsyncRead for Ends {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(self.0.take().map_or(Ok(()), Err))
        }
    }

    impl AsyncWrite for Ends {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn refused() -> io::Error {
        Carried(Trouble::new(Class::NotLetIn, "no certificate, no answer")).into_io()
    }

    /// What is told of a connection that has ended so, before it was asked or as it is asked.
    async fn told(why: Option<io::Error>, ended_before: bool) -> Trouble {
        let fresh = Fresh::over(Box::new(Ends(why))).await.unwrap();
        while ended_before && !fresh.driver.is_finished() {
            tokio::task::yield_now().await;
        }
        fresh.tried().await.unwrap_err()
    }

    #[tokio::test]
    async fn why_a_connection_ended_is_told_whenever_it_did() {
        for ended_before in [true, false] {
            let trouble = told(Some(refused()), ended_before).await;
            assert_eq!(trouble.class, Class::NotLetIn, "{}", trouble.words);
            assert_eq!(trouble.words, "no certificate, no answer");
        }
    }

    #[tokio::test]
    async fn one_that_ends_without_a_word_was_asked_for_nothing() {
        for ended_before in [true, false] {
            let trouble = told(None, ended_before).await;
            assert_eq!(trouble.class, Class::Unreachable, "{}", trouble.words);
            assert!(!trouble.words.contains("canceled"), "{}", trouble.words);
        }
    }
}
