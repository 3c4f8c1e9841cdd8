use super::*;

/// What engines really say: Docker 20.10 and 28.5 by API and by program, Podman 4.3.
const SAID: [(Option<u16>, &str, Class); 72] = [
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
        "network apparmor-net not found",
        Class::NoNetwork,
    ),
    (
        None,
        "Error response from daemon: network workdir not found",
        Class::NoNetwork,
    ),
    (
        Some(404),
        "network driver \"x\": plugin \"x\" not found",
        Class::Other,
    ),
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
    (Some(500), "id already in use", Class::Remnants),
    (
        None,
        "Error: route ip+net: no such network interface",
        Class::Restless,
    ),
    (
        Some(500),
        "container \"0fd7\": already exists",
        Class::Remnants,
    ),
    (
        Some(500),
        "mkdir /run/containerd/io.containerd.runtime.v2.task/moby/0fd7: file exists: unknown",
        Class::Remnants,
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
        None,
        "Error response from daemon: authorization denied by plugin opa: no",
        Class::Refused,
    ),
    (
        None,
        "Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
        Class::BadRequest,
    ),
    (
        None,
        "invalid reference format: repository name must be lowercase",
        Class::BadRequest,
    ),
    // What an engine says of others was said by an engine.
    (
        Some(500),
        "Get \"https://127.0.0.1:9/v2/\": dial tcp 127.0.0.1:9: connect: connection refused",
        Class::Other,
    ),
    (
        None,
        "Error response from daemon: Get \"https://127.0.0.1:9/v2/\": dial tcp 127.0.0.1:9: connect: connection refused",
        Class::Other,
    ),
    (
        Some(500),
        "Get \"https://registry.example.com/v2/\": x509: certificate signed by unknown authority",
        Class::Other,
    ),
    (
        None,
        "Error response from daemon: Get \"https://registry.example.com/v2/\": http: server gave HTTP response to HTTPS client",
        Class::Other,
    ),
    (
        Some(500),
        "failed to initialize logging driver: dial tcp 127.0.0.1:24224: connect: connection refused",
        Class::Other,
    ),
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
        assert!(error.cure().is_some_and(|cure| !cure.is_empty()), "{error}");
        assert_eq!(error.engine_words(), Some(words));
    }
}
