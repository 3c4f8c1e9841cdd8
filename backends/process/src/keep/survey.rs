//! Finding what is left of agents that are in no control group: one look at the processes of this machine for
//! all who ask meanwhile, since with a thousand agents a look for each would take minutes.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Keep;
use crate::os::process::{self, Identity, Mark};

/// Among which processes the rest of an agent is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// Every descendant of it that has lost its parent is our child now.
    Orphans,
    All,
}

/// Those who ask.
#[derive(Debug, Default)]
pub(super) struct Survey(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    by: Vec<Asker>,
    /// Whether somebody is about to look.
    is_under_way: bool,
}

#[derive(Debug)]
struct Asker {
    mark: Mark,
    among: Among,
    tell: oneshot::Sender<io::Result<Vec<Identity>>>,
}

impl Survey {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keep {
    /// The processes that carry the mark, seen by a look that begins after this call. An error is no answer.
    pub(super) async fn those_that_carry(
        &self,
        mark: Mark,
        among: Among,
    ) -> io::Result<Vec<Identity>> {
        // Whoever was to look has gone with the runtime: nobody is left who could do anything about it.
        self.ask_for(mark, among).await.unwrap_or(Ok(Vec::new()))
    }

    fn ask_for(&self, mark: Mark, among: Among) -> oneshot::Receiver<io::Result<Vec<Identity>>> {
        let (tell, told) = oneshot::channel();
        let mut asked = self.0.survey.lock();
        asked.by.push(Asker { mark, among, tell });
        if !asked.is_under_way {
            asked.is_under_way = true;
            let keep = self.clone();
            self.0.tasks.spawn(async move { keep.look_for_all().await });
        }
        told
    }

    async fn look_for_all(&self) {
        loop {
            // Those who have just found that they want to know come along.
            tokio::task::yield_now().await;
            let askers = {
                let mut asked = self.0.survey.lock();
                asked.is_under_way = !asked.by.is_empty();
                std::mem::take(&mut asked.by)
            };
            if askers.is_empty() {
                return;
            }
            let marks: HashSet<Mark> = askers.iter().map(|asker| asker.mark).collect();
            let of_all = askers.iter().any(|asker| asker.among == Among::All);
            let mut found = self.0.reserve.act(|| {
                let among = if of_all {
                    process::all()?
                } else {
                    self.table().orphans()?
                };
                sort(among, &marks)
            });
            for asker in askers {
                let of_this = match &mut found {
                    Ok(found) => Ok(found.remove(&asker.mark).unwrap_or_default()),
                    Err(error) => Err(error.kind().into()),
                };
                // Who does not wait any more does not want to know.
                let _gone = asker.tell.send(of_this);
            }
        }
    }
}

fn sort(processes: Vec<u32>, marks: &HashSet<Mark>) -> io::Result<HashMap<Mark, Vec<Identity>>> {
    let mut found: HashMap<Mark, Vec<Identity>> = HashMap::new();
    for pid in processes {
        if let Some(mark) = Mark::of(pid)?.filter(|mark| marks.contains(mark))
            && let Some(process) = Identity::of(pid)
        {
            found.entry(mark).or_default().push(process);
        }
    }
    Ok(found)
}
