"""The pages, and what is in them: blocks of code, fleet files, calls of the program, names of tests."""

import functools
import os
import pathlib
import re
import shlex
import subprocess
import tempfile

import rust

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)


def all_pages():
    """Every page that is kept, in order of its name."""
    kept = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()
    return [ROOT / name for name in sorted(kept) if (ROOT / name).exists()]


def guide():
    """The pages whose transcripts are run."""
    return sorted([*(ROOT / "docs/guide").glob("*.md"), ROOT / "docs/agents.md"])


def name_of(page):
    """A page as messages name it."""
    return os.path.relpath(page, ROOT)


def blocks(text):
    """What a page's fenced blocks are of, and what is in them."""
    return [(block["info"].strip(), block["body"]) for block in BLOCK.finditer(text)]


def faults(alveary):
    """What is wrong with the blocks of all pages."""
    found = []
    tests = test_names()
    doctests = (ROOT / "src/lib.rs").read_text()
    for page in all_pages():
        text, name = page.read_text(), name_of(page)
        for info, body in blocks(text):
            if info == "toml":
                found += [f"{name}: {fault}" for fault in fleet_faults(alveary, body)]
            elif info == "toml policy":
                found += [f"{name}: {fault}" for fault in policy_faults(alveary, body)]
            elif info == "toml refused" and not fleet_faults(alveary, body):
                found.append(f"{name}: a file that is called refused is taken")
            elif info == "sh":
                found += [f"{name}: {fault}" for fault in call_faults(alveary, body)]
            elif info.startswith("rust") and page.is_relative_to(ROOT / "docs/guide") and f"../{name}" not in doctests:
                found.append(f"{name} has Rust in it that no test compiles; include it in src/lib.rs as the README is")
        if page == ROOT / "docs/guide/troubleshooting.md":
            found += [f"{name}: nothing says `{message}`" for message in messages(text) if not is_said(message)]
        if page == ROOT / "docs/security.md":
            found += [f"{name}: there is no test `{test}`" for test in named_tests(text) if test not in tests]
            found += [f"{name}: no test is named for the threat {row}" for row in unshown(text)]
    return found


def run(alveary, arguments, folder, **environment):
    """Runs the program where nothing of the user's is seen; what it says, if it fails."""
    clean = {"PATH": os.environ["PATH"], "HOME": folder, "ALVEARY_STATE_DIR": f"{folder}/state", **environment}
    ran = subprocess.run([alveary, *arguments], cwd=folder, env=clean, capture_output=True, text=True, timeout=300)
    return [] if ran.returncode == 0 else [ran.stderr.strip()]


def fleet_faults(alveary, text):
    """What the program finds wrong with a fleet file. Whether its files and programs are there is not asked."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "alveary.toml")
        file.write_text(text)
        for place in re.findall(r'\bfile = "([^"]+)"', text):
            pathlib.Path(folder, place).write_text("value")
        return run(alveary, ["config", "show"], folder)


def policy_faults(alveary, text):
    """What the program finds wrong with a policy."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "policy.toml").write_text(text)
        pathlib.Path(folder, "alveary.toml").write_text(
            '[agents.a]\ncommand = ["true"]\ncontainer = { image = "timmy-time:latest" }\n'
        )
        arguments = ["--backend", "docker-api", "up", "--dry-run"]
        said = run(alveary, arguments, folder, ALVEARY_POLICY=f"{folder}/policy.toml")
        # Policies are read before the engine is asked, and there need not be one.
        return [words for words in said if "policy" in words]


def call_faults(alveary, text):
    """Verbs and long flags in a block of shell that the program does not know."""
    found = []
    for line in text.splitlines():
        if not line.startswith("alveary "):
            continue
        words = shlex.split(line, comments=True)[1:]
        for stop in ("|", ";", "&&", "--"):
            words = words[: words.index(stop)] if stop in words else words
        helped = subprocess.run([alveary, "--help"], capture_output=True, text=True).stdout
        verbs = re.findall(r"^  ([a-z]+) {2,}", helped, re.MULTILINE)
        verb = [word for word in words if word in verbs][:1]
        if not verb and "--version" not in words:
            found.append(f"`{line}` has no verb that the program knows")
        known = subprocess.run([alveary, *verb, "--help"], capture_output=True, text=True).stdout
        # A verb may have verbs of its own: `config schema`.
        own = re.findall(r"^  ([a-z]+) {2,}", known, re.MULTILINE)
        within = [word for word in words if word in own and word not in verb][:1]
        if verb and within:
            known = subprocess.run([alveary, *verb, *within, "--help"], capture_output=True, text=True).stdout
        for word in words:
            flag = word.split("=")[0]
            if flag.startswith("--") and not re.search(rf"{flag}\b", known):
                found.append(f"`{line}`: there is no `{flag}`")
    return found


def messages(text):
    """The messages in the first column of a page's tables."""
    return [row[2].strip() for row in re.finditer(r"^\| (`+) ?(.+?) ?\1 \|", text, re.MULTILINE)]


@functools.cache
def sources():
    """What the program's sources say, with each string in one line, and whatever is filled in as `…`."""
    folders = ("core", "src", "backends/process", "backends/docker", "agent", "coordinator", "cli")
    crates = [rust.crate(ROOT / folder / ("" if folder == "src" else "src")) for folder in folders]
    text = "\n".join(said for crate in crates for source in crate for _, said in source.strings.values())
    return re.sub(r"\{[^{}\n]*\}", "…", text.replace("{FILE_NAME}", "alveary.toml"))


def is_said(message):
    """Whether each part of a message between what is filled in stands in the sources."""
    return all(part.strip() in sources() for part in message.split("…") if part.strip("` "))


def test_names():
    """The names of all functions and trials in the tests."""
    sources = subprocess.run(
        ["git", "grep", "-hoE", r"(\bfn |^ *\")[a-z0-9_]+", "--", "*.rs"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {re.sub(r'^fn |^ *"', "", line) for line in sources.stdout.splitlines()}


def unshown(text):
    """The threats of a page's tables whose row names no test."""
    tables = re.findall(r"^\| threat \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = [row.strip("| ").split(" | ") for table in tables for row in table.splitlines()]
    return [row[0] for row in rows if not named_tests(row[-1])]


def named_tests(text):
    """The tests that a page names: in code, in words that make a sentence."""
    return re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`", text)
