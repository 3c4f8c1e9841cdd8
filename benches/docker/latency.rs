//! The spawn of one container by criterion, with its statistics: by bare requests, and by us both ways.

use std::time::Duration;

use alveary::docker::{DockerApiConfig, DockerCliConfig};
use criterion::{Criterion, SamplingMode};

use crate::ground::Hive;
use crate::{Bench, timed};

pub(crate) fn latency(bench: &Bench) {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("docker/spawn");
    // An engine takes its time: a sample is one spawn, and the removal of what it made is untimed.
    group.sample_size(20);
    group.sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(10));
    group.bench_function("bare create + start", |bencher| {
        let mut bare = bench.ground.bare();
        bencher.iter_custom(|times| {
            let one = |_| {
                let (took, id) = timed(|| {
                    let id = bare.create(&bench.body);
                    bare.start(&id);
                    id
                });
                bare.remove(&id);
                took
            };
            (0..times).map(one).sum()
        });
    });
    let by_api = || {
        bench
            .runtime
            .block_on(Hive::new::<DockerApiConfig>(&bench.ground))
    };
    let by_program = || {
        bench
            .runtime
            .block_on(Hive::new::<DockerCliConfig>(&bench.ground))
    };
    let ways: [(&str, &dyn Fn() -> Hive); 2] =
        [("docker-api", &by_api), ("docker-cli", &by_program)];
    for (way, connect) in ways {
        group.bench_function(way, |bencher| {
            let mut hive = connect();
            bencher.iter_custom(|times| (0..times).map(|_| bench.spawn(&mut hive)).sum());
        });
    }
    group.finish();
    criterion.final_summary();
}
