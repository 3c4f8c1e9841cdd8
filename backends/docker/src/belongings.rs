//! What of an engine's networks and volumes is a swarm's own: what it is called, and what is made of it. Pure, but
//! for the trait by which an engine is told.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use alveary_core::{
    Declared, Error, ErrorKind, Escaped, HostAddress, NetworkSpec, Operation, Result, Subnet,
    SwarmName, VolumeSpec,
};
use async_trait::async_trait;
use serde::Deserialize;

use crate::engine::{Answer, Ref};
use crate::labels::Labels;
use crate::plan::{Plan, Source, without_dots};

/// Networks that every engine has, and words that are none.
const RESERVED: [&str; 4] = ["bridge", "default", "host", "none"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Network,
    Volume,
}

/// As a person says it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "network",
            Self::Volume => "volume",
        })
    }
}

/// A network or volume that is to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Belonging {
    pub(crate) kind: Kind,
    pub(crate) name: Ref,
    /// The engine's default one unless said.
    pub(crate) driver: Option<String>,
    /// Of a network: nothing leads out of it.
    pub(crate) internal: bool,
    pub(crate) options: BTreeMap<String, String>,
}

impl Belonging {
    /// The paths of the host that a volume's options make it of: `device = "/srv"` with `o = "bind"`, a disk, what an
    /// overlay lies on. And whether it is only read there.
    pub(crate) fn of_the_host(&self) -> (Vec<PathBuf>, bool) {
        let (mut paths, mut read_only) = (Vec::new(), false);
        let mut is_one = |path: &str| {
            if self.kind == Kind::Volume && path.starts_with('/') {
                paths.push(without_dots(Path::new(path)));
            }
        };
        for (key, value) in &self.options {
            match key.to_ascii_lowercase().as_str() {
                "o" => {
                    for option in value.split(',') {
                        read_only |= option == "ro";
                        let said = option.split_once('=').map_or("", |(_, said)| said);
                        said.split(':').for_each(&mut is_one);
                    }
                }
                _ => is_one(value),
            }
        }
        (paths, read_only)
    }
}

impl fmt::Display for Belonging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name.as_str())
    }
}

/// What an engine does for a swarm's belongings, whichever way it is reached.
#[async_trait]
pub(crate) trait Belongs: Send + Sync {
    /// The labels of what bears this name; `None` where nothing does.
    async fn labels_of(&self, kind: Kind, name: &Ref) -> Answer<Option<Labels>>;

    /// The network of this name; `None` where there is none.
    async fn network(&self, name: &Ref) -> Answer<Option<Network>>;

    /// Makes it. Of a volume whose name is taken, engines say nothing.
    async fn make(&self, belonging: &Belonging, labels: &Labels) -> Answer<()>;

    /// The names of all that carry this label, `key=value`.
    async fn labelled(&self, kind: Kind, label: &str) -> Answer<Vec<Ref>>;

    /// Removes what nobody uses.
    async fn discard(&self, kind: Kind, name: &Ref) -> Answer<()>;
}

/// A network, as an engine tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) driver: String,
    /// The host in it: once for each range of addresses that it has.
    pub(crate) gateways: Vec<HostAddress>,
}

