//! Backends whose programs are not what was asked for.

use std::future::pending;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use alveary_core::*;
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::io::AsyncWrite;
use tokio::sync::oneshot;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    TellsCodesAsOneOrZero:
        "exec::an_exit_code_is_told_as_it_was",
        "exec::many_run_beside_each_other";
    MergesStreams:
        "exec::both_streams_arrive_apart_and_byte_for_byte";
    NeverClosesStdin:
        "exec::what_is_written_to_it_is_read_to_its_end",
        "exec::a_standard_input_that_is_dropped_has_ended";
    LeavesStdinOpen:
        "exec::without_a_standard_input_there_is_nothing_to_read";
    IgnoresTheCallsEnvironment:
        "exec::it_has_the_agents_environment_and_over_it_the_calls";
    PutsValuesIntoArguments:
        "exec::a_variables_value_is_in_no_argument_and_not_traced";
    ReadsAheadWithoutBound:
        "exec::whoever_does_not_read_holds_it_up_and_loses_nothing";
    WritesIntoTheAgentsLog:
        "exec::what_it_writes_is_not_in_the_agents_log";
    HasTerminalsOfOneSize:
        "exec::a_terminal_has_the_size_that_it_is_given";
    OutlivesItsAgent:
        "exec::it_ends_with_its_agent";
    LeavesTheDroppedRunning:
        "exec::one_that_is_dropped_ends";
    LeavesWhatADroppedCallBegan:
        "exec::a_call_that_is_dropped_leaves_nothing_running";
    RunsWhateverItIsToldBesideAnybody:
        "exec::a_program_that_is_not_there_is_told",
        "exec::what_cannot_be_run_is_refused",
        "exec::beside_nobody_it_does_not_run";
}

