//! What is the matter, in our words, and what cures it.

use alveary_core::ErrorKind;

use super::Class;

/// What helps where nothing comes of an image.
pub(crate) const STALLED: &str = "see whether its registry can be reached, fetch it by hand, or give `timeout.pull` in the backend's settings more";

impl Class {
    /// Its kind, its sentence, and its cure.
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub(super) fn told(self) -> (ErrorKind, &'static str, &'static str) {
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
            Self::Stalled => (K::Timeout, "the image does not come", STALLED),
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
            Self::OtherEngine => (
                K::Conflict,
                "the engine that answers is not the one that this swarm was brought up with",
                "lead to that one again (`host`, DOCKER_HOST, the context; `alveary doctor` shows them), or, if this one is to take its place, run `alveary up --adopt`",
            ),
            Self::NoRecord => (
                K::Engine,
                "the swarm's state folder cannot be used",
                "give yourself the right to write it, and make room there",
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
            Self::NotRunning => (K::Conflict, "it does not run", "start it again first"),
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
            Self::NoLogs => (
                K::Unsupported,
                "the engine gives back no logs of its driver",
                "use the driver `local` (`log.driver` in the backend's settings)",
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
            Self::Weakened => (
                K::Unsupported,
                "the engine would run it without a limit that it asks for",
                "leave the limit out of its `limits`, or give the engine's host the cgroup controller that is missing",
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
            Self::Remnants => (
                K::Engine,
                "remnants of a start that the engine died in are in the way",
                "start it again: it gets another container",
            ),
            Self::Restless => (
                K::Engine,
                "the networks of the engine's host changed while it looked at them",
                "start it again",
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
