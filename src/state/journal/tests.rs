use std::fs::{self, OpenOptions};
use std::io::Write;

use alveary_core::{AgentId, AgentSpec, Error, ErrorKind, Operation, SwarmName};

use super::write::WORTH_WRITING_ANEW;
use super::*;
use crate::state::Record;

struct Fixture {
    root: tempfile::TempDir,
    folder: Folder,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(root.path(), &SwarmName::new("demo").unwrap()).unwrap();
        Self { root, folder }
    }

    fn open(&self) -> Journal {
        Journal::open(&self.folder).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.root.path().join("demo/members.jsonl")
    }
}

fn put(name: &str) -> Change {
    let id = AgentId::new(format!("id-of-{name}")).unwrap();
    Change::Put(Arc::new(Record::new(id, AgentSpec::new(name, ["true"]))))
}

fn commit(journal: &mut Journal, changes: Vec<Change>) {
    assert!(journal.try_commit(|_| Ok(changes)).unwrap());
    journal.take_touched();
}

fn news(journal: &mut Journal) -> Touched {
    journal.sync().unwrap();
    journal.take_touched()
}

fn names(journal: &Journal) -> Vec<&str> {
    let mut names: Vec<_> = journal.records().iter().map(|r| r.name()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_one_records_another_reads_and_is_told_whom_it_is_about() {
    let fixture = Fixture::new();
    let (mut one, mut other) = (fixture.open(), fixture.open());
    commit(&mut one, vec![put("a"), put("b")]);
    assert_eq!(news(&mut other), Touched::All);
    assert_eq!(names(&other), ["a", "b"]);
    commit(&mut one, vec![put("c")]);
    let c = AgentId::new("id-of-c").unwrap();
    assert_eq!(news(&mut other), Touched::These(vec![c]));
    assert_eq!(news(&mut other), Touched::These(vec![]));
    assert_eq!(names(&other), ["a", "b", "c"]);
}

#[test]
fn nothing_is_decided_on_an_old_record() {
    let fixture = Fixture::new();
    let (mut one, mut other) = (fixture.open(), fixture.open());
    commit(&mut one, vec![put("a")]);
    let mut seen = 0;
    let decide = |records: &Records| {
        seen = records.len();
        Ok(vec![])
    };
    assert!(other.try_commit(decide).unwrap());
    assert_eq!(seen, 1);
}

#[test]
fn while_one_writes_another_is_told_to_come_back() {
    let fixture = Fixture::new();
    let (mut one, mut other) = (fixture.open(), fixture.open());
    let within = |_: &Records| {
        assert!(!other.try_commit(|_| Ok(vec![put("b")])).unwrap());
        Ok(vec![put("a")])
    };
    assert!(one.try_commit(within).unwrap());
    commit(&mut other, vec![put("b")]);
    assert_eq!(names(&other), ["a", "b"]);
}

#[test]
fn what_was_read_before_a_change_was_refused_is_not_forgotten() {
    let fixture = Fixture::new();
    let (mut one, mut other) = (fixture.open(), fixture.open());
    commit(&mut one, vec![put("a")]);
    news(&mut other);
    commit(&mut one, vec![put("b")]);
    let refuse = |_: &Records| Err(Error::new(ErrorKind::Conflict, Operation::Spawn, "no"));
    other.try_commit(refuse).unwrap_err();
    let b = AgentId::new("id-of-b").unwrap();
    assert_eq!(other.take_touched(), Touched::These(vec![b]));
}

#[test]
fn a_refused_change_leaves_no_trace() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    commit(&mut journal, vec![put("a")]);
    let before = fs::read(fixture.file()).unwrap();
    let refuse = |_: &Records| Err(Error::new(ErrorKind::AlreadyExists, Operation::Spawn, "no"));
    journal.try_commit(refuse).unwrap_err();
    assert_eq!(fs::read(fixture.file()).unwrap(), before);
}

fn append(fixture: &Fixture, text: &[u8]) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(fixture.file())
        .unwrap();
    file.write_all(text).unwrap();
}

fn kept_aside(fixture: &Fixture) -> String {
    fs::read_to_string(fixture.root.path().join("demo/members.jsonl.corrupt")).unwrap()
}

