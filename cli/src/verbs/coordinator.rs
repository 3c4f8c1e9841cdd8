//! `coordinator`: runs one alone, without a swarm.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use alveary::{AgentId, CoordinatorAuth, CoordinatorTable};
use clap::{Args, ValueEnum, ValueHint};
use tokio_util::sync::CancellationToken;

use crate::coordinating::{Place, Service};
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::output::{self, note};
use crate::values;

/// Runs a coordinator alone: tasks go in, agents bid, work comes out
///
/// Prints its address. The admin's token, by which tasks are given, lies beside the file of its tasks; --token-of
/// makes one for an agent. Goes on until it is asked to end, and answers first what it was asked before.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary coordinator --listen 127.0.0.1:8000 --db tasks.db")]
pub(crate) struct Coordinator {
    /// Where it listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8000", value_parser = values::address)]
    listen: SocketAddr,

    /// The file of its tasks, made if it is not there
    #[arg(long, value_name = "FILE", default_value = "coordinator.db", value_hint = ValueHint::FilePath)]
    db: PathBuf,

    /// How long an auction lasts; with tokens it ends earlier once all have bid who could
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = values::some_duration)]
    auction: Duration,

    /// Who may speak to it: who has a token, or, by the original's routes, anybody
    #[arg(long, value_name = "WHO", default_value = "token")]
    auth: Auth,

    /// With `--auth none`: let anybody in who reaches it from elsewhere, too
    #[arg(long)]
    insecure_no_auth: bool,

    /// A name by which it may be called besides those of where it listens
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,

    /// Print the token of this agent, and end
    #[arg(long, value_name = "AGENT")]
    token_of: Option<AgentId>,
}

/// Who may speak to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Auth {
    // Who has a token.
    Token,
    // By the original's routes, anybody.
    None,
}

/// Lets this process have as many files open as it may: each connection is one. It starts no program that would have
/// the limit from it.
fn allow_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    // Where it is not let, there is place for fewer connections, and those beyond are told so.
    let _unchanged = setrlimit(Resource::Nofile, most);
}

impl Coordinator {
    pub(crate) async fn run(&self) -> Result<Outcome, Failure> {
        let place = Place::beside(&self.db);
        if let Some(agent) = &self.token_of {
            let token = place.tokens()?.agent(agent);
            let mut out = output::stdout();
            writeln!(out, "{}", token.expose())?;
            out.flush()?;
            return Ok(Outcome::Done);
        }
        if self.is_open_to_all() {
            return Err(Failure::input(
                format!(
                    "anybody who reaches {} could give tasks and take them, since no token is asked for",
                    self.listen
                ),
                "leave out `--auth none`, listen on 127.0.0.1, or say `--insecure-no-auth`",
            ));
        }
        let mut interrupts = Interrupts::take()?;
        allow_files();
        let service = Service::open(&self.table(), &place, self.listen, "--listen").await?;
        for address in service.addresses() {
            let mut out = output::stdout();
            writeln!(out, "http://{address}/")?;
            out.flush()?;
        }
        note(format_args!(
            "the admin's token is in {}",
            place.admin.display()
        ));
        let cancel = CancellationToken::new();
        let mut served = std::pin::pin!(service.serve(cancel.clone()));
        loop {
            tokio::select! {
                done = &mut served => return done.map(|()| Outcome::Done),
                () = interrupts.next() => {
                    if cancel.is_cancelled() {
                        return Ok(Outcome::Interrupted);
                    }
                    cancel.cancel();
                }
            }
        }
    }

    fn is_open_to_all(&self) -> bool {
        self.auth == Auth::None && !self.insecure_no_auth && !self.listen.ip().is_loopback()
    }

    fn table(&self) -> CoordinatorTable {
        let mut table = CoordinatorTable::default();
        table.auth = Some(match self.auth {
            Auth::Token => CoordinatorAuth::Token,
            Auth::None => CoordinatorAuth::None,
        });
        table.auction = Some(self.auction);
        table.hosts.clone_from(&self.hosts);
        table.insecure_no_auth = self.insecure_no_auth;
        table
    }
}
