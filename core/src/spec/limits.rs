//! What an agent may use up, and as whom it runs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::Escaped;

/// What an agent may use up. What is `None` is not limited by us.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Memory of the whole tree of processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Processors, in parts of one: `0.5` is half a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Processor time of each process, in whole seconds; at its end the kernel sends SIGXCPU.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "humantime_serde"
    )]
    pub cpu_time: Option<Duration>,
    /// Open descriptors of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nofile: Option<u64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nproc: Option<u64>,
}

impl Limits {
    /// Limits the memory of the whole tree of processes.
    #[must_use]
    pub fn memory(mut self, memory: ByteSize) -> Self {
        self.memory = Some(memory);
        self
    }

    /// Limits how many processors' worth of time the whole tree of processes has at a time, such as `0.5`.
    #[must_use]
    pub fn cpus(mut self, cpus: f64) -> Self {
        self.cpus = Some(cpus);
        self
    }

    /// Limits the processor time of each process.
    #[must_use]
    pub fn cpu_time(mut self, cpu_time: Duration) -> Self {
        self.cpu_time = Some(cpu_time);
        self
    }

    /// Limits the open descriptors of each process.
    #[must_use]
    pub fn nofile(mut self, nofile: u64) -> Self {
        self.nofile = Some(nofile);
        self
    }

    /// Limits processes and threads.
    #[must_use]
    pub fn nproc(mut self, nproc: u64) -> Self {
        self.nproc = Some(nproc);
        self
    }
}

/// A number of bytes, read and shown as people write it.
///
/// ```
/// use alveary_core::ByteSize;
///
/// assert_eq!("256MiB".parse(), Ok(ByteSize::mib(256)));
/// assert_eq!(ByteSize::mib(256).to_string(), "256.0 MiB");
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "RawByteSize", into = "String")]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// So many times 1,048,576 bytes.
    pub const fn mib(count: u64) -> Self {
        Self(count * 1024 * 1024)
    }
}

impl From<u64> for ByteSize {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl From<ByteSize> for u64 {
    fn from(size: ByteSize) -> Self {
        size.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&bytesize::ByteSize(self.0).display().iec().to_string())
    }
}

/// The text is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no size (`256MiB`, `1.5GB` and `4096` are)", Escaped(.0))]
pub struct InvalidByteSize(String);

impl FromStr for ByteSize {
    type Err = InvalidByteSize;

    fn from_str(text: &str) -> Result<Self, InvalidByteSize> {
        text.parse::<bytesize::ByteSize>()
            .map(|size| Self(size.as_u64()))
            .map_err(|_| InvalidByteSize(text.to_owned()))
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct RawByteSize(String);

impl TryFrom<RawByteSize> for ByteSize {
    type Error = InvalidByteSize;

    fn try_from(raw: RawByteSize) -> Result<Self, InvalidByteSize> {
        raw.0.parse()
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.0.to_string()
    }
}

/// As whom an agent runs: numbers, since names mean different people in different places.
///
/// ```
/// use alveary_core::User;
///
/// assert_eq!("1000".parse(), Ok(User { uid: 1000, gid: 1000 }));
/// assert_eq!("1000:100".parse(), Ok(User { uid: 1000, gid: 100 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// The text is no `UID` or `UID:GID`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no user (`1000` and `1000:100` are: numbers, uid and gid)", Escaped(.0))]
pub struct InvalidUser(String);

impl FromStr for User {
    type Err = InvalidUser;

    fn from_str(text: &str) -> Result<Self, InvalidUser> {
        let (uid, gid) = text.split_once(':').unwrap_or((text, text));
        match (uid.parse(), gid.parse()) {
            (Ok(uid), Ok(gid)) => Ok(Self { uid, gid }),
            _ => Err(InvalidUser(text.to_owned())),
        }
    }
}

impl TryFrom<String> for User {
    type Error = InvalidUser;

    fn try_from(text: String) -> Result<Self, InvalidUser> {
        text.parse()
    }
}

impl From<User> for String {
    fn from(user: User) -> Self {
        format!("{}:{}", user.uid, user.gid)
    }
}
