//! Logins at registries, as Docker's program keeps them: with a helper that its `config.json` names, or in that file
//! itself. An engine keeps none: who has it fetch an image brings the login along.
//!
//! Asked for as that program does, and by our own hand: what there is to read them asks helpers without a limit, and the
//! file before the helper.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE};
use base64::engine::{DecodePaddingMode, Engine as _};
use http::HeaderValue;
use humantime::format_duration;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

/// The longest that a helper is waited for: it may ask a person.
const PATIENCE: Duration = Duration::from_mins(1);

/// No login is longer.
const MOST: u64 = 1 << 20;

/// What Docker's program calls its own registry.
const HUB: &str = "https://index.docker.io/v1/";

/// What a helper says that has no login for a registry.
const HAS_NONE: &str = "credentials not found";

/// The name by which a helper hands out a token in place of a password.
const TOKEN: &str = "<token>";

/// With padding or without it.
const EITHER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where logins are kept: Docker's own folder of settings.
pub(super) struct Logins(pub(super) Option<PathBuf>);

/// As an engine takes it. Never shown.
#[derive(Serialize, Default)]
struct Login {
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    password: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    identitytoken: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    #[serde(deserialize_with = "or_none")]
    auths: BTreeMap<String, Kept>,
    #[serde(deserialize_with = "or_none")]
    creds_store: String,
    #[serde(deserialize_with = "or_none")]
    cred_helpers: BTreeMap<String, String>,
}

/// To Docker's program `null` is as if nothing stood there.
fn or_none<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Kept {
    /// The name and the password.
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// What a helper says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    username: String,
    secret: String,
}

impl Logins {
    /// What bears the login at the image's registry to the engine. One that is kept and cannot be had is told, and
    /// the engine tries without, as Docker's program has it do. A helper is waited for no longer than `limit`.
    pub(super) async fn at_registry_of(&self, image: &str, limit: Duration) -> Option<HeaderValue> {
        let file = self.0.as_ref()?.join("config.json");
        let server = server(image);
        match kept(&file, server, limit.min(PATIENCE)).await {
            Ok(login) => header(&login?, server),
            Err(why) => {
                tracing::warn!(
                    registry = server,
                    why,
                    "the login at a registry cannot be had; the engine tries without"
                );
                None
            }
        }
    }
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

/// `https://registry.example.com/v1/` as `registry.example.com`.
fn host_of(server: &str) -> &str {
    let bare = server.split_once("://").map_or(server, |(_, rest)| rest);
    bare.split_once('/').map_or(bare, |(host, _)| host)
}

/// The login that is kept, if one is.
async fn kept(file: &Path, server: &str, limit: Duration) -> Result<Option<Login>, String> {
    let text = match tokio::fs::read(file).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {}", file.display(), error.kind())),
    };
    // Where it is wrong will do: what stands there may be a password.
    let config: Config = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!(
            "{} cannot be read at line {line} column {column}",
            file.display()
        )
    })?;
    let helper = config
        .cred_helpers
        .get(server)
        .unwrap_or(&config.creds_store);
    if !helper.is_empty() {
        return asked(&format!("docker-credential-{helper}"), server, limit).await;
    }
    let same = |key: &&String| host_of(key) == host_of(server);
    let kept =
        (config.auths.get(server)).or_else(|| config.auths.get(config.auths.keys().find(same)?));
    kept.map_or(Ok(None), Kept::login)
        .map_err(|Damaged| format!("what {} keeps for it is no login", file.display()))
}

struct Damaged;

impl Kept {
    fn login(&self) -> Result<Option<Login>, Damaged> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Login {
                identitytoken: self.identitytoken.clone(),
                ..Login::default()
            }));
        }
        let (username, password) = if self.auth.is_empty() {
            (self.username.clone(), self.password.clone())
        } else {
            let text = EITHER.decode(&self.auth).map_err(|_| Damaged)?;
            let text = String::from_utf8(text).map_err(|_| Damaged)?;
            let (username, password) = text.split_once(':').ok_or(Damaged)?;
            (username.to_owned(), password.trim_matches('\0').to_owned())
        };
        Ok((!username.is_empty()).then(|| Login {
            username,
            password,
            ..Login::default()
        }))
    }
}

/// The login that a helper keeps. What it prints may be the secret itself: of a failure no more is told than that.
async fn asked(program: &str, server: &str, limit: Duration) -> Result<Option<Login>, String> {
    let mut helper = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("`{program}` cannot be run: {}", error.kind()))?;
    let (input, output) = (helper.stdin.take(), helper.stdout.take());
    let answered = async {
        if let Some(mut input) = input {
            // One that fails at once does not listen.
            let _ = input.write_all(server.as_bytes()).await;
        }
        let mut said = Vec::new();
        if let Some(output) = output {
            output.take(MOST).read_to_end(&mut said).await?;
        }
        Ok::<_, io::Error>((helper.wait().await?, said))
    };
    match timeout(limit, answered).await {
        Err(_) => Err(format!(
            "`{program} get` did not answer within {}",
            format_duration(limit)
        )),
        Ok(Err(error)) => Err(format!("`{program} get`: {}", error.kind())),
        Ok(Ok((status, said))) if status.success() => {
            let told: Told = serde_json::from_slice(&said)
                .map_err(|_| format!("`{program} get` says what is no login"))?;
            Ok(Some(told.into()))
        }
        Ok(Ok((_, said))) if String::from_utf8_lossy(&said).contains(HAS_NONE) => Ok(None),
        Ok(Ok(_)) => Err(format!("`{program} get` failed")),
    }
}

