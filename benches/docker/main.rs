//! How long it takes to start agents in containers through the manager, beside what the engine itself takes for
//! the very same containers: by its API, by its program, by compose.
//!
//! `cargo bench --features docker-api,docker-cli --bench docker`, with the engine that `DOCKER_HOST` or
//! `ALVEARY_TEST_ENGINES` names. `ALVEARY_BENCH_SIZES=tiny` is for whoever works on the bench itself.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends there")]
#![expect(clippy::print_stdout, reason = "a bench says what it has measured")]

mod bare;
mod ground;
mod latency;

use std::hint::black_box;
use std::time::{Duration, Instant};

use alveary::docker::{DockerApiConfig, DockerCliConfig};
use alveary::{AgentId, SwarmUid};
use alveary_conformance::Pairs;
use alveary_conformance::proxy::FaultProxy;
use alveary_conformance::proxy::Method::Post;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use bare::at_once;
use ground::{Caught, Compose, Ground, Hive, Tidy, body_of};

struct Sizes {
    /// Spawns, each beside its baseline.
    pairs: usize,
    /// Agents in a burst.
    many: usize,
    bursts: usize,
    /// Agents beside which nothing happens.
    herd: usize,
    quiet: Duration,
}

impl Sizes {
    fn chosen() -> Self {
        let (pairs, many, bursts, herd, quiet) =
            match std::env::var("ALVEARY_BENCH_SIZES").as_deref() {
                Ok("tiny") => (2, 3, 1, 4, 2),
                // So long that what is asked every half minute is asked twice.
                _ => (20, 20, 10, 100, 65),
            };
        Self {
            pairs,
            many,
            bursts,
            herd,
            quiet: Duration::from_secs(quiet),
        }
    }
}

/// The numbers of connections among which the best for the bare API is looked for.
const WIDTHS: [usize; 4] = [2, 4, 8, 16];

struct Bench {
    ground: Ground,
    sizes: Sizes,
    runtime: Runtime,
    /// The label by which what the baselines make is found again.
    label: String,
    /// The container that an agent of ours is.
    body: Vec<u8>,
    _tidy: Tidy,
}

fn timed<R>(act: impl FnOnce() -> R) -> (Duration, R) {
    let begun = Instant::now();
    let result = act();
    (begun.elapsed(), result)
}

