//! Bringing a swarm to what its file says, again and again.

use std::sync::{Arc, Mutex};

use alveary::{
    Agent, AgentSpec, AgentState, DownOptions, ErrorKind, StopOptions, SwarmEvent, SwarmManager,
    UpAction, UpEvent, UpOptions,
};
use futures_util::StreamExt;

use crate::house::{House, names};

const SHOP: &str = r#"
[agents.web]
count = 2
command = ["stay"]
after = ["api"]
[agents.api]
command = ["say", "100", "listening"]
after = ["db"]
ready = { log = "listening" }
[agents.db]
command = ["say", "100", "up"]
ready = { log = "up" }
[agents.alone]
command = ["stay"]
"#;

async fn plan(swarm: &SwarmManager, house: &House, agents: &str) -> Vec<String> {
    let steps = swarm
        .plan_up(&house.fleet(agents), &UpOptions::default())
        .await
        .expect("a plan can be made");
    steps.iter().map(|plan| plan.step.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_starts_once_those_before_it_are_ready_and_the_rest_do_not_wait() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let options = UpOptions::default().with_progress({
        let told = told.clone();
        move |event| {
            let line = match event {
                UpEvent::Started(step, _) => format!("started {}", step.name),
                UpEvent::Ready(step, _) => format!("ready {}", step.name),
                _ => return,
            };
            told.lock().unwrap().push(line);
        }
    });
    let report = swarm.up(&house.fleet(SHOP), options).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let told = told.lock().unwrap().clone();
    let at = |line: &str| told.iter().position(|told| told == line).unwrap();
    assert!(at("ready db") < at("started api"), "{told:?}");
    assert!(at("ready api") < at("started web-1"), "{told:?}");
    assert!(at("ready api") < at("started web-2"), "{told:?}");
    assert!(at("started alone") < at("ready db"), "{told:?}");
    let agents = swarm.list().await.unwrap();
    assert_eq!(names(&agents), ["alone", "api", "db", "web-1", "web-2"]);
    assert_eq!(
        names(&swarm.resolve("web").await.unwrap()),
        ["web-1", "web-2"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_does_nothing_and_says_everything() {
    let house = House::new();
    let swarm = house.shell().await;
    let lines = plan(&swarm, &house, SHOP).await;
    assert_eq!(
        lines,
        [
            "create db",
            "create api",
            "create web-1",
            "create web-2",
            "create alone"
        ]
    );
    assert!(swarm.list().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn up_again_starts_what_ended_recreates_what_changed_and_keeps_every_id() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let before = "[agents.a]\ncommand = [\"stay\"]\n[agents.b]\ncommand = [\"stay\"]\n\
                  [agents.c]\ncommand = [\"stay\"]\n[agents.gone]\ncommand = [\"stay\"]\n";
    let after = "[agents.a]\ncommand = [\"stay\"]\n[agents.b]\ncommand = [\"stay\"]\nenv = { A = \"1\" }\n\
                 [agents.c]\ncommand = [\"stay\"]\n[agents.d]\ncommand = [\"stay\"]\n";
    swarm
        .up(&house.fleet(before), UpOptions::default())
        .await
        .unwrap();
    let old = swarm.list().await.unwrap();
    swarm
        .stop(old[2].id(), StopOptions::default())
        .await
        .unwrap();

    let lines = plan(&swarm, &house, after).await;
    assert_eq!(
        lines,
        [
            "keep a",
            "recreate b: env changed",
            "start c: it exited with code 0, as asked",
            "create d",
            "leave gone: it is not in the file (`--prune` removes it)",
        ]
    );
    let report = swarm
        .up(&house.fleet(after), UpOptions::default())
        .await
        .unwrap();
    assert!(report.is_success(), "{report:?}");
    let new = swarm.list().await.unwrap();
    assert_eq!(names(&new), ["a", "b", "c", "d", "gone"]);
    assert!(
        new.iter()
            .all(|agent| *agent.state() == AgentState::Running)
    );
    for (old, new) in old.iter().zip(&new) {
        if new.name() != "d" && old.name() == new.name() {
            assert_eq!(old.id(), new.id());
            let same_start = old.info.incarnation == new.info.incarnation;
            assert_eq!(same_start, new.name() == "a", "{}", new.name());
        }
    }
    assert_eq!(
        plan(&swarm, &house, after).await[..4],
        ["keep a", "keep b", "keep c", "keep d"]
    );

    let prune = UpOptions::default().with_prune(true);
    let report = swarm.up(&house.fleet(after), prune).await.unwrap();
    assert!(report.is_success());
    let actions: Vec<_> = report
        .outcomes
        .iter()
        .map(|o| o.step.action.clone())
        .collect();
    assert_eq!(actions.last(), Some(&UpAction::Prune));
    assert_eq!(names(&swarm.list().await.unwrap()), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_process_keeps_what_an_earlier_one_brought_up() {
    let house = House::new();
    let first = house.shell().await;
    first
        .up(&house.fleet(SHOP), UpOptions::default())
        .await
        .unwrap();
    drop(first);
    let second = house.shell().await;
    assert!(
        plan(&second, &house, SHOP)
            .await
            .iter()
            .all(|line| line.starts_with("keep "))
    );
}

#[tokio::test(start_paused = true)]
async fn those_that_are_named_come_with_those_they_come_after_and_nobody_else() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let only = UpOptions::default().with_names(["api"]);
    swarm.up(&house.fleet(SHOP), only).await.unwrap();
    assert_eq!(names(&swarm.list().await.unwrap()), ["api", "db"]);
    let one = UpOptions::default().with_names(["web-2"]).with_prune(true);
    swarm.up(&house.fleet(SHOP), one).await.unwrap();
    assert_eq!(names(&swarm.list().await.unwrap()), ["api", "db", "web-2"]);

    let nobody = UpOptions::default().with_names(["wbe"]);
    let error = swarm.up(&house.fleet(SHOP), nobody).await.unwrap_err();
    assert!(error.to_string().contains("did you mean `web`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn those_that_are_asked_for_are_started_anew_though_nothing_changed() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let fleet = house.fleet(SHOP);
    swarm.up(&fleet, UpOptions::default()).await.unwrap();
    let starts = async || {
        let agents = swarm.list().await.unwrap();
        let starts = agents
            .iter()
            .map(|a| (a.name().to_owned(), a.info.incarnation));
        starts.collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = starts().await;
    // What it comes after was not asked for.
    let one = UpOptions::default().with_names(["api"]).with_recreate(true);
    let planned = swarm.plan_up(&fleet, &one).await.unwrap();
    let planned: Vec<_> = planned.iter().map(|plan| plan.step.to_string()).collect();
    assert_eq!(planned, ["keep db", "recreate api: it was asked for"]);
    swarm.up(&fleet, one).await.unwrap();
    let after = starts().await;
    let mut anew: Vec<&String> = after.keys().collect();
    anew.retain(|name| before[*name] != after[*name]);
    assert_eq!(anew, ["api"]);

    let all = UpOptions::default().with_recreate(true);
    swarm.up(&fleet, all).await.unwrap();
    let kept = starts().await;
    assert!(kept.iter().all(|(name, start)| after[name] != *start));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_check_it_is_enough_for_those_after_it_to_have_run() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let (tell, ended) = std::sync::mpsc::channel();
    let mut events = swarm.subscribe().await;
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let SwarmEvent::Changed(agent) = event
                && agent.state().has_ended()
            {
                let _ = tell.send(());
            }
        }
    });
    let ended = Mutex::new(ended);
    // That it has ended is heard before anybody asks whether it is up.
    let options = UpOptions::default().with_progress(move |event| {
        if matches!(event, UpEvent::Started(step, _) if step.name == "crash") {
            tokio::task::block_in_place(|| ended.lock().unwrap().recv().unwrap());
        }
    });
    let agents = "[agents.crash]\ncommand = [\"exit\", \"4\"]\n\
                  [agents.web]\ncommand = [\"stay\"]\nafter = [\"crash\"]\n";
    let report = swarm.up(&house.fleet(agents), options).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let web = swarm.find("web").await.unwrap().unwrap();
    assert_eq!(web.state(), &AgentState::Running);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_all_is_told_of_each_that_has_ended_badly_by_then() {
    for crash in [
        "\"exit\", \"3\"",
        "\"exit-after\", \"200\", \"3\"",
        // It was ready, and the other was not yet.
        "\"exit-after\", \"2000\", \"3\"",
    ] {
        let house = House::new();
        let swarm = house.supervisor().await;
        let agents = format!(
            "[agents.crash]\ncommand = [{crash}]\n\
             [agents.task]\ncommand = [\"exit\", \"0\"]\n\
             [agents.again]\ncommand = [\"exit-after\", \"100\", \"3\"]\nrestart = {{ policy = \"always\", delay = \"1h\", max_delay = \"1h\" }}\n\
             [agents.web]\ncommand = [\"say\", \"3000\", \"up\"]\nready = {{ log = \"up\" }}\nafter = [\"crash\"]\n"
        );
        let waiting = UpOptions::default().with_wait_ready(true);
        let report = swarm.up(&house.fleet(&agents), waiting).await.unwrap();
        let failures: Vec<_> = report
            .failures()
            .map(|(step, error)| (step.name.as_str(), error.to_string()))
            .collect();
        let [("crash", why)] = &failures[..] else {
            panic!("{crash}: {failures:?}");
        };
        assert!(
            why.contains("it has ended already: it exited with code 3"),
            "{why}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_after_one_that_fails_does_not_start_and_says_why() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let agents = "[agents.db]\ncommand = [\"exit\", \"3\"]\nready = { log = \"up\" }\n\
                  [agents.web]\ncommand = [\"stay\"]\nafter = [\"db\"]\n\
                  [agents.alone]\ncommand = [\"stay\"]\n";
    let report = swarm
        .up(&house.fleet(agents), UpOptions::default())
        .await
        .unwrap();
    let failures: Vec<_> = report
        .failures()
        .map(|(step, error)| (step.name.as_str(), error.to_string()))
        .collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].1.contains("exited with code 3"), "{failures:?}");
    assert!(
        failures[1].1.contains("`db`, which it comes after"),
        "{failures:?}"
    );
    let states: Vec<_> = swarm
        .list()
        .await
        .unwrap()
        .iter()
        .map(|agent| (agent.name().to_owned(), agent.state().as_str()))
        .collect();
    assert_eq!(
        states,
        [
            ("alone".to_owned(), "running"),
            ("db".to_owned(), "exited"),
            ("web".to_owned(), "pending"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn one_agent_that_cannot_start_hinders_no_other() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let agents =
        "[agents.bad]\ncommand = [\"no such program\"]\n[agents.good]\ncommand = [\"stay\"]\n";
    let report = swarm
        .up(&house.fleet(agents), UpOptions::default())
        .await
        .unwrap();
    assert!(!report.is_success());
    let kinds: Vec<_> = report
        .failures()
        .map(|(step, error)| (step.name.as_str(), error.kind()))
        .collect();
    assert_eq!(kinds, [("bad", ErrorKind::InvalidSpec)]);
    assert_eq!(names(&swarm.list().await.unwrap()), ["good"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_is_scaled_up_and_down_and_to_nothing() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let fleet = house.fleet("[agents.echo]\ncount = 3\ncommand = [\"stay\"]\n");
    swarm.up(&fleet, UpOptions::default()).await.unwrap();
    let first = swarm.find("echo-1").await.unwrap().unwrap();
    for (count, wanted) in [
        (5, vec!["echo-1", "echo-2", "echo-3", "echo-4", "echo-5"]),
        (2, vec!["echo-1", "echo-2"]),
        (2, vec!["echo-1", "echo-2"]),
        (0, vec![]),
    ] {
        let report = swarm
            .scale(&fleet, "echo", count, UpOptions::default())
            .await
            .unwrap();
        assert!(report.is_success());
        let agents = swarm.list().await.unwrap();
        assert_eq!(names(&agents), wanted);
        if let Some(still) = agents.first() {
            assert_eq!(still.info.incarnation, first.info.incarnation);
        }
    }
    let many = swarm
        .scale(&fleet, "echo", 10_001, UpOptions::default())
        .await;
    assert_eq!(many.unwrap_err().kind(), ErrorKind::InvalidSpec);
    let none = swarm.scale(&fleet, "ecko", 1, UpOptions::default()).await;
    assert!(
        none.unwrap_err()
            .to_string()
            .contains("did you mean `echo`")
    );
}

#[tokio::test(start_paused = true)]
async fn down_stops_those_that_come_after_others_before_them() {
    let house = House::new();
    let swarm = house.supervisor().await;
    swarm
        .up(&house.fleet(SHOP), UpOptions::default())
        .await
        .unwrap();
    // Another process, which has not read the file.
    let shell = house.shell().await;
    let report = shell.down(DownOptions::default()).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    let order: Vec<_> = report.stopped.iter().map(|o| o.name.as_str()).collect();
    let at = |name: &str| order.iter().position(|n| *n == name).unwrap();
    assert!(
        at("web-1") < at("api") && at("web-2") < at("api"),
        "{order:?}"
    );
    assert!(at("api") < at("db"), "{order:?}");
    assert!(swarm.list().await.unwrap().iter().all(Agent::is_settled));
}

#[tokio::test(start_paused = true)]
async fn some_that_are_stopped_together_end_in_the_reverse_of_their_order_and_the_rest_go_on() {
    let house = House::new();
    let swarm = house.supervisor().await;
    swarm
        .up(&house.fleet(SHOP), UpOptions::default())
        .await
        .unwrap();
    let agents = swarm.list().await.unwrap();
    let some = agents.iter().filter(|agent| agent.name() != "alone");
    let ids: Vec<_> = some.map(|agent| agent.id().clone()).collect();
    let stopped = swarm.stop_many(ids, StopOptions::default()).await.unwrap();
    let order: Vec<_> = stopped.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(order[2..], ["api", "db"], "{order:?}");
    let living = swarm.list().await.unwrap();
    let living: Vec<_> = living.iter().filter(|agent| !agent.is_settled()).collect();
    assert_eq!(living.len(), 1);
    assert_eq!(living[0].name(), "alone");
}

#[tokio::test(start_paused = true)]
async fn those_that_left_the_file_are_pruned_in_the_reverse_of_their_order() {
    let house = House::new();
    let swarm = house.supervisor().await;
    swarm
        .up(&house.fleet(SHOP), UpOptions::default())
        .await
        .unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let options = UpOptions::default().with_prune(true).with_progress({
        let told = told.clone();
        move |event| match event {
            UpEvent::Begun(step) => told.lock().unwrap().push(format!("begun {}", step.name)),
            UpEvent::Removed(step) => told.lock().unwrap().push(format!("removed {}", step.name)),
            _ => {}
        }
    });
    let alone = house.fleet("[agents.alone]\ncommand = [\"stay\"]\n");
    let report = swarm.up(&alone, options).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let told = told.lock().unwrap().clone();
    let at = |line: &str| told.iter().position(|told| told == line).unwrap();
    assert!(at("removed web-1") < at("begun api"), "{told:?}");
    assert!(at("removed web-2") < at("begun api"), "{told:?}");
    assert!(at("removed api") < at("begun db"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_was_stopped_stays_so_when_there_are_to_be_more() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let fleet = house.fleet("[agents.echo]\ncount = 2\ncommand = [\"stay\"]\n");
    swarm.up(&fleet, UpOptions::default()).await.unwrap();
    let first = swarm.find("echo-1").await.unwrap().unwrap();
    swarm
        .stop(first.id(), StopOptions::default())
        .await
        .unwrap();
    let report = swarm
        .scale(&fleet, "echo", 3, UpOptions::default())
        .await
        .unwrap();
    assert!(report.is_success(), "{report:?}");
    let agents = swarm.list().await.unwrap();
    let running: Vec<_> = agents.iter().map(|agent| agent.exit.is_none()).collect();
    assert_eq!(names(&agents), ["echo-1", "echo-2", "echo-3"]);
    assert_eq!(running, [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn whoever_lives_by_a_name_is_spared_where_that_is_asked_for_or_he_is_of_another_kind() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let fleet = house.fleet("[agents.echo]\ncount = 2\ncommand = [\"stay\"]\n");
    let new = UpOptions::default().with_refuse_living(true);
    let report = swarm.up(&fleet, new.clone()).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let stranger = swarm
        .spawn(AgentSpec::new("echo-3", ["stay", "here"]))
        .await
        .unwrap();
    let first = swarm.find("echo-1").await.unwrap().unwrap();
    let again = swarm.up(&fleet, new.clone()).await.unwrap_err();
    let scaled = swarm.scale(&fleet, "echo", 3, UpOptions::default()).await;
    for (error, holder) in [(again, first.id()), (scaled.unwrap_err(), &stranger.id)] {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains(holder.as_str()), "{error}");
        let still = swarm.get(holder).await.unwrap();
        assert!(still.exit.is_none(), "{still:?}");
    }
    // One that has ended leaves the name.
    for id in [first.id(), &stranger.id] {
        swarm.stop(id, StopOptions::default()).await.unwrap();
    }
    let report = swarm.up(&fleet, new.with_names(["echo-1"])).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let report = swarm.scale(&fleet, "echo", 3, UpOptions::default()).await;
    assert!(report.unwrap().is_success());
}
