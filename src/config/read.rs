//! From the text of a fleet file to what it says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alveary_core::{
    AgentSpec, Declared, Escaped, Mount, SecretSource, SecretSpec, SwarmName, check_name,
};

use super::agent::{FleetAgent, MAX_COUNT, Written};
use super::backend_choice::{BackendChoice, Said};
use super::coordinator::CoordinatorTable;
use super::de::from_table;
use super::error::ConfigError;
use super::expand::join;
use super::fleet::{Backends, Fleet, Parts};
use super::options::LoadOptions;
use super::raw::{AgentTable, FileTable};
use super::source::{Source, Span};
use super::tree::{Key, Table, Value};
use super::{env_file, merge};

pub(crate) fn fleet(
    source: Source,
    file: PathBuf,
    options: &LoadOptions,
) -> Result<Fleet, ConfigError> {
    let source = Arc::new(source);
    let root = Table::parse(&source.text).map_err(|fault| fault.explain(&source, ""))?;
    let top: FileTable = from_table(&root, 0..0).map_err(|fault| fault.explain(&source, ""))?;
    let reader = Reader {
        source: &source,
        root: &root,
        folder: file.parent().unwrap_or(Path::new("/")),
    };
    let parts = Parts {
        swarm: reader.swarm(top.swarm, options)?,
        backend: reader.backend(top.backend, options)?,
        state_dir: match (options.named_state_dir()?, top.state_dir) {
            (Some(named), _) => Some(named),
            (None, written) => written.map(|dir| reader.folder.join(dir)),
        },
        calls: top.calls,
        declared: Declared::new(top.networks, top.volumes),
        coordinator: (top.coordinator)
            .map(|table| reader.coordinator(table))
            .transpose()?,
        metrics: top.metrics,
        agents: reader.agents()?,
        backends: Backends {
            source: Arc::clone(&source),
            tables: reader.tables("backends")?.cloned().unwrap_or_default(),
        },
        file,
    };
    parts.check()
}

struct Reader<'a> {
    source: &'a Source,
    root: &'a Table,
    folder: &'a Path,
}

impl<'a> Reader<'a> {
    fn swarm(
        &self,
        written: Option<String>,
        options: &LoadOptions,
    ) -> Result<SwarmName, ConfigError> {
        let refuse = |name: &str, why: &dyn std::fmt::Display| {
            ConfigError::new(format!(
                "`{}` cannot be a swarm's name: {why}",
                Escaped(name)
            ))
        };
        if let Some(named) = options.named_swarm()? {
            return SwarmName::new(&named.value).map_err(|why| match named.by {
                Some(variable) => refuse(&named.value, &why)
                    .with_cure(format!("give the variable {variable} another")),
                None => refuse(&named.value, &why),
            });
        }
        if let Some(written) = written {
            return SwarmName::new(&written)
                .map_err(|why| refuse(&written, &why).at(self.source, &self.value("swarm")));
        }
        let folder = self.folder.file_name().unwrap_or_default();
        let name = name_from(&folder.to_string_lossy());
        SwarmName::new(&name).map_err(|_| {
            ConfigError::new(format!(
                "the swarm has no name, and that of its folder, {}, cannot be one",
                self.folder.display()
            ))
            .with_cure("write `swarm = \"NAME\"` at the top of the file")
            .at(self.source, &(0..0))
        })
    }

    fn backend(
        &self,
        written: Option<String>,
        options: &LoadOptions,
    ) -> Result<BackendChoice, ConfigError> {
        let choice = match (options.named_backend()?, written) {
            (Some(named), _) => BackendChoice::said(
                named.value,
                named.by.map_or(Said::ByCaller, Said::ByVariable),
            ),
            (None, Some(word)) => BackendChoice::said(word, Said::InFile(self.value("backend"))),
            (None, None) => BackendChoice::default(),
        };
        Ok(choice)
    }

    fn coordinator(&self, mut table: CoordinatorTable) -> Result<CoordinatorTable, ConfigError> {
        if table.is_open_to_all() {
            let written = self.root.table("coordinator");
            let auth = written.and_then(|written| written.get("auth"));
            return Err(ConfigError::new(
                "the coordinator would be open to everybody who reaches this machine",
            )
            .with_cure(
                "listen on 127.0.0.1, say `auth = \"token\"`, or say `insecure_no_auth = true` if that is meant",
            )
            .at(self.source, &auth.map_or(0..0, |node| node.span.clone())));
        }
        for path in [&mut table.db, &mut table.tasks].into_iter().flatten() {
            *path = join(self.folder, &path.to_string_lossy());
        }
        Ok(table)
    }

    fn agents(&self) -> Result<Vec<FleetAgent>, ConfigError> {
        let nothing = Table::default();
        let defaults = match self.root.get("defaults") {
            Some(node) => node.table().ok_or_else(|| {
                ConfigError::new("`defaults` is a table of an agent's keys")
                    .with_cure("write `[defaults]` and the keys beneath it")
                    .at(self.source, &node.span)
            })?,
            None => &nothing,
        };
        let Some(agents) = self.tables("agents")? else {
            // Nobody would find what is wrong with defaults that are used by none.
            let _: AgentTable = from_table(defaults, 0..0)
                .map_err(|fault| fault.explain(self.source, "defaults"))?;
            return Ok(Vec::new());
        };
        agents
            .iter()
            .filter_map(|(key, node)| Some((key, node.table()?)))
            .map(|(key, own)| self.agent(defaults, key, own))
            .collect()
    }

