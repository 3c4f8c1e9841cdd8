//! A Procfile: a name, a colon, a line for a shell.

use toml::{Table, Value};

use super::{Imported, Source, name};
use crate::failure::Failure;

pub(super) fn read(source: &Source<'_>) -> Result<Imported, Failure> {
    let mut imported = Imported::new("process", None);
    for (number, line) in source.text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = number + 1;
        let process = line
            .split_once(':')
            .map(|(name, command)| (name.trim(), command.trim()))
            .filter(|(name, command)| !name.is_empty() && !command.is_empty());
        let Some((process, command)) = process else {
            return Err(Failure::input(
                format!("line {number} of the Procfile names no process: `{line}`"),
                "write `NAME: COMMAND`, one process a line",
            ));
        };
        let agent = name(process);
        if agent != process {
            imported.leave(process, format!("the agent is called `{agent}`"));
        }
        if process == "release" {
            imported.leave(
                process,
                "elsewhere this runs once before the others; here it is an agent among them, so say `after = \"release\"` where that matters",
            );
        }
        if command.contains("$PORT") || command.contains("${PORT") {
            imported.leave(
                process,
                "nobody gives it a PORT: say one by `env = { PORT = \"5000\" }`",
            );
        }
        let mut table = Table::new();
        let words = ["sh", "-c", command].map(Value::from);
        table.insert("command".to_owned(), Value::Array(words.into()));
        let agents = &mut imported.agents;
        if agents.insert(agent, Value::Table(table)).is_some() {
            return Err(Failure::input(
                format!("line {number} of the Procfile names `{process}` a second time"),
                "give each process a name of its own",
            ));
        }
    }
    if imported.agents.is_empty() {
        return Err(Failure::input(
            "the Procfile names no process",
            "name the file that has the lines `NAME: COMMAND`",
        ));
    }
    Ok(imported)
}
