//! What is the matter, read out of an engine's words.

use super::Class;

/// What is found in an engine's words, in small letters; the first that is found counts.
const WORDS: [(&str, Class); 102] = [
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
    // Of Podman, when others' containers come and go: it is no network of the agent's that is missing.
    ("no such network interface", Class::Restless),
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
    ("unknown runtime specified", Class::NoRuntime),
    ("unknown or invalid runtime", Class::NoRuntime),
    ("no log driver named", Class::NoLogDriver),
    ("invalid log driver", Class::NoLogDriver),
    ("does not support reading", Class::NoLogs),
    ("cannot read logs", Class::NoLogs),
    ("error gathering device information", Class::NoDevice),
    ("could not select device driver", Class::NoDevice),
    ("stat /dev/", Class::NoDevice),
    ("no matching entries in passwd file", Class::NoUser),
    ("unable to find user", Class::NoUser),
    ("unknown user error", Class::NoUser),
    ("unable to find group", Class::NoUser),
    ("seccomp profile", Class::BadProfile),
    ("chdir to cwd", Class::NoFolder),
    ("no space left on device", Class::Full),
    ("cannot allocate memory", Class::Full),
    ("disk quota exceeded", Class::Full),
    ("too many open files", Class::Full),
    // Of a container's folder, and of its id among those that run: what engines themselves do not clear away.
    ("file exists: unknown", Class::Remnants),
    ("\": already exists", Class::Remnants),
    ("id already in use", Class::Remnants),
    ("executable file not found", Class::NoProgram),
    (
        "attempted to invoke a command that was not found",
        Class::NoProgram,
    ),
    ("exec format error", Class::NotExecutable),
    ("is a directory: unknown", Class::NotExecutable),
    // The API says these by a status, which programs do not tell.
    ("invalid reference format", Class::BadRequest),
    ("repository name must be lowercase", Class::BadRequest),
    ("range of cpus is from", Class::BadRequest),
    ("minimum memory limit", Class::BadRequest),
    ("invalid mount config", Class::BadRequest),
    ("duplicate mount point", Class::BadRequest),
    ("unknown capability", Class::BadRequest),
    ("invalid capability", Class::BadRequest),
    ("invalid argument \"", Class::BadRequest),
    ("conflicting options", Class::BadRequest),
    ("authorization denied by plugin", Class::Refused),
];

/// What may be a part of somebody's name as well: it counts where nothing else does.
const LONE_WORDS: [(&str, Class); 3] = [
    ("statfs", Class::NoMountSource),
    ("apparmor", Class::BadProfile),
    ("workdir", Class::NoFolder),
];

/// Where somebody is not reached.
const AWAY: [&str; 11] = [
    "connection refused",
    "connection reset",
    "no such host",
    "no route to host",
    "network is unreachable",
    "i/o timeout",
    "tls handshake timeout",
    "while awaiting headers",
    "while waiting for connection",
    "server misbehaving",
    "temporary failure in name resolution",
];

/// Whether it is an engine that said these words, in small letters: it was reached then, whomever it did not reach.
pub(crate) fn is_answer(status: Option<u16>, text: &str) -> bool {
    // Podman's program is its own engine; what it says of a registry begins so.
    let said = ["error response from daemon", "container registry"];
    status.is_some() || said.iter().any(|said| text.contains(said))
}

/// Whether an engine that was to fetch an image says that it does not reach the registry.
pub(crate) fn tells_of_no_registry(words: &str) -> bool {
    let text = words.to_lowercase();
    AWAY.iter().any(|said| text.contains(said))
}

/// Where a registry gives nothing to somebody without a login, or without the right one. One that is asked for what it
/// has not may say the same.
const NO_LOGIN: [&str; 9] = [
    "no basic auth credentials",
    "authentication required",
    "unauthorized",
    "incorrect username or password",
    "may require 'docker login'",
    "may require authorization",
    "access to the resource is denied",
    "authorization token has expired",
    "403 forbidden",
];

/// Whether an engine that was to fetch an image says that the registry wants another login, or any.
pub(crate) fn tells_of_no_login(words: &str) -> bool {
    let text = words.to_lowercase();
    NO_LOGIN.iter().any(|said| text.contains(said))
}

/// Of a connection, which may be one of the engine to somebody else.
fn is_of_a_connection(class: Class) -> bool {
    matches!(
        class,
        Class::Unreachable
            | Class::NotTrusted
            | Class::OutOfDate
            | Class::WrongName
            | Class::NotLetIn
            | Class::NoTls
    )
}

/// `network NAME not found`: the name stands in the middle.
fn tells_of_a_network(text: &str) -> bool {
    text.split("network ").skip(1).any(|rest| {
        let mut words = rest.split_whitespace().skip(1);
        words.next() == Some("not") && words.next().is_some_and(|word| word.starts_with("found"))
    })
}

/// What the words say; `status` is the API's, where it was the API that spoke.
pub(crate) fn classify(status: Option<u16>, words: &str) -> Class {
    let text = words.to_lowercase();
    // Of ssh, by which Docker's program runs itself at the other end, and not of a shell that is in its place here.
    let at_the_end = ["docker: command not found", "docker: not found"];
    if text.contains("dial-stdio") && at_the_end.iter().any(|said| text.contains(said)) {
        return Class::NoDockerThere;
    }
    let answered = is_answer(status, &text);
    let counts = |class| !(answered && is_of_a_connection(class));
    let mut said = WORDS.iter().filter(|(part, _)| text.contains(part));
    if let Some((_, class)) = said.find(|(_, class)| counts(*class)) {
        return *class;
    }
    if tells_of_a_network(&text) {
        return Class::NoNetwork;
    }
    if let Some((_, class)) = LONE_WORDS.iter().find(|(word, _)| text.contains(word)) {
        return *class;
    }
    // Of a program: `exec: "/x": stat /x: no such file or directory`, or `permission denied`.
    if text.contains("exec") && text.contains("no such file or directory") {
        return Class::NoProgram;
    }
    if text.contains("exec") && text.contains("permission denied") {
        return Class::NotExecutable;
    }
    match status {
        Some(400) => Class::BadRequest,
        Some(401 | 403) => Class::Refused,
        _ if text.contains("permission denied") => Class::Refused,
        _ => Class::Other,
    }
}
