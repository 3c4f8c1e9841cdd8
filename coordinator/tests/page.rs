//! The page in a real browser.
//!
//! Where there is none, the trials are shown as ignored, with the cure; where `CI` is `true` that is a failure.
//! `ALVEARY_SCREENSHOTS=FOLDER` keeps pictures of what is seen.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]
#![expect(
    clippy::print_stdout,
    reason = "what is not tried is said, with the cure"
)]

#[expect(dead_code, reason = "the trials of the wire use the rest of it")]
#[path = "http/bed.rs"]
mod bed;
#[path = "page/browser.rs"]
mod browser;
#[path = "page/stranger.rs"]
mod stranger;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use alveary_agent::protocol::{Claim, NewBid, Registration};
use alveary_coordinator::Settings;
use alveary_coordinator::http::Guard;
use libtest_mimic::{Arguments, Completion, Trial};
use serde_json::json;
use tokio::runtime::Runtime;

use bed::Bed;
use browser::{Browser, CURE, Driver};

/// Everything that a trial needs.
struct Scene<'a> {
    runtime: Runtime,
    bed: Bed,
    browser: Browser<'a>,
}

type Play = fn(&Scene<'_>);

const TRIALS: [(&str, Play); 9] = [
    (
        "an_admin_signs_in_by_the_form_and_the_page_is_live",
        signs_in,
    ),
    ("what_happens_is_seen_without_loading_again", lives),
    ("hostile_texts_are_shown_and_not_obeyed", is_safe),
    (
        "another_sites_page_posts_in_vain_though_its_reader_is_signed_in",
        stranger::posts,
    ),
    (
        "the_keyboard_reaches_everything_and_keeps_its_place",
        keyboard,
    ),
    ("a_phone_shows_all_of_it_without_scrolling_sideways", phone),
    ("every_text_can_be_read_in_light_and_in_dark", contrast),
    ("a_coordinator_that_ends_is_told", ends),
    ("pictures_are_kept_where_somebody_wants_them", pictures),
];

fn main() -> ExitCode {
    let is_there = Driver::is_there();
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(is_there || !in_ci, "{CURE}");
    let driver: Arc<OnceLock<Driver>> = Arc::default();
    let trials = TRIALS.into_iter().map(|(name, play)| {
        let driver = Arc::clone(&driver);
        Trial::ignorable_test(format!("page::{name}"), move || {
            if !is_there {
                return Ok(Completion::ignored_with(CURE));
            }
            perform(driver.get_or_init(Driver::start), play);
            Ok(Completion::Completed)
        })
        .with_ignored_flag(!is_there)
    });
    let mut arguments = Arguments::from_args();
    // A browser is as much as two processors can bear.
    arguments.test_threads.get_or_insert(1);
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if !is_there {
        println!("ignored: {CURE}");
    }
    // An exit would leave the driver behind.
    drop(driver);
    conclusion.exit_code()
}

fn perform(driver: &Driver, play: Play) {
    let runtime = Runtime::new().unwrap();
    let settings = Settings::default().with_auction(Duration::from_mins(1));
    let bed = runtime.block_on(Bed::with(settings, Guard::default()));
    let scene = Scene {
        runtime,
        bed,
        browser: Browser::open(driver),
    };
    play(&scene);
}

impl Scene<'_> {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.bed.address)
    }

    fn sign_in(&self) {
        self.browser.goto(&self.url("/"));
        assert_eq!(self.browser.url(), self.url("/login"));
        self.until_field();
        self.browser.keys(self.bed.tokens.admin().expose());
        self.browser.keys("\u{e007}");
        self.browser.until_live();
        assert_eq!(self.browser.url(), self.url("/"));
    }

    /// The field has the focus without anybody's doing.
    fn until_field(&self) {
        self.browser
            .until("return document.activeElement?.id === 'token'");
    }

    fn give(&self, description: &str) -> String {
        self.runtime.block_on(self.bed.give(description))
    }

    /// A task that asks for capabilities.
    fn give_for(&self, description: &str, capabilities: &[&str]) {
        let task = json!({"description": description, "capabilities": capabilities});
        let tasks = vec![serde_json::from_value(task).unwrap()];
        self.runtime
            .block_on(self.bed.coordinator.add(tasks, None))
            .unwrap();
    }

    /// The agent is gone.
    fn leave(&self, id: &str) {
        let id = Bed::agent(id);
        self.runtime
            .block_on(self.bed.coordinator.gone(&id))
            .unwrap();
    }

    fn register(&self, id: &str, name: &str, capabilities: &[&str]) {
        let registration = json!({"agent_id": id, "name": name, "capabilities": capabilities});
        let registration: Registration = serde_json::from_value(registration).unwrap();
        self.runtime
            .block_on(self.bed.coordinator.register(registration))
            .unwrap();
    }

    fn bid(&self, task: &str, agent: &str, sats: u64) {
        let bid = json!({"task_id": task, "agent_id": agent, "bid_sats": sats});
        let bid: NewBid = serde_json::from_value(bid).unwrap();
        self.runtime
            .block_on(self.bed.coordinator.bid(bid))
            .unwrap();
    }

    /// The agent takes up what it has won.
    fn claim(&self, agent: &str) -> Claim {
        let request = json!({"agent_id": agent, "wait_ms": 10_000});
        let request = serde_json::from_value(request).unwrap();
        let claim = self.bed.coordinator.claim(request);
        self.runtime.block_on(claim).unwrap().unwrap()
    }

    /// The agent takes up what it has won, and delivers.
    fn deliver(&self, agent: &str, result: &str) {
        let claim = self.claim(agent);
        let report = json!({"attempt": claim.attempt, "result": result});
        let report = serde_json::from_value(report).unwrap();
        let coordinator = &self.bed.coordinator;
        self.runtime
            .block_on(coordinator.complete(claim.task_id, None, report))
            .unwrap();
    }

    /// The agent takes up what it has won, and cannot do it.
    fn fail(&self, agent: &str, reason: &str) {
        let claim = self.claim(agent);
        let report = json!({"attempt": claim.attempt, "reason": reason});
        let report = serde_json::from_value(report).unwrap();
        let coordinator = &self.bed.coordinator;
        self.runtime
            .block_on(coordinator.fail(claim.task_id, None, report))
            .unwrap();
    }

    fn shows(&self, part: &str, text: &str) {
        self.browser.until(&format!(
            "return document.getElementById({}).textContent.includes({})",
            json!(part),
            json!(text)
        ));
    }

    fn complains_of_nothing(&self) {
        let complaints = self.browser.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

fn signs_in(scene: &Scene<'_>) {
    scene.browser.goto(&scene.url("/login"));
    scene.until_field();
    scene.browser.keys("nonsense\u{e007}");
    scene
        .browser
        .until("return document.querySelector('[role=alert]') !== null");
    // A refused form is an answer of 403, which the console tells; nothing else may be there.
    scene.browser.complaints();
    scene.sign_in();
    scene.complains_of_nothing();
    let kept = scene.browser.script("return document.cookie");
    assert_eq!(kept, json!(""), "the script can read the cookie");
}

fn lives(scene: &Scene<'_>) {
    scene.sign_in();
    scene.browser.script("window.marker = 'the same page'");
    scene.register("echo", "Echo", &["sing"]);
    scene.shows("agents", "Echo");
    scene.register("idle", "Idle", &[]);
    let task = scene.give("Sing a song of sixpence");
    scene.shows("auctions", "Sing a song of sixpence");
    scene.bid(&task, "echo", 42);
    scene.shows("auctions", "42 sats");
    scene.shows("happened", "has a bid: echo, 42 sats");
    // The last that could bid does: the auction is over.
    scene.bid(&task, "idle", 77);
    scene.shows("task-list", "assigned");
    scene.deliver("echo", "A pocket full of rye");
    scene.shows("task-list", "A pocket full of rye");
    scene.shows("counts", "1 completed");
    scene.shows("auctions", "No auction is open.");
    let marker = scene.browser.script("return window.marker");
    assert_eq!(marker, json!("the same page"), "it was loaded again");
    scene.complains_of_nothing();
}

fn is_safe(scene: &Scene<'_>) {
    let hostile = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\
                   <svg onload=window.pwned=1></svg><a href='javascript:window.pwned=1'>x</a>";
    scene.sign_in();
    let task = scene.give(hostile);
    scene.register("evil", hostile, &["<b onmouseover=window.pwned=1>x</b>"]);
    scene.shows("auctions", "<script>window.pwned=1</script>");
    scene.shows("agents", "<script>window.pwned=1</script>");
    scene.bid(&task, "evil", 1);
    scene.deliver("evil", hostile);
    scene.shows("task-list", "completed");
    let failing = scene.give("'; DROP TABLE tasks; --");
    scene.bid(&failing, "evil", 1);
    scene.fail("evil", hostile);
    scene.shows("happened", "failed: <script>window.pwned=1</script>");
    scene.shows("task-list", "'; DROP TABLE tasks; --");
    is_unharmed(scene);
    scene.browser.goto(&scene.url(&format!("/tasks/{task}")));
    scene.browser.until_live();
    let shown = scene
        .browser
        .script("return document.querySelector('pre.text').textContent");
    assert_eq!(shown, json!(hostile));
    is_unharmed(scene);
    scene
        .browser
        .goto(&scene.url(&format!("/?status={}&after={}", "<script>", "'--")));
    scene.browser.until_live();
    is_unharmed(scene);
    scene.complains_of_nothing();
}

/// Nothing on the page was made of what somebody wrote, and nothing of it has run.
fn is_unharmed(scene: &Scene<'_>) {
    let made = "return document.querySelectorAll('main img, main svg, main script, main b[onmouseover], \
                main a[href^=javascript]').length";
    assert_eq!(scene.browser.script(made), json!(0));
    let pwned = scene.browser.script("return window.pwned ?? null");
    assert_eq!(pwned, json!(null));
}

fn keyboard(scene: &Scene<'_>) {
    let task = scene.give("Sing");
    scene.sign_in();
    scene.browser.keys("\u{e004}");
    let first = scene
        .browser
        .script("return document.activeElement.textContent");
    assert_eq!(first, json!("Skip to the content"));
    let mut reached = Vec::new();
    for _ in 0..32 {
        scene.browser.keys("\u{e004}");
        let focused = "const e = document.activeElement; return [e.id, e.textContent.trim().replace(/\\s+/g, ' '), \
                       getComputedStyle(e).outlineStyle, e.tagName]";
        let focused = scene.browser.script(focused);
        if focused[3] == json!("BODY") {
            break;
        }
        assert_ne!(
            focused[2],
            json!("none"),
            "nobody sees that {} has the focus",
            focused[1]
        );
        reached.push(focused);
    }
    for wanted in ["Sign out", "1 bidding", "Sing"] {
        assert!(
            reached.iter().any(|one| one[1] == json!(wanted)),
            "{wanted}: {reached:?}"
        );
    }
    scene
        .browser
        .script(&format!("document.getElementById('t-{task}').focus()"));
    scene.give("Dance");
    scene.shows("task-list", "Dance");
    let kept = scene.browser.script("return document.activeElement.id");
    assert_eq!(
        kept,
        json!(format!("t-{task}")),
        "the focus is lost when the page is freshened"
    );
    scene.browser.keys("\u{e007}");
    scene
        .browser
        .until("return location.pathname.startsWith('/tasks/')");
    scene.complains_of_nothing();
}

fn phone(scene: &Scene<'_>) {
    furnish(scene);
    scene.give(&"Longwordwithoutabreak".repeat(40));
    scene.browser.as_on(390, 844, "light");
    scene.sign_in();
    let task = scene.give("Sing");
    for path in ["/".to_owned(), format!("/tasks/{task}")] {
        scene.browser.goto(&scene.url(&path));
        scene.browser.until_live();
        let wide = "return document.documentElement.scrollWidth - innerWidth";
        assert!(
            scene.browser.script(wide).as_i64().unwrap() <= 0,
            "{path} is wider than the phone"
        );
        let outside = "return [...document.querySelectorAll('main *')].filter(e => { \
            const r = e.getBoundingClientRect(); \
            return r.width > 1 && r.right > innerWidth + 1 && !e.closest('.result') }).map(e => e.outerHTML.slice(0, 120))";
        assert_eq!(scene.browser.script(outside), json!([]), "{path}");
    }
    scene.browser.goto(&scene.url("/"));
    scene.browser.until_live();
    let small = "return [...document.querySelectorAll('.counts a')].filter(e => e.offsetHeight < 44).length";
    assert_eq!(
        scene.browser.script(small),
        json!(0),
        "a finger needs 44 pixels"
    );
}

fn contrast(scene: &Scene<'_>) {
    const UNREADABLE: &str = r"
        const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        const rgb = (colour) => {
            canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3]) return c; } };
        return [...document.querySelectorAll('body *')].filter((e) =>
            [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).flatMap((e) => {
            const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
            const ratio = (a + 0.05) / (b + 0.05);
            return ratio < 4.5 ? [`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 100)}`] : [];
        });";
    furnish(scene);
    for scheme in ["light", "dark"] {
        scene.browser.as_on(1280, 900, scheme);
        scene.browser.goto(&scene.url("/login"));
        if scene.browser.url().ends_with("/login") {
            assert_eq!(scene.browser.script(UNREADABLE), json!([]), "{scheme}");
            scene.sign_in();
        }
        scene.browser.goto(&scene.url("/"));
        scene.browser.until_live();
        assert_eq!(scene.browser.script(UNREADABLE), json!([]), "{scheme}");
        let ground = scene
            .browser
            .script("return getComputedStyle(document.body).backgroundColor");
        let is_dark = ground.as_str().unwrap().starts_with("rgb(2");
        assert_eq!(
            is_dark && !ground.as_str().unwrap().starts_with("rgb(25"),
            scheme == "dark",
            "{ground}"
        );
    }
}

