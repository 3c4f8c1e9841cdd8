//! Files of tasks: one JSON object a line.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use alveary_agent::protocol::{IdempotencyKey, InvalidKey, NewTask};
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;

/// The tasks of a file, in its order, each under a key: it is given once, however often the file is read. `-` is the
/// standard input.
pub(crate) fn read(file: &Path, scope: &str) -> Result<Vec<NewTask>, Failure> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| {
        Failure::input(
            format!("the tasks in {} cannot be read: {error}", file.display()),
            "name a file of text that this user may read",
        )
    })?;
    parse(&text, scope).map_err(|Wrong { line, why }| {
        Failure::input(
            format!("{}:{line}: this is no task: {why}", file.display()),
            "write an object a line, such as {\"description\": \"say hello\", \"capabilities\": [\"speak\"]}",
        )
    })
}

/// A line that is no task.
#[derive(Debug)]
struct Wrong {
    line: usize,
    why: String,
}

fn parse(text: &str, scope: &str) -> Result<Vec<NewTask>, Wrong> {
    let mut seen = HashMap::new();
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let wrong = |why: String| Wrong { line: at + 1, why };
            let unread = |error: serde_json::Error| {
                // It counts lines too, and always this one.
                wrong(error.to_string().replace(" at line 1 column", " at column"))
            };
            let mut task: NewTask = serde_json::from_str(line).map_err(unread)?;
            // As it was understood, so that blanks and the order of keys make no other task.
            let meant = serde_json::to_string(&task).map_err(unread)?;
            let times: &mut u32 = seen.entry(meant.clone()).or_default();
            *times += 1;
            let key = match &task.key {
                Some(own) if scope.is_empty() => Ok(own.clone()),
                Some(own) => key(scope, own.as_str(), 0),
                None => key(scope, &meant, *times),
            };
            task.key = Some(key.map_err(|error| wrong(error.to_string()))?);
            Ok(task)
        })
        .collect()
}

/// The same for the same task, unless it stands there several times: then each of them has its own.
fn key(scope: &str, task: &str, times: u32) -> Result<IdempotencyKey, InvalidKey> {
    let mut hash = Sha256::new();
    for part in [scope, task, &times.to_string()] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut key = "import-".to_owned();
    for byte in hash.finalize().iter().take(16) {
        // Writing to a `String` cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
    IdempotencyKey::new(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let tasks = parse(text, "").unwrap();
        let key = |task: NewTask| task.key.unwrap().to_string();
        tasks.into_iter().map(key).collect()
    }

    #[test]
    fn a_task_has_the_same_key_wherever_it_stands_and_however_it_is_written() {
        let sing = r#"{"description": "sing", "capabilities": ["song", "air"]}"#;
        let same = r#" {"capabilities":["air","song"],"description":"sing"} "#;
        let dance = r#"{"description": "dance"}"#;
        let first = keys(&format!("{sing}\n{dance}\n"));
        let second = keys(&format!("{dance}\n\n{same}"));
        assert_eq!(first[0], second[1]);
        assert_eq!(first[1], second[0]);
        assert_ne!(first[0], first[1]);
    }

    #[test]
    fn a_task_that_stands_there_twice_is_two() {
        let twice = "{\"description\": \"sing\"}\n{\"description\": \"sing\"}";
        let both = keys(twice);
        assert_ne!(both[0], both[1]);
        assert_eq!(keys("{\"description\": \"sing\"}"), both[..1]);
    }

    #[test]
    fn another_scope_makes_them_other_tasks() {
        let text = "{\"description\": \"sing\"}";
        let today = parse(text, "today").unwrap();
        assert_ne!(today[0].key.as_ref().unwrap().as_str(), keys(text)[0]);
    }

    #[test]
    fn a_key_that_stands_in_the_line_is_the_tasks() {
        let text = "{\"description\": \"sing\", \"key\": \"mine\"}";
        assert_eq!(keys(text), ["mine"]);
        let today = parse(text, "today").unwrap();
        assert_ne!(today[0].key.as_ref().unwrap().as_str(), "mine");
        let wrong = parse("{\"description\": \"sing\", \"key\": \"\"}", "");
        assert!(wrong.unwrap_err().why.contains("idempotency key"));
    }

    #[test]
    fn a_line_that_is_no_task_is_named() {
        let text = "{\"description\": \"sing\"}\n\n{\"described\": \"sing\"}";
        let wrong = parse(text, "").unwrap_err();
        assert_eq!(wrong.line, 3);
        assert!(wrong.why.contains("described"), "{}", wrong.why);
    }
}