impl Bench {
    fn new(ground: Ground) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let label = SwarmUid::random().to_string();
        let body = runtime.block_on(async {
            let mut hive = Hive::new::<DockerApiConfig>(&ground).await;
            let agent = hive.spawn().await;
            body_of(&ground, &agent, &label)
        });
        let tidy = Tidy::new(&ground, format!("alveary.swarm={label}"));
        Self {
            sizes: Sizes::chosen(),
            ground,
            runtime,
            label,
            body,
            _tidy: tidy,
        }
    }

    /// One spawn of ours, with the end of what it started untimed.
    fn spawn(&self, hive: &mut Hive) -> Duration {
        self.runtime.block_on(async {
            let begun = Instant::now();
            let agent = hive.spawn().await;
            let took = begun.elapsed();
            hive.end(&agent.id).await;
            took
        })
    }

    fn by_api(&self) {
        let mut hive = self
            .runtime
            .block_on(Hive::new::<DockerApiConfig>(&self.ground));
        let mut bare = self.ground.bare();
        self.spawn(&mut hive);
        let mut pairs = Pairs::default();
        let mut bare_phases = Vec::new();
        for _ in 0..self.sizes.pairs {
            let (create, id) = timed(|| bare.create(&self.body));
            let (start, ()) = timed(|| bare.start(&id));
            bare.remove(&id);
            pairs.push(create + start, self.spawn(&mut hive));
            bare_phases.push((create, start));
        }
        let what = "`docker-api`: spawn ÷ bare create + start";
        println!("{}", pairs.row(what, "≤ 1.03"));
        self.phases(&bare_phases);
    }

    /// Where the time of a spawn goes, seen from between us and the engine.
    fn phases(&self, bare: &[(Duration, Duration)]) {
        let (mut create, mut start) = (Pairs::default(), Pairs::default());
        self.runtime.block_on(async {
            let proxy = FaultProxy::before(&self.ground.host()).await.unwrap();
            let mut hive = Hive::with::<DockerApiConfig>(&self.ground, proxy.host(), None).await;
            let first = hive.spawn().await;
            hive.end(&first.id).await;
            for (bare_create, bare_start) in bare {
                let begun = Instant::now();
                let agent = hive.spawn().await;
                let took = begun.elapsed();
                let starts = proxy.seen(Post, "/containers/*/start");
                let before_start = starts.last().unwrap().at - begun;
                hive.end(&agent.id).await;
                create.push(*bare_create, before_start);
                start.push(*bare_start, took.saturating_sub(before_start));
            }
        });
        println!("{}", create.row("of that, until it is created", "–"));
        println!("{}", start.row("of that, until it is started", "–"));
    }

    fn by_program(&self) {
        let (script, folder) = Caught::script(&self.ground);
        self.runtime.block_on(async {
            let program = Some(script.display().to_string());
            let host = self.ground.host();
            let mut hive = Hive::with::<DockerCliConfig>(&self.ground, host, program).await;
            hive.spawn().await;
        });
        let caught = Caught::read(folder, &self.label);
        let mut hive = self
            .runtime
            .block_on(Hive::new::<DockerCliConfig>(&self.ground));
        let mut bare = self.ground.bare();
        self.spawn(&mut hive);
        let (mut twice, mut once) = (Pairs::default(), Pairs::default());
        for _ in 0..self.sizes.pairs {
            let (create_and_start, id) = timed(|| {
                let id = caught.run(&self.ground, &["create"]);
                let mut start = self.ground.command(&self.ground.program);
                assert!(start.args(["start", &id]).status().unwrap().success());
                id
            });
            bare.remove(&id);
            let ours = self.spawn(&mut hive);
            let (run, id) = timed(|| caught.run(&self.ground, &["run", "-d"]));
            bare.remove(&id);
            twice.push(create_and_start, ours);
            once.push(run, ours);
        }
        println!(
            "{}",
            twice.row(
                "`docker-cli`: spawn ÷ `docker create` + `docker start`",
                "≤ 1.05"
            )
        );
        println!(
            "{}",
            once.row("`docker-cli`: spawn ÷ `docker run -d`", "≤ 1.12")
        );
    }

    fn bare_up(&self, width: usize) -> (Duration, Vec<String>) {
        timed(|| {
            let items = vec![(); self.sizes.many];
            at_once(&self.ground.socket, width, items, |bare, ()| {
                let id = bare.create(&self.body);
                bare.start(&id);
                id
            })
        })
    }

    fn bare_down(&self, width: usize, ids: Vec<String>) -> Duration {
        timed(|| at_once(&self.ground.socket, width, ids, |bare, id| bare.remove(&id))).0
    }

    fn many(&self) {
        let tried = WIDTHS.map(|width| {
            let (up, ids) = self.bare_up(width);
            (width, up, self.bare_down(width, ids))
        });
        let best_up = tried.iter().min_by_key(|tried| tried.1).unwrap().0;
        let best_down = tried.iter().min_by_key(|tried| tried.2).unwrap().0;
        let compose = Compose::find(&self.ground);
        let mut hive = self
            .runtime
            .block_on(Hive::new::<DockerApiConfig>(&self.ground));
        self.spawn(&mut hive);
        let (mut up, mut down, mut scaled) = (Pairs::default(), Pairs::default(), Pairs::default());
        for _ in 0..self.sizes.bursts {
            let (bare_up, ids) = self.bare_up(best_up);
            let bare_down = self.bare_down(best_down, ids);
            let (our_up, ids): (_, Vec<AgentId>) =
                timed(|| self.runtime.block_on(hive.spawn_many(self.sizes.many)));
            let (our_down, ()) = timed(|| self.runtime.block_on(hive.end_all(&ids)));
            up.push(bare_up, our_up);
            down.push(bare_down, our_down);
            if let Some(compose) = &compose {
                let (took, ()) = timed(|| compose.up(self.sizes.many));
                compose.down();
                scaled.push(took, our_up);
            }
        }
        let many = self.sizes.many;
        let what = format!("spawn of {many} ÷ bare API, {best_up} at once");
        println!("{}", up.row(&what, "≤ 1.03, a rate ≥ 0.97"));
        let what = format!("spawn of {many} ÷ `compose up --scale`");
        match compose {
            Some(_) => println!("{}", scaled.row(&what, "≤ 0.87, a rate ≥ 1.15")),
            None => println!("| {what} | compose is not to be had here | | | | ≤ 0.87 |"),
        }
        let what = format!("stop and remove of {many} ÷ bare `rm -f`, {best_down} at once");
        println!("{}", down.row(&what, "≤ 1.05, a rate ≥ 0.95"));
    }

    /// What a question costs whose answer the manager has in memory.
    fn is_running(&self) {
        const LOOKS: u32 = 100_000;
        let mut hive = self
            .runtime
            .block_on(Hive::new::<DockerApiConfig>(&self.ground));
        let agent = self.runtime.block_on(hive.spawn());
        let handle = agent.handle.unwrap();
        let mut pairs = Pairs::default();
        for _ in 0..self.sizes.pairs {
            let (looks, ()) = timed(|| {
                for _ in 0..LOOKS {
                    black_box(hive.swarm.is_running(black_box(&agent.id)));
                }
            });
            let mut inspect = self.ground.command(&self.ground.program);
            inspect.args(["inspect", "--format={{.State.Running}}", &handle]);
            let (asked, status) = timed(|| inspect.status());
            assert!(status.unwrap().success());
            pairs.push(asked, looks / LOOKS);
        }
        println!(
            "{}",
            pairs.row("`is_running` ÷ `docker inspect`", "≤ 1/10,000")
        );
    }

    /// What of a processor is used beside agents of which there is nothing to tell.
    fn quiet(&self) {
        let (herd, quiet) = (self.sizes.herd, self.sizes.quiet);
        let used = self.runtime.block_on(async {
            let mut hive = Hive::new::<DockerApiConfig>(&self.ground).await;
            let ids = hive.spawn_many(herd).await;
            // What their starts have brought about is over when the last of them is told to run.
            hive.swarm.list().await.unwrap();
            sleep(Duration::from_secs(2)).await;
            let before = processor_time();
            sleep(quiet).await;
            let used = processor_time().saturating_sub(before);
            hive.end_all(&ids).await;
            used
        });
        let part = used.as_secs_f64() / quiet.as_secs_f64() * 100.0;
        println!(
            "| {herd} agents, nothing happens: of one processor | – | {part:.3} % | | | < 0.2 % |"
        );
    }
}

/// What this process has used of processors, in user and in system mode.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap()
}

fn main() {
    // Whoever runs the tests of everything does not ask for measurements.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let ground = match Ground::find() {
        Ok(ground) => ground,
        Err(why) => {
            println!("nothing is measured of Docker: {why}");
            return;
        }
    };
    let engine = format!("Docker {}", ground.version());
    let bench = Bench::new(ground);
    latency::latency(&bench);
    println!("\n{}", Pairs::HEAD.replacen("what", &engine, 1));
    bench.by_api();
    bench.by_program();
    bench.many();
    bench.is_running();
    bench.quiet();
}