fn ends(scene: &Scene<'_>) {
    scene.sign_in();
    scene.bed.cancel.cancel();
    scene
        .browser
        .until("return document.getElementById('link').dataset.state === 'lost'");
}

/// A little of everything.
fn furnish(scene: &Scene<'_>) {
    scene.register("echo", "echo", &["summarise", "translate"]);
    scene.register("scribe", "scribe", &["summarise"]);
    scene.register("lute", "lute", &["sing"]);
    let first = scene.give("Summarise the minutes of the last three meetings in ten lines");
    for (agent, sats) in [("echo", 34), ("scribe", 21), ("lute", 90)] {
        scene.bid(&first, agent, sats);
    }
    scene.deliver(
        "scribe",
        "Ten lines: the bridge is to be painted green; the budget is as last year; …",
    );
    let broken = scene.give("Draw the hive from above");
    for (agent, sats) in [("echo", 60), ("scribe", 55), ("lute", 40)] {
        scene.bid(&broken, agent, sats);
    }
    scene.fail("lute", "I have no hands to draw with");
    let second = scene.give("Translate the letter from Lisbon into English");
    for (agent, sats) in [("echo", 18), ("scribe", 40), ("lute", 55)] {
        scene.bid(&second, agent, sats);
    }
    scene.claim("echo");
    scene.register("owl", "Night owl", &["translate", "watch", "count"]);
    scene.register("heron", "heron", &["fish"]);
    scene.leave("heron");
    let off = scene.give("Count the bees in hive 7").parse().unwrap();
    scene
        .runtime
        .block_on(scene.bed.coordinator.cancel(off))
        .unwrap();
    let open = scene.give("Write a short song about honey, in four verses that rhyme");
    for (agent, sats) in [("lute", 62), ("owl", 75), ("echo", 48)] {
        scene.bid(&open, agent, sats);
    }
    let open = scene.give("Find out what the weather will be like on the day of the fair");
    scene.bid(&open, "owl", 30);
    scene.give_for("Sing the song about honey", &["sing"]);
}

