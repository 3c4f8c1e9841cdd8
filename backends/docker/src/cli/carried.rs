//! Connections to the engine's API that the program carries over its standard input and output, by `system
//! dial-stdio`.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::child::{Call, Program};
use crate::classify::{Class, Trouble};
use crate::engine::Answer;
use crate::http::{Dial, Io};

const ARGS: [&str; 2] = ["system", "dial-stdio"];

/// The least that can be asked.
const PING: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n";

/// One run of the program for each connection.
pub(super) struct Carried {
    pub(super) program: Program,
    pub(super) local: bool,
    pub(super) patience: Duration,
    /// That it carries connections at all was seen once.
    pub(super) seen: OnceCell<()>,
}

impl Carried {
    /// A program that carries nothing says why on standard error, which nobody reads once it is a connection.
    async fn see(&self) -> Answer<()> {
        let call = Call::new(ARGS, self.patience).with_input(PING.to_vec());
        let said = self.program.run(call).await?;
        if !said.stdout.is_empty() {
            return Ok(());
        }
        let trouble = said.trouble();
        Err(match trouble.class {
            Class::Other | Class::Lost => Trouble::new(
                Class::Unreachable,
                format!(
                    "`{} system dial-stdio` carries no connection; with Podman it is `podman system service` that \
                     answers it: {}",
                    self.program.name, trouble.words
                ),
            ),
            _ => trouble,
        })
    }
}

#[async_trait]
impl Dial for Carried {
    async fn dial(&self) -> Answer<Box<dyn Io>> {
        self.seen.get_or_try_init(|| self.see()).await?;
        Ok(Box::new(self.program.talk(&ARGS.map(ToOwned::to_owned))?))
    }

    fn is_local(&self) -> bool {
        self.local
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the engine of `{}`", self.program.name)
    }
}
