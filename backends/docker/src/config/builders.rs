//! Settings said in code.

use std::path::PathBuf;
use std::time::Duration;

use alveary_core::ByteSize;

use super::{LogSettings, Settings, Timeouts};

impl Settings {
    /// Sets the image of agents that name none.
    ///
    /// ```
    /// use alveary_core::ByteSize;
    /// use alveary_docker::{LogSettings, Settings};
    ///
    /// let settings = Settings::default()
    ///     .with_host("unix:///run/docker.sock")
    ///     .with_image("agent:1")
    ///     .with_log(LogSettings::default().with_size(ByteSize::mib(4)));
    /// assert_eq!(settings.image.as_deref(), Some("agent:1"));
    /// ```
    #[must_use]
    pub fn with_image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Says where the engine is.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Says in which folder the certificates are.
    #[must_use]
    pub fn with_certificates(mut self, folder: impl Into<PathBuf>) -> Self {
        self.certificates = Some(folder.into());
        self
    }

    /// Names the program, for `docker-cli` alone.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<String>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Says what the names of this swarm's containers begin with.
    #[must_use]
    pub fn with_name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = Some(prefix.into());
        self
    }

    /// Says how the engine keeps what agents write.
    #[must_use]
    pub fn with_log(mut self, log: LogSettings) -> Self {
        self.log = log;
        self
    }

    /// Sets the most processes and threads of an agent that says nothing of them.
    #[must_use]
    pub fn with_pids(mut self, pids: u64) -> Self {
        self.pids = pids;
        self
    }

    /// Lets agents be given one more path of the host that hands out the host itself.
    #[must_use]
    pub fn with_host_access(mut self, path: impl Into<String>) -> Self {
        self.host_access.push(path.into());
        self
    }

    /// Says how long the engine's answers are waited for.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Timeouts) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many containers are started, ended or removed at once, at the most.
    #[must_use]
    pub fn with_at_once(mut self, containers: usize) -> Self {
        self.at_once = Some(containers);
        self
    }
}

impl LogSettings {
    /// Names the engine's log driver.
    #[must_use]
    pub fn with_driver(mut self, driver: impl Into<String>) -> Self {
        self.driver = Some(driver.into());
        self
    }

    /// Sets how large one of an agent's log files grows before the next is begun.
    #[must_use]
    pub fn with_size(mut self, size: ByteSize) -> Self {
        self.size = size;
        self
    }

    /// Sets how many of them are kept.
    #[must_use]
    pub fn with_files(mut self, files: u32) -> Self {
        self.files = files;
        self
    }

    /// Sets what waits in the engine's memory for its log to be written.
    #[must_use]
    pub fn with_buffer(mut self, buffer: ByteSize) -> Self {
        self.buffer = buffer;
        self
    }

    /// Has an agent wait, or not, where the engine cannot keep up.
    #[must_use]
    pub fn with_blocking(mut self, blocking: bool) -> Self {
        self.blocking = blocking;
        self
    }

    /// Adds an option of the driver.
    #[must_use]
    pub fn with_option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }
}

impl Timeouts {
    /// Sets that of the making, and of the starting, of a container.
    #[must_use]
    pub fn with_start(mut self, start: Duration) -> Self {
        self.start = start;
        self
    }

    /// Sets that of a removal, and of an end by force.
    #[must_use]
    pub fn with_remove(mut self, remove: Duration) -> Self {
        self.remove = remove;
        self
    }

    /// Sets that of anything that is asked.
    #[must_use]
    pub fn with_ask(mut self, ask: Duration) -> Self {
        self.ask = ask;
        self
    }

    /// Sets that of an engine that says nothing while it fetches an image.
    #[must_use]
    pub fn with_pull(mut self, pull: Duration) -> Self {
        self.pull = Some(pull);
        self
    }
}
