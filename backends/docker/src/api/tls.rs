//! Connections that are secured: both sides show certificates, as Docker's users keep them.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::classify::{Class, Trouble};
use crate::find::Tls;
use crate::http::Io;
use crate::http::lost::Carried;

/// Secures a connection to `host:port`.
pub(super) async fn secure(
    stream: TcpStream,
    address: &str,
    files: &Tls,
) -> Result<Box<dyn Io>, Trouble> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|error| {
        let words = format!("`{host}` can be in no certificate: {error}");
        Trouble::new(Class::Unreachable, words)
    })?;
    let connector = TlsConnector::from(Arc::new(config(files)?));
    let secured = connector.connect(name, stream).await;
    secured
        .map(|stream| {
            Box::new(Secured {
                stream,
                heard: false,
            }) as Box<dyn Io>
        })
        .map_err(|error| {
            read(&error).unwrap_or_else(|| Trouble::new(Class::Unreachable, error.to_string()))
        })
}

/// What the files say of whom to trust and of who we are.
fn config(files: &Tls) -> Result<ClientConfig, Trouble> {
    let unusable = |error: rustls::Error| {
        let folder = files.folder.display();
        Trouble::new(Class::Certificates, format!("those of {folder}: {error}"))
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = if files.verify {
        // Who is trusted with a host is said by its owner, and not by those whom everybody trusts with web pages.
        let mut trusted = RootCertStore::empty();
        for certificate in certificates(&files.folder.join("ca.pem"))? {
            trusted.add(certificate).map_err(unusable)?;
        }
        builder.with_root_certificates(trusted)
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
    };
    let (certificate, key) = (files.folder.join("cert.pem"), files.folder.join("key.pem"));
    if !certificate.exists() && !key.exists() {
        // Some engines want none.
        return Ok(builder.with_no_client_auth());
    }
    let chain = certificates(&certificate)?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| unreadable(&key, &error))?;
    builder.with_client_auth_cert(chain, key).map_err(unusable)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let all: Vec<_> = read.map_err(|error| unreadable(path, &error))?;
    if all.is_empty() {
        return Err(unreadable(path, &pem::Error::NoItemsFound));
    }
    Ok(all)
}

fn unreadable(path: &Path, error: &pem::Error) -> Trouble {
    let why = match error {
        pem::Error::NoItemsFound => "there is nothing in it that can be used".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        pem::Error::MissingSectionEnd { .. } => "it breaks off within a block".to_owned(),
        _ => "a block in it is damaged".to_owned(),
    };
    Trouble::new(Class::Certificates, format!("{}: {why}", path.display()))
}

/// What is the matter, where it is the certificates.
fn read(error: &io::Error) -> Option<Trouble> {
    use AlertDescription as Alert;
    use CertificateError as C;
    let error: &rustls::Error = error.get_ref()?.downcast_ref()?;
    let class = match error {
        rustls::Error::InvalidCertificate(why) => match why {
            C::Expired
            | C::ExpiredContext { .. }
            | C::NotValidYet
            | C::NotValidYetContext { .. } => Class::OutOfDate,
            C::NotValidForName | C::NotValidForNameContext { .. } => Class::WrongName,
            _ => Class::NotTrusted,
        },
        rustls::Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::HandshakeFailure,
        ) => Class::NotLetIn,
        rustls::Error::InvalidMessage(_) => Class::NoTls,
        _ => return None,
    };
    Some(Trouble::new(class, error.to_string()))
}

/// A secured connection, which says what is the matter in our words: an engine says only after the greeting that it
/// does not let somebody in.
struct Secured {
    stream: TlsStream<TcpStream>,
    /// Whether the engine has said anything.
    heard: bool,
}

fn told(error: io::Error) -> io::Error {
    match read(&error) {
        Some(trouble) => Carried(trouble).into_io(),
        None => error,
    }
}

impl Secured {
    /// Nothing more can be said to an engine that has left, but its last words may lie here unread.
    fn why(&mut self, cx: &mut Context<'_>, error: io::Error) -> io::Error {
        let mut word = [0; 1];
        let mut word = ReadBuf::new(&mut word);
        let gone = matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        );
        if !gone || self.heard {
            return told(error);
        }
        match Pin::new(&mut self.stream).poll_read(cx, &mut word) {
            Poll::Ready(Err(last)) => read(&last).map_or(error, |why| Carried(why).into_io()),
            _ => error,
        }
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        self.heard |= buf.filled().len() > before;
        Poll::Ready(read.map_err(told))
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(written.map_err(|error| self.why(cx, error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.why(cx, error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx).map_err(told)
    }
}

/// Trusts whoever answers, as `DOCKER_TLS` without `DOCKER_TLS_VERIFY` and a context with `SkipTLSVerify` ask for.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
