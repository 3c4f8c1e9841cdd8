//! Files in an agent's surroundings: what is put is what is got, and nothing lands elsewhere.

use std::io;

use alveary_core::{
    AgentId, AgentPath, Error, ErrorKind, FileKind, Files, Operation, PutOptions, StopOptions,
    TarStream,
};
use futures_util::stream;

use crate::behaviour::Behaviour;
use crate::need::Need;
use crate::swarm::{Swarm, not_found, refused};
use crate::tar::{TarEntry, collect, write_tar};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Files:
    a_file_that_is_put_is_got_as_it_was [Need::Files],
    a_directory_is_got_with_all_beneath_it [Need::Files],
    what_stands_at_a_path_is_told [Need::Files],
    a_large_file_comes_whole [Need::Files],
    what_is_put_again_replaces_what_was_there [Need::Files],
    no_name_in_an_archive_leads_out_of_where_it_is_put [Need::Files],
    an_archive_that_breaks_off_is_no_success [Need::Files],
    an_ended_agent_has_its_files_until_it_is_removed [Need::Files],
    what_is_not_there_is_not_found [Need::Files],
);

/// Where there is a directory in every agent's surroundings.
const PLACE: &str = "/tmp";

fn files(swarm: &Swarm) -> Result<&dyn Files, Failure> {
    let files = swarm.backend().files();
    files.ok_or_else(|| Failure::new("it copies no files any more"))
}

fn path(text: &str) -> Result<AgentPath, Failure> {
    AgentPath::new(text).map_err(|error| Failure::new(error.to_string()))
}

/// An archive in pieces that fit nothing.
fn in_pieces(archive: &[u8]) -> TarStream {
    let pieces: Vec<_> = archive
        .chunks(10_007)
        .map(|piece| Ok(piece.to_vec().into()))
        .collect();
    TarStream::new(stream::iter(pieces))
}

async fn put(swarm: &Swarm, id: &AgentId, entries: &[TarEntry]) -> Verdict {
    swarm.step(format!("put files into agent {id}"));
    let archive = in_pieces(&write_tar(entries));
    let into = path(PLACE)?;
    Ok(files(swarm)?
        .put(id, &into, archive, PutOptions::default())
        .await?)
}

