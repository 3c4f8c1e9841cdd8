//! From an engine's own words to what is the matter and what cures it. The Engine API's messages and what the
//! programs print are the same sentences with something before them, so that one table reads both.

use alveary_core::{Error, ErrorKind, Operation, Retry};

/// What an engine said no with, or how it failed to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) class: Class,
    /// The engine's words, or the operating system's: never printed raw.
    pub(crate) words: String,
}

/// What is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Nobody was reached: the request has had no effect.
    Unreachable,
    /// There is nothing where an engine may be.
    Absent,
    /// The program that would reach it is not there.
    #[cfg(feature = "cli")]
    NoClient,
    /// The socket is there and not for us.
    Denied,
    /// The request may have been carried out, and the answer did not come.
    Lost,
    /// The files that are to secure the connection are no such files.
    Certificates,
    /// The engine's certificate is signed by nobody who is trusted.
    NotTrusted,
    /// The engine's certificate is not valid any more, or not yet.
    OutOfDate,
    /// The engine's certificate is for another name.
    WrongName,
    /// The engine wants to see a certificate, or another one.
    NotLetIn,
    /// A secured connection to what is none.
    NoTls,
    /// A connection in the clear to where only secured ones are taken.
    WantsTls,
    /// The program ssh is not there.
    NoSsh,
    /// ssh does not know the host's key, or knows another.
    UnknownHost,
    /// ssh is not let in.
    KeyRefused,
    /// The host that ssh has reached has no program `docker`.
    NoDockerThere,
    /// The engine serves no version of the API that is spoken here.
    Version,
    NoContainer,
    NoImage,
    NoNetwork,
    NoVolume,
    NameTaken,
    NotRunning,
    AlreadyPaused,
    NotPaused,
    StillRunning,
    BeingRemoved,
    NoProgram,
    NotExecutable,
    NoFolder,
    NoUser,
    NoMountSource,
    NoRuntime,
    NoLogDriver,
    NoDevice,
    NoInit,
    NoGateway,
    PortTaken,
    Full,
    BadProfile,
    BadRequest,
    /// The program has no words for it.
    #[cfg(feature = "cli")]
    NoLine,
    Refused,
    /// Anything else.
    Other,
}

