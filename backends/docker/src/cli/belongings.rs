//! Networks and volumes by the program.

use async_trait::async_trait;

use super::Cli;
use super::child::Call;
use crate::belongings::{Belonging, Belongs, Kind, Network, Told};
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, Ref};
use crate::labels::Labels;

/// As the program says it.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Network => "network",
        Kind::Volume => "volume",
    }
}

#[async_trait]
impl Belongs for Cli {
    async fn labels_of(&self, kind: Kind, name: &Ref) -> Answer<Option<Labels>> {
        let format = "--format={{.Name}} {{json .Labels}}";
        let call = Call::new(
            [word(kind), "inspect", format, name.as_str()],
            self.timeouts.ask,
        );
        let said = self.program.run(call).await?;
        if !said.is_well() {
            let trouble = said.trouble();
            return match trouble.class {
                Class::NoNetwork | Class::NoVolume => Ok(None),
                _ => Err(trouble),
            };
        }
        let lines = said.lines().filter_map(|line| line.split_once(' '));
        // The beginning of an id is taken for the id.
        let mut named = lines.filter(|(found, _)| *found == name.as_str());
        let Some((_, labels)) = named.next() else {
            return Ok(None);
        };
        let labels: Option<Labels> = serde_json::from_str(labels)
            .map_err(|_| Trouble::new(Class::Other, "it tells of labels in words unknown here"))?;
        Ok(Some(labels.unwrap_or_default()))
    }

    async fn network(&self, name: &Ref) -> Answer<Option<Network>> {
        let call = Call::new(["network", "inspect", name.as_str()], self.timeouts.ask);
        let said = self.program.run(call).await?;
        if !said.is_well() {
            let trouble = said.trouble();
            return match trouble.class {
                Class::NoNetwork => Ok(None),
                _ => Err(trouble),
            };
        }
        let found: Vec<Told> = said.json()?;
        let meant = found.into_iter().find(|told| told.name == name.as_str());
        Ok(meant.map(Network::told))
    }

    async fn make(&self, belonging: &Belonging, labels: &Labels) -> Answer<()> {
        let mut args = vec![word(belonging.kind).to_owned(), "create".to_owned()];
        let labels = labels
            .iter()
            .map(|(key, value)| format!("--label={key}={value}"));
        args.extend(labels);
        args.extend(
            belonging
                .driver
                .iter()
                .map(|driver| format!("--driver={driver}")),
        );
        if belonging.internal {
            args.push("--internal".to_owned());
        }
        let options = belonging.options.iter();
        args.extend(options.map(|(key, value)| format!("--opt={key}={value}")));
        args.push(belonging.name.as_str().to_owned());
        let call = Call::new(args, self.timeouts.start);
        self.program.run(call).await?.well().map(|_| ())
    }

    async fn labelled(&self, kind: Kind, label: &str) -> Answer<Vec<Ref>> {
        let filter = format!("--filter=label={label}");
        let said = self
            .ask([word(kind), "ls", &filter, "--format={{.Name}}"])
            .await?;
        Ok(said.lines().filter_map(Ref::new).collect())
    }

    async fn discard(&self, kind: Kind, name: &Ref) -> Answer<()> {
        self.tell([word(kind), "rm", name.as_str()], self.timeouts.remove)
            .await
    }
}