#[test]
fn half_a_line_is_not_read_and_the_next_writer_puts_it_aside_and_says_so_in_one_sentence() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    commit(&mut journal, vec![put("a")]);
    append(&fixture, b"[{\"put\":{\"id\"");
    let mut other = fixture.open();
    assert_eq!(names(&other), ["a"]);
    assert!(other.take_notes().is_empty());
    commit(&mut other, vec![put("b")]);
    let notes = other.take_notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    for words in ["died over it", "members.jsonl.corrupt"] {
        assert!(notes[0].contains(words), "{notes:?}");
    }
    assert_eq!(kept_aside(&fixture), "[{\"put\":{\"id\"\n");
    let fresh = fixture.open();
    assert_eq!(names(&fresh), ["a", "b"]);
    assert!(fresh.notes.is_empty(), "{:?}", fresh.notes);
}

#[test]
fn a_damaged_line_costs_itself_alone_and_is_kept_aside() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    for name in ["a", "b", "c"] {
        commit(&mut journal, vec![put(name)]);
    }
    let text = fs::read_to_string(fixture.file()).unwrap();
    fs::write(fixture.file(), text.replace("id-of-b\"", "id-of-b\u{0}")).unwrap();
    let mut damaged = fixture.open();
    assert_eq!(names(&damaged), ["a", "c"]);
    // Told before anything is changed, and not again.
    assert_eq!(damaged.take_notes().len(), 1);
    assert!(journal.damaged().is_none(), "it was read before");
    let aside = damaged.damaged().unwrap();
    assert!(!aside.exists());
    commit(&mut damaged, vec![put("d")]);
    assert!(aside.exists());
    assert!(damaged.take_notes().is_empty());
    let kept = kept_aside(&fixture);
    assert!(
        kept.contains("id-of-b") && !kept.contains("id-of-a"),
        "{kept}"
    );
    let mut fresh = fixture.open();
    assert_eq!(names(&fresh), ["a", "c", "d"]);
    assert!(fresh.take_notes().is_empty());
    assert_eq!(fresh.damaged(), Some(aside));
}

#[test]
fn whatever_was_kept_aside_before_stays_there() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    commit(&mut journal, vec![put("a")]);
    for line in ["one\n", "other\n"] {
        append(&fixture, line.as_bytes());
        commit(&mut fixture.open(), vec![put("b")]);
    }
    assert_eq!(kept_aside(&fixture), "one\nother\n");
}

#[test]
fn a_damaged_first_line_ends_no_life_of_the_swarm() {
    let fixture = Fixture::new();
    let (mut one, mut other) = (fixture.open(), fixture.open());
    commit(&mut one, vec![put("a")]);
    other.sync().unwrap();
    let life = other.life();
    let text = fs::read_to_string(fixture.file()).unwrap();
    fs::remove_file(fixture.file()).unwrap();
    fs::write(fixture.file(), text.replace("schema", "sche\u{0}a")).unwrap();
    other.sync().unwrap();
    assert_eq!((names(&other), other.life()), (vec!["a"], life));
    commit(&mut other, vec![put("b")]);
    let mended = fixture.open();
    assert_eq!((names(&mended), mended.life()), (vec!["a", "b"], life));
}

#[test]
fn a_folder_that_was_made_anew_is_another_swarms() {
    let fixture = Fixture::new();
    let mut one = fixture.open();
    commit(&mut one, vec![put("a")]);
    fs::remove_file(fixture.file()).unwrap();
    let mut other = fixture.open();
    commit(&mut other, vec![put("b")]);
    let before = fs::read(fixture.file()).unwrap();
    assert_eq!(news(&mut one), Touched::All);
    assert_eq!((names(&one).len(), one.life()), (0, None));
    let error = one.try_commit(|_| Ok(vec![put("c")])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("another swarm"), "{error}");
    one.try_clear(|_| Ok(())).unwrap_err();
    assert_eq!(fs::read(fixture.file()).unwrap(), before);
}

#[test]
fn processes_that_write_one_line_each_leave_out_what_was_overtaken_all_the_same() {
    let fixture = Fixture::new();
    commit(&mut fixture.open(), vec![put("a"), put("b")]);
    let id = AgentId::new("id-of-a").unwrap();
    let mut written = 0;
    while written < 8 * WORTH_WRITING_ANEW {
        let before = fs::metadata(fixture.file()).unwrap().len();
        let stop = Change::Stop { id: id.clone() };
        commit(&mut fixture.open(), vec![stop; 1000]);
        let after = fs::metadata(fixture.file()).unwrap().len();
        written += after.saturating_sub(before);
        assert!(after < 2 * WORTH_WRITING_ANEW, "{after}");
    }
    assert_eq!(names(&fixture.open()), ["a", "b"]);
}

