//! The forms that compose has for what a fleet file says in one.

use toml::{Table, Value};

use super::Yaml;
use crate::failure::Failure;
use crate::import::Left;

/// Words of a command: a list as it is, a text as a shell splits it.
pub(super) fn words(place: &str, said: &Yaml) -> Result<Vec<String>, Failure> {
    let words = match said {
        Yaml::List(_) => said.texts(),
        Yaml::Null => Some(Vec::new()),
        scalar => scalar
            .text()
            .and_then(|text| shell_words::split(&text).ok()),
    };
    words.ok_or_else(|| {
        Failure::input(
            format!("{place} is no command"),
            "write a list of words, or a text whose quotes pair",
        )
    })
}

/// `KEY=value` in a list, or a mapping: each key, and its value where there is one.
pub(super) fn pairs(said: &Yaml, between: &[char]) -> Vec<(String, Option<String>)> {
    match said {
        Yaml::Map(entries) => entries
            .iter()
            .map(|(key, value)| (key.clone(), value.text()))
            .collect(),
        other => other
            .texts()
            .unwrap_or_default()
            .iter()
            .map(|item| match item.split_once(between) {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (item.clone(), None),
            })
            .collect(),
    }
}

/// A mapping of scalars.
pub(super) fn texts_by_key(said: &Yaml) -> Table {
    pairs(said, &['='])
        .into_iter()
        .map(|(key, value)| (key, value.unwrap_or_default().into()))
        .collect()
}

pub(super) fn array(texts: Vec<String>) -> Value {
    Value::Array(texts.into_iter().map(Value::String).collect())
}

/// `512m`, `1gb`, `1024`: compose counts in powers of 1024 whatever the letters.
pub(super) fn size(said: &Yaml) -> Option<String> {
    let text = said.text()?.trim().to_lowercase();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.trim().parse().ok()?;
    let unit = match &text[digits.len()..] {
        "" | "b" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        "t" | "tb" | "tib" => "TiB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// `1m30s`; a bare number is seconds.
pub(super) fn time(said: &Yaml) -> Option<String> {
    let text = said.text()?;
    let text = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{text}s")
    } else {
        text
    };
    humantime::parse_duration(&text).ok()?;
    Some(text)
}

/// `outside:inside:mode`, or the long form. `Err`: what is the matter with it.
///
/// What is relative is so to the folder of its file in both.
pub(super) fn mount(said: &Yaml) -> Result<String, String> {
    let text = match said.text() {
        Some(text) => short_mount(&text),
        None => long_mount(said),
    }?;
    if text.starts_with('~') {
        return Err("write the whole path: nobody's home is known here".to_owned());
    }
    Ok(text)
}

fn long_mount(said: &Yaml) -> Result<String, String> {
    let target = said
        .get("target")
        .and_then(Yaml::text)
        .ok_or("names no target")?;
    let source = said.get("source").and_then(Yaml::text);
    let kind = said.get("type").and_then(Yaml::text).unwrap_or_default();
    match (kind.as_str(), source) {
        ("bind" | "volume", Some(source)) => {
            let mode = if said.get("read_only").is_some_and(Yaml::is_true) {
                ":ro"
            } else {
                ""
            };
            Ok(format!("{source}:{target}{mode}"))
        }
        ("tmpfs", _) => Err(format!("say `tmpfs = [\"{target}\"]`")),
        _ => Err(format!(
            "a mount of type `{kind}` without a name is not there"
        )),
    }
}

fn short_mount(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [_] => Err("a volume without a name is not there: name one".to_owned()),
        [source, target] => Ok(format!("{source}:{target}")),
        [source, target, modes] => {
            let is_read_only = modes.split(',').any(|mode| mode == "ro");
            let mode = if is_read_only { ":ro" } else { "" };
            Ok(format!("{source}:{target}{mode}"))
        }
        _ => Err("has too many colons".to_owned()),
    }
}

/// What a mount says of how it is made, beside that it is read alone.
pub(super) fn modes_that_are_lost(said: &Yaml) -> Vec<String> {
    match said.text() {
        Some(text) => {
            let modes = text.splitn(3, ':').nth(2).unwrap_or_default();
            let modes = modes.split(',');
            let lost = modes.filter(|mode| !matches!(*mode, "" | "ro" | "rw"));
            lost.map(ToOwned::to_owned).collect()
        }
        None => ["bind", "volume", "consistency"]
            .into_iter()
            .filter(|key| said.get(key).is_some())
            .map(ToOwned::to_owned)
            .collect(),
    }
}

/// `[address:][host:]container[/protocol]`, or the long form; a port that only the container names is any on the
/// host.
pub(super) fn port(said: &Yaml) -> Result<String, String> {
    let text = match said {
        Yaml::Map(_) => {
            let part = |key: &str| said.get(key).and_then(Yaml::text);
            let target = part("target").ok_or("names no target")?;
            let published = part("published").unwrap_or_else(|| "0".to_owned());
            let address = part("host_ip").map(|address| format!("{address}:"));
            let protocol = part("protocol").map(|protocol| format!("/{protocol}"));
            let (address, protocol) = (address.unwrap_or_default(), protocol.unwrap_or_default());
            format!("{address}{published}:{target}{protocol}")
        }
        scalar => scalar.text().ok_or("is no port")?,
    };
    if text.split(['/', ':']).any(|part| part.contains('-')) {
        return Err("a range of ports is not there: write one by one".to_owned());
    }
    let (outside, container) = text.rsplit_once(':').unwrap_or(("", &text));
    Ok(match outside.strip_suffix(':').unwrap_or(outside) {
        "" => format!("0:{container}"),
        address if outside.ends_with(':') => format!("{address}:0:{container}"),
        _ => text,
    })
}

/// Says of each key that was not read that it is left.
pub(super) fn leave_rest(place: &str, said: &Yaml, read: &[&str], left: &mut Vec<Left>) {
    for (key, value) in said.map().unwrap_or_default() {
        let is_read = read.contains(&key.as_str()) || key.starts_with("x-");
        if !is_read && *value != Yaml::Null {
            left.push(Left {
                place: format!("{place}.{key}"),
                why: "a fleet file has nothing like it".to_owned(),
            });
        }
    }
}
