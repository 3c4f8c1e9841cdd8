//! Logins at registries, as Docker's program keeps them: in its `config.json`, or with a helper that is named
//! there. An engine keeps none: who has it fetch an image brings the login along.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use http::HeaderValue;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The longest that a helper is waited for: it may ask a person.
const PATIENCE: Duration = Duration::from_mins(1);

/// What Docker's program calls its own registry.
const HUB: &str = "https://index.docker.io/v1/";

/// What a helper says that has no login for a registry.
const HAS_NONE: &str = "credentials not found";

/// Where logins are kept: Docker's own folder of settings.
pub(super) struct Logins(pub(super) Option<PathBuf>);

impl Logins {
    /// What bears the login at the image's registry to the engine. One that is kept and cannot be had is told, and
    /// the engine tries without, as Docker's program has it do.
    pub(super) async fn at_registry_of(&self, image: &str) -> Option<HeaderValue> {
        let file = self.0.as_ref()?.join("config.json");
        let server = server(image).to_owned();
        let asked = server.clone();
        let (told, found) = oneshot::channel();
        // A thread of its own, which no runtime waits for at its end: a helper may never answer.
        let reads = std::thread::Builder::new()
            .name("registry-login".to_owned())
            .spawn(move || {
                // Whoever asked may be gone.
                let _ = told.send(kept(&file, &asked));
            });
        let found = match reads {
            Ok(_) => timeout(PATIENCE, found).await,
            Err(error) => return without(&server, &error.to_string()),
        };
        match found {
            Ok(Ok(Ok(login))) => header(&login?, &server),
            Ok(Ok(Err(why))) => without(&server, &why),
            Ok(Err(_)) => without(&server, "what reads it has broken"),
            Err(_) => without(&server, "its helper does not answer"),
        }
    }
}

fn without(server: &str, why: &str) -> Option<HeaderValue> {
    tracing::warn!(
        registry = server,
        why,
        "the login at a registry cannot be had; the engine tries without"
    );
    None
}

/// By which name the login at an image's registry is kept.
fn server(image: &str) -> &str {
    let host = image.split_once('/').map(|(host, _)| host);
    let is_host = |host: &&str| host.contains(['.', ':']) || *host == "localhost";
    match host.filter(is_host) {
        None | Some("docker.io" | "index.docker.io") => HUB,
        Some(host) => host,
    }
}

/// The login that is kept, if one is.
fn kept(file: &Path, server: &str) -> Result<Option<DockerCredential>, String> {
    let text = match File::open(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    match get_credential_from_reader(BufReader::new(text), server) {
        Ok(login) => Ok(Some(login)),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        // What a helper prints may be the secret itself; no more of it is told than that there is none.
        Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
            if stdout.contains(HAS_NONE) || stderr.contains(HAS_NONE) =>
        {
            Ok(None)
        }
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
            Err(format!("`{helper} get` failed"))
        }
        Err(CredentialRetrievalError::HelperCommunicationError) => Err(format!(
            "the helper that {} names cannot be asked",
            file.display()
        )),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

fn header(login: &DockerCredential, server: &str) -> Option<HeaderValue> {
    let login = match login {
        DockerCredential::IdentityToken(token) => {
            json!({ "identitytoken": token, "serveraddress": server })
        }
        DockerCredential::UsernamePassword(name, password) => {
            json!({ "username": name, "password": password, "serveraddress": server })
        }
    };
    let mut value = HeaderValue::try_from(URL_SAFE.encode(login.to_string())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "registry.example.com:5000/team/agent:1";

    fn told(value: Option<HeaderValue>) -> Option<serde_json::Value> {
        let value = value?;
        assert!(value.is_sensitive());
        let text = URL_SAFE.decode(value.as_bytes()).unwrap();
        Some(serde_json::from_slice(&text).unwrap())
    }

    async fn of(config: &str, image: &str) -> Option<serde_json::Value> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let logins = Logins(Some(folder.path().to_owned()));
        told(logins.at_registry_of(image).await)
    }

    #[test]
    fn a_registry_is_told_by_what_no_name_at_the_hub_can_be() {
        for (image, by) in [
            ("busybox", HUB),
            ("team/agent:1", HUB),
            ("docker.io/team/agent", HUB),
            ("index.docker.io/team/agent", HUB),
            ("localhost/agent", "localhost"),
            ("localhost:5000/agent", "localhost:5000"),
            (AGENT, "registry.example.com:5000"),
            ("ghcr.io/team/agent@sha256:0123", "ghcr.io"),
            ("agent:1.0", HUB),
        ] {
            assert_eq!(server(image), by, "{image}");
        }
    }

    #[tokio::test]
    async fn a_kept_login_is_brought_to_its_own_registry_alone() {
        let name_and_password = URL_SAFE.encode("queen:honey");
        let config = json!({ "auths": {
            "https://registry.example.com:5000": { "auth": name_and_password },
            "tokens.example.com": { "auth": URL_SAFE.encode("t:"), "identitytoken": "abc" },
        }});
        let config = config.to_string();
        let login = of(&config, AGENT).await.unwrap();
        assert_eq!(login["username"], "queen");
        assert_eq!(login["password"], "honey");
        assert_eq!(login["serveraddress"], "registry.example.com:5000");
        let token = of(&config, "tokens.example.com/agent").await.unwrap();
        assert_eq!(token["identitytoken"], "abc");
        assert_eq!(token.get("password"), None);
        for image in ["busybox", "registry.example.com/agent", "ghcr.io/agent"] {
            assert_eq!(of(&config, image).await, None, "{image}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_reason_not_to_try() {
        for config in [
            "no json",
            r#"{ "auths": { "registry.example.com:5000": { "auth": "%%%" } } }"#,
            r#"{ "credHelpers": { "registry.example.com:5000": "there-is-none" } }"#,
            r#"{ "credsStore": "there-is-none" }"#,
        ] {
            assert_eq!(of(config, AGENT).await, None, "{config}");
        }
        let nowhere = Logins(Some("/there/is/no/such/folder".into()));
        assert_eq!(nowhere.at_registry_of(AGENT).await, None);
        assert_eq!(Logins(None).at_registry_of(AGENT).await, None);
    }
}