async fn get(swarm: &Swarm, id: &AgentId, from: &str) -> Result<Vec<TarEntry>, Failure> {
    swarm.step(format!("get {from} out of agent {id}"));
    let archive = files(swarm)?.get(id, &path(from)?).await?;
    let mut entries = collect(archive).await?;
    // With or without, a directory is one.
    for entry in &mut entries {
        entry.name = entry.name.trim_end_matches('/').to_owned();
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

async fn a_file_that_is_put_is_got_as_it_was(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let contents: Vec<u8> = (0..=255).cycle().take(70_001).collect();
    for file in [
        TarEntry::file("a file", 0o751, contents),
        TarEntry::file("empty", 0o600, []),
    ] {
        put(&swarm, &agent.id, std::slice::from_ref(&file)).await?;
        let got = get(&swarm, &agent.id, &format!("{PLACE}/{}", file.name)).await?;
        ensure!(got == [file.clone()], "{} is not as it was put", file.name);
    }
    Ok(())
}

async fn a_directory_is_got_with_all_beneath_it(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let entries = [
        TarEntry::directory("dir", 0o750),
        TarEntry::file("dir/a", 0o644, b"first".as_slice()),
        TarEntry::link("dir/link", "a"),
        TarEntry::directory("dir/sub", 0o700),
        TarEntry::file("dir/sub/b", 0o400, b"second".as_slice()),
    ];
    put(&swarm, &agent.id, &entries).await?;
    let got = get(&swarm, &agent.id, &format!("{PLACE}/dir")).await?;
    ensure_eq!(got, entries, "all of it is there");
    let got = get(&swarm, &agent.id, &format!("{PLACE}/dir/sub")).await?;
    let names: Vec<_> = got.iter().map(|entry| entry.name.as_str()).collect();
    ensure_eq!(
        names,
        ["sub", "sub/b"],
        "names begin with the path's last part"
    );
    Ok(())
}

async fn what_stands_at_a_path_is_told(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let entries = [
        TarEntry::directory("dir", 0o750),
        TarEntry::file("dir/a", 0o640, b"first".as_slice()),
        TarEntry::link("dir/link", "a"),
    ];
    put(&swarm, &agent.id, &entries).await?;
    let look = async |name: &str| -> Result<_, Failure> {
        let path = path(&format!("{PLACE}/{name}"))?;
        Ok(files(&swarm)?.look(&agent.id, &path).await?)
    };
    let file = look("dir/a").await?;
    ensure_eq!(file.kind, FileKind::File, "it is a file");
    ensure_eq!(
        (file.name.as_str(), file.size),
        ("a", 5),
        "of this name and size"
    );
    ensure_eq!(file.mode, 0o640, "and this mode");
    let directory = look("dir").await?;
    ensure_eq!(directory.kind, FileKind::Directory, "it is a directory");
    ensure_eq!(directory.mode, 0o750, "of this mode");
    let link = look("dir/link").await?;
    let target = "a".to_owned();
    ensure_eq!(
        link.kind,
        FileKind::Link { target },
        "it is looked at, not followed"
    );
    Ok(())
}

async fn a_large_file_comes_whole(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let contents: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let file = TarEntry::file("large", 0o644, contents);
    put(&swarm, &agent.id, std::slice::from_ref(&file)).await?;
    let got = get(&swarm, &agent.id, &format!("{PLACE}/large")).await?;
    ensure!(got == [file], "it is not all there");
    Ok(())
}

async fn what_is_put_again_replaces_what_was_there(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    for file in [
        TarEntry::file("file", 0o644, b"the longer one".as_slice()),
        TarEntry::file("file", 0o600, b"short".as_slice()),
    ] {
        put(&swarm, &agent.id, std::slice::from_ref(&file)).await?;
        let got = get(&swarm, &agent.id, &format!("{PLACE}/file")).await?;
        ensure_eq!(got, [file], "it is the latest");
    }
    Ok(())
}

async fn no_name_in_an_archive_leads_out_of_where_it_is_put(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    put(&swarm, &agent.id, &[TarEntry::directory("inside", 0o755)]).await?;
    let inside = path(&format!("{PLACE}/inside"))?;
    for name in ["../outside", "/outside", "a/../../outside"] {
        swarm.step(format!("put `{name}` into agent {}", agent.id));
        let archive = write_tar(&[TarEntry::file(name, 0o644, b"stray".as_slice())]);
        // Whether it is refused, or taken for a name beneath: it does not land elsewhere.
        let put = files(&swarm)?.put(
            &agent.id,
            &inside,
            in_pieces(&archive),
            PutOptions::default(),
        );
        let _refused_or_not = put.await;
        for outside in [format!("{PLACE}/outside"), "/outside".to_owned()] {
            let looked = files(&swarm)?.look(&agent.id, &path(&outside)?).await;
            refused(
                looked,
                ErrorKind::NotFound,
                &format!("`{outside}`, put as `{name}`"),
            )?;
        }
    }
    Ok(())
}

async fn an_archive_that_breaks_off_is_no_success(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let archive = write_tar(&[TarEntry::file("file", 0o644, vec![b'x'; 100_000])]);
    let broken = TarStream::reading(stream::iter([
        Ok(archive[..50_000].to_vec().into()),
        Err(io::Error::other("the disk it comes from is gone")),
    ]));
    let put = files(&swarm)?
        .put(&agent.id, &path(PLACE)?, broken, PutOptions::default())
        .await;
    ensure!(put.is_err(), "half of it is not all of it");
    Ok(())
}

async fn an_ended_agent_has_its_files_until_it_is_removed(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let file = TarEntry::file("file", 0o644, b"kept".as_slice());
    put(&swarm, &agent.id, std::slice::from_ref(&file)).await?;
    let stopped = swarm.backend().stop(&agent.id, StopOptions::default());
    stopped.await?;
    let got = get(&swarm, &agent.id, &format!("{PLACE}/file")).await?;
    ensure_eq!(got, [file], "it is still there");
    Ok(())
}

/// `NotFound`, by which the caller cannot be led to believe that it was the agent.
fn nothing_there<T: std::fmt::Debug>(
    result: Result<T, Error>,
    operation: Operation,
    what: &str,
) -> Verdict {
    let error = refused(result, ErrorKind::NotFound, what)?;
    ensure_eq!(error.operation(), operation, "{error}");
    Ok(())
}

async fn what_is_not_there_is_not_found(swarm: Swarm) -> Verdict {
    let (nobody, place) = (AgentId::random(), path(PLACE)?);
    let empty = || in_pieces(&write_tar(&[]));
    let options = PutOptions::default;
    let looked = files(&swarm)?.look(&nobody, &place).await;
    not_found(looked, Operation::GetFiles, &nobody)?;
    let got = files(&swarm)?.get(&nobody, &place).await;
    not_found(got, Operation::GetFiles, &nobody)?;
    let put = files(&swarm)?
        .put(&nobody, &place, empty(), options())
        .await;
    not_found(put, Operation::PutFiles, &nobody)?;
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let nothing = path(&format!("{PLACE}/nothing/here"))?;
    let looked = files(&swarm)?.look(&agent.id, &nothing).await;
    nothing_there(looked, Operation::GetFiles, "to look at nothing")?;
    let got = files(&swarm)?.get(&agent.id, &nothing).await;
    nothing_there(got, Operation::GetFiles, "to get nothing")?;
    let put = files(&swarm)?
        .put(&agent.id, &nothing, empty(), options())
        .await;
    nothing_there(put, Operation::PutFiles, "to put something into nothing")
}
