//! `--format`: for people, as JSON, or by a template of the user's.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::SystemTime;

use alveary::{ByteSize, Escaped};
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;

use super::{age, write_line};
use crate::failure::Failure;

/// What is printed one after the other.
pub(crate) trait Record: Serialize {
    /// What a template may name, and what that says. `exit.code` is what `exit` has in it.
    const FIELDS: &'static [Field];
    /// One of them, for who has to be shown what a template looks like.
    const EXAMPLE: &'static str = "name";
    /// Of those that are records themselves, what they have in them.
    const WITHIN: &'static [(&'static str, &'static [Field])] = &[];

    /// Whether there is such a field, or something that has it within.
    fn has(name: &str) -> bool {
        let within = Self::WITHIN.iter().any(|(outer, fields)| {
            let inner = name.strip_prefix(outer);
            inner
                .and_then(|inner| inner.strip_prefix('.'))
                .is_some_and(|inner| is_field(inner, fields))
        });
        within || is_field(name, Self::FIELDS)
    }
}

/// The name of a field, and what it says.
pub(crate) type Field = (&'static str, &'static str);

/// How records are printed.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// As the verb prints them for people.
    Plain,
    /// One JSON object a line.
    Json,
    /// One after the other, each by this template.
    Template(Arc<Template>),
}

/// What a record is put into, and comes out as a line.
#[derive(Debug)]
pub(crate) struct Template(Environment<'static>);

const NAME: &str = "format";

/// Reads a form of these records. `plain` is the word for what people read.
pub(crate) fn form<R: Record>(
    plain: &'static str,
) -> impl Fn(&str) -> Result<Form, String> + Clone + Send + Sync {
    move |text| {
        if text == plain {
            return Ok(Form::Plain);
        }
        if text == "json" {
            return Ok(Form::Json);
        }
        if !text.contains("{{") && !text.contains("{%") {
            let words = match plain {
                "json" => "not `json`".to_owned(),
                plain => format!("neither `{plain}` nor `json`"),
            };
            return Err(format!(
                "it is {words}, and a template has fields in it, such as `{{{{ {} }}}}`",
                R::EXAMPLE
            ));
        }
        let template = Template::new::<R>(text, io::stdout().is_terminal())?;
        Ok(Form::Template(Arc::new(template)))
    }
}

/// What a verb says of itself at length: an example, and the fields that its records have.
pub(crate) fn about<R: Record>(example: &str) -> String {
    let width = R::FIELDS.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = format!(
        "{example}\n\nFields of a template, and of the JSON; `| age` makes a span of time of a moment, `| size` KiB \
         and MiB of bytes:\n"
    );
    for (name, meaning) in R::FIELDS {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {name:width$}  {meaning}");
    }
    text
}

impl Form {
    /// Whether it is for people to read.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// One record as a line for programs; nothing where it is for people, who get more than one at once.
    pub(crate) fn line(&self, record: &impl Record) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        match self {
            Self::Plain => {}
            Self::Json => write_line(&mut line, record)?,
            Self::Template(template) => {
                line.extend(template.fill(record)?.into_bytes());
                line.push(b'\n');
            }
        }
        Ok(line)
    }

    /// Prints one record as a line for programs.
    pub(crate) fn write(&self, out: &mut impl Write, record: &impl Record) -> Result<(), Failure> {
        out.write_all(&self.line(record)?)?;
        Ok(())
    }
}

impl Template {
    fn new<R: Record>(text: &str, is_terminal: bool) -> Result<Self, String> {
        let mut env = Environment::new();
        // A field that is wrong is refused before; what has no value at the moment is empty.
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_formatter(move |out, _, value| {
            if value.is_none() || value.is_undefined() {
                return Ok(());
            }
            let text = match value.kind() {
                // As JSON and filters spell it.
                ValueKind::Bool => value.is_true().to_string(),
                _ => value.to_string(),
            };
            // What an agent or an engine says drives no terminal; what the template says may.
            let written = if is_terminal {
                write!(out, "{}", Escaped(&text))
            } else {
                out.write_str(&text)
            };
            written.map_err(|_| Error::from(ErrorKind::WriteFailure))
        });
        env.add_filter("age", ago);
        env.add_filter("size", size);
        // As a shell hands them on, and docker reads them.
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        env.add_template_owned(NAME, text).map_err(|error| {
            let why = why(&error);
            format!("{why} (write fields as in `{{{{ name }}}}`; `--help` shows which there are)")
        })?;
        let named = env
            .get_template(NAME)
            .map_err(|error| why(&error))?
            .undeclared_variables(true);
        let mut wrong: Vec<&String> = named
            .iter()
            .filter(|name| !R::has(name) && env.globals().all(|(own, _)| own != *name))
            .collect();
        wrong.sort_unstable();
        if let Some(name) = wrong.first() {
            let known: Vec<&str> = R::FIELDS.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "there is no field `{}` (write one of {})",
                Escaped(name),
                known.join(", ")
            ));
        }
        Ok(Self(env))
    }

    fn fill(&self, record: &impl Record) -> Result<String, Failure> {
        self.0
            .get_template(NAME)
            .and_then(|template| template.render(Value::from_serialize(record)))
            .map_err(|error| {
                Failure::input(
                    format!("the template of --format fails: {}", why(&error)),
                    "mend it; `--help` shows the fields, and where there may be none say `| default(…)`",
                )
            })
    }
}