impl From<Told> for Login {
    fn from(told: Told) -> Self {
        if told.username == TOKEN {
            return Self {
                identitytoken: told.secret,
                ..Self::default()
            };
        }
        Self {
            username: told.username,
            password: told.secret,
            ..Self::default()
        }
    }
}

fn header(login: &Login, server: &str) -> Option<HeaderValue> {
    #[derive(Serialize)]
    struct Sent<'a> {
        #[serde(flatten)]
        login: &'a Login,
        serveraddress: &'a str,
    }
    let sent = Sent {
        login,
        serveraddress: server,
    };
    let text = serde_json::to_vec(&sent).ok()?;
    let mut value = HeaderValue::try_from(URL_SAFE.encode(text)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;

    const AGENT: &str = "registry.example.com:5000/team/agent:1";
    const LIMIT: Duration = Duration::from_secs(20);

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
        told(logins.at_registry_of(image, LIMIT).await)
    }

    /// A helper that does this, by its path, and where it is.
    fn helper(script: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("script"), script).unwrap();
        // What was only just written may be held open by a child of another test's, and is not run then.
        let helper =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_docker/credential_helper");
        let path = folder.path().join("docker-credential-pantry");
        std::os::unix::fs::symlink(helper, &path).unwrap();
        let program = path.display().to_string();
        (folder, program)
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
        let config = json!({ "auths": {
            "https://registry.example.com:5000/v1/": { "auth": EITHER.encode("queen:ho:ney") },
            "tokens.example.com": { "auth": EITHER.encode("t:"), "identitytoken": "abc" },
            "index.docker.io": { "username": "scout", "password": "wax" },
            "logged.out.example.com": {},
        }});
        let config = config.to_string();
        let login = of(&config, AGENT).await.unwrap();
        let expected = json!({
            "username": "queen", "password": "ho:ney", "serveraddress": "registry.example.com:5000",
        });
        assert_eq!(login, expected);
        let token = of(&config, "tokens.example.com/agent").await.unwrap();
        let expected = json!({ "identitytoken": "abc", "serveraddress": "tokens.example.com" });
        assert_eq!(token, expected);
        assert_eq!(of(&config, "busybox").await.unwrap()["username"], "scout");
        for image in [
            "registry.example.com/agent",
            "ghcr.io/agent",
            "logged.out.example.com/agent",
        ] {
            assert_eq!(of(&config, image).await, None, "{image}");
        }
    }

    #[tokio::test]
    async fn what_is_null_is_as_if_it_were_not_there() {
        let config = json!({
            "credsStore": null,
            "credHelpers": null,
            "auths": { "ghcr.io": { "auth": EITHER.encode("queen:honey") } },
        });
        let login = of(&config.to_string(), "ghcr.io/agent").await.unwrap();
        assert_eq!(login["username"], "queen");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{ "auths": null }"#).unwrap();
        assert!(matches!(
            kept(file.path(), "ghcr.io", LIMIT).await,
            Ok(None)
        ));
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
        assert_eq!(nowhere.at_registry_of(AGENT, LIMIT).await, None);
        assert_eq!(Logins(None).at_registry_of(AGENT, LIMIT).await, None);
    }

    #[tokio::test]
    async fn a_helper_is_asked_by_the_name_of_the_registry_and_its_failure_tells_no_secret() {
        let script = r#"read -r server; [ "$server" = ghcr.io ] || { echo "credentials not found in native keychain"; exit 1; }
            printf '{"ServerURL":"ghcr.io","Username":"queen","Secret":"honey"}'"#;
        // Without a line break at its end.
        let (_folder, program) = helper(&script.replace("read -r server", "server=$(cat)"));
        let login = asked(&program, "ghcr.io", LIMIT).await.unwrap().unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.as_str()),
            ("queen", "honey")
        );
        assert!(asked(&program, "quay.io", LIMIT).await.unwrap().is_none());
        for script in ["echo wax; exit 3", "echo wax"] {
            let (_folder, program) = helper(script);
            let why = asked(&program, "ghcr.io", LIMIT).await.err().unwrap();
            assert!(why.contains(&program) && !why.contains("wax"), "{why}");
        }
        let (_folder, program) = helper(r#"printf '{"Username":"<token>","Secret":"abc"}'"#);
        let login = asked(&program, "ghcr.io", LIMIT).await.unwrap().unwrap();
        assert_eq!(
            (login.username.as_str(), login.identitytoken.as_str()),
            ("", "abc")
        );
    }

    #[tokio::test]
    async fn a_helper_that_does_not_answer_is_ended() {
        let (folder, program) = helper("echo $$ >\"${0%/*}/pid\"; exec sleep 1000");
        let mut limit = Duration::from_secs(1);
        let pid = loop {
            let why = asked(&program, "ghcr.io", limit).await.err().unwrap();
            let words = format!("did not answer within {}s", limit.as_secs());
            assert!(why.contains(&words), "{why}");
            match std::fs::read_to_string(folder.path().join("pid")) {
                Ok(pid) if pid.ends_with('\n') => break pid,
                // On a busy machine it was ended before it had begun.
                _ => limit *= 5,
            }
            assert!(limit < Duration::from_mins(1), "it never begins");
        };
        let process = format!("/proc/{}/stat", pid.trim());
        let gone = || match std::fs::read_to_string(&process) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let until = Instant::now() + LIMIT;
        while !gone() {
            assert!(Instant::now() < until, "it lives on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
