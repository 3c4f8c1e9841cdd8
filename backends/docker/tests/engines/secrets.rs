//! Secrets as files, seen from inside the container and from this host.

use alveary_core::{AgentId, Secret, SecretSpec, SpawnOptions};

use crate::common::TestEngine;
use crate::here::{Here, both, remove_all, sh, written};

/// Tells what it could do to its secret.
const TRIES: &str = "\
    exec 2>/dev/null; chmod 600 \"$KEY_FILE\" && echo changed; \
    (echo other >\"$KEY_FILE\") && echo written; \
    rm -f \"$KEY_FILE\" && echo removed; \
    echo other >/tmp/other; mv -f /tmp/other \"$KEY_FILE\" && echo replaced; \
    (echo more >\"${KEY_FILE%/*}/more\") && echo added; \
    echo \"it is $(cat \"$KEY_FILE\")\"; echo told; exec sleep 1000";

pub(crate) async fn an_agent_cannot_change_its_secret(engine: TestEngine) {
    let here = Here::on(&engine);
    let secret = || SecretSpec::given(Secret::new("hunter2"));
    for backend in both(&here).await {
        let mut spec = sh(TRIES).secret("KEY", secret());
        // Root that may write everything: that the mount is read-only is what holds it back.
        spec.container.cap_add = vec!["DAC_OVERRIDE".to_owned()];
        let id = AgentId::random();
        let options = SpawnOptions::default();
        let file = (here.secrets().join(id.as_str()))
            .join(format!("{}-{}", options.incarnation, spec.hash()))
            .join("KEY");
        backend.spawn(&id, &spec, options).await.expect("it starts");
        let told = written(&*backend, &id, "told\n").await;
        let told = String::from_utf8_lossy(&told).into_owned();
        assert_eq!(told, "it is hunter2\ntold\n", "by {}", backend.kind());
        let kept = std::fs::read_to_string(&file).expect("it is there");
        assert_eq!(kept, "hunter2", "by {}", backend.kind());
        remove_all(&*backend).await;
        assert!(!file.exists(), "by {}", backend.kind());
    }
}

/// The image, the spec or the program itself says who that is.
pub(crate) async fn whoever_the_agent_is_reads_its_secret(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in both(&here).await {
        for user in [Some("agent"), Some("1234"), Some("1234:4321"), None] {
            let mut spec = sh("cat \"$KEY_FILE\"; echo; echo told; exec sleep 1000")
                .secret("KEY", SecretSpec::given(Secret::new("hunter2")));
            spec.container.user = user.map(ToOwned::to_owned);
            let id = AgentId::random();
            let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
            spawned.expect("it starts");
            let told = written(&*backend, &id, "told\n").await;
            let told = String::from_utf8_lossy(&told).into_owned();
            assert_eq!(told, "hunter2\ntold\n", "{user:?} by {}", backend.kind());
        }
        remove_all(&*backend).await;
    }
}
