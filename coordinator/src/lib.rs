//! Auctions tasks among agents, and keeps the book of what became of them.
//!
//! ```no_run
//! # #[cfg(feature = "http")] {
//! use alveary_coordinator::http::{Listeners, Server};
//! use alveary_coordinator::{Coordinator, Database, Settings, Tokens};
//!
//! # async fn run(tokens: Tokens, cancel: tokio_util::sync::CancellationToken) -> Result<(), Box<dyn std::error::Error>> {
//! let book = Database::File("tasks.db".into());
//! let coordinator = Coordinator::open(Settings::default(), book).await?;
//! let listeners = Listeners::bind(&["127.0.0.1:8000".parse()?]).await?;
//! Server::new(coordinator.clone(), tokens).serve(listeners, cancel).await?;
//! coordinator.close().await;
//! # Ok(()) }
//! # }
//! ```
//!
//! | you want | take |
//! |---|---|
//! | a coordinator | [`Coordinator::open`], with [`Settings`] and a [`Database`] |
//! | agents in its own process | a [`Channel`] for each |
//! | to know who is asking | [`Tokens`] |
//! | to serve it over HTTP | `http::Server` (feature `http`, on unless said otherwise) |
//!
//! Tasks come in ([`Coordinator::add`]), agents bid, the lowest bid wins, the winner claims its task, works and
//! reports. Execution is at least once, and exactly one completion of a task is accepted: an attempt whose agent is
//! lost is superseded, and a report of it comes too late.

// On docs.rs each item says which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auction;
mod book;
mod channel;
mod clerk;
mod coordinator;
mod desk;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod settings;
mod store;
mod token;

pub use alveary_agent::protocol::IdempotencyKey;
pub use channel::Channel;
pub use coordinator::{Coordinator, Events, MAX_WAIT};
pub use desk::{AuctionView, MAX_PAGE, Metrics, Page, TaskFilter, TaskPage};
pub use error::{Error, Result};
pub use settings::{Bidders, NoBids, Recovery, Settings, ShowClock};
pub use store::Database;
pub use token::{Principal, Token, Tokens};

/// The Rust of the page on agents, so that it goes on being right.
#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../../docs/agents.md")]
struct AgentsPage;