fn pictures(scene: &Scene<'_>) {
    const DESK: (u32, u32) = (1200, 800);
    const PHONE: (u32, u32) = (390, 844);
    let Some(folder) = std::env::var_os("ALVEARY_SCREENSHOTS").map(std::path::PathBuf::from) else {
        // Without a folder it is tried that there is something to keep.
        scene.sign_in();
        assert!(scene.browser.picture().starts_with(b"\x89PNG"));
        return;
    };
    let keep = |name: &str| std::fs::write(folder.join(name), scene.browser.picture()).unwrap();
    let look = |name: &str, (width, height): (u32, u32), scheme: &str, path: &str| {
        scene.browser.as_on(width, height, scheme);
        scene.browser.goto(&scene.url(path));
        scene.browser.until_live();
        keep(name);
    };
    scene.browser.as_on(DESK.0, DESK.1, "light");
    scene.browser.goto(&scene.url("/login"));
    keep("look-login.png");
    scene.sign_in();
    look("look-empty.png", DESK, "light", "/");
    furnish(scene);
    let done = "return [...document.querySelectorAll('#task-list tbody tr')]\
        .find((row) => row.querySelector('.chip.completed')).querySelector('a').pathname";
    scene.shows("task-list", "completed");
    let done = scene.browser.script(done);
    let done = done.as_str().unwrap();
    look("page-light.png", DESK, "light", "/");
    look("page-dark.png", DESK, "dark", "/");
    look("page-task.png", DESK, "light", done);
    look("page-phone.png", PHONE, "light", "/");
    look("look-phone-dark.png", PHONE, "dark", "/#tasks");
    look("look-phone-task.png", PHONE, "dark", done);
    // Much of everything, and long.
    for number in 0..60 {
        let id = format!("worker-{number:02}");
        scene.register(
            &id,
            &id,
            &["summarise", "translate", "count", "watch", "sing"],
        );
    }
    let long = "A description that goes on and on, as people write them when they are in a hurry. "
        .repeat(30);
    scene.give(&long);
    scene.give(&"Longwordwithoutabreak".repeat(60));
    for number in 0..40 {
        scene.give(&format!("Count the bees in hive {number}"));
    }
    look("look-much.png", DESK, "light", "/");
    look("look-much-phone.png", PHONE, "light", "/");
    let longest = "return document.querySelector('#task-list tbody tr:nth-child(42) a').pathname";
    let longest = scene.browser.script(longest);
    look(
        "look-long-task.png",
        PHONE,
        "light",
        longest.as_str().unwrap(),
    );
    scene.complains_of_nothing();
}
