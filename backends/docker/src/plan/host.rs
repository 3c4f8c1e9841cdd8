//! What an agent is given of the host: names, devices, graphics processors.

use std::net::IpAddr;

use alveary_core::{Escaped, HealthCheck, Result};

use super::{Gpus, PlannedHealth, invalid, words};

/// What engines make the address of their host.
const GATEWAY: &str = "host-gateway";

/// A host name that the agent can resolve besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExtraHost {
    pub(crate) name: String,
    /// An address, or `host-gateway`, which the engine makes the host's.
    pub(crate) address: String,
}

impl ExtraHost {
    /// Whether only its engine knows the address.
    pub(crate) fn is_gateway(&self) -> bool {
        self.address == GATEWAY
    }

    /// As every engine takes it.
    pub(crate) fn as_flag(&self) -> String {
        format!("{}:{}", self.name, self.address)
    }
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) outside: String,
    pub(crate) inside: String,
    pub(crate) rights: String,
}

pub(super) fn extra_hosts(hosts: &[String]) -> Result<Vec<ExtraHost>> {
    hosts.iter().map(|text| extra_host(text)).collect()
}

fn extra_host(text: &str) -> Result<ExtraHost> {
    let refuse = || {
        invalid(
            format!("`{}` is no host and its address", Escaped(text)),
            "write `name:address`, such as `db:10.0.0.7` or `host.docker.internal:host-gateway`",
        )
    };
    let (name, address) = text.split_once(':').ok_or_else(refuse)?;
    let named = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let address = bare.unwrap_or(address);
    let known = address == GATEWAY || address.parse::<IpAddr>().is_ok();
    if !named || !known {
        return Err(refuse());
    }
    Ok(ExtraHost {
        name: name.to_owned(),
        address: address.to_owned(),
    })
}

pub(super) fn devices(devices: &[String]) -> Result<Vec<Device>> {
    devices.iter().map(|text| device(text)).collect()
}

fn device(text: &str) -> Result<Device> {
    let parts: Vec<&str> = text.split(':').collect();
    let (outside, inside, rights) = match parts[..] {
        [outside] => (outside, outside, "rwm"),
        [outside, inside] if inside.starts_with('/') => (outside, inside, "rwm"),
        [outside, rights] => (outside, outside, rights),
        [outside, inside, rights] => (outside, inside, rights),
        _ => ("", "", ""),
    };
    let known = !rights.is_empty() && rights.chars().all(|c| "rwm".contains(c));
    if !known || !outside.starts_with("/dev/") {
        return Err(invalid(
            format!("`{}` is no device", Escaped(text)),
            "write `/dev/outside[:/dev/inside[:rwm]]`",
        ));
    }
    words::inside("the device", outside)?;
    words::inside("the device", inside)?;
    Ok(Device {
        outside: outside.to_owned(),
        inside: inside.to_owned(),
        rights: rights.to_owned(),
    })
}

pub(super) fn gpus(gpus: Option<&str>) -> Result<Option<Gpus>> {
    match gpus {
        None => Ok(None),
        Some("all") => Ok(Some(Gpus::All)),
        Some(count) => match count.parse() {
            Ok(count @ 1..) => Ok(Some(Gpus::Count(count))),
            _ => Err(invalid(
                format!("`container.gpus` cannot be `{}`", Escaped(count)),
                "write `all`, or how many",
            )),
        },
    }
}

pub(super) fn health(check: &HealthCheck) -> PlannedHealth {
    let words: Vec<String> = check.command.iter().map(|word| quoted(word)).collect();
    PlannedHealth {
        script: (!words.is_empty()).then(|| words.join(" ")),
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        retries: check.retries,
    }
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
