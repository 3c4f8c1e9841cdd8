//! What stands for coordinators in a program that was built without them: a file that has one is refused.

#![expect(
    clippy::unused_async,
    clippy::unnecessary_wraps,
    reason = "each is called as that of a program with coordinators"
)]

use std::convert::Infallible;
use std::future::pending;
use std::path::Path;

use alveary::{OpenOptions, Opened};
use tokio::sync::mpsc::UnboundedSender;

use crate::failure::Failure;
use crate::outcome::Outcome;

/// None.
#[derive(Debug)]
pub(crate) struct Beside;

impl Beside {
    pub(crate) fn begin(_: &Opened) -> Self {
        Self
    }

    pub(crate) async fn failed(&mut self) -> Failure {
        pending().await
    }

    pub(crate) async fn end(self) -> Result<(), Failure> {
        std::future::ready(Ok(())).await
    }
}

/// There is never one.
#[derive(Debug, Clone)]
pub(crate) struct Batch(Infallible);

impl Batch {
    pub(crate) fn read(opened: &Opened) -> Result<Option<Self>, Failure> {
        match opened.fleet.coordinator {
            None => Ok(None),
            Some(_) => Err(Failure::input(
                "the file has a table `[coordinator]`, and this program was built without coordinators",
                "use one that was built with the feature `coordinator`, or take the table out",
            )),
        }
    }

    pub(crate) async fn give(self) -> Result<(), Failure> {
        match self.0 {}
    }

    pub(crate) async fn work(self, _: UnboundedSender<String>) -> Result<Results, Failure> {
        match self.0 {}
    }
}

/// There are never any.
#[derive(Debug)]
pub(crate) struct Results(Infallible);

impl Results {
    pub(crate) fn outcome(&self) -> Outcome {
        match self.0 {}
    }

    pub(crate) fn print(&self) -> Result<(), Failure> {
        match self.0 {}
    }
}

pub(crate) fn tell_agents(options: OpenOptions) -> OpenOptions {
    options
}

pub(crate) async fn in_the_foreground(_: &Opened, _: &mut Beside) -> Result<(), Failure> {
    std::future::ready(Ok(())).await
}

pub(crate) async fn detached(_: &Opened) -> Result<(), Failure> {
    std::future::ready(Ok(())).await
}

pub(crate) fn forget(_: &Path) -> Result<(), Failure> {
    Ok(())
}
