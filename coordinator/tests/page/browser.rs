//! A real browser, driven as the `WebDriver` standard says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

/// How long anything may take before a trial fails.
const PATIENCE: Duration = Duration::from_mins(2);

/// What to do where there is no browser.
pub(crate) const CURE: &str =
    "there is no chromium or no chromedriver here: `apt-get install chromium chromium-driver`";

/// The program that drives browsers, running.
pub(crate) struct Driver {
    child: Child,
    port: u16,
}

/// A window of a browser of its own, without anything from before.
pub(crate) struct Browser<'a> {
    driver: &'a Driver,
    session: String,
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

impl Driver {
    /// Whether it can be started here.
    pub(crate) fn is_there() -> bool {
        program("chromedriver").is_some() && program("chromium").is_some()
    }

    pub(crate) fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = said
            .find_map(|line| {
                let line = line.unwrap();
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        // It goes on writing for as long as it runs.
        std::thread::spawn(move || said.for_each(drop));
        Self { child, port }
    }

    /// Sends a command, and gives its value.
    fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost:{}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(
                reader.read_line(&mut line).expect("an answer"),
                0,
                "{path} is not answered"
            );
            match line.trim().to_ascii_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().unwrap(),
                None if line.trim().is_empty() => break,
                _ => {}
            }
        }
        // It keeps the connection open, whatever it is told.
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the whole answer");
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        let value = answer["value"].take();
        match value.get("error") {
            Some(error) => Err(format!("{path}: {error}: {}", value["message"])),
            None => Ok(value),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl<'a> Browser<'a> {
    pub(crate) fn open(driver: &'a Driver) -> Self {
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--window-size=1280,900", "--hide-scrollbars",
            ]},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = driver.command("POST", "/session", &wanted).unwrap();
        let session = session["sessionId"].as_str().unwrap().to_owned();
        Self { driver, session }
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.driver.command(method, &path, body).unwrap()
    }

    pub(crate) fn goto(&self, url: &str) {
        self.command("POST", "/url", &json!({"url": url}));
    }

    pub(crate) fn url(&self) -> String {
        self.command("GET", "/url", &json!(null))
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// What a script returns.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.script_with(script, &[])
    }

    /// What a script returns that is given these.
    pub(crate) fn script_with(&self, script: &str, arguments: &[Value]) -> Value {
        self.command(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": arguments}),
        )
    }

    /// Waits until a script returns what is true.
    pub(crate) fn until(&self, script: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let value = self.script(script);
            if value == json!(true) {
                return;
            }
            assert!(
                Instant::now() < until,
                "still {value}: {script}\n{:?}",
                self.complaints()
            );
        }
    }

    /// Waits until the page is loaded and hears of events.
    pub(crate) fn until_live(&self) {
        self.until("return document.getElementById('link')?.dataset.state === 'live'");
    }

    /// Types keys as a person does, wherever the focus is.
    pub(crate) fn keys(&self, keys: &str) {
        let actions: Vec<_> = keys
            .chars()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.command("POST", "/actions", &json!({"actions": [keyboard]}));
    }

    /// Says to the browser itself what no page can say to it.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) {
        let body = json!({"cmd": command, "params": parameters});
        self.command("POST", "/goog/cdp/execute", &body);
    }

    /// As on a device of this width, that likes these colours.
    pub(crate) fn as_on(&self, width: u32, height: u32, scheme: &str) {
        let device = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &device);
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &scheme);
    }

    /// What the console and the policy complain of.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let entries = self.command("POST", "/se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().unwrap().iter();
        entries
            .filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// What is seen, as a picture.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let picture = self.command("GET", "/screenshot", &json!(null));
        let picture = picture.as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(picture)
            .unwrap()
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let path = format!("/session/{}", self.session);
        let _ = self.driver.command("DELETE", &path, &json!(null));
    }
}
