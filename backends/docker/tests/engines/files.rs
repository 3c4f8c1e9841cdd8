//! Whose the files are that are put into an agent, and what gives way to them, by either way.

use alveary_core::{
    AgentBackend, AgentBackendExt as _, AgentId, AgentPath, ByteSize, ErrorKind, ExecSpec,
    PutOptions, SpawnOptions, TarStream, User,
};

use futures_util::StreamExt as _;
use futures_util::future::join_all;

use crate::common::TestEngine;
use crate::here::{Here, remove_all, sh};

/// An archive of one file of 7:8, as POSIX has it.
fn archive(name: &str) -> TarStream {
    let mut header = [0_u8; 512];
    let mut set = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    set(0, name);
    set(100, "0000644");
    set(108, "0000007");
    set(116, "0000010");
    set(124, "00000000004");
    set(136, "00000000000");
    set(148, "        ");
    set(156, "0");
    set(257, "ustar");
    set(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    header[154] = 0;
    let mut archive = header.to_vec();
    archive.extend_from_slice(b"word");
    archive.resize(4 * 512, 0);
    TarStream::from(bytes::Bytes::from(archive))
}

async fn said(backend: &dyn AgentBackend, id: &AgentId, script: &str) -> String {
    let exec = backend.exec().expect("it runs programs");
    let running = exec.run(id, &ExecSpec::new(["sh", "-c", script])).await;
    let told = running.expect("it runs").collect(ByteSize::mib(1)).await;
    String::from_utf8(told.expect("it ends").stdout).expect("text")
}

pub(crate) async fn what_is_put_is_the_agents_unless_its_owners_are_kept(engine: TestEngine) {
    let here = Here::on(&engine);
    let tmp = AgentPath::new("/tmp").expect("a path");
    for backend in [here.api().await, here.cli().await] {
        for (user, owner) in [
            (None, "0:0"),
            (
                Some(User {
                    uid: 1000,
                    gid: 1001,
                }),
                "1000:1001",
            ),
        ] {
            let mut spec = sh("sleep 1000");
            spec.user = user;
            let id = AgentId::random();
            let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
            spawned.expect("it starts");
            let files = backend.files().expect("it copies files");
            let options = PutOptions::default;
            let put = files.put(&id, &tmp, archive("given"), options());
            put.await.expect("it is put");
            let told = said(&*backend, &id, "cat /tmp/given; stat -c %u:%g /tmp/given").await;
            assert_eq!(told, format!("word{owner}\n"), "{backend}");

            let keep = options().with_keep_owners(true);
            let put = files.put(&id, &tmp, archive("kept"), keep).await;
            if engine.name == "podman" {
                assert_eq!(
                    put.expect_err("it is refused").kind(),
                    ErrorKind::Unsupported
                );
            } else {
                put.expect("it is put");
                let told = said(&*backend, &id, "stat -c %u:%g /tmp/kept").await;
                assert_eq!(told, "7:8\n", "{backend}");
            }
        }
        remove_all(&*backend).await;
    }
}

pub(crate) async fn a_file_takes_no_place_of_a_directory_unasked(engine: TestEngine) {
    let here = Here::on(&engine);
    let tmp = AgentPath::new("/tmp").expect("a path");
    for backend in [here.api().await, here.cli().await] {
        let id = AgentId::random();
        let spec = sh("sleep 1000");
        let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
        spawned.expect("it starts");
        said(&*backend, &id, "mkdir /tmp/taken").await;
        let files = backend.files().expect("it copies files");
        let put = files.put(&id, &tmp, archive("taken"), PutOptions::default());
        let error = put.await.expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{backend}: {error:?}");
        let replace = PutOptions::default().with_replace_kinds(true);
        let put = files.put(&id, &tmp, archive("taken"), replace);
        put.await.expect("it takes its place");
        assert_eq!(said(&*backend, &id, "cat /tmp/taken").await, "word");
        remove_all(&*backend).await;
    }
}

pub(crate) async fn nothing_stands_and_nothing_is_put_beneath_a_file(engine: TestEngine) {
    let here = Here::on(&engine);
    let path = |path: &str| AgentPath::new(path).expect("a path");
    let (file, beneath) = (path("/etc/passwd"), path("/etc/passwd/x"));
    for backend in [here.api().await, here.cli().await] {
        let id = AgentId::random();
        let spawned = (backend.spawn(&id, &sh("sleep 1000"), SpawnOptions::default())).await;
        spawned.expect("it starts");
        let files = backend.files().expect("it copies files");
        let looked = files.look(&id, &beneath).await;
        let error = looked.expect_err("nothing is there");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{backend}: {error:?}");
        let put = files.put(&id, &file, archive("x"), PutOptions::default());
        let error = put.await.expect_err("it is no directory");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{backend}: {error:?}");
        remove_all(&*backend).await;
    }
}

pub(crate) async fn nothing_is_put_beneath_what_is_in_an_agents_memory(engine: TestEngine) {
    let here = Here::on(&engine);
    let tmp = AgentPath::new("/tmp").expect("a path");
    for backend in [here.api().await, here.cli().await] {
        let id = AgentId::random();
        let mut spec = sh("sleep 1000");
        let section = serde_json::json!({ "tmpfs": ["/tmp"] });
        spec.container = serde_json::from_value(section).expect("a good section");
        let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
        spawned.expect("it starts");
        let files = backend.files().expect("it copies files");
        let put = files.put(&id, &tmp, archive("word"), PutOptions::default());
        match put.await {
            Ok(()) => assert_eq!(said(&*backend, &id, "cat /tmp/word").await, "word"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}"),
        }
        remove_all(&*backend).await;
    }
}

/// Podman takes an agent's files from where they can be read after it has told of its end, and gives an empty archive
/// as one that is whole to who asks meanwhile.
pub(crate) async fn what_is_got_right_after_an_end_is_there(engine: TestEngine) {
    const ROUNDS: usize = 2;
    const AT_ONCE: usize = 6;
    let here = Here::on(&engine);
    let word = AgentPath::new("/tmp/word").expect("a path");
    for backend in [here.api().await, here.cli().await] {
        for _ in 0..ROUNDS {
            let got = (0..AT_ONCE).map(|_| async {
                let id = AgentId::random();
                let spec = sh("echo spoken > /tmp/word");
                let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
                spawned.expect("it starts");
                backend.wait(&id).await.expect("it ends");
                let files = backend.files().expect("it copies files");
                let pieces: Vec<_> = files
                    .get(&id, &word)
                    .await
                    .expect("it is got")
                    .collect()
                    .await;
                pieces
                    .into_iter()
                    .map(|piece| piece.expect("it goes on"))
                    .collect::<Vec<_>>()
                    .concat()
            });
            for archive in join_all(got).await {
                let archive = String::from_utf8_lossy(&archive);
                assert!(archive.contains("spoken\n"), "{backend}: {archive:?}");
            }
            remove_all(&*backend).await;
        }
    }
}
