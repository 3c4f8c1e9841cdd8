//! Programs beside an agent, and what holds on to what they write.

use std::time::Duration;

use alveary_core::{AgentId, ByteSize, ExecSpec, ExitStatus, SpawnOptions};

use crate::common::TestEngine;
use crate::here::{Here, both, remove_all, sh, written};

/// Engines tell of the end of a stream, and that comes only when the last process has let go of it.
pub(crate) async fn a_program_has_ended_though_its_child_holds_its_output(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in both(&here).await {
        let id = AgentId::random();
        let agent = sh("echo ready; sleep 1000");
        let spawned = backend.spawn(&id, &agent, SpawnOptions::default()).await;
        spawned.expect("it starts");
        written(&*backend, &id, "ready\n").await;
        let leaves_a_child = ["sh", "-c", "sleep 1000 & echo said; exit 3"];
        let exec = backend.exec().expect("it runs programs");
        let running = exec.run(&id, &ExecSpec::new(leaves_a_child)).await;
        let told = running.expect("it runs").collect(ByteSize::mib(1));
        let told = tokio::time::timeout(Duration::from_mins(1), told).await;
        let told = told
            .expect("it ends long before its child")
            .expect("it ends");
        let by = backend.kind();
        assert_eq!(told.status, ExitStatus::Code(3), "by {by}");
        assert_eq!(told.stdout, b"said\n", "by {by}");
        remove_all(&*backend).await;
    }
}
