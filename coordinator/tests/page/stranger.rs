//! Another site's page, in the browser of somebody who is signed in: whatever it has the browser send, nothing comes
//! of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alveary_coordinator::http::Guard;
use alveary_coordinator::{Bidders, Settings};
use serde_json::{Value, json};

use super::Scene;
use super::bed::Bed;

/// What the page has a browser send to `target`, in each of the ways that need nobody's consent; and, last, in those
/// that do. `window.over` is how many of them a browser would not let the page read.
const SENDS: &str = r"
    const target = arguments[0];
    const task = JSON.stringify({description: 'planted'});
    const bid = JSON.stringify({task_id: 'x', agent_id: 'planted', bid_sats: 1});
    const form = new URLSearchParams({description: 'planted', name: 'planted', result: 'planted'});
    const post = (path, type, body, mode) => fetch(target + path, {
        method: 'POST', mode, credentials: 'include', headers: {'content-type': type}, body,
    }).then(answer => { if (mode === 'cors') throw new Error('it could be read: ' + answer.status); }, () => {});
    const submit = (path, enctype) => new Promise(loaded => {
        const frame = document.createElement('iframe');
        frame.name = 'frame' + Math.random();
        document.body.append(frame);
        const form = document.createElement('form');
        Object.assign(form, {method: 'post', action: target + path, target: frame.name, enctype});
        const field = document.createElement('input');
        Object.assign(field, {name: 'description', value: 'planted'});
        form.append(field);
        document.body.append(form);
        frame.onload = loaded;
        form.submit();
    });
    const shown = path => new Promise(over => {
        const picture = new Image();
        picture.onload = picture.onerror = over;
        picture.src = target + path;
    });
    const beacon = navigator.sendBeacon(target + '/v1/tasks', new Blob([task], {type: 'text/plain'}));
    window.over = null;
    Promise.all([
        post('/v1/tasks', 'text/plain', task, 'no-cors'),
        post('/internal/bids', 'text/plain', bid, 'no-cors'),
        post('/swarm/tasks', 'application/x-www-form-urlencoded', form.toString(), 'no-cors'),
        submit('/swarm/tasks', 'application/x-www-form-urlencoded'),
        submit('/swarm/tasks', 'multipart/form-data'),
        submit('/v1/tasks', 'text/plain'),
        shown('/swarm/tasks'),
        post('/v1/tasks', 'application/json', task, 'cors'),
        post('/swarm/tasks', 'application/x-www-form-urlencoded', form.toString(), 'cors'),
    ]).then(() => { window.over = beacon ? 'sent' : 'the beacon was not sent'; }, error => { window.over = String(error); });
";

/// Of these, what arrives where nobody looks at whose page it is: all but what is asked for before it is sent.
const ARRIVE: usize = 8;

/// A site that serves one empty page, and counts what is posted to it.
struct Site {
    port: u16,
    posted: Arc<AtomicUsize>,
}

impl Site {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Self {
            port: listener.local_addr().unwrap().port(),
            posted: Arc::default(),
        };
        let posted = Arc::clone(&site.posted);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let posted = Arc::clone(&posted);
                std::thread::spawn(move || answer(stream, &posted));
            }
        });
        site
    }
}

/// A browser may open a connection and say nothing.
fn answer(stream: TcpStream, posted: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (is_post, mut length) = (line.starts_with("POST "), 0);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim().to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    if is_post {
        posted.fetch_add(1, Ordering::SeqCst);
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n";
    let page = "<!doctype html><title>kittens</title><body>";
    let answer = format!("{head}content-length: {}\r\n\r\n{page}", page.len());
    reader.get_mut().write_all(answer.as_bytes()).ok()
}

pub(super) fn posts(scene: &Scene<'_>) {
    let anybody = Settings::default().with_bidders(Bidders::Anybody);
    let anybody = scene.runtime.block_on(Bed::with(anybody, Guard::default()));
    let (evil, recorder) = (Site::open(), Site::open());
    // The browser has the admin's cookie from now on.
    scene.sign_in();
    // One that the browser takes for another site, and one that differs by its port alone.
    for host in ["localhost", "127.0.0.1"] {
        let page = format!("http://{host}:{}/", evil.port);
        let send = |target: String| {
            scene.browser.goto(&page);
            scene.browser.script_with(SENDS, &[json!(target)]);
            scene.browser.until("return window.over !== null");
            let over = scene.browser.script("return window.over");
            assert_eq!(over, json!("sent"), "{page} to {target}");
        };
        // All of it arrives where nobody looks.
        let before = recorder.posted.load(Ordering::SeqCst);
        send(format!("http://127.0.0.1:{}", recorder.port));
        let arrived = recorder.posted.load(Ordering::SeqCst) - before;
        assert!(arrived >= ARRIVE, "only {arrived} have arrived");
        for bed in [&scene.bed, &anybody] {
            send(format!("http://{}", bed.address));
            let nothing = json!([]);
            let holds = |path: &str, key: &str| -> Value {
                let asked = bed.get(path).admin().send();
                scene.runtime.block_on(asked).json()[key].clone()
            };
            assert_eq!(holds("/v1/tasks", "tasks"), nothing, "from {page}");
            assert_eq!(holds("/v1/agents", "agents"), nothing, "from {page}");
        }
    }
}
