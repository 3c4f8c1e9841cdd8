//! Networks and volumes by the Engine API. Their options may be anybody's secrets, so that what makes them is sent
//! by ourselves.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bollard::query_parameters::RemoveVolumeOptions;
use serde::Deserialize;
use serde_json::json;

use super::{Api, LARGE};
use crate::belongings::{self, Belonging, Belongs, Kind, Network};
use crate::classify::Class;
use crate::engine::{Answer, Ref};
use crate::http::{SMALL, query};
use crate::labels::Labels;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    name: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volumes {
    #[serde(default)]
    volumes: Option<Vec<Told>>,
}

fn place(kind: Kind) -> &'static str {
    match kind {
        Kind::Network => "/networks",
        Kind::Volume => "/volumes",
    }
}

#[async_trait]
impl Belongs for Api {
    async fn labels_of(&self, kind: Kind, name: &Ref) -> Answer<Option<Labels>> {
        let path = format!("{}/{}", place(kind), name.as_str());
        let told: Answer<Told> = self.http.get(&path, self.timeouts.ask, LARGE).await;
        match told {
            // The beginning of an id is taken for the id.
            Ok(told) if told.name != name.as_str() => Ok(None),
            Ok(told) => Ok(Some(told.labels.unwrap_or_default())),
            Err(trouble) if matches!(trouble.class, Class::NoNetwork | Class::NoVolume) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn network(&self, name: &Ref) -> Answer<Option<Network>> {
        let path = format!("/networks/{}", name.as_str());
        let told: Answer<belongings::Told> = self.http.get(&path, self.timeouts.ask, LARGE).await;
        match told {
            Ok(told) if told.name != name.as_str() => Ok(None),
            Ok(told) => Ok(Some(Network::told(told))),
            Err(trouble) if trouble.class == Class::NoNetwork => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn make(&self, belonging: &Belonging, labels: &Labels) -> Answer<()> {
        let mut body = json!({ "Name": belonging.name.as_str(), "Labels": labels });
        if let Some(driver) = &belonging.driver {
            body["Driver"] = json!(driver);
        }
        let options = match belonging.kind {
            Kind::Network => {
                body["Internal"] = json!(belonging.internal);
                // Older engines would make a second one of the same name.
                body["CheckDuplicate"] = json!(true);
                "Options"
            }
            Kind::Volume => "DriverOpts",
        };
        body[options] = json!(belonging.options);
        let path = format!("{}/create", place(belonging.kind));
        let body = body.to_string().into_bytes();
        let _: serde_json::Value = (self.http)
            .post(&path, body, self.timeouts.start, SMALL)
            .await?;
        Ok(())
    }

    async fn labelled(&self, kind: Kind, label: &str) -> Answer<Vec<Ref>> {
        let filters = json!({ "label": [label] }).to_string();
        let path = format!("{}?{}", place(kind), query(&[("filters", &filters)]));
        let limit = self.timeouts.ask;
        let told: Vec<Told> = match kind {
            Kind::Network => self.http.get(&path, limit, LARGE).await?,
            Kind::Volume => {
                let told: Volumes = self.http.get(&path, limit, LARGE).await?;
                told.volumes.unwrap_or_default()
            }
        };
        Ok(told
            .into_iter()
            .filter_map(|told| Ref::new(told.name))
            .collect())
    }

    async fn discard(&self, kind: Kind, name: &Ref) -> Answer<()> {
        let limit = self.timeouts.remove;
        match kind {
            Kind::Network => {
                self.typed(limit, self.docker.remove_network(name.as_str()))
                    .await
            }
            Kind::Volume => {
                let call = (self.docker).remove_volume(name.as_str(), None::<RemoveVolumeOptions>);
                self.typed(limit, call).await
            }
        }
    }
}
