//! Tokens that prove who is asking.
//!
//! Nothing is stored for an agent: its token is an HMAC of its id under one key, so the same key makes the same
//! tokens after every restart, and whoever presents one is known by it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use alveary_core::AgentId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

const KEY_LEN: usize = 32;

/// Between whose a token is and what proves it. It is in no [`AgentId`].
const SEPARATOR: char = '~';

/// What makes tokens and knows them again.
#[derive(Clone)]
pub struct Tokens {
    key: [u8; KEY_LEN],
}

/// Who has proved to be asking.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Principal {
    /// Who holds the admin's token.
    Admin,
    /// The agent of this id.
    Agent(AgentId),
}

/// A bearer token. `Debug` does not show it, and how long it takes to compare two does not tell how alike they are.
#[derive(Clone)]
pub struct Token(String);

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        same_secret(&self.0, &other.0)
    }
}

impl Eq for Token {}

impl Token {
    /// The token itself, to be handed to whom it is for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Tokens {
    /// Tokens under a new random key that is nowhere written down: they end with this value.
    pub fn random() -> Self {
        Self { key: new_key() }
    }

    /// Tokens under the key in this file, which is made (mode 0600) if it is not there.
    ///
    /// Two who make it at once agree on one key. A file of another length, or one that others may read, is
    /// refused.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        match File::open(path) {
            Ok(file) => Self::load(file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path)?;
                Self::load(File::open(path)?, path)
            }
            Err(error) => Err(error),
        }
    }

    fn load(file: File, path: &Path) -> io::Result<Self> {
        let refuse = |why: &str| {
            let message = format!("the key file {} {why}", path.display());
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        };
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            return refuse(
                "may be read by others: `chmod 600` it if nobody has, else remove it for a new one",
            );
        }
        let mut key = Vec::with_capacity(KEY_LEN + 1);
        file.take(KEY_LEN as u64 + 1).read_to_end(&mut key)?;
        match key.try_into() {
            Ok(key) => Ok(Self { key }),
            Err(_) => refuse("is not 32 bytes long: remove it, and a new one is made"),
        }
    }

    /// The token of an agent.
    pub fn agent(&self, id: &AgentId) -> Token {
        Token(format!(
            "{id}{SEPARATOR}{}",
            self.mac(&format!("agent/{id}"))
        ))
    }

    /// The token of who may do everything.
    pub fn admin(&self) -> Token {
        Token(format!("{SEPARATOR}{}", self.mac("admin")))
    }

    /// Who presents this token; `None` if it is none of ours. The time it takes does not tell how nearly it is.
    pub fn verify(&self, presented: &str) -> Option<Principal> {
        let (whose, _) = presented.split_once(SEPARATOR)?;
        let (principal, right) = if whose.is_empty() {
            (Principal::Admin, self.admin())
        } else {
            let id = AgentId::new(whose).ok()?;
            let right = self.agent(&id);
            (Principal::Agent(id), right)
        };
        same_secret(presented, &right.0).then_some(principal)
    }

    /// Whether this is the proof that we have said `purpose`.
    #[cfg(feature = "http")]
    pub(crate) fn proves(&self, purpose: &str, shown: &str) -> bool {
        same_secret(shown, &self.mac(purpose))
    }

    /// A proof, in letters that may stand in a header, that we have said `purpose`.
    ///
    /// `agent/…` and `admin` are what tokens are made of: a purpose of another kind begins with another word.
    pub fn mac(&self, purpose: &str) -> String {
        // A key shorter than the hash's block is filled up with zeros.
        let mut block = [0; 64];
        block[..KEY_LEN].copy_from_slice(&self.key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(purpose.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

/// Whether what somebody shows is what it has to be. The only place where secrets are compared: the time it takes tells
/// at most whether they are equally long.
fn same_secret(shown: &str, right: &str) -> bool {
    shown.as_bytes().ct_eq(right.as_bytes()).into()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(…)")
    }
}

fn new_key() -> [u8; KEY_LEN] {
    // Two UUIDs of version 4 have 244 random bits of the system's; their hash spreads them over the key.
    use sha2::Digest as _;
    let mut hash = Sha256::new();
    hash.update(uuid::Uuid::new_v4());
    hash.update(uuid::Uuid::new_v4());
    hash.update(uuid::Uuid::new_v4());
    hash.finalize().into()
}

/// Puts a whole new key in place, or finds that somebody was quicker.
fn create(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = parent.join(format!(".{name}.{}", uuid::Uuid::new_v4()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(&new_key())?;
            file.sync_all()
        });
    let placed = written.and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let removed = std::fs::remove_file(&draft);
    placed.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: &str) -> AgentId {
        AgentId::new(id).unwrap()
    }

    #[test]
    fn a_token_says_whose_it_is_and_proves_it() {
        let tokens = Tokens::random();
        let echo = tokens.agent(&id("echo"));
        assert_eq!(
            tokens.verify(echo.expose()),
            Some(Principal::Agent(id("echo")))
        );
        assert_eq!(
            tokens.verify(tokens.admin().expose()),
            Some(Principal::Admin)
        );
    }

    #[test]
    fn an_agent_called_admin_is_not_the_admin() {
        let tokens = Tokens::random();
        let token = tokens.agent(&id("admin"));
        assert_eq!(
            tokens.verify(token.expose()),
            Some(Principal::Agent(id("admin")))
        );
    }

    #[test]
    fn what_is_not_ours_proves_nothing() {
        let tokens = Tokens::random();
        let echo = tokens.agent(&id("echo"));
        let (_, proof) = echo.expose().split_once('~').unwrap();
        let stranger = Tokens::random();
        for forged in [
            String::new(),
            "~".to_owned(),
            format!("~{proof}"),
            format!("other~{proof}"),
            format!("{}x", echo.expose()),
            echo.expose()[..echo.expose().len() - 1].to_owned(),
            stranger.agent(&id("echo")).expose().to_owned(),
            stranger.admin().expose().to_owned(),
        ] {
            assert_eq!(tokens.verify(&forged), None, "{forged}");
        }
    }

    #[test]
    fn the_same_file_makes_the_same_tokens_and_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = Tokens::load_or_create(&path).unwrap();
        let again = Tokens::load_or_create(&path).unwrap();
        assert_eq!(first.admin(), again.admin());
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn many_who_make_the_file_at_once_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let tokens: Vec<Token> = std::thread::scope(|scope| {
            let made: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| Tokens::load_or_create(&path).unwrap().admin()))
                .collect();
            made.into_iter().map(|made| made.join().unwrap()).collect()
        });
        assert!(tokens.iter().all(|token| *token == tokens[0]));
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_cut_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Tokens::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let open = Tokens::load_or_create(&path).unwrap_err();
        assert!(open.to_string().contains("read by others"), "{open}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, b"short").unwrap();
        let short = Tokens::load_or_create(&path).unwrap_err();
        assert!(short.to_string().contains("32 bytes"), "{short}");
    }

    #[test]
    fn no_debug_shows_a_token() {
        let tokens = Tokens::random();
        let token = tokens.agent(&id("echo"));
        let shown = format!("{tokens:?} {token:?}");
        let (_, proof) = token.expose().split_once('~').unwrap();
        assert!(!shown.contains(proof), "{shown}");
    }
}
