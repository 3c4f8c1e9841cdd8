//! Agents that do not want to end, that leave others behind, or that use up what there is.

use std::fs;
use std::time::{Duration, Instant};

use alveary_core::{
    AgentBackendExt, AgentId, ByteSize, EndedBy, ErrorKind, ExitStatus, Limits, RemoveOptions,
    Secret, Signal, SpawnOptions, StopOptions, TreeKill, User,
};
use libtest_mimic::{Completion, Trial};

use crate::hive::{Hive, exists, output, processes, sh, signal, spawn, spawn_until, wait_until};
use crate::{trial, trial_for_root, trial_if_possible};

pub(crate) const NO_CGROUP: &str = "no cgroup v2 can be divided here: run the tests as root";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_stopped_agent_ends_within_its_grace",
            a_stopped_agent_ends_within_its_grace,
        ),
        trial(
            "an_agent_holds_its_three_streams_and_nothing_else",
            an_agent_holds_its_three_streams_and_nothing_else,
        ),
        trial(
            "dropped_futures_leave_no_zombie_and_no_descriptor",
            dropped_futures_leave_no_zombie_and_no_descriptor,
        ),
        trial(
            "limits_are_in_place_before_the_agent_runs",
            limits_are_in_place_before_the_agent_runs,
        ),
        trial(
            "a_limit_of_processes_that_cannot_be_an_agents_own_is_refused",
            a_limit_of_processes_is_refused,
        ),
        trial_if_possible(
            "a_limit_of_processes_is_each_agents_own",
            a_limit_of_processes_is_each_agents_own,
        ),
        trial(
            "a_limit_of_processor_time_ends_the_agent",
            a_limit_of_processor_time_ends_the_agent,
        ),
        trial(
            "a_program_that_was_only_just_written_starts",
            a_program_that_was_only_just_written_starts,
        ),
        trial(
            "what_cannot_start_leaves_nothing",
            what_cannot_start_leaves_nothing,
        ),
        trial(
            "a_keeping_in_this_process_outlives_the_runtime_that_began_it",
            a_keeping_in_this_process_outlives_a_runtime,
        ),
        trial_if_possible(
            "groups_that_an_agent_made_go_with_it",
            groups_that_an_agent_made_go_with_it,
        ),
        trial_for_root(
            "an_agent_runs_as_another_user_and_reads_its_secret",
            an_agent_runs_as_another_user,
        ),
        trial_if_possible("an_agent_that_runs_out_of_memory_says_so", out_of_memory),
    ]
}

async fn a_stopped_agent_ends_within_its_grace(hive: Hive) {
    let backend = hive.open().await;
    let script = "trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done";
    let agent = spawn_until(&backend, &sh(script), "ready").await;
    signal(
        agent.pid.expect("it has a number"),
        rustix::process::Signal::STOP,
    );
    let begun = Instant::now();
    let grace = Duration::from_secs(20);
    let exit = backend
        .stop(&agent.id, StopOptions::default().with_grace(grace))
        .await
        .expect("it ends");
    assert_eq!((exit.status, exit.by), (ExitStatus::Code(4), EndedBy::Us));
    assert!(begun.elapsed() < grace);
}

async fn an_agent_holds_its_three_streams_and_nothing_else(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("ls -1 /proc/$$/fd; readlink /proc/$$/fd/0")).await;
    backend.wait(&agent.id).await.expect("it ends");
    assert_eq!(output(&backend, &agent.id).await, "0\n1\n2\n/dev/null\n");
}

async fn dropped_futures_leave_no_zombie_and_no_descriptor(hive: Hive) {
    let cycles: usize = std::env::var("TORTURE_CYCLES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100);
    let backend = hive.open().await;
    let warm_up = spawn(&backend, &sh("exit 0")).await;
    backend.wait(&warm_up.id).await.expect("it ends");
    let keeper = hive.keeper().expect("there is a keeper");
    let descriptors = || {
        fs::read_dir(format!("/proc/{keeper}/fd"))
            .expect("it lives")
            .count()
    };
    let before = descriptors();
    for cycle in 0..cycles {
        let (id, spec) = (AgentId::random(), sh("sleep 1000"));
        // Given up at another moment each time.
        let moment = Duration::from_micros((cycle as u64 * 37) % 3000);
        let spawn = backend.spawn(&id, &spec, SpawnOptions::default());
        let _given_up = tokio::time::timeout(moment, spawn).await;
        let stop = backend.stop(&id, StopOptions::by_force());
        let _given_up = tokio::time::timeout(moment, stop).await;
    }
    for agent in crate::hive::listed(&backend).await {
        let options = RemoveOptions::default().with_force(true);
        backend.remove(&agent.id, options).await.expect("it goes");
    }
    wait_until(|| descriptors() <= before, "the descriptors to be closed");
    let is_zombie = |pid: u32| {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
            fields.next() == Some("Z") && fields.next() == Some(&keeper.to_string())
        })
    };
    wait_until(|| !processes().any(is_zombie), "the zombies to be reaped");
    assert_eq!(hive.living(), [0; 0]);
}