#[test]
fn a_newer_form_is_refused_and_not_touched() {
    let fixture = Fixture::new();
    let uid = SwarmUid::random();
    let life = Incarnation::random();
    let header = format!("{{\"schema\":99,\"uid\":\"{uid}\",\"life\":\"{life}\"}}\n");
    fs::write(fixture.file(), &header).unwrap();
    let error = Journal::open(&fixture.folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(fs::read_to_string(fixture.file()).unwrap(), header);
}

#[test]
fn written_anew_it_says_the_same_and_others_notice() {
    let fixture = Fixture::new();
    let (mut one, mut other) = (fixture.open(), fixture.open());
    commit(&mut one, vec![put("a"), put("b")]);
    other.sync().unwrap();
    let life = other.life();
    let id = AgentId::new("id-of-a").unwrap();
    let mut largest = 0;
    loop {
        let stop = Change::Stop { id: id.clone() };
        commit(&mut one, vec![stop; 100]);
        let size = fs::metadata(fixture.file()).unwrap().len();
        if size < largest {
            break;
        }
        assert!(size < 10 * WORTH_WRITING_ANEW);
        largest = size;
    }
    assert_eq!(news(&mut other), Touched::All);
    assert_eq!(names(&other), ["a", "b"]);
    assert_eq!(other.life(), life);
    assert_eq!(
        other.records().get(&id).unwrap().desired,
        crate::state::Desired::Stopped
    );
}

#[test]
fn cleared_it_begins_another_life() {
    let fixture = Fixture::new();
    let (mut one, mut other) = (fixture.open(), fixture.open());
    commit(&mut one, vec![put("a")]);
    other.sync().unwrap();
    let before = other.life();
    assert!(one.try_clear(|_| Ok(())).unwrap());
    assert_eq!(news(&mut other), Touched::All);
    assert_eq!((names(&other).len(), other.life()), (0, None));
    commit(&mut one, vec![put("b")]);
    other.sync().unwrap();
    assert_eq!(names(&other), ["b"]);
    assert_ne!(other.life(), before);
}

#[test]
fn the_identity_in_the_first_line_mends_a_damaged_record_of_the_swarm() {
    let fixture = Fixture::new();
    let name = SwarmName::new("demo").unwrap();
    let claim = Claim {
        name: &name,
        file: Some(Path::new("/a/alveary.toml")),
        backend: Some(Way::alone("process")),
    };
    let mut journal = fixture.open();
    let record = journal.try_claim(&fixture.folder, &claim).unwrap().unwrap();
    commit(&mut journal, vec![put("a")]);
    fs::write(fixture.folder.path().join("swarm.json"), "{").unwrap();
    let mended = fixture
        .open()
        .try_claim(&fixture.folder, &claim)
        .unwrap()
        .unwrap();
    assert_eq!(mended.uid, record.uid);
}

/// On a real full disk: a file system of a few kilobytes, in memory.
#[test]
#[ignore = "mounts a file system, for which one has to be root: run it by `cargo test -- --ignored full_disk`"]
fn a_full_disk_is_said_to_be_full_and_no_half_record_stays() {
    let mount = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(mount.path())
        .status();
    assert!(mounted.unwrap().success());
    let tried = std::panic::catch_unwind(|| {
        let folder = Folder::prepare(mount.path(), &SwarmName::new("demo").unwrap()).unwrap();
        let mut journal = Journal::open(&folder).unwrap();
        let mut recorded = 0;
        let error = loop {
            match journal.try_commit(|_| Ok(vec![put(&format!("a-{recorded}"))])) {
                Ok(_) => recorded += 1,
                Err(error) => break error,
            }
            assert!(recorded < 10_000);
        };
        assert_eq!(error.kind(), ErrorKind::OutOfResources, "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
        let mut fresh = Journal::open(&folder).unwrap();
        assert_eq!(fresh.records().len(), recorded);
        assert!(fresh.take_notes().is_empty());
        drop(fresh);
        // It recovers as soon as there is room.
        assert!(journal.try_clear(|_| Ok(())).unwrap());
        commit(&mut journal, vec![put("b")]);
        assert_eq!(names(&journal), ["b"]);
    });
    let unmounted = std::process::Command::new("umount")
        .arg(mount.path())
        .status();
    assert!(unmounted.unwrap().success());
    if let Err(panic) = tried {
        std::panic::resume_unwind(panic);
    }
}
