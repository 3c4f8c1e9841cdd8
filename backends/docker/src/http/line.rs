//! A connection that is kept for one small question after another.

use ::http::Method;
use hyper::client::conn::http1::SendRequest;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::{Http, Sent, lost, read_json, request, within};
use crate::classify::Trouble;

/// Questions about one thing, for as long as somebody has them. Where a program carries the connection, this is
/// one run of it instead of one for each.
pub(crate) struct Line {
    http: Http,
    kept: Mutex<Option<SendRequest<Sent>>>,
}

impl Line {
    pub(crate) fn new(http: Http) -> Self {
        Self {
            http,
            kept: Mutex::new(None),
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        most: usize,
    ) -> Result<T, Trouble> {
        let path = self.http.versioned(path).await?;
        within(self.http.patience(), async {
            let mut kept = self.kept.lock().await;
            // Whoever drops this in the midst of an answer leaves a connection that is of no further use.
            let mut sender = match kept.take() {
                Some(sender) if !sender.is_closed() => sender,
                _ => self.http.connection().await?,
            };
            sender.ready().await.map_err(|error| lost(&error))?;
            let request = request(Method::GET, &path, None)?;
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|error| lost(&error))?;
            let answer = self.http.said_well(answer).await?;
            let answer = read_json(answer, most).await?;
            *kept = Some(sender);
            Ok(answer)
        })
        .await
    }
}
