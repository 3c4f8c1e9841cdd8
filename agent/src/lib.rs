//! An agent's side of alveary's coordinator.
//!
//! ```no_run
//! # #[cfg(feature = "http")] {
//! use alveary_agent::{Agent, CancellationToken, HttpTransport, Task};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let agent = Agent::builder("echo")
//!     .capability("shout", |task: Task| async move {
//!         Ok::<_, std::convert::Infallible>(task.description.as_str().to_uppercase())
//!     })
//!     .bid("10-20".parse::<alveary_agent::Pricing>()?)
//!     .transport(HttpTransport::new(&std::env::var("COORDINATOR_URL")?)?)
//!     .build()?;
//! // It polls, bids, works and reports until it is told to end.
//! agent.run(CancellationToken::new()).await?;
//! # Ok(()) }
//! # }
//! ```
//!
//! | you want | you take |
//! |---|---|
//! | an agent | [`Agent`], with closures or [`Program`]s as [`Handler`]s and a [`Pricing`] |
//! | a way to its coordinator | a [`Transport`]: [`HttpTransport`], or the coordinator's own for agents in its process |
//! | to give tasks to a coordinator, and to follow them | a `TaskClient` (feature `http`) |
//! | what they say to each other | [`protocol`] |

// On docs.rs each item says which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod agent;
mod error;
mod handler;
#[cfg(feature = "http")]
mod http;
mod patience;
mod pricing;
mod program;
pub mod protocol;
mod transport;

pub use agent::{Agent, AgentBuilder, Incomplete, Summary};
pub use alveary_core::AgentId;
pub use error::{Error, ErrorKind, Result};
pub use handler::{Handler, Task, Unable};
#[cfg(feature = "http")]
pub use http::{
    EventStream, HttpTransport, InvalidUrl, MAX_BATCH, News, TaskClient, TaskPage, TaskQuery,
    TokenFile,
};
pub use pricing::{InvalidPricing, Pricing, Quote};
pub use program::{InvalidProgram, Program};
/// Ends an [`Agent`] when it is cancelled; `tokio_util`'s own.
pub use tokio_util::sync::CancellationToken;
pub use transport::Transport;