async fn limits_are_in_place_before_the_agent_runs(hive: Hive) {
    let backend = hive.open().await;
    let spec = sh("ulimit -n").limits(Limits::default().nofile(77));
    let agent = spawn(&backend, &spec).await;
    backend.wait(&agent.id).await.expect("it ends");
    assert_eq!(output(&backend, &agent.id).await, "77\n");
    // What the keeper raised for itself is its own affair.
    let (soft, _) = {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        (limit.current, limit.maximum)
    };
    let agent = spawn(&backend, &sh("ulimit -n")).await;
    backend.wait(&agent.id).await.expect("it ends");
    let found = output(&backend, &agent.id).await;
    assert_eq!(
        found.trim(),
        soft.map_or("unlimited".to_owned(), |soft| soft.to_string())
    );
}

/// What the kernel limits by user would be shared by all agents of it, and by everybody else's processes.
async fn a_limit_of_processes_is_refused(hive: Hive) {
    let mut hive = hive;
    hive.configure(|config| config.cgroups = false);
    let backend = hive.open().await;
    backend.check().await.expect("it can be checked");
    assert!(!backend.capabilities().limits.nproc);
    let spec = sh("sleep 1000").limits(Limits::default().nproc(50));
    for user in [
        None,
        Some(User {
            uid: 65_534,
            gid: 65_534,
        }),
    ] {
        let spec = match user {
            Some(user) => spec.clone().user(user),
            None => spec.clone(),
        };
        let error = backend
            .spawn(&AgentId::random(), &spec, SpawnOptions::default())
            .await
            .expect_err("it would be weakened");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("pids controller"), "{error}");
    }
    assert!(crate::hive::listed(&backend).await.is_empty());
}

async fn a_limit_of_processes_is_each_agents_own(hive: Hive) -> Completion {
    let backend = hive.open().await;
    backend.check().await.expect("it can be checked");
    if !backend.capabilities().limits.nproc {
        return Completion::ignored_with(
            "no control group with the pids controller: run the tests as root",
        );
    }
    let limited = |script| {
        let spec = sh(script).limits(Limits::default().nproc(2));
        if rustix::process::geteuid().is_root() {
            let nobody = User {
                uid: 65_534,
                gid: 65_534,
            };
            spec.user(nobody)
        } else {
            spec
        }
    };
    // Its user has as many as the limit allows, and so may the next of the same user.
    let first = limited("sleep 1000 & echo ready; wait");
    spawn_until(&backend, &first, "ready").await;
    let second = limited("sleep 1000 & echo two; sleep 1000 & echo three");
    let second = spawn(&backend, &second).await;
    let exit = backend.wait(&second.id).await.expect("it ends");
    assert!(!exit.is_success(), "{exit}");
    assert_eq!(output(&backend, &second.id).await, "two\n");
    Completion::Completed
}

async fn a_limit_of_processor_time_ends_the_agent(hive: Hive) {
    let backend = hive.open().await;
    let spec = sh("while :; do :; done").limits(Limits::default().cpu_time(Duration::from_secs(1)));
    let agent = spawn(&backend, &spec).await;
    let exit = backend.wait(&agent.id).await.expect("it ends");
    let xcpu = Signal::from_number(24).expect("SIGXCPU");
    assert_eq!(exit.status, ExitStatus::Signal(xcpu));
}

async fn a_program_that_was_only_just_written_starts(hive: Hive) {
    let backend = hive.open().await;
    let program = hive.folder().join("fresh");
    fs::copy("/bin/true", &program).expect("it can be copied");
    let held_open = fs::File::options()
        .append(true)
        .open(&program)
        .expect("it can be opened");
    let spec = alveary_core::AgentSpec::new("fresh", [program.to_string_lossy()]);
    let id = AgentId::random();
    let (outcome, ()) = tokio::join!(backend.spawn(&id, &spec, SpawnOptions::default()), async {
        // As long as a fork of whoever wrote it may take to become another program.
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(held_open);
    });
    outcome.expect("it starts");
    assert!(backend.wait(&id).await.expect("it ends").is_success());
}

async fn what_cannot_start_leaves_nothing(hive: Hive) {
    let backend = hive.open().await;
    let script = hive.folder().join("script");
    fs::write(&script, "#!/no/such/interpreter\n").expect("it can be written");
    let data = hive.folder().join("data");
    fs::write(&data, "neither a program nor a script").expect("it can be written");
    for (path, words) in [
        (&script, "interpreter"),
        (&data, "no program that this machine can run"),
    ] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        let spec = alveary_core::AgentSpec::new("broken", [path.to_string_lossy()]);
        let error = backend
            .spawn(&AgentId::random(), &spec, SpawnOptions::default())
            .await
            .expect_err("it cannot");
        assert_eq!(error.kind(), ErrorKind::InvalidSpec);
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(crate::hive::listed(&backend).await.is_empty());
    let logs = fs::read_dir(hive.folder().join("logs"))
        .expect("a folder of logs")
        .count();
    assert_eq!(logs, 0);
}

