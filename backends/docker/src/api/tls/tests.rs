//! Real greetings on loopback, between certificates that are made here.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::api::connect::Direct;
use crate::find::Surroundings;
use crate::http::{Http, lost};

/// Signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
type Pair = (rcgen::Certificate, KeyPair);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A folder as `DOCKER_CERT_PATH` names it.
fn folder(trusted: &Authority, ours: Option<Pair>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: String| std::fs::write(folder.path().join(name), pem).unwrap();
    write("ca.pem", trusted.0.pem());
    if let Some((certificate, key)) = ours {
        write("cert.pem", certificate.pem());
        write("key.pem", key.serialize_pem());
    }
    folder
}

/// Listens with this certificate, lets in whom the authority has signed, and says what is said to it.
async fn echo(authority: &Authority, (certificate, key): Pair) -> String {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await?;
                let (mut from, mut to) = tokio::io::split(stream);
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address.to_string()
}

fn here(address: &str, folder: &TempDir, verify: bool) -> Surroundings {
    Surroundings {
        host: Some(format!("tcp://{address}")),
        tls: true,
        tls_verify: verify,
        cert_path: Some(folder.path().to_owned()),
        ..Surroundings::default()
    }
}

/// What is the matter with an engine that is asked there.
async fn trouble(address: &str, folder: &TempDir) -> Trouble {
    let dial = Direct::new(here(address, folder, true));
    let http = Http::new(dial, Duration::from_secs(20));
    http.facts().await.unwrap_err()
}

async fn is_echoed(address: &str, folder: &TempDir, verify: bool) {
    let folder = folder.path().to_owned();
    let stream = TcpStream::connect(address).await.unwrap();
    let mut secured = secure(stream, address, &Tls { folder, verify })
        .await
        .unwrap();
    secured.write_all(b"who is there?").await.unwrap();
    secured.flush().await.unwrap();
    let mut heard = [0; 13];
    secured.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"who is there?");
}

fn nothing(_: &mut CertificateParams) {}

#[tokio::test]
async fn who_trusts_each_other_is_connected() {
    let authority = Authority::new();
    let address = echo(&authority, authority.sign("127.0.0.1", nothing)).await;
    let ours = folder(&authority, Some(authority.sign("me", nothing)));
    is_echoed(&address, &ours, true).await;
}

#[tokio::test]
async fn whoever_answers_is_trusted_where_that_is_asked_for() {
    let authority = Authority::new();
    let address = echo(&authority, authority.sign("elsewhere", nothing)).await;
    let ours = folder(&Authority::new(), Some(authority.sign("me", nothing)));
    is_echoed(&address, &ours, false).await;
}

#[tokio::test]
async fn what_is_the_matter_with_a_certificate_is_told() {
    let authority = Authority::new();
    let ours = || folder(&authority, Some(authority.sign("me", nothing)));
    let old = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    };
    let good = || authority.sign("127.0.0.1", nothing);
    let stranger = Authority::new();
    for (what, theirs, ours, class) in [
        (
            "expired",
            authority.sign("127.0.0.1", old),
            ours(),
            Class::OutOfDate,
        ),
        (
            "another name",
            authority.sign("elsewhere", nothing),
            ours(),
            Class::WrongName,
        ),
        (
            "a stranger's",
            good(),
            folder(&stranger, Some(authority.sign("me", nothing))),
            Class::NotTrusted,
        ),
        (
            "none of ours",
            good(),
            folder(&authority, None),
            Class::NotLetIn,
        ),
        (
            "ours a stranger's",
            good(),
            folder(&authority, Some(stranger.sign("me", nothing))),
            Class::NotLetIn,
        ),
    ] {
        let address = echo(&authority, theirs).await;
        let trouble = trouble(&address, &ours).await;
        assert_eq!(trouble.class, class, "{what}: {}", trouble.words);
    }
}

#[tokio::test]
async fn why_nobody_is_let_in_is_told_to_who_only_writes() {
    let authority = Authority::new();
    let address = echo(&authority, authority.sign("127.0.0.1", nothing)).await;
    let nobody = folder(&authority, None);
    let files = Tls {
        folder: nobody.path().to_owned(),
        verify: true,
    };
    let stream = TcpStream::connect(&address).await.unwrap();
    let mut secured = secure(stream, &address, &files).await.unwrap();
    let error = loop {
        // The engine leaves without reading, and then nothing more is taken.
        let written = secured.write_all(b"is somebody there?").await;
        if let Err(error) = written.and(secured.flush().await) {
            break error;
        }
        tokio::task::yield_now().await;
    };
    let trouble = lost(&error);
    assert_eq!(trouble.class, Class::NotLetIn, "{}", trouble.words);
}

#[tokio::test]
async fn files_that_are_missing_or_are_none_are_named() {
    let authority = Authority::new();
    let address = echo(&authority, authority.sign("127.0.0.1", nothing)).await;
    let pair = || Some(authority.sign("me", nothing));
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        for holds in [
            None,
            Some("no certificate"),
            Some("-----BEGIN CERTIFICATE-----\nTUlJ\n"),
            Some("-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n"),
        ] {
            let ours = folder(&authority, pair());
            let path = ours.path().join(name);
            match holds {
                None => std::fs::remove_file(&path).unwrap(),
                Some(holds) => std::fs::write(&path, holds).unwrap(),
            }
            let trouble = trouble(&address, &ours).await;
            assert_eq!(trouble.class, Class::Certificates, "{}", trouble.words);
            let path = path.display().to_string();
            assert!(trouble.words.contains(&path), "{}", trouble.words);
            assert!(!trouble.words.contains(['[', '{']), "{}", trouble.words);
        }
    }
}

#[tokio::test]
async fn what_speaks_in_the_clear_is_told() {
    let authority = Authority::new();
    let ours = folder(&authority, None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        // As an engine that takes the greeting for a request.
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await?;
        stream.read_to_end(&mut Vec::new()).await
    });
    let trouble = trouble(&address, &ours).await;
    assert_eq!(trouble.class, Class::NoTls, "{}", trouble.words);
}