/// What is found in an engine's words, in small letters; the first that is found counts.
const WORDS: [(&str, Class); 87] = [
    // Programs say these with more general words around them.
    ("host key verification failed", Class::UnknownHost),
    ("permission denied (publickey", Class::KeyRefused),
    ("permission denied (password", Class::KeyRefused),
    ("permission denied (keyboard-interactive", Class::KeyRefused),
    ("exec: \"ssh\"", Class::NoSsh),
    ("could not read ca certificate", Class::Certificates),
    ("could not load x509 key pair", Class::Certificates),
    (
        "unable to resolve docker endpoint: open",
        Class::Certificates,
    ),
    ("certificate signed by unknown authority", Class::NotTrusted),
    ("certificate is not trusted", Class::NotTrusted),
    (
        "certificate has expired or is not yet valid",
        Class::OutOfDate,
    ),
    ("x509: certificate is valid for", Class::WrongName),
    ("because it doesn't contain any ip sans", Class::WrongName),
    ("remote error: tls: bad certificate", Class::NotLetIn),
    ("remote error: tls: certificate required", Class::NotLetIn),
    ("remote error: tls: unknown certificate", Class::NotLetIn),
    ("remote error: tls: handshake failure", Class::NotLetIn),
    ("server gave http response to https client", Class::NoTls),
    (
        "tls: first record does not look like a tls handshake",
        Class::NoTls,
    ),
    (
        "client sent an http request to an https server",
        Class::WantsTls,
    ),
    ("malformed http response \"\\x15", Class::WantsTls),
    ("cannot connect to the docker daemon", Class::Unreachable),
    ("cannot connect to podman", Class::Unreachable),
    ("unable to connect to podman", Class::Unreachable),
    ("connection refused", Class::Unreachable),
    ("error during connect", Class::Unreachable),
    ("permission denied while trying to connect", Class::Denied),
    ("is too old. minimum supported api version", Class::Version),
    ("is too new. maximum supported api version", Class::Version),
    ("no such container", Class::NoContainer),
    ("no such object", Class::NoContainer),
    ("no container with name or id", Class::NoContainer),
    ("no such image", Class::NoImage),
    ("image not known", Class::NoImage),
    ("unable to find image", Class::NoImage),
    ("pull access denied", Class::NoImage),
    ("manifest unknown", Class::NoImage),
    ("repository does not exist", Class::NoImage),
    ("repository name not known", Class::NoImage),
    ("network not found", Class::NoNetwork),
    ("no such network", Class::NoNetwork),
    ("unable to find network", Class::NoNetwork),
    ("could not find network", Class::NoNetwork),
    ("no such volume", Class::NoVolume),
    ("is already in use by", Class::NameTaken),
    ("that name is already in use", Class::NameTaken),
    ("is already in progress", Class::BeingRemoved),
    ("is marked for removal", Class::BeingRemoved),
    ("cannot remove a running container", Class::StillRunning),
    (
        "container is running: stop the container",
        Class::StillRunning,
    ),
    ("container is paused and must be", Class::StillRunning),
    ("cannot be removed without force", Class::StillRunning),
    ("cannot remove a paused container", Class::StillRunning),
    ("is already paused", Class::AlreadyPaused),
    ("is not paused", Class::NotPaused),
    ("is not running", Class::NotRunning),
    ("can only kill running containers", Class::NotRunning),
    ("container state improper", Class::NotRunning),
    ("no such process", Class::NotRunning),
    ("docker-init", Class::NoInit),
    ("catatonit", Class::NoInit),
    ("port is already allocated", Class::PortTaken),
    ("address already in use", Class::PortTaken),
    ("bind source path does not exist", Class::NoMountSource),
    ("statfs", Class::NoMountSource),
    ("unknown runtime specified", Class::NoRuntime),
    ("unknown or invalid runtime", Class::NoRuntime),
    ("no log driver named", Class::NoLogDriver),
    ("invalid log driver", Class::NoLogDriver),
    ("error gathering device information", Class::NoDevice),
    ("could not select device driver", Class::NoDevice),
    ("no matching entries in passwd file", Class::NoUser),
    ("unable to find user", Class::NoUser),
    ("unknown user error", Class::NoUser),
    ("unable to find group", Class::NoUser),
    ("seccomp profile", Class::BadProfile),
    ("apparmor", Class::BadProfile),
    ("chdir to cwd", Class::NoFolder),
    ("workdir", Class::NoFolder),
    ("no space left on device", Class::Full),
    ("cannot allocate memory", Class::Full),
    ("disk quota exceeded", Class::Full),
    ("too many open files", Class::Full),
    ("executable file not found", Class::NoProgram),
    (
        "attempted to invoke a command that was not found",
        Class::NoProgram,
    ),
    ("exec format error", Class::NotExecutable),
    ("is a directory: unknown", Class::NotExecutable),
];

/// What the words say; `status` is the API's, where it was the API that spoke.
pub(crate) fn classify(status: Option<u16>, words: &str) -> Class {
    let text = words.to_lowercase();
    // Of ssh, by which Docker's program runs itself at the other end, and not of a shell that is in its place here.
    let at_the_end = ["docker: command not found", "docker: not found"];
    if text.contains("dial-stdio") && at_the_end.iter().any(|said| text.contains(said)) {
        return Class::NoDockerThere;
    }
    if let Some((_, class)) = WORDS.iter().find(|(part, _)| text.contains(part)) {
        return *class;
    }
    // Of a program: `exec: "/x": stat /x: no such file or directory`, or `permission denied`.
    if text.contains("exec") && text.contains("no such file or directory") {
        return Class::NoProgram;
    }
    if text.contains("exec") && text.contains("permission denied") {
        return Class::NotExecutable;
    }
    // `network NAME not found`: the name stands in the middle.
    if text.contains("network ") && text.contains(" not found") {
        return Class::NoNetwork;
    }
    match status {
        Some(400) => Class::BadRequest,
        Some(401 | 403) => Class::Refused,
        _ if text.contains("permission denied") => Class::Refused,
        _ => Class::Other,
    }
}