    fn agent(&self, defaults: &Table, key: &Key, own: &Table) -> Result<FleetAgent, ConfigError> {
        let name = &key.text;
        check_name(name).map_err(|why| {
            ConfigError::new(format!(
                "`{}` cannot be an agent's name: {why}",
                Escaped(name)
            ))
            .with_cure("choose another name")
            .at(self.source, &key.span)
        })?;
        let table = merge::agent(defaults, own);
        self.no_secret_is_written_here(&table)?;
        let typed: AgentTable = from_table(&table, key.span.clone()).map_err(|fault| {
            let from_defaults = |span: &Span| merge::holds(defaults, span);
            if fault.span().is_some_and(from_defaults) {
                fault.explain(self.source, "defaults")
            } else {
                fault.explain(self.source, &format!("agents.{name}"))
            }
        })?;
        let written = Written {
            name: key.span.clone(),
            table,
        };
        self.resolve(name, typed, written)
    }

    /// A secret's value in the file is a mistake that is not to be repeated on a terminal.
    fn no_secret_is_written_here(&self, agent: &Table) -> Result<(), ConfigError> {
        let secrets = agent.table("secrets").into_iter().flat_map(Table::iter);
        for (key, node) in secrets {
            if let Value::Text(_) = node.value {
                return Err(ConfigError::new(format!(
                    "the secret `{}` is written into the file",
                    Escaped(&key.text)
                ))
                .with_cure(
                    "say where it stands instead: { file = \"PATH\" } or { env = \"VARIABLE\" }",
                )
                .at_secret(self.source, &key.span));
            }
        }
        Ok(())
    }

    fn resolve(
        &self,
        name: &str,
        typed: AgentTable,
        written: Written,
    ) -> Result<FleetAgent, ConfigError> {
        let count = typed
            .count
            .map(|count| self.count(name, count, &written))
            .transpose()?;
        let (mut env_file, mut file_env) = (Vec::new(), std::collections::BTreeMap::new());
        for file in typed.env_file.0 {
            let path = join(self.folder, &file.path);
            if !file.required && env_file::is_absent(&path) {
                continue;
            }
            let variables = env_file::variables(&path).map_err(|error| {
                error.with_cure(format!(
                    "mend `env_file` of the agent `{name}`, or the file; one that may be absent is written \
                     {{ path = \"PATH\", required = false }}"
                ))
            })?;
            file_env.extend(variables);
            env_file.push(path);
        }

        let mut template = AgentSpec::new(name, typed.command.0);
        template.env = (typed.env.into_iter())
            .map(|(key, text)| (key, text.0))
            .collect();
        template.inherit = typed.inherit;
        template.secrets = (typed.secrets.into_iter())
            .map(|(key, secret)| (key, self.secret(secret)))
            .collect();
        template.cwd = typed.cwd;
        template.capabilities = typed.capabilities;
        template.limits = typed.limits;
        template.user = typed.user;
        template.stop = typed.stop;
        template.ready = typed.ready;
        template.alive = typed.alive;
        template.restart = typed.restart;
        template.container = typed.container;
        (template.container.mounts.iter_mut()).for_each(|mount| self.make_whole(mount));
        Ok(FleetAgent {
            name: name.to_owned(),
            count,
            after: typed.after.0,
            env_file,
            template,
            bid: typed.bid.map(|bid| bid.0),
            file_env,
            written,
        })
    }

    /// A folder that begins at the file's, by its whole path. Whatever else has no slash before it is a volume.
    fn make_whole(&self, mount: &mut Mount) {
        let begins_here = [".", ".."].contains(&&*mount.source)
            || ["./", "../"]
                .iter()
                .any(|here| mount.source.starts_with(here));
        if begins_here && let Some(whole) = join(self.folder, &mount.source).to_str() {
            whole.clone_into(&mut mount.source);
        }
    }

    fn count(&self, name: &str, count: i64, written: &Written) -> Result<u32, ConfigError> {
        if let Ok(count @ 1..=MAX_COUNT) = u32::try_from(count) {
            return Ok(count);
        }
        let cure = match count {
            0 => "take the agent out of the file to have none of it".to_owned(),
            _ => format!("give 1 to {MAX_COUNT}"),
        };
        Err(
            ConfigError::new(format!("the agent `{name}` cannot be there {count} times"))
                .with_cure(cure)
                .at(self.source, &written.value("count")),
        )
    }

    fn secret(&self, mut secret: SecretSpec) -> SecretSpec {
        if let SecretSource::File(path) = &mut secret.source {
            *path = join(self.folder, &path.to_string_lossy());
        }
        secret
    }

    /// A table of which every value is a table: `[agents.NAME]`, `[backends.NAME]`.
    fn tables(&self, of: &str) -> Result<Option<&'a Table>, ConfigError> {
        let Some(node) = self.root.get(of) else {
            return Ok(None);
        };
        let refuse = |span: &Span, what: &str| {
            ConfigError::new(format!("`{what}` is not a table"))
                .with_cure(format!("write `[{of}.NAME]` and the keys beneath it"))
                .at(self.source, span)
        };
        let table = node.table().ok_or_else(|| refuse(&node.span, of))?;
        for (key, node) in table.iter() {
            if node.table().is_none() {
                return Err(refuse(&key.span, &format!("{of}.{}", key.text)));
            }
        }
        Ok(Some(table))
    }

    fn value(&self, key: &str) -> Span {
        self.root.get(key).map_or(0..0, |node| node.span.clone())
    }
}

/// A swarm's name from that of a folder: what may not stand in it becomes `-`.
fn name_from(folder: &str) -> String {
    let name: String = folder
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') => c,
            _ => '-',
        })
        .collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    name.chars().take(alveary_core::MAX_ID_LEN).collect()
}
