//! Backends that copy files wrongly, and one that copies them rightly, to tell the two apart by.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};

use alveary_conformance::{TarEntry, TarKind, read_tar, write_tar};
use alveary_core::*;
use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use crate::flaw::{Flaw, Inner, cases};

cases! {
    DropsModes:
        "files::a_file_that_is_put_is_got_as_it_was",
        "files::what_stands_at_a_path_is_told";
    CutsFilesShort:
        "files::a_large_file_comes_whole";
    GetsNothingBeneath:
        "files::a_directory_is_got_with_all_beneath_it";
    FollowsLinks:
        "files::what_stands_at_a_path_is_told";
    KeepsTheFirst:
        "files::what_is_put_again_replaces_what_was_there";
    GoesWhereNamesLead:
        "files::no_name_in_an_archive_leads_out_of_where_it_is_put";
    TakesHalfForAll:
        "files::an_archive_that_breaks_off_is_no_success";
    ForgetsFilesWithTheEnd:
        "files::an_ended_agent_has_its_files_until_it_is_removed";
    FindsWhatIsNotThere:
        "files::what_is_not_there_is_not_found";
}

/// What is done wrongly.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one bad habit")]
struct Habits {
    drops_modes: bool,
    cuts_files_short: bool,
    gets_nothing_beneath: bool,
    follows_links: bool,
    keeps_the_first: bool,
    goes_where_names_lead: bool,
    takes_half_for_all: bool,
    forgets_with_the_end: bool,
    finds_what_is_not_there: bool,
}

/// Each agent's files by their paths. Ids are never used twice, so all backends share it.
static TREES: Mutex<BTreeMap<AgentId, BTreeMap<String, TarEntry>>> = Mutex::new(BTreeMap::new());

/// Files in memory, for agents that have none.
#[derive(Default)]
struct Tree(OnceLock<(Inner, Habits)>);

impl Tree {
    fn of<'a>(&'a self, inner: &Inner, habits: Habits) -> &'a dyn Files {
        self.0.get_or_init(|| (inner.clone(), habits));
        self
    }

    fn habits(&self) -> Habits {
        self.0.get().unwrap().1
    }

    async fn with<T>(
        &self,
        operation: Operation,
        id: &AgentId,
        act: impl FnOnce(&mut BTreeMap<String, TarEntry>) -> Result<T>,
    ) -> Result<T> {
        let (inner, habits) = self.0.get().unwrap();
        let inspected = inner.inspect(id).await;
        let info = inspected.map_err(|error| error.with_operation(operation))?;
        let mut trees = TREES.lock().unwrap();
        let tree = trees.entry(id.clone()).or_default();
        tree.insert("/tmp".to_owned(), TarEntry::directory("tmp", 0o777));
        if habits.forgets_with_the_end && info.state.has_ended() {
            tree.clear();
        }
        act(tree).map_err(|error| error.with_agent(id))
    }
}

fn nothing(operation: Operation) -> Error {
    Error::new(ErrorKind::NotFound, operation, "nothing stands there")
}

#[async_trait]
impl Files for Tree {
    async fn look(&self, id: &AgentId, path: &AgentPath) -> Result<FileInfo> {
        let habits = self.habits();
        self.with(Operation::GetFiles, id, |tree| {
            let mut entry = tree.get(path.as_str());
            if habits.follows_links
                && let Some(TarEntry {
                    kind: TarKind::Link(target),
                    ..
                }) = entry
            {
                let parent = path.parent().unwrap();
                entry = tree.get(&format!("{parent}/{target}"));
            }
            let Some(entry) = entry else {
                return if habits.finds_what_is_not_there {
                    Ok(FileInfo::new("", FileKind::File, 0, 0))
                } else {
                    Err(nothing(Operation::GetFiles))
                };
            };
            let (kind, size) = match &entry.kind {
                TarKind::File(contents) => (FileKind::File, contents.len() as u64),
                TarKind::Directory => (FileKind::Directory, 0),
                TarKind::Link(target) => {
                    let target = target.clone();
                    (FileKind::Link { target }, 0)
                }
            };
            let name = path.name().unwrap_or_default();
            Ok(FileInfo::new(name, kind, size, entry.mode))
        })
        .await
    }