/// A flaw in how a program is run.
macro_rules! runs {
    ($(#[$doc:meta])* $flaw:ident, |$inner:ident, $id:ident, $spec:ident| $run:expr) => {
        $(#[$doc])*
        #[derive(Default)]
        struct $flaw(OnceLock<Inner>);

        impl Flaw for $flaw {
            fn exec<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Exec> {
                self.0.get_or_init(|| inner.clone());
                Some(self)
            }
        }

        #[async_trait]
        impl Exec for $flaw {
            async fn run(&self, $id: &AgentId, $spec: &ExecSpec) -> Result<Execution> {
                let $inner = self.0.get().unwrap();
                $run
            }
            fn ends_when_dropped(&self) -> bool {
                true
            }
        }
    };
}

async fn honest(inner: &Inner, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
    inner.exec().unwrap().run(id, spec).await
}

/// The same program, which seems to end otherwise.
fn ending_as(mut running: Execution, tell: fn(ExitStatus) -> ExitStatus) -> Execution {
    let (stdin, output) = (running.stdin.take(), running.output.take().unwrap());
    let mut changed = Execution::new(output, async move { running.wait().await.map(tell) });
    changed.stdin = stdin;
    changed
}

runs!(TellsCodesAsOneOrZero, |inner, id, spec| {
    let running = honest(inner, id, spec).await?;
    Ok(ending_as(running, |status| match status {
        ExitStatus::Code(code) => ExitStatus::Code(code.min(1)),
        other => other,
    }))
});

runs!(MergesStreams, |inner, id, spec| {
    let mut running = honest(inner, id, spec).await?;
    let output = running.output.take().unwrap();
    running.output = Some(ExecOutput::new(output.map(|chunk| {
        chunk.map(|chunk| ExecChunk::new(LogStreamKind::Stdout, chunk.bytes))
    })));
    Ok(running)
});

/// A writer that is held on to by somebody, so that it never ends.
struct Held(Option<ExecStdin>);

impl Drop for Held {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(self.0.as_mut().unwrap()).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(self.0.as_mut().unwrap()).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

runs!(NeverClosesStdin, |inner, id, spec| {
    let mut running = honest(inner, id, spec).await?;
    let held = Held(running.stdin.take());
    running.stdin = held.0.is_some().then(|| ExecStdin::new(held));
    Ok(running)
});

runs!(LeavesStdinOpen, |inner, id, spec| {
    let mut running = honest(inner, id, &spec.clone().stdin()).await?;
    let stdin = running.stdin.take();
    if spec.stdin {
        running.stdin = stdin;
    } else {
        std::mem::forget(stdin);
    }
    Ok(running)
});

runs!(IgnoresTheCallsEnvironment, |inner, id, spec| {
    let mut spec = spec.clone();
    spec.env.clear();
    honest(inner, id, &spec).await
});

runs!(
    /// As `docker exec --env KEY=VALUE` does in its own process.
    PutsValuesIntoArguments,
    |inner, id, spec| {
        let mut spec = spec.clone();
        let variables = spec.env.iter().map(|(key, value)| format!("{key}={value}"));
        spec.command.extend(variables);
        honest(inner, id, &spec).await
    }
);

runs!(ReadsAheadWithoutBound, |inner, id, spec| {
    let mut running = honest(inner, id, spec).await?;
    let mut output = running.output.take().unwrap();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(chunk) = output.next().await {
            let _ = sender.send(chunk);
        }
    });
    running.output = Some(ExecOutput::new(stream::unfold(
        receiver,
        |mut receiver| async { receiver.recv().await.map(|chunk| (chunk, receiver)) },
    )));
    Ok(running)
});

runs!(HasTerminalsOfOneSize, |inner, id, spec| {
    let mut spec = spec.clone();
    spec.tty = spec.tty.map(|_| TtySize::new(80, 24));
    honest(inner, id, &spec).await
});

runs!(OutlivesItsAgent, |inner, id, spec| {
    let mut running = honest(inner, id, spec).await?;
    let output = running.output.take().unwrap();
    Ok(Execution::new(output, async move {
        let _running = running;
        pending().await
    }))
});

runs!(LeavesTheDroppedRunning, |inner, id, spec| {
    let mut running = honest(inner, id, spec).await?;
    let output = running.output.take().unwrap();
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move { sender.send(running.wait().await) });
    Ok(Execution::new(
        output,
        async move { receiver.await.unwrap() },
    ))
});

runs!(LeavesWhatADroppedCallBegan, |inner, id, spec| {
    let (inner, id, spec) = (inner.clone(), id.clone(), spec.clone());
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let running = honest(&inner, &id, &spec).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        // Nobody waits for it any more, and nobody ends it.
        std::mem::forget(sender.send(running));
    });
    receiver.await.unwrap()
});

runs!(RunsWhateverItIsToldBesideAnybody, |_inner, _id, _spec| {
    let output = ExecOutput::new(stream::empty());
    Ok(Execution::new(output, async { Ok(ExitStatus::Code(0)) }))
});

#[derive(Default)]
struct WritesIntoTheAgentsLog {
    inner: OnceLock<Inner>,
    ran: AtomicBool,
}

#[async_trait]
impl Flaw for WritesIntoTheAgentsLog {
    fn exec<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Exec> {
        self.inner.get_or_init(|| inner.clone());
        Some(self)
    }
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let logs = inner.logs(id, options).await?;
        if !self.ran.load(Ordering::Relaxed) {
            return Ok(logs);
        }
        let piece = LogPiece::new(
            LogStreamKind::Stdout,
            b"words".as_slice().into(),
            Some(SystemTime::now()),
            LogCursor::new("words"),
        );
        let words = stream::once(async { Ok(LogItem::Piece(piece)) });
        Ok(LogStream::new(logs.chain(words)))
    }
}

#[async_trait]
impl Exec for WritesIntoTheAgentsLog {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        self.ran.store(true, Ordering::Relaxed);
        honest(self.inner.get().unwrap(), id, spec).await
    }
    fn ends_when_dropped(&self) -> bool {
        true
    }
}
