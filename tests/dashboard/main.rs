//! The dashboard for Grafana can be imported, and shows every number that there is and no other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod asked;
mod exported;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use exported::Exported;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("examples/dashboard.json")).unwrap()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().unwrap()
}

fn text(of: &Value) -> &str {
    of.as_str().unwrap()
}

/// Panels that show something; a row is a headline.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = list(&dashboard["panels"]).iter();
    panels.filter(|panel| panel["type"] != "row")
}

/// What the panels ask for.
fn questions(dashboard: &Value) -> Vec<&str> {
    panels(dashboard)
        .flat_map(|panel| list(&panel["targets"]))
        .map(|target| text(&target["expr"]))
        .collect()
}

#[test]
fn the_dashboard_is_one_that_grafana_imports() {
    let dashboard = dashboard();
    // 36 is the first in which a source of data is an object with a type and a uid.
    let version = dashboard["schemaVersion"].as_u64().unwrap();
    assert!((36..=41).contains(&version), "{version}");
    assert_eq!(text(&dashboard["title"]), "alveary");
    assert!(text(&dashboard["uid"]).len() <= 40);
    // A number of a database that is not theirs.
    assert!(dashboard.get("id").is_none());
    assert!(dashboard["time"]["from"].is_string() && dashboard["time"]["to"].is_string());

    let panels = list(&dashboard["panels"]);
    let ids: BTreeSet<u64> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len(), "each has an id of its own");
    let mut taken = BTreeMap::new();
    for panel in panels {
        let title = text(&panel["title"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|at| panel["gridPos"][at].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} is beside the page");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            let before = taken.insert(place, title);
            assert_eq!(before, None, "{title} lies on another panel");
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_and_asks_whichever_prometheus_was_chosen() {
    let dashboard = dashboard();
    let variables = list(&dashboard["templating"]["list"]);
    assert_eq!(variables[0]["name"], "datasource");
    assert_eq!(variables[0]["type"], "datasource");
    assert_eq!(variables[0]["query"], "prometheus");
    let source = json!({ "type": "prometheus", "uid": "${datasource}" });
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"], source, "{variable}");
    }
    for panel in panels(&dashboard) {
        let title = text(&panel["title"]);
        assert!(text(&panel["description"]).ends_with('.'), "{title}");
        let kinds = ["stat", "timeseries", "heatmap"];
        assert!(kinds.contains(&text(&panel["type"])), "{title}");
        assert_eq!(panel["datasource"], source, "{title}");
        let targets = list(&panel["targets"]);
        let refs: BTreeSet<_> = targets
            .iter()
            .map(|target| text(&target["refId"]))
            .collect();
        assert!(!refs.is_empty() && refs.len() == targets.len(), "{title}");
        for target in targets {
            assert_eq!(target["datasource"], source, "{title}");
            assert!(!text(&target["legendFormat"]).is_empty(), "{title}");
        }
    }
}

#[tokio::test]
async fn every_question_can_be_answered_and_no_number_is_left_out() {
    let exported = Exported::by_all().await;
    let dashboard = dashboard();
    let mut asked = BTreeSet::new();
    for question in questions(&dashboard) {
        asked.extend(asked::names(question, &exported));
    }
    let all: BTreeSet<_> = exported.0.keys().cloned().collect();
    let left_out: Vec<_> = all.difference(&asked).collect();
    assert!(left_out.is_empty(), "no panel shows {left_out:?}");
}

#[tokio::test]
async fn every_variable_and_every_legend_is_of_something_that_there_is() {
    let exported = Exported::by_all().await;
    let dashboard = dashboard();
    let variables = &list(&dashboard["templating"]["list"])[1..];
    let mut names = BTreeSet::new();
    for variable in variables {
        names.insert(format!("${}", text(&variable["name"])));
        let query = text(&variable["query"]["query"]);
        let of = query.strip_prefix("label_values(").unwrap();
        let name = of.strip_suffix(", instance)").unwrap();
        assert!(exported.0.contains_key(name), "{query}");
    }
    for question in questions(&dashboard) {
        for variable in question.split('"').filter(|text| text.starts_with('$')) {
            assert!(names.contains(variable), "{question}");
        }
    }
    for target in panels(&dashboard).flat_map(|panel| list(&panel["targets"])) {
        let (question, legend) = (text(&target["expr"]), text(&target["legendFormat"]));
        let labels = asked::labels(&asked::parse(question), &exported);
        for label in legend.split("{{").skip(1) {
            let (label, _) = label.split_once("}}").unwrap();
            assert!(labels.contains(label), "{question} has no {label}");
        }
    }
}

#[tokio::test]
async fn every_alarm_of_the_page_on_operations_is_about_something_that_there_is() {
    let exported = Exported::by_all().await;
    let page = read("docs/operations.md");
    let (_, block) = page.split_once("```promql\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    assert!(block.lines().count() >= 4);
    for line in block.lines() {
        let (alarm, what) = line.split_once('#').unwrap();
        assert!(!what.trim().is_empty(), "{line}");
        asked::names(alarm.trim(), &exported);
    }
}
