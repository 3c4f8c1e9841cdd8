//! Networks and volumes that the file declares at its top.

use toml::{Table, Value};

use super::Yaml;
use super::parts::{leave_rest, texts_by_key};
use crate::import::{Left, name};

pub(super) fn read(file: &Yaml, key: &str, left: &mut Vec<Left>) -> Table {
    let mut all = Table::new();
    for (declared, said) in file.get(key).and_then(Yaml::map).unwrap_or_default() {
        let place = format!("{key}.{declared}");
        let mut table = Table::new();
        let mut read = vec![
            "external",
            "name",
            "driver",
            "driver_opts",
            "internal",
            "attachable",
            "labels",
        ];
        match said.get("external") {
            Some(external) if external.is_true() || external.map().is_some() => {
                table.insert("external".to_owned(), true.into());
                if let Some(name) = external.get("name").and_then(Yaml::text) {
                    table.insert("name".to_owned(), name.into());
                }
            }
            _ => {}
        }
        for text in ["name", "driver"] {
            if let Some(said) = said.get(text).and_then(Yaml::text) {
                table.insert(text.to_owned(), said.into());
            }
        }
        if said.get("internal").is_some_and(Yaml::is_true) && key == "networks" {
            table.insert("internal".to_owned(), true.into());
        }
        if let Some(options) = said.get("driver_opts").map(texts_by_key) {
            table.insert("options".to_owned(), Value::Table(options));
        }
        if said.get("labels").is_some() {
            read.retain(|known| *known != "labels");
        }
        leave_rest(&place, said, &read, left);
        all.insert(name(declared), Value::Table(table));
    }
    all
}
