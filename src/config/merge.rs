//! `[defaults]` beneath an agent: tables merge, everything else is replaced.

use super::source::Span;
use super::tree::{Key, Node, Table, Value};

/// The keys of which a table has one: naming one of them in an agent takes the place of another in the
/// defaults.
const READY_CHECKS: [&str; 5] = ["log", "tcp", "http", "command", "delay"];
const PROBES: [&str; 3] = ["tcp", "http", "command"];
const SECRET_SOURCES: [&str; 2] = ["file", "env"];

/// The agent's own table over the defaults. Every key and value keeps the place where it was written.
pub(crate) fn agent(defaults: &Table, own: &Table) -> Table {
    let mut under = spelt_out(defaults);
    let own = spelt_out(own);
    for (key, alternatives) in [("ready", &READY_CHECKS[..]), ("alive", &PROBES)] {
        if let (Some(under), Some(own)) = (under.table_mut(key), own.table(key)) {
            make_way(under, own, alternatives);
        }
    }
    if let (Some(under), Some(own)) = (under.table_mut("secrets"), own.table("secrets")) {
        for (name, secret) in own.iter() {
            if let (Some(under), Some(own)) = (under.table_mut(&name.text), secret.table()) {
                make_way(under, own, &SECRET_SOURCES);
            }
        }
    }
    merge(under, &own)
}

fn merge(mut under: Table, over: &Table) -> Table {
    for (key, above) in over.iter() {
        let value = match (under.remove(&key.text).map(|node| node.value), &above.value) {
            (Some(Value::Table(below)), Value::Table(above)) => Value::Table(merge(below, above)),
            (_, above) => above.clone(),
        };
        let span = above.span.clone();
        under.push(key.clone(), Node { value, span });
    }
    under
}

/// Writes the short form `restart = "always"` out, so that it merges with the long one.
fn spelt_out(table: &Table) -> Table {
    let mut table = table.clone();
    if let Some(node) = table.get_mut("restart")
        && let Value::Text(_) = node.value
    {
        let key = Key {
            text: "policy".to_owned(),
            span: node.span.clone(),
        };
        let mut long = Table::default();
        long.push(key, node.clone());
        node.value = Value::Table(long);
    }
    table
}

fn make_way(under: &mut Table, own: &Table, alternatives: &[&str]) {
    if alternatives.iter().any(|key| own.entry(key).is_some()) {
        for key in alternatives {
            under.remove(key);
        }
    }
}

/// Whether what stands at `span` was written in this table, however deep.
pub(crate) fn holds(table: &Table, span: &Span) -> bool {
    table
        .iter()
        .any(|(key, node)| key.span == *span || node_holds(node, span))
}

fn node_holds(node: &Node, span: &Span) -> bool {
    node.span == *span
        || match &node.value {
            Value::Table(table) => holds(table, span),
            Value::Array(items) => items.iter().any(|item| node_holds(item, span)),
            _ => false,
        }
}