impl Class {
    /// Its kind, its sentence, and its cure.
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn told(self) -> (ErrorKind, &'static str, &'static str) {
        use ErrorKind as K;
        match self {
            Self::Unreachable => (
                K::EngineUnavailable,
                "the engine cannot be reached",
                "start it, or say where it is by `host` in the backend's settings or by DOCKER_HOST",
            ),
            Self::Absent => (
                K::EngineUnavailable,
                "there is no engine",
                "start one that listens there, if it is to be used",
            ),
            #[cfg(feature = "cli")]
            Self::NoClient => (
                K::EngineUnavailable,
                "there is no program to reach the engine by",
                "install it (is Docker Desktop running?), name it by `program` in the backend's settings, or use the backend `docker-api`",
            ),
            Self::Denied => (
                K::PermissionDenied,
                "the engine's socket is not for this user",
                "join the group that may (`docker`), or use an engine of your own",
            ),
            Self::Lost => (
                K::Indeterminate,
                "the engine did not answer in time",
                "ask again: the same call finds out what became of it",
            ),
            Self::Certificates => (
                K::EngineUnavailable,
                "the files that secure the connection cannot be used",
                "put ca.pem, cert.pem and key.pem, as they were made for you, into the folder that DOCKER_CERT_PATH names, or make the context anew",
            ),
            Self::NotTrusted => (
                K::EngineUnavailable,
                "the engine's certificate is signed by nobody who is trusted with it here",
                "put the certificate of who signed it into ca.pem, in the folder that DOCKER_CERT_PATH names or in the context; if you know of none, somebody else may have answered",
            ),
            Self::OutOfDate => (
                K::EngineUnavailable,
                "the engine's certificate is out of date",
                "have a new one made for the engine, and see that the clocks of both hosts are right",
            ),
            Self::WrongName => (
                K::EngineUnavailable,
                "the engine's certificate is for another name",
                "reach the engine by a name or address that its certificate has, or have one made that has this one",
            ),
            Self::NotLetIn => (
                K::PermissionDenied,
                "the engine wants a certificate from us that it trusts",
                "put cert.pem and key.pem, signed by whom the engine trusts, into the folder that DOCKER_CERT_PATH names or into the context",
            ),
            Self::NoTls => (
                K::EngineUnavailable,
                "the connection is to be secured, and what answers there does not know how",
                "name the engine's other port, which is mostly 2376, or unset DOCKER_TLS_VERIFY and DOCKER_TLS",
            ),
            Self::WantsTls => (
                K::EngineUnavailable,
                "the engine takes only connections that are secured",
                "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem",
            ),
            Self::NoSsh => (
                K::EngineUnavailable,
                "there is no program `ssh` to reach the engine's host by",
                "install OpenSSH's client, and see that it is in PATH",
            ),
            Self::UnknownHost => (
                K::EngineUnavailable,
                "ssh does not know the key of the engine's host, or knows another one",
                "run `ssh HOST` once in a terminal, and compare the key that it shows with the host's own",
            ),
            Self::KeyRefused => (
                K::PermissionDenied,
                "the engine's host does not let ssh in, which asks nobody for a password here",
                "add your key to `authorized_keys` there, and to the agent here by `ssh-add` if it has a passphrase",
            ),
            Self::NoDockerThere => (
                K::EngineUnavailable,
                "the host that ssh has reached has no program `docker`",
                "install it there, and see that `ssh HOST docker version` finds it",
            ),
            Self::Version => (
                K::EngineUnavailable,
                "the engine speaks no version of its API that is known here",
                "use an engine of Docker 20.10 or newer, or Podman 4 or newer",
            ),
            Self::NoContainer => (
                K::NotFound,
                "the engine has no such container",
                "`list` shows those that there are",
            ),
            Self::NoImage => (
                K::ImageNotFound,
                "the image is not there",
                "pull or build it, or name another in `container.image`",
            ),
            Self::NoNetwork => (
                K::InvalidSpec,
                "a network that it is to join is not there",
                "make it, or name another in `container.networks`",
            ),
            Self::NoVolume => (
                K::InvalidSpec,
                "a volume that it is to see is not there",
                "make it, or name another in `container.mounts`",
            ),
            Self::NameTaken => (
                K::Conflict,
                "a container that is not this swarm's has its name",
                "remove that one, or set another `name_prefix` in the backend's settings",
            ),
            Self::NotRunning => (K::Conflict, "it does not run", "start it first"),
            Self::AlreadyPaused => (K::Conflict, "it is paused already", "let it go on first"),
            Self::NotPaused => (K::Conflict, "it is not paused", "pause it first"),
            Self::StillRunning => (
                K::StillRunning,
                "it runs",
                "stop it first, or remove it by force",
            ),
            Self::BeingRemoved => (
                K::Conflict,
                "it is being removed already",
                "ask again when it is gone",
            ),
            Self::NoProgram => (
                K::InvalidSpec,
                "its program is not in the image",
                "correct `command`, or use an image that has it",
            ),
            Self::NotExecutable => (
                K::InvalidSpec,
                "its program cannot be executed in the image",
                "make it executable, for this kind of processor, or correct `command`",
            ),
            Self::NoFolder => (
                K::InvalidSpec,
                "its working directory is not in the image",
                "correct `cwd` or `container.workdir`, or use an image that has it",
            ),
            Self::NoUser => (
                K::InvalidSpec,
                "the image knows no such user",
                "give `container.user` as numbers, or use an image that has the user",
            ),
            Self::NoMountSource => (
                K::InvalidSpec,
                "a path of the host that it is to see is not there",
                "make it, or correct `container.mounts`",
            ),
            Self::NoRuntime => (
                K::Unsupported,
                "the engine has no such runtime",
                "install it for the engine, or leave `container.runtime` out",
            ),
            Self::NoLogDriver => (
                K::Unsupported,
                "the engine has no such log driver",
                "name another in `log.driver` of the backend's settings",
            ),
            Self::NoDevice => (
                K::Unsupported,
                "the engine's host has no such device, or no driver for it",
                "correct `container.devices` or `container.gpus`, or install the driver there",
            ),
            Self::NoInit => (
                K::Unsupported,
                "the engine has no init to put before it",
                "install the engine's init (`docker-init`, `catatonit`), or say `init = false`",
            ),
            Self::NoGateway => (
                K::Unsupported,
                "a Podman before 4.7 that is rootless or elsewhere does not know the address of its host",
                "write the address in `container.extra_hosts` in place of `host-gateway`, have agents use the name `host.containers.internal`, which Podman gives them, or use a newer Podman",
            ),
            Self::PortTaken => (
                K::Conflict,
                "a port that it publishes is taken",
                "publish another in `container.ports`, or 0 for any that is free",
            ),
            Self::Full => (
                K::OutOfResources,
                "the engine's host has no room left",
                "free memory, disk or descriptors there",
            ),
            Self::BadProfile => (
                K::InvalidSpec,
                "its security profile is none that the engine takes",
                "correct `container.seccomp` or `container.apparmor`",
            ),
            Self::BadRequest => (
                K::InvalidSpec,
                "the engine does not take what its spec says",
                "correct what the engine names",
            ),
            #[cfg(feature = "cli")]
            Self::NoLine => (
                K::Unsupported,
                "the program cannot be told all that its spec says",
                "use the backend `docker-api`; a variable of more than one line can also be handed over as a secret file",
            ),
            Self::Refused => (
                K::PermissionDenied,
                "the engine refuses it",
                "ask for less, or be somebody who may",
            ),
            Self::Other => (
                K::Engine,
                "the engine failed",
                "see what it says, and its own log",
            ),
        }
    }
}