async fn an_agent_runs_as_another_user(hive: Hive) {
    let backend = hive.open().await;
    // The way to the secret is open to the agent, the secret to nobody else.
    for folder in hive
        .folder()
        .ancestors()
        .take_while(|folder| *folder != std::path::Path::new("/tmp"))
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).expect("a mode can be set");
    }
    let spec = sh("id -u; id -g; id -G; cat \"$KEY_FILE\"; stat -c ' %a %u' \"$KEY_FILE\"; echo x > \"$KEY_FILE\" || echo refused")
        .user(User { uid: 65_534, gid: 65_533 })
        .secret("KEY", Secret::new("s3cret"));
    let agent = spawn(&backend, &spec).await;
    backend.wait(&agent.id).await.expect("it ends");
    let said = output(&backend, &agent.id).await;
    assert_eq!(said, "65534\n65533\n65533\ns3cret 400 65534\nrefused\n");
    // After its end the secret is nowhere.
    assert!(
        !hive
            .folder()
            .join("secrets")
            .join(agent.id.as_str())
            .exists()
    );
}

async fn out_of_memory(hive: Hive) -> Completion {
    let backend = hive.open().await;
    backend.check().await.expect("it can be checked");
    if !backend.capabilities().limits.memory {
        return Completion::ignored_with(
            "no control group with the memory controller: run the tests as root",
        );
    }
    let hungry = sh("x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo survived")
        .limits(Limits::default().memory(ByteSize::mib(32)));
    let agent = spawn(&backend, &hungry).await;
    let exit = backend.wait(&agent.id).await.expect("it ends");
    assert!(exit.oom, "{exit:?}");
    assert_eq!(exit.by, EndedBy::Engine);
    // A kill from outside is not that, limit or no limit.
    let limited = sh("sleep 1000").limits(Limits::default().memory(ByteSize::mib(32)));
    let agent = spawn(&backend, &limited).await;
    let pid = agent.pid.expect("it has a number");
    signal(pid, rustix::process::Signal::KILL);
    let exit = backend.wait(&agent.id).await.expect("it ends");
    assert_eq!(
        (exit.status, exit.by, exit.oom),
        (ExitStatus::Signal(Signal::KILL), EndedBy::Itself, false)
    );
    assert!(!exists(pid));
    Completion::Completed
}

async fn a_keeping_in_this_process_outlives_a_runtime(hive: Hive) {
    let mut hive = hive;
    hive.configure(|config| config.keeper = false);
    let begin = move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        let began = runtime.block_on(async {
            let backend = hive.open().await;
            let script = "trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done";
            let agent = spawn_until(&backend, &sh(script), "ready").await;
            (backend, agent)
        });
        (began, hive)
    };
    let ((backend, agent), _hive) = std::thread::spawn(begin).join().expect("it begins");
    let exit = backend
        .stop(&agent.id, StopOptions::default())
        .await
        .expect("it can be stopped");
    assert_eq!((exit.status, exit.by), (ExitStatus::Code(8), EndedBy::Us));
    let again = spawn(&backend, &sh("exit 5")).await;
    assert_eq!(
        backend.wait(&again.id).await.expect("it ends").status,
        ExitStatus::Code(5)
    );
}

/// An agent may divide its own group further, and move into what it has made.
async fn groups_that_an_agent_made_go_with_it(hive: Hive) -> Completion {
    let backend = hive.open().await;
    let script = r#"
        within=$(sed -n 's/^0:://p' /proc/self/cgroup)
        mount=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n 1)
        mkdir -p "$mount$within/inner/most" "$mount$within/other"
        echo $$ > "$mount$within/inner/most/cgroup.procs"
        echo "$mount$within"
        exec env -i sleep 1000"#;
    backend.check().await.expect("it can be checked");
    if backend.capabilities().tree_kill != TreeKill::Enforced {
        return Completion::ignored_with(NO_CGROUP);
    }
    let (id, spec) = (AgentId::random(), sh(script));
    let agent = backend
        .spawn(&id, &spec, SpawnOptions::default())
        .await
        .expect("the agent starts");
    let pid = agent.pid.expect("it has a number");
    wait_until(
        || fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| environment.is_empty()),
        "the agent to have moved",
    );
    let group = output(&backend, &id).await;
    let group = std::path::Path::new(group.trim());
    assert!(group.join("inner/most").exists(), "{}", group.display());
    // It has cleared its environment: the group beneath its own proves it.
    hive.kill_keeper();
    let found = crate::hive::state(&backend, &id).await;
    assert_eq!(found, alveary_core::AgentState::Running);
    backend
        .stop(&id, StopOptions::default())
        .await
        .expect("it can be stopped");
    assert!(!exists(pid));
    assert!(!group.exists(), "{} is left", group.display());
    Completion::Completed
}
