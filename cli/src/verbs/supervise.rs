//! `__supervise`: stays with a detached swarm. Started by `up --detach`, and by nobody else.

use clap::Args;

/// Stays with a detached swarm
#[derive(Debug, Args)]
pub(crate) struct Supervise {}
