//! Files of variables: `KEY=VALUE`, a line each.

use std::path::Path;

use super::error::ConfigError;
use super::find::read;

/// Reads the variables of a file in their order.
///
/// Blank lines and lines that begin with `#` say nothing. A value in single quotes is taken as it stands; in
/// double quotes `\n`, `\t`, `\"`, `\\` and `\$` mean what they mean in a shell; without quotes it ends at
/// ` #` and loses the blanks around it. A leading `export` is allowed. Nothing is ever interpolated.
///
/// # Errors
///
/// The file cannot be read, or a line is no `KEY=VALUE`: the error says which, and never what stands there.
pub fn variables(path: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let text = read(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match variable(line) {
            Ok(variable) => variables.extend(variable),
            // The line itself is not shown: what stands in such files is seldom meant to be seen.
            Err(problem) => {
                return Err(ConfigError::new(format!("line {}: {problem}", number + 1))
                    .with_cure("write it as KEY=VALUE, the value in quotes where it needs them")
                    .in_file(path));
            }
        }
    }
    Ok(variables)
}

/// Whether there is no such file. One that cannot be looked at is there: reading it says why.
pub(crate) fn is_absent(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

fn variable(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line
        .strip_prefix("export")
        .filter(|rest| rest.starts_with([' ', '\t']))
        .map_or(line, str::trim_start);
    let (key, value) = line.split_once('=').ok_or("there is no `=` in it")?;
    let key = key.trim_end();
    if key.is_empty() {
        return Err("there is no name before the `=`");
    }
    if key.contains(char::is_whitespace) {
        return Err("there is a blank in the variable's name");
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some('\'') => single_quoted(&value[1..])?,
        Some('"') => double_quoted(&value[1..])?,
        _ => bare(value).to_owned(),
    };
    Ok(Some((key.to_owned(), value)))
}

fn bare(value: &str) -> &str {
    let end = value
        .char_indices()
        .find(|&(at, c)| c == '#' && (at == 0 || value[..at].ends_with([' ', '\t'])))
        .map_or(value.len(), |(at, _)| at);
    value[..end].trim_end()
}

fn single_quoted(rest: &str) -> Result<String, &'static str> {
    let (value, after) = rest
        .split_once('\'')
        .ok_or("the single quote is not closed on the line")?;
    nothing_but_a_comment(after)?;
    Ok(value.to_owned())
}

fn double_quoted(rest: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next() {
            None => return Err("the double quote is not closed on the line"),
            Some('"') => break,
            Some('\\') => match chars.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(c @ ('"' | '\\' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => return Err("the double quote is not closed on the line"),
            },
            Some(c) => value.push(c),
        }
    }
    nothing_but_a_comment(chars.as_str())?;
    Ok(value)
}

fn nothing_but_a_comment(after: &str) -> Result<(), &'static str> {
    let after = after.trim_start();
    if after.is_empty() || after.starts_with('#') {
        Ok(())
    } else {
        Err("something follows the closing quote")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: &str) -> String {
        variable(line).unwrap().unwrap().1
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        assert_eq!(value("A=1"), "1");
        assert_eq!(value("export A = 1 # one"), "1");
        assert_eq!(value("A="), "");
        assert_eq!(value("A=a#b=c"), "a#b=c");
        assert_eq!(value("A='$x \\n # y' # z"), "$x \\n # y");
        assert_eq!(value(r#"A="a\n\"b\" \$c \d""#), "a\n\"b\" $c \\d");
        assert_eq!(variable("exporter=1").unwrap().unwrap().0, "exporter");
        assert_eq!(variable("  # A=1").unwrap(), None);
        assert_eq!(variable("").unwrap(), None);
    }

    #[test]
    fn what_is_no_variable_is_refused_by_its_line_and_without_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        for bad in [
            "hunter2",
            "=hunter2",
            "A B=hunter2",
            "A='hunter2",
            "A=\"hunter2",
            "A='x' hunter2",
        ] {
            std::fs::write(&path, format!("OK=1\n\n{bad}\n")).unwrap();
            let sentence = variables(&path).unwrap_err().to_string();
            assert!(sentence.contains("line 3"), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }
}
