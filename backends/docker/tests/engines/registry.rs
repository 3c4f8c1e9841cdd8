//! A registry of one image, on this host: engines of the tests reach no other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alveary_core::SwarmUid;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::common::{IMAGE, TestEngine};

/// It is gone when this is dropped.
pub(crate) struct Registry {
    port: u16,
    shelf: Arc<Shelf>,
    serving: AbortHandle,
}

#[derive(Default)]
struct Shelf {
    manifest: Vec<u8>,
    config: Vec<u8>,
    layer: Vec<u8>,
    /// Of the layer comes a half, and then nothing.
    stalls: AtomicBool,
    /// Of the layer comes a piece now and then.
    creeps: AtomicBool,
    /// What was asked for: paths.
    asked: Mutex<Vec<String>>,
}

/// Of what comes bit by bit.
const PIECES: u32 = 20;

/// By what it is called here.
const TAGS: [&str; 2] = ["1", "2"];

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

fn digest(bytes: &[u8]) -> String {
    let hex: Vec<String> = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{}", hex.concat())
}

impl Registry {
    pub(crate) const CREEP: Duration = Duration::from_secs(10);

    /// Has an image like that of the tests, which nobody has fetched yet.
    pub(crate) async fn near(engine: &TestEngine) -> Self {
        let name = format!("registry-{}", SwarmUid::random());
        // No engine has a layer of this before.
        let mark = format!("echo {name} >/mark");
        engine.client(&[
            "run",
            "--net=none",
            "--name",
            &name,
            IMAGE,
            "sh",
            "-c",
            &mark,
        ]);
        let layer = engine.try_client(&["export", &name]).stdout;
        engine.client(&["rm", &name]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shelf = Arc::new(Shelf::of(layer));
        let served = Arc::clone(&shelf);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shelf = Arc::clone(&served);
                tokio::spawn(async move {
                    // An engine tries TLS first, and may go at any moment.
                    let _ = shelf.answer(stream).await;
                });
            }
        });
        Self {
            port,
            shelf,
            serving: serving.abort_handle(),
        }
    }

    /// What an agent names to have the image by this tag.
    pub(crate) fn image(&self, tag: &str) -> String {
        format!("127.0.0.1:{}/agent:{tag}", self.port)
    }

    pub(crate) fn stall(&self, stalls: bool) {
        self.shelf.stalls.store(stalls, Ordering::SeqCst);
    }

    /// It takes [`Self::CREEP`] from now on until an image is here.
    pub(crate) fn creep(&self, creeps: bool) {
        self.shelf.creeps.store(creeps, Ordering::SeqCst);
    }

    /// How often somebody asked what there is by this tag.
    pub(crate) fn asked(&self, tag: &str) -> usize {
        let asked = self.shelf.asked.lock().expect("nobody panicked");
        let path = format!("/v2/agent/manifests/{tag}");
        asked.iter().filter(|asked| **asked == path).count()
    }

    /// How often somebody asked for what the image is made of.
    pub(crate) fn fetched(&self) -> usize {
        let asked = self.shelf.asked.lock().expect("nobody panicked");
        let path = format!("/v2/agent/blobs/{}", digest(&self.shelf.layer));
        asked.iter().filter(|asked| **asked == path).count()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shelf {
    fn of(layer: Vec<u8>) -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Env": ["PATH=/bin:/usr/bin"] },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "size": config.len(), "digest": digest(&config) },
            "layers": [{ "mediaType": LAYER, "size": layer.len(), "digest": digest(&layer) }],
        });
        Self {
            manifest: manifest.to_string().into_bytes(),
            config,
            layer,
            ..Self::default()
        }
    }

    async fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let mut words = line.split(' ');
        let (method, path) = (
            words.next().unwrap_or_default().to_owned(),
            words.next().unwrap_or_default().to_owned(),
        );
        loop {
            let mut header = String::new();
            if stream.read_line(&mut header).await? == 0 || header.trim().is_empty() {
                break;
            }
        }
        self.asked
            .lock()
            .expect("nobody panicked")
            .push(path.clone());
        let (blobs, manifests) = ("/v2/agent/blobs/", "/v2/agent/manifests/");
        let of = |bytes: &[u8], before: &str| path == format!("{before}{}", digest(bytes));
        let unknown = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        let (status, kind, body) = if path == "/v2/" {
            (200, "application/json", &b"{}"[..])
        } else if TAGS.map(|tag| format!("{manifests}{tag}")).contains(&path)
            || of(&self.manifest, manifests)
        {
            (200, MANIFEST, &self.manifest[..])
        } else if of(&self.config, blobs) {
            (200, CONFIG, &self.config[..])
        } else if of(&self.layer, blobs) {
            (200, LAYER, &self.layer[..])
        } else {
            (404, "application/json", &unknown[..])
        };
        let head = format!(
            "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\nConnection: close\r\n\r\n",
            body.len(),
            digest(body),
        );
        stream.write_all(head.as_bytes()).await?;
        if method != "HEAD" {
            let stalls = kind == LAYER && self.stalls.load(Ordering::SeqCst);
            let sent = if stalls { body.len() / 2 } else { body.len() };
            let creeps = kind == LAYER && self.creeps.load(Ordering::SeqCst);
            let piece = if creeps {
                sent.div_ceil(PIECES as usize)
            } else {
                sent
            };
            for piece in body[..sent].chunks(piece.max(1)) {
                if creeps {
                    tokio::time::sleep(Registry::CREEP / PIECES).await;
                }
                stream.write_all(piece).await?;
            }
            if stalls {
                stream.flush().await?;
                // Until whoever asked has had enough.
                stream.read_line(&mut String::new()).await?;
            }
        }
        stream.shutdown().await
    }
}
