"""Transcripts: what a page of the guide shows of a terminal is run, and compared with what is there.

A `console` block has commands, each behind a `$`, and what they say. A page is one terminal in one folder of its own:
a block that begins with the comment `# NAME.toml` or `# NAME.py` is that file from there on.

What differs from run to run (ids, numbers of processes, times, the width of columns, the order of agents that act at
once) is not compared. A line of `…` stands for any lines, and `…` in a line for any words.
"""

import os
import pathlib
import re
import subprocess
import tempfile

from pages import BLOCK, guide, name_of

MASKS = [
    (re.compile(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(-[0-9a-f]{3,12})*\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)?(µs|ms|s|m|h|d)\b"), "TIME"),
    (re.compile(r"\b\d{3,}\b|(?<=alveary-)\d+\b"), "N"),
    (re.compile(r"[ \t]+"), " "),
]

# How Rust prints a value for its own authors. No message is made of that.
DEBUG = re.compile(r"\b(Some|None|Ok|Err)\(|\b(Os|Error|Custom) \{|\bkind: [A-Z]|\\u\{[0-9a-f]+\}|::[A-Z]\w+\(")


class Terminal:
    """One page's terminal: a folder, a home, a state of its own."""

    def __init__(self, alveary, folder):
        self.alveary, self.folder = alveary, pathlib.Path(folder, "swarm")
        self.folder.mkdir()
        programs = pathlib.Path(folder, "bin")
        programs.mkdir()
        (programs / "alveary").symlink_to(alveary)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ALVEARY_STATE_DIR": str(pathlib.Path(folder, "state")),
        }

    def run(self, command):
        """What a command says, both streams as a terminal would show them."""
        ran = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, timeout=300,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        return ran.stdout.replace(str(self.folder.parent), "/home/you").rstrip("\n")

    def end(self):
        """Ends what a page has left running, and says so."""
        left = []
        state = pathlib.Path(self.environment["ALVEARY_STATE_DIR"])
        for swarm in sorted(state.iterdir()) if state.exists() else []:
            # From a folder without a file, so that any swarm may be named.
            if self.run(f"cd / && alveary -p '{swarm.name}' ps -aq"):
                left.append(f"the swarm {swarm.name} is left behind; end the page with `alveary down`")
            self.run(f"cd / && alveary -p '{swarm.name}' down")
        return left


def steps(body):
    """The commands of a block, each with what it is shown to say."""
    found = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        elif found:
            found[-1][1].append(line)
    return found


def masked(lines):
    """Lines without what differs from run to run."""
    plain = []
    for line in lines:
        for pattern, word in MASKS:
            line = pattern.sub(word, line)
        if line.strip():
            plain.append(line.strip())
    return sorted(plain)


def agree(shown, said):
    """Whether what a page shows is what was said."""
    shown, said = masked(shown), masked(said)
    open_ended = "…" in shown
    for line in (line for line in shown if line != "…"):
        form = re.compile(".*".join(map(re.escape, line.split("…"))))
        if (there := next((one for one in said if form.fullmatch(one)), None)) is None:
            return False
        said.remove(there)
    return open_ended or not said


def play(page, alveary, each):
    """Runs a page. `each` is handed every command, what is shown of it and what it says."""
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(alveary, folder)
        try:
            for block in BLOCK.finditer(page.read_text()):
                info, body = block["info"].strip(), block["body"]
                if info.split(" ")[0] in ("toml", "python") and (name := re.match(r"# (\S+\.(toml|py))\n", body)):
                    (terminal.folder / name[1]).write_text(body)
                elif info == "console":
                    for command, shown in steps(body):
                        each(command, shown, terminal.run(command).splitlines())
        finally:
            left = terminal.end()
        return left


def faults(alveary):
    """Where the guide shows something else than what happens."""
    found = []
    for page in guide():
        def compare(command, shown, said, page=page):
            found.extend(
                f"{name_of(page)}: `{command}` says `{line}`: that is Rust, and not for people"
                for line in said
                if DEBUG.search(line)
            )
            if page.name == "messages.md" and (what := unhelpful(said)):
                found.append(f"{name_of(page)}: `{command}` says `{what}` and not what to do")
            if not agree(shown, said):
                said, shown = "\n".join(said), "\n".join(shown)
                found.append(f"{name_of(page)}: `{command}` says\n{said}\nand not\n{shown}\n(`--write` takes it over)")

        found += [f"{name_of(page)}: {left}" for left in play(page, alveary, compare)]
    return found


def unhelpful(said):
    """The error that says nothing of a cure, if one does not: `help:` is ours, others are clap's; and an error about a
    value may say itself what would be one."""
    error = next((line for line in said if line.startswith("error:")), None)
    cures = ("help:", "Usage:", " wants ", ", such as ", ", as in ", " are)", "[possible values: ", " may, the first ", ": write [", "(write ", "(use ", "(say ")
    return error if not any(cure in line for line in said for cure in cures) else None


def write(page, alveary):
    """Writes a page's transcripts anew; lines of `…` stay as they are."""
    outputs = []
    play(page, alveary, lambda command, shown, said: outputs.append(shown if agree(shown, said) else said))
    told = iter(outputs)

    def anew(block):
        if block["info"].strip() != "console":
            return block[0]
        lines = []
        for command, _ in steps(block["body"]):
            prompts = command.replace("\n", "\n> ")
            lines += [f"$ {prompts}", *next(told)]
        return "```console\n" + "\n".join(lines) + "\n```"

    page.write_text(BLOCK.sub(anew, page.read_text()))
