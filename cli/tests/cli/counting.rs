//! Numbers about a swarm, as Prometheus asks for them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use prometheus_parse::{Scrape, Value};
use rustix::process::Signal;

use crate::hive::{Hive, PATIENCE, eventually, signal};

const CLUMSY: &str = r#"
    swarm = "demo"
    [agents.steady]
    command = ["sleep", "1000"]
    [agents.clumsy]
    command = ["false"]
    restart = { policy = "always", max = 2, delay = "10ms" }
"#;

/// Asks once, and gives the head of the answer and its body.
pub(crate) fn ask(url: &str, method: &str, path: &str) -> (String, String) {
    let address = url
        .strip_prefix("http://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE / 2)).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn scraped(url: &str) -> Scrape {
    let (head, body) = ask(url, "GET", "/metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    // By a parser that is not ours; it passes over what it does not understand, which may be nothing.
    let scrape = Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    let of_a_histogram = |line: &&str| line.starts_with("alveary_swarm_spawn_seconds");
    let (histogram, others): (Vec<_>, Vec<_>) = lines.partition(of_a_histogram);
    assert!(histogram.len() > 10, "{body}");
    let mut understood = scrape
        .samples
        .iter()
        .filter(|sample| !matches!(sample.value, Value::Untyped(_)));
    let understood = understood.by_ref().count();
    assert!(
        understood > others.len(),
        "{understood} of {}: {body}",
        others.len()
    );
    for sample in &scrape.samples {
        let base = sample
            .metric
            .trim_end_matches("_sum")
            .trim_end_matches("_count");
        assert!(scrape.docs.contains_key(base), "{base}: {:?}", scrape.docs);
    }
    scrape
}

/// The one number of this name with this label.
fn number(scrape: &Scrape, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
    let mut found = scrape.samples.iter().filter(|sample| {
        sample.metric == name && label.is_none_or(|(key, is)| sample.labels.get(key) == Some(is))
    });
    match (found.next()?.value.clone(), found.next()) {
        (Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value), None) => Some(value),
        other => panic!("{name}: {other:?}"),
    }
}

fn is(scrape: &Scrape, name: &str, label: Option<(&str, &str)>, value: f64) -> bool {
    number(scrape, name, label).is_some_and(|found| (found - value).abs() < 1e-9)
}

/// Where the program says that numbers are.
pub(crate) fn said(text: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("numbers: "))?;
    Some(line.trim().to_owned())
}

#[track_caller]
fn counts_what_has_happened(url: &str) {
    let scrape = eventually("the clumsy one is given up", || {
        let scrape = scraped(url);
        is(&scrape, "alveary_swarm_restarts_used_up_total", None, 1.0).then_some(scrape)
    });
    assert!(
        is(&scrape, "alveary_swarm_restarts_total", None, 2.0),
        "{scrape:?}"
    );
    assert!(is(
        &scrape,
        "alveary_swarm_agents",
        Some(("state", "running")),
        1.0
    ));
    assert!(is(
        &scrape,
        "alveary_swarm_agents",
        Some(("state", "failed")),
        1.0
    ));
    assert!(is(
        &scrape,
        "alveary_swarm_agents",
        Some(("state", "unknown")),
        0.0
    ));
    assert!(is(&scrape, "alveary_swarm_agents_ready", None, 1.0));
    assert!(is(&scrape, "alveary_swarm_engine_heard", None, 1.0));
    assert!(is(
        &scrape,
        "alveary_swarm_info",
        Some(("backend", "process")),
        1.0
    ));
    let lag = number(&scrape, "alveary_swarm_reconcile_lag_seconds", None).unwrap();
    assert!((0.0..3600.0).contains(&lag), "{lag}");
    let spawns = number(&scrape, "alveary_swarm_spawn_seconds_count", None).unwrap();
    let calls = number(
        &scrape,
        "alveary_swarm_calls_total",
        Some(("operation", "spawn")),
    );
    assert_eq!(calls, Some(spawns), "no start has failed");
    assert!(spawns >= 2.0, "{spawns}");
}

#[test]
fn an_up_in_the_foreground_serves_numbers_where_it_is_told_to() {
    let hive = Hive::new(CLUMSY);
    let mut up = hive.command();
    up.args(["up", "--metrics", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut up = up.spawn().unwrap();
    let mut lines = BufReader::new(up.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let url = lines.find_map(|line| said(&line)).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    counts_what_has_happened(&url);
    let starts = number(&scraped(&url), "alveary_swarm_spawn_seconds_count", None).unwrap();
    assert!((starts - 4.0).abs() < 1e-9, "two, and two again: {starts}");

    assert!(ask(&url, "GET", "/").0.starts_with("HTTP/1.1 404 "));
    assert!(ask(&url, "POST", "/metrics").0.starts_with("HTTP/1.1 405 "));
    // Somebody who asks for nothing keeps nobody else from an answer.
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    let silent: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    scraped(&url);
    drop(silent);

    let taken = hive.run(&["up", "--metrics", address]);
    assert_eq!(taken.code(), Some(2), "{taken}");
    assert!(
        taken.stderr().contains("numbers cannot be served at"),
        "{taken}"
    );
    signal(up.id(), Signal::INT);
    assert_eq!(up.wait().unwrap().code(), Some(130));
}

#[test]
fn the_supervisor_that_stays_serves_them_too_where_the_file_says_so() {
    let hive = Hive::new(&format!("{CLUMSY}\n[metrics]\n"));
    let up = hive.run(&["up", "--detach"]);
    assert_eq!(up.code(), Some(0), "{up}");
    let url = said(&up.stderr()).unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    counts_what_has_happened(&url);
    // Who comes later is told where they are.
    assert_eq!(
        said(&hive.run(&["up", "--detach", "steady"]).stderr()),
        Some(url)
    );
}

#[test]
fn a_supervisor_that_serves_none_is_not_passed_off_as_one_that_does() {
    let hive = Hive::new(CLUMSY);
    hive.ok(&["up", "--detach", "steady"]);
    let up = hive.run(&["up", "--detach", "steady", "--metrics", "127.0.0.1:0"]);
    assert_eq!(up.code(), Some(2), "{up}");
    assert!(up.stderr().contains("serves no numbers"), "{up}");
}

#[test]
fn why_a_supervisor_serves_none_is_told_to_who_brings_the_swarm_up() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let hive = Hive::new(CLUMSY);
    for _ in 0..2 {
        let up = hive.run(&["up", "--detach", "steady", "--metrics", &address]);
        assert_eq!(up.code(), Some(2), "{up}");
        let words = format!("numbers cannot be served at {address}: Address already in use");
        assert!(up.stderr().contains(&words), "{up}");
        let kill = format!("by `kill {}`", hive.the_supervisor());
        assert!(up.stderr().contains(&kill), "{up}");
    }
    drop(taken);
    signal(hive.the_supervisor(), Signal::TERM);
    eventually("the supervisor has ended", || {
        hive.supervisor().is_none().then_some(())
    });
    let up = hive.run(&["up", "--detach", "steady", "--metrics", &address]);
    assert_eq!(
        said(&up.stderr()),
        Some(format!("http://{address}/metrics")),
        "{up}"
    );
}