impl Network {
    /// Reads what the Engine API and both programs say, each in words of its own.
    pub(crate) fn told(of: Told) -> Self {
        let ipam = of.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let places = ipam.into_iter().chain(of.subnets.unwrap_or_default());
        Self {
            driver: of.driver,
            gateways: places.filter_map(Place::gateway).collect(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    #[serde(alias = "Name")]
    pub(crate) name: String,
    #[serde(alias = "Driver", default)]
    driver: String,
    #[serde(rename = "IPAM", default)]
    ipam: Option<Ipam>,
    /// As Podman's program has it.
    #[serde(default)]
    subnets: Option<Vec<Place>>,
}

#[derive(Debug, Deserialize)]
struct Ipam {
    #[serde(rename = "Config", default)]
    config: Option<Vec<Place>>,
}

#[derive(Debug, Deserialize)]
struct Place {
    #[serde(alias = "Subnet", default)]
    subnet: Option<String>,
    #[serde(alias = "Gateway", default)]
    gateway: Option<String>,
}

impl Place {
    /// The gateway, or, of a subnet that an engine has laid out without saying it, the first address.
    fn gateway(self) -> Option<HostAddress> {
        let gateway = self.gateway.filter(|said| !said.is_empty());
        // The length of what they have in common stands with the one or the other.
        let members: Option<Subnet> = [&self.subnet, &gateway]
            .into_iter()
            .flatten()
            .find_map(|said| said.parse().ok());
        let address = match &gateway {
            Some(said) => said.split('/').next()?.parse().ok()?,
            None => match self.subnet?.split_once('/')?.0.parse().ok()? {
                IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() | 1).into(),
                IpAddr::V6(_) => return None,
            },
        };
        Some(HostAddress::new(address, members?))
    }
}

/// What a name in a spec stands for.
#[derive(Debug)]
struct Meant {
    belonging: Belonging,
    external: bool,
}

/// What the names in specs stand for that the fleet declares.
#[derive(Debug, Default)]
pub(crate) struct Declarations(BTreeMap<(Kind, String), Meant>);

impl Declarations {
    /// `InvalidSpec`: an engine would not take it.
    pub(crate) fn new(swarm: &SwarmName, declared: &Declared) -> Result<Self> {
        let mut all = BTreeMap::new();
        let networks = declared.networks.iter();
        let volumes = declared.volumes.iter();
        let meant = networks
            .map(|(key, spec)| (key, network(swarm, key, spec)))
            .chain(volumes.map(|(key, spec)| (key, volume(swarm, key, spec))));
        for (key, meant) in meant {
            let meant = meant?;
            all.insert((meant.belonging.kind, key.clone()), meant);
        }
        Ok(Self(all))
    }

    /// What is to be made by the swarm itself.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Belonging> {
        let own = self.0.values().filter(|meant| !meant.external);
        own.map(|meant| &meant.belonging)
    }

    /// Puts the engine's names in the place of the fleet's, and gives what of the swarm's own the plan needs.
    pub(crate) fn resolve(&self, plan: &mut Plan) -> Vec<Belonging> {
        let mut needed = Vec::new();
        let mut resolve = |kind, name: &mut String| {
            let Some(meant) = self.0.get(&(kind, name.clone())) else {
                return;
            };
            meant.belonging.name.as_str().clone_into(name);
            if !meant.external && !needed.contains(&meant.belonging) {
                needed.push(meant.belonging.clone());
            }
        };
        for network in &mut plan.networks {
            resolve(Kind::Network, network);
        }
        for mount in &mut plan.mounts {
            if let Source::Volume(volume) = &mut mount.source {
                resolve(Kind::Volume, volume);
            }
        }
        needed
    }
}

fn network(swarm: &SwarmName, key: &str, spec: &NetworkSpec) -> Result<Meant> {
    let name = name(
        Kind::Network,
        swarm,
        key,
        spec.name.as_deref(),
        spec.external,
    )?;
    if RESERVED.contains(&name.as_str()) && !spec.external {
        return Err(refuse(
            format!("the network `{}` is every engine's", name.as_str()),
            "use it without declaring it, or choose another name",
        ));
    }
    let says_how = spec.driver.is_some() || spec.internal || !spec.options.is_empty();
    not_made_here(Kind::Network, key, spec.external && says_how)?;
    Ok(Meant {
        belonging: Belonging {
            kind: Kind::Network,
            name,
            driver: driver(Kind::Network, key, spec.driver.as_ref())?,
            internal: spec.internal,
            options: options(Kind::Network, key, &spec.options)?,
        },
        external: spec.external,
    })
}

fn volume(swarm: &SwarmName, key: &str, spec: &VolumeSpec) -> Result<Meant> {
    let says_how = spec.driver.is_some() || !spec.options.is_empty();
    not_made_here(Kind::Volume, key, spec.external && says_how)?;
    Ok(Meant {
        belonging: Belonging {
            kind: Kind::Volume,
            name: name(
                Kind::Volume,
                swarm,
                key,
                spec.name.as_deref(),
                spec.external,
            )?,
            driver: driver(Kind::Volume, key, spec.driver.as_ref())?,
            internal: false,
            options: options(Kind::Volume, key, &spec.options)?,
        },
        external: spec.external,
    })
}

/// A volume's is a folder's; an engine takes a longer one of a network, and tells nobody of it.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=255;

/// The swarm's name stands before it, so that two swarms of one file do not share what they did not mean to.
fn name(
    kind: Kind,
    swarm: &SwarmName,
    key: &str,
    said: Option<&str>,
    external: bool,
) -> Result<Ref> {
    // The key itself is what specs say, and so has to be a name as well.
    let usual = Ref::new(key).map(|_| {
        if external {
            key.to_owned()
        } else {
            format!("{swarm}_{key}")
        }
    });
    let name = usual.and_then(|usual| Ref::new(said.map_or(usual, ToOwned::to_owned)));
    let fits = |name: &Ref| LENGTHS.contains(&name.as_str().len());
    name.filter(fits).ok_or_else(|| {
        refuse(
            format!(
                "`[{kind}s.{}]` has a name that no engine takes",
                Escaped(key)
            ),
            "use letters, digits, `_`, `.` and `-`, the first a letter or a digit, two at the least and 255 at the most",
        )
    })
}

fn not_made_here(kind: Kind, key: &str, external: bool) -> Result<()> {
    if !external {
        return Ok(());
    }
    Err(refuse(
        format!("`[{kind}s.{key}]` says how something external is made"),
        "leave out all but `name`, or leave out `external`",
    ))
}

fn driver(kind: Kind, key: &str, driver: Option<&String>) -> Result<Option<String>> {
    let fits = |driver: &String| {
        driver.starts_with(|c: char| c.is_ascii_alphanumeric())
            && (driver.chars()).all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c))
    };
    match driver {
        Some(driver) if !fits(driver) => Err(refuse(
            format!("`{}` is no driver of `[{kind}s.{key}]`", Escaped(driver)),
            "name one that the engine has",
        )),
        _ => Ok(driver.cloned()),
    }
}