/// A field, or what has fields in it.
fn is_field(name: &str, fields: &[Field]) -> bool {
    fields.iter().any(|(field, _)| {
        *field == name
            || field
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
    })
}

fn why(error: &Error) -> String {
    error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// A moment as how long ago that was.
fn ago(value: &Value) -> Result<Value, Error> {
    let Some(text) = value.as_str() else {
        return Ok(Value::UNDEFINED);
    };
    let at: SystemTime = humantime::parse_rfc3339(text).map_err(|_| {
        let what = format!("`{}` is no moment", Escaped(text));
        Error::new(ErrorKind::InvalidOperation, what)
    })?;
    Ok(age(at).into())
}

/// A number of bytes as people say it.
fn size(value: &Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Number {
        return Ok(Value::UNDEFINED);
    }
    let bytes = u64::try_from(value.clone())?;
    Ok(ByteSize(bytes).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Bee {
        name: &'static str,
        load: Option<u64>,
        home: Option<Home>,
        born: &'static str,
    }

    #[derive(Serialize)]
    struct Home {
        tree: &'static str,
    }

    impl Record for Bee {
        const FIELDS: &'static [Field] = &[
            ("name", "what it is called"),
            ("load", "what it carries"),
            ("home.tree", "where it lives"),
            ("born", "when it was born"),
        ];
    }

    const BEE: Bee = Bee {
        name: "maja",
        load: Some(2048),
        home: Some(Home { tree: "lime" }),
        born: "2020-01-01T00:00:00Z",
    };

    fn filled(text: &str) -> String {
        let form = form::<Bee>("table")(text).unwrap();
        String::from_utf8(form.line(&BEE).unwrap()).unwrap()
    }

    #[test]
    fn the_words_stay_words_and_anything_with_a_field_in_it_is_a_template() {
        let read = form::<Bee>("table");
        assert!(matches!(read("table"), Ok(Form::Plain)));
        assert!(matches!(read("json"), Ok(Form::Json)));
        assert!(matches!(read("{{ name }}"), Ok(Form::Template(_))));
        let refused = read("tables").unwrap_err();
        assert!(refused.contains("`table`") && refused.contains("{{ name }}"));
    }

    #[test]
    fn a_template_is_filled_in() {
        assert_eq!(filled("{{ name }}"), "maja\n");
        assert_eq!(filled(r"{{ name|upper }}\t{{ home.tree }}"), "MAJA\tlime\n");
        assert_eq!(filled("{{ load | size }}"), "2.0 KiB\n");
        assert!(filled("{{ born | age }}").ends_with("d\n"));
        assert_eq!(
            filled("{% for n in range(2) %}{{ n }}{% endfor %}{% set x = name %}{{ x }}"),
            "01maja\n"
        );
    }

    #[test]
    fn on_a_terminal_what_is_filled_in_cannot_drive_it_and_the_template_can() {
        let rude = Bee {
            name: "a\u{1b}[2J\nb",
            ..BEE
        };
        for (is_terminal, line) in [
            (true, "\u{1b}[1ma\\u{1b}[2J\\nb"),
            (false, "\u{1b}[1ma\u{1b}[2J\nb"),
        ] {
            let template = Template::new::<Bee>("\u{1b}[1m{{ name }}", is_terminal).unwrap();
            assert_eq!(template.fill(&rude).unwrap(), line);
        }
    }

    #[test]
    fn what_has_no_value_is_empty_and_no_word() {
        let form = form::<Bee>("table")("[{{ load }}{{ home.tree }}{{ load | size }}]").unwrap();
        let nothing = Bee {
            load: None,
            home: None,
            ..BEE
        };
        assert_eq!(form.line(&nothing).unwrap(), b"[]\n");
    }

    #[test]
    fn a_wrong_field_is_named_with_those_that_are() {
        for (text, wrong) in [
            ("{{ mame }}", "`mame`"),
            ("{{ home.bush }}", "`home.bush`"),
            ("{% if homes %}x{% endif %}", "`homes`"),
        ] {
            let refused = form::<Bee>("table")(text).unwrap_err();
            assert!(refused.contains(wrong), "{refused}");
            assert!(refused.contains("name, load, home.tree, born"), "{refused}");
        }
        assert!(form::<Bee>("table")("{{ name").is_err());
        assert!(form::<Bee>("table")("{% if home %}{{ home.tree }}{% endif %}").is_ok());
    }
}
