// Keeps the page fresh. The server writes every part of it, here they are only put in place: nothing that agents or
// users wrote is ever made into markup by this script.
"use strict";

const link = document.getElementById("link");

// Parts as the server wrote them last, by id: what is the same is left alone, with the focus in it.
const written = new Map();
for (const part of document.querySelectorAll("[data-live]")) written.set(part.id, part.innerHTML);

function say(text, state) {
  if (link.textContent !== text) link.textContent = text;
  link.dataset.state = state;
}

function ago(time, now) {
  const seconds = Math.max(0, Math.round((now - time) / 1000));
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(time).toLocaleDateString();
}

// Times and what is left of auctions go on by themselves.
function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[datetime]")) {
    time.title = new Date(time.dateTime).toLocaleString();
    time.textContent = ago(Date.parse(time.dateTime), now);
  }
  for (const left of document.querySelectorAll("[data-left]")) {
    left.dataset.end ??= now + Number(left.dataset.left);
    const seconds = Math.ceil((Number(left.dataset.end) - now) / 1000);
    left.textContent = seconds > 0 ? `${seconds} s left` : "closing";
  }
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (answer.redirected) {
    location.reload();
    return;
  }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || written.get(part.id) === next.innerHTML) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    written.set(part.id, next.innerHTML);
    part.replaceChildren(...document.adoptNode(next).childNodes);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
  tick();
}

// A burst of events makes one refresh, and a page that nobody sees makes none until somebody does.
const PAUSE = 300;
let stale = false;
let busy = false;
async function freshen() {
  stale = true;
  if (busy || document.hidden) return;
  busy = true;
  try {
    while (stale && !document.hidden) {
      stale = false;
      await refresh();
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  } catch {
    stale = true;
    setTimeout(freshen, 2000);
  } finally {
    busy = false;
  }
}
document.addEventListener("visibilitychange", () => stale && freshen());

const KINDS = [
  "task_added", "auction_opened", "bid_placed", "assigned", "started", "superseded", "late_report",
  "completed", "failed", "agent_registered", "agent_changed", "resync",
];
const events = new EventSource(`/v1/events?after=${link.dataset.latest}`);
events.onopen = () => say("live", "live");
events.onerror = () => {
  say(events.readyState === EventSource.CLOSED ? "not live: load again" : "connecting again", "lost");
};
for (const kind of KINDS) events.addEventListener(kind, freshen);

tick();
setInterval(tick, 1000);
