//! The fault proxy: what passes it unchanged and what goes wrong in it, before a small engine of the tests' own
//! and before real ones.

#![expect(clippy::unwrap_used, reason = "this whole file is tests")]

mod client;
mod engine;
mod faults;
mod passing;
mod real;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use alveary_conformance::proxy::FaultProxy;
use libtest_mimic::{Arguments, Trial};

use client::Client;
use engine::Engine;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(4);
    let trials = [passing::trials(), faults::trials(), real::trials()];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}

/// An engine, a proxy before it, and a client of the proxy.
struct Setting {
    engine: Engine,
    proxy: FaultProxy,
    client: Client,
}

fn in_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limit = Duration::from_mins(1);
    runtime.block_on(async { tokio::time::timeout(limit, test).await.expect("in time") });
}

fn trial<F>(name: &'static str, test: fn(Setting) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || {
        in_runtime(async {
            let engine = Engine::start();
            let proxy = FaultProxy::before(&engine.host()).await.unwrap();
            let client = Client::of(proxy.socket());
            test(Setting {
                engine,
                proxy,
                client,
            })
            .await;
        });
        Ok(())
    })
}
