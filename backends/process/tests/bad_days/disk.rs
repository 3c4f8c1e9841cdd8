//! A disk that is full, a folder that is too deep.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use alveary_core::{AgentId, ErrorKind, RemoveOptions, SpawnOptions};
use libtest_mimic::Trial;

use crate::hive::{Hive, listed, sh, spawn};
use crate::{trial, trial_for_root};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_folder_too_deep_for_a_sockets_path_works",
            a_folder_too_deep_for_a_sockets_path_works,
        ),
        trial_for_root(
            "a_full_disk_refuses_and_loses_nothing",
            a_full_disk_refuses_and_loses_nothing,
        ),
        trial_for_root(
            "a_keeper_that_dies_on_a_full_disk_is_followed_by_another",
            a_keeper_that_dies_on_a_full_disk_is_followed,
        ),
    ]
}

async fn a_folder_too_deep_for_a_sockets_path_works(hive: Hive) {
    let mut hive = hive;
    let deep = hive
        .folder()
        .join("a".repeat(100))
        .join("b".repeat(100))
        .join("c".repeat(100));
    fs::create_dir_all(&deep).expect("a deep folder can be made");
    hive.move_to(deep);
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    assert_eq!(listed(&backend).await.len(), 1);
    backend
        .remove(&agent.id, RemoveOptions::default().with_force(true))
        .await
        .expect("it goes");
}

/// A file system of 1 MiB, gone afterwards.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Self {
        run(
            "mount",
            &["-t", "tmpfs", "-o", "size=1M", "alveary-test"],
            at,
        );
        Self(at)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: a keeper may be about to end in it.
        run("umount", &["--lazy"], self.0);
    }
}

fn run(program: &str, arguments: &[&str], at: &Path) {
    let status = Command::new(program)
        .args(arguments)
        .arg(at)
        .status()
        .expect("it starts");
    assert!(status.success(), "{program} failed");
}

/// Takes all the room that is left.
fn fill(disk: &Path) -> PathBuf {
    let filler = disk.join("filler");
    let mut size = 1 << 20;
    while size > 0 {
        let chunk = vec![0; size];
        let appended = fs::File::options()
            .create(true)
            .append(true)
            .open(&filler)
            .and_then(|mut file| std::io::Write::write_all(&mut file, &chunk));
        if appended.is_err() {
            size /= 2;
        }
    }
    filler
}

async fn a_keeper_that_dies_on_a_full_disk_is_followed(hive: Hive) {
    let mut hive = hive;
    let disk = hive.folder().join("disk");
    fs::create_dir(&disk).expect("a folder can be made");
    let _disk = SmallDisk::mount(&disk);
    hive.move_to(disk.clone());
    let backend = hive.open().await;
    // The journal's own page is full too.
    let mut agents = Vec::new();
    for _ in 0..3 {
        agents.push(spawn(&backend, &sh("trap '' TERM; sleep 1000")).await);
    }
    let filler = fill(&disk);
    let journal = disk.join("journal");
    let room = 4096 - journal.metadata().expect("a journal").len() % 4096;
    fs::File::options()
        .append(true)
        .open(&journal)
        .and_then(|mut file| {
            let mut rest = vec![b'x'; usize::try_from(room).expect("a page") - 1];
            rest.insert(0, b'\n');
            std::io::Write::write_all(&mut file, &rest)
        })
        .expect("the page has room");
    hive.kill_keeper();
    assert_eq!(listed(&backend).await.len(), 3, "the next one finds them");
    for agent in &agents[..2] {
        backend
            .stop(&agent.id, alveary_core::StopOptions::by_force())
            .await
            .expect("it can be stopped");
    }
    fs::remove_file(&filler).expect("it can be removed");
    let again = spawn(&backend, &sh("exit 0")).await;
    alveary_core::AgentBackendExt::wait(&backend, &again.id)
        .await
        .expect("it ends");
    hive.kill_keeper();
    for agent in listed(&backend).await {
        let should_live = agent.id == agents[2].id;
        assert_eq!(!agent.state.has_ended(), should_live, "{agent:?}");
        backend
            .remove(&agent.id, RemoveOptions::default().with_force(true))
            .await
            .expect("it goes");
    }
    drop(backend);
    if let Some(keeper) = hive.keeper() {
        crate::hive::wait_until(|| !crate::hive::exists(keeper), "the keeper to end");
    }
}

async fn a_full_disk_refuses_and_loses_nothing(hive: Hive) {
    let mut hive = hive;
    let disk = hive.folder().join("disk");
    fs::create_dir(&disk).expect("a folder can be made");
    let _disk = SmallDisk::mount(&disk);
    hive.move_to(disk.clone());
    let backend = hive.open().await;
    let lives = spawn(&backend, &sh("sleep 1000")).await;
    // Everything but what a few lines take.
    let filler = fill(&disk);
    let mut started = 0;
    let error = loop {
        match backend
            .spawn(
                &AgentId::random(),
                &sh("sleep 1000"),
                SpawnOptions::default(),
            )
            .await
        {
            Ok(_) => started += 1,
            Err(error) => break error,
        }
        assert!(started < 1000, "the disk is never full");
    };
    assert_eq!(error.kind(), ErrorKind::OutOfResources, "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    // What lives can be ended though nothing can be written; and it is known when there is room again.
    backend
        .remove(&lives.id, RemoveOptions::default().with_force(true))
        .await
        .expect("it goes");
    fs::remove_file(&filler).expect("it can be removed");
    let again = spawn(&backend, &sh("sleep 1000")).await;
    hive.kill_keeper();
    let mut known: Vec<_> = listed(&backend)
        .await
        .into_iter()
        .map(|agent| agent.id)
        .collect();
    assert!(
        !known.contains(&lives.id),
        "its removal was written when there was room"
    );
    assert!(known.contains(&again.id));
    assert_eq!(known.len(), started + 1, "no half record");
    for id in known.drain(..) {
        backend
            .remove(&id, RemoveOptions::default().with_force(true))
            .await
            .expect("it goes");
    }
    drop(backend);
    let keeper = hive.keeper();
    if let Some(keeper) = keeper {
        crate::hive::wait_until(|| !crate::hive::exists(keeper), "the keeper to end");
    }
}