fn options(
    kind: Kind,
    key: &str,
    options: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let fits =
        |word: &String| !word.is_empty() && !word.contains(|c: char| c == '=' || c.is_control());
    match options
        .iter()
        .find(|(word, value)| !fits(word) || value.contains(char::is_control))
    {
        Some((word, _)) => Err(refuse(
            format!(
                "`options` of `[{kind}s.{key}]` cannot have `{}`",
                Escaped(word)
            ),
            "write `key = \"value\"`, neither with control characters",
        )),
        None => Ok(options.clone()),
    }
}

fn refuse(message: String, cure: &str) -> Error {
    Error::new(ErrorKind::InvalidSpec, Operation::Connect, message).with_cure(cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(networks: &str, key: &str) -> Result<String> {
        let networks = toml::from_str(networks).unwrap();
        let declared = Declared::new(networks, BTreeMap::new());
        let all = Declarations::new(&SwarmName::new("timmy-time").unwrap(), &declared)?;
        let meant = &all.0[&(Kind::Network, key.to_owned())];
        Ok(meant.belonging.name.as_str().to_owned())
    }

    #[test]
    fn the_swarms_name_stands_before_that_of_what_is_its_own() {
        assert_eq!(
            names("[swarm-net]", "swarm-net").unwrap(),
            "timmy-time_swarm-net"
        );
        assert_eq!(names("[a]\nname = \"mine\"", "a").unwrap(), "mine");
        assert_eq!(names("[ab]\nexternal = true", "ab").unwrap(), "ab");
        assert_eq!(
            names("[a]\nexternal = true\nname = \"host\"", "a").unwrap(),
            "host"
        );
    }

    #[test]
    fn what_no_engine_takes_is_refused_before_any_sees_it() {
        for (networks, key) in [
            ("[\"a/b\"]", "a/b"),
            ("[\"-rm\"]", "-rm"),
            ("[a]\nname = \"\"", "a"),
            ("[a]\nname = \"host\"", "a"),
            ("[a]\nname = \"x?force=true\"", "a"),
            ("[a]\ndriver = \"-x\"", "a"),
            ("[a]\noptions = { \"a=b\" = \"c\" }", "a"),
            ("[a]\nexternal = true\ndriver = \"overlay\"", "a"),
        ] {
            let error = names(networks, key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{networks}");
        }
        let named = |length| names(&format!("[a]\nname = \"{}\"", "n".repeat(length)), "a");
        assert!(named(255).is_ok());
        assert_eq!(named(256).unwrap_err().kind(), ErrorKind::InvalidSpec);
    }

    fn network(told: &str) -> Network {
        Network::told(serde_json::from_str(told).unwrap())
    }

    #[test]
    fn the_hosts_address_in_a_network_is_read_whoever_tells_of_it() {
        for told in [
            r#"{"Name":"net","Driver":"bridge","IPAM":{"Config":[{"Subnet":"172.18.0.0/16","Gateway":"172.18.0.1"}]}}"#,
            r#"{"Name":"net","Driver":"bridge","IPAM":{"Config":[{"Subnet":"172.18.0.0/16"}]}}"#,
            r#"{"Name":"net","Driver":"bridge","IPAM":{"Config":[{"Gateway":"172.18.0.1/16"}]}}"#,
            r#"{"name":"net","driver":"bridge","subnets":[{"subnet":"172.18.0.0/16","gateway":"172.18.0.1"}]}"#,
        ] {
            let network = network(told);
            assert_eq!(network.driver, "bridge");
            let host = HostAddress::new([172, 18, 0, 1].into(), "172.18.0.0/16".parse().unwrap());
            assert_eq!(network.gateways, [host]);
        }
        let none = network(r#"{"Name":"none","Driver":"null","IPAM":{"Config":null}}"#);
        assert!(none.gateways.is_empty());
    }
}