impl Trouble {
    pub(crate) fn new(class: Class, words: impl Into<String>) -> Self {
        Self {
            class,
            words: words.into(),
        }
    }

    /// What the engine said, read by [`classify`].
    pub(crate) fn said(status: Option<u16>, words: impl Into<String>) -> Self {
        let words = words.into();
        Self::new(classify(status, &words), words)
    }

    /// As the error of an operation.
    pub(crate) fn error(self, operation: Operation) -> Error {
        let (kind, message, cure) = self.class.told();
        // What only asks can be asked again whatever became of it.
        let asks = matches!(
            operation,
            Operation::Check
                | Operation::Inspect
                | Operation::List
                | Operation::Events
                | Operation::Logs
                | Operation::Stats
                | Operation::GetFiles
        );
        let kind = match self.class {
            Class::Lost if asks => ErrorKind::EngineUnavailable,
            _ => kind,
        };
        let mut error = Error::new(kind, operation, message).cure(cure);
        if !self.words.trim().is_empty() {
            error = error.engine_words(self.words);
        }
        if self.class == Class::Unreachable {
            error = error.retry_when(Retry::After(std::time::Duration::from_secs(1)));
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What engines really say: Docker 20.10 and 28.5 by API and by program, Podman 4.3.
    const SAID: [(Option<u16>, &str, Class); 57] = [
        (
            None,
            "error during connect: Get \"http://docker.example.com/v1.41/version\": command [ssh -- far docker system dial-stdio] has exited with exit status 255, please make sure the URL is valid, and Docker 18.09 or later is installed on the remote host: stderr=Host key verification failed.",
            Class::UnknownHost,
        ),
        (
            None,
            "error during connect: Get \"http://docker.example.com/v1.41/version\": command [ssh -- far docker system dial-stdio] has exited with exit status 255, please make sure the URL is valid, and Docker 18.09 or later is installed on the remote host: stderr=root@127.0.0.1: Permission denied (publickey).",
            Class::KeyRefused,
        ),
        (
            None,
            "error during connect: Get \"http://docker.example.com/v1.41/version\": command [ssh -- far docker system dial-stdio] has exited with exit status 127, please make sure the URL is valid, and Docker 18.09 or later is installed on the remote host: stderr=bash: line 1: docker: command not found",
            Class::NoDockerThere,
        ),
        (
            None,
            "error during connect: Get \"http://docker.example.com/v1.41/version\": exec: \"ssh\": executable file not found in $PATH",
            Class::NoSsh,
        ),
        (
            None,
            "error during connect: Get \"https://127.0.0.1:2376/v1.41/version\": x509: certificate signed by unknown authority",
            Class::NotTrusted,
        ),
        (
            None,
            "error during connect: Get \"https://127.0.0.1:2376/v1.41/version\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-29T00:00:00Z is after 2020-01-01T00:00:00Z",
            Class::OutOfDate,
        ),
        (
            None,
            "error during connect: Get \"https://127.0.0.1:2376/v1.41/version\": x509: certificate is valid for 10.0.0.1, not 127.0.0.1",
            Class::WrongName,
        ),
        (
            None,
            "error during connect: Get \"https://127.0.0.1:2376/v1.41/version\": remote error: tls: bad certificate",
            Class::NotLetIn,
        ),
        (
            Some(400),
            "Client sent an HTTP request to an HTTPS server.",
            Class::WantsTls,
        ),
        (
            None,
            "error during connect: Get \"https://127.0.0.1:2375/v1.41/version\": http: server gave HTTP response to HTTPS client",
            Class::NoTls,
        ),
        (
            Some(404),
            "No such container: alveary-demo-echo",
            Class::NoContainer,
        ),
        (
            None,
            "Error: No such container: alveary-demo-echo",
            Class::NoContainer,
        ),
        (
            None,
            "Error: No such object: alveary-demo-echo",
            Class::NoContainer,
        ),
        (
            None,
            "Error response from daemon: No such container: x",
            Class::NoContainer,
        ),
        (
            Some(404),
            "no container with name or ID \"x\" found: no such container",
            Class::NoContainer,
        ),
        (Some(404), "No such image: agent:1", Class::NoImage),
        (
            None,
            "Unable to find image 'agent:1' locally",
            Class::NoImage,
        ),
        (
            Some(404),
            "pull access denied for agent, repository does not exist or may require 'docker login'",
            Class::NoImage,
        ),
        (
            Some(404),
            "no such image: agent:1: image not known",
            Class::NoImage,
        ),
        (Some(404), "network swarm-net not found", Class::NoNetwork),
        (
            Some(404),
            "unable to find network with name or ID swarm-net: network not found",
            Class::NoNetwork,
        ),
        (
            Some(409),
            "Conflict. The container name \"/echo\" is already in use by container \"abc\". You have to remove (or rename) that container to be able to reuse that name.",
            Class::NameTaken,
        ),
        (
            Some(409),
            "the container name \"echo\" is already in use by abc. You have to remove that container to be able to reuse that name: that name is already in use",
            Class::NameTaken,
        ),
        (
            Some(409),
            "Cannot kill container: echo: Container abc is not running",
            Class::NotRunning,
        ),
        (
            None,
            "Error response from daemon: Cannot kill container: echo: Container abc is not running",
            Class::NotRunning,
        ),
        (
            Some(409),
            "can only kill running containers. abc is in state exited: container state improper",
            Class::NotRunning,
        ),
        (
            Some(409),
            "You cannot remove a running container abc. Stop the container before attempting removal or force remove",
            Class::StillRunning,
        ),
        (
            Some(409),
            "cannot remove container \"echo\": container is running: stop the container before removing or force remove",
            Class::StillRunning,
        ),
        (
            Some(500),
            "cannot remove container abc as it is running - running or paused containers cannot be removed without force: container state improper",
            Class::StillRunning,
        ),
        (
            Some(409),
            "Container abc is already paused",
            Class::AlreadyPaused,
        ),
        (Some(500), "Container abc is not paused", Class::NotPaused),
        (
            Some(500),
            "\"abc\" is already paused: container state improper",
            Class::AlreadyPaused,
        ),
        (
            Some(409),
            "removal of container abc is already in progress",
            Class::BeingRemoved,
        ),
        (
            Some(409),
            "Container is marked for removal and cannot be started",
            Class::BeingRemoved,
        ),
        (
            Some(400),
            "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"/x\": stat /x: no such file or directory: unknown",
            Class::NoProgram,
        ),
        (
            Some(400),
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"x\": executable file not found in $PATH",
            Class::NoProgram,
        ),
        (
            Some(400),
            "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"/etc\": permission denied: unknown",
            Class::NotExecutable,
        ),
        (
            Some(400),
            "invalid mount config for type \"bind\": bind source path does not exist: /x",
            Class::NoMountSource,
        ),
        (
            Some(500),
            "statfs /x: no such file or directory",
            Class::NoMountSource,
        ),
        (
            Some(400),
            "Unknown runtime specified kata",
            Class::NoRuntime,
        ),
        (
            Some(400),
            "unknown or invalid runtime name: kata",
            Class::NoRuntime,
        ),
        (
            Some(500),
            "logger: no log driver named 'x' is registered",
            Class::NoLogDriver,
        ),
        (
            Some(500),
            "driver failed programming external connectivity on endpoint echo (abc): Bind for 0.0.0.0:80 failed: port is already allocated",
            Class::PortTaken,
        ),
        (
            Some(500),
            "error gathering device information while adding custom device \"/dev/x\": no such file or directory",
            Class::NoDevice,
        ),
        (
            Some(500),
            "could not select device driver \"\" with capabilities: [[gpu]]",
            Class::NoDevice,
        ),
        (
            Some(400),
            "unable to find user nobody9: no matching entries in passwd file",
            Class::NoUser,
        ),
        (
            Some(500),
            "workdir \"/x\" does not exist on container abc",
            Class::NoFolder,
        ),
        (
            Some(500),
            "mkdir /var/lib/docker/overlay2/abc: no space left on device",
            Class::Full,
        ),
        (
            Some(400),
            "client version 1.24 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version",
            Class::Version,
        ),
        (
            None,
            "Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?",
            Class::Unreachable,
        ),
        (
            None,
            "error during connect: this error may indicate that the docker daemon is not running",
            Class::Unreachable,
        ),
        (
            None,
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            Class::Denied,
        ),
        (
            None,
            "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
            Class::Denied,
        ),
        (
            Some(400),
            "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            Class::BadRequest,
        ),
        (Some(403), "authorization denied by plugin", Class::Refused),
        (
            Some(500),
            "exec: \"docker-init\": executable file not found in $PATH",
            Class::NoInit,
        ),
        (Some(500), "something else", Class::Other),
    ];

    #[test]
    fn engines_are_understood_in_their_own_words() {
        for (status, words, class) in SAID {
            assert_eq!(classify(status, words), class, "{words}");
        }
    }

    #[test]
    fn every_trouble_has_a_cure() {
        for (status, words, _) in SAID {
            let error = Trouble::said(status, words).error(Operation::Spawn);
            assert!(
                error.how_to_cure().is_some_and(|cure| !cure.is_empty()),
                "{error}"
            );
            assert_eq!(error.engine(), Some(words));
        }
    }
}