    async fn get(&self, id: &AgentId, path: &AgentPath) -> Result<TarStream> {
        let habits = self.habits();
        let entries = self
            .with(Operation::GetFiles, id, |tree| {
                if !tree.contains_key(path.as_str()) && !habits.finds_what_is_not_there {
                    return Err(nothing(Operation::GetFiles));
                }
                let above = path.as_str().len() - path.name().unwrap_or_default().len();
                let beneath = format!("{}/", path.as_str());
                let is_meant = |at: &str| {
                    at == path.as_str()
                        || (at.starts_with(&beneath) && !habits.gets_nothing_beneath)
                };
                let entries = tree.iter().filter(|(at, _)| is_meant(at));
                Ok(entries
                    .map(|(at, entry)| TarEntry {
                        name: at[above..].to_owned(),
                        ..entry.clone()
                    })
                    .collect::<Vec<_>>())
            })
            .await?;
        Ok(TarStream::reading(stream::iter([Ok(
            write_tar(&entries).into()
        )])))
    }

    async fn put(
        &self,
        id: &AgentId,
        into: &AgentPath,
        mut archive: TarStream,
        _options: PutOptions,
    ) -> Result<()> {
        let habits = self.habits();
        self.with(Operation::PutFiles, id, |tree| {
            if tree.contains_key(into.as_str()) {
                return Ok(());
            }
            Err(nothing(Operation::PutFiles))
        })
        .await?;
        let mut bytes = Vec::new();
        while let Some(piece) = archive.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(_) if habits.takes_half_for_all => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let entries = read_tar(&bytes)
            .map_err(|why| Error::new(ErrorKind::InvalidSpec, Operation::PutFiles, why))?;
        self.with(Operation::PutFiles, id, |tree| {
            entries
                .into_iter()
                .try_for_each(|entry| take(tree, into, entry, habits))
        })
        .await
    }
}

fn take(
    tree: &mut BTreeMap<String, TarEntry>,
    into: &AgentPath,
    mut entry: TarEntry,
    habits: Habits,
) -> Result<()> {
    let name = entry.name.trim_end_matches('/');
    let leads_out = name.starts_with('/') || name.split('/').any(|part| part == "..");
    let path = if !leads_out {
        format!("{into}/{name}")
    } else if habits.goes_where_names_lead {
        format!("/tmp/{}", name.trim_start_matches("../"))
    } else {
        return Err(Error::new(
            ErrorKind::InvalidSpec,
            Operation::PutFiles,
            "a name in the archive leads out of it",
        ));
    };
    if habits.drops_modes {
        entry.mode = 0o644;
    }
    if let TarKind::File(contents) = &mut entry.kind
        && habits.cuts_files_short
    {
        contents.truncate(1 << 20);
    }
    if habits.keeps_the_first {
        tree.entry(path).or_insert(entry);
    } else {
        tree.insert(path, entry);
    }
    Ok(())
}

/// A backend of this habit.
macro_rules! copies {
    ($flaw:ident $(, $habit:ident)?) => {
        #[derive(Default)]
        pub(crate) struct $flaw(Tree);

        impl Flaw for $flaw {
            fn files<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Files> {
                let habits = Habits { $($habit: true,)? ..Habits::default() };
                Some(self.0.of(inner, habits))
            }
        }
    };
}

copies!(CopiesAsItShould);
copies!(DropsModes, drops_modes);
copies!(CutsFilesShort, cuts_files_short);
copies!(GetsNothingBeneath, gets_nothing_beneath);
copies!(FollowsLinks, follows_links);
copies!(KeepsTheFirst, keeps_the_first);
copies!(GoesWhereNamesLead, goes_where_names_lead);
copies!(TakesHalfForAll, takes_half_for_all);
copies!(ForgetsFilesWithTheEnd, forgets_with_the_end);
copies!(FindsWhatIsNotThere, finds_what_is_not_there);
