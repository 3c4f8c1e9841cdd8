"""The page of the libraries' messages: each that an error of theirs may have is on it with its cure, and is fit for a
person. Its tables are written from the sources; what stands around them is written by hand. Above each table stands
`<!-- messages of PATH … -->`, which says what sources it is of.
"""

import functools
import pathlib
import re

import spoken
from pages import ROOT

PAGE = ROOT / "docs" / "guide" / "library-messages.md"
CRATES = ("core/src", "src", "backends/process/src", "backends/docker/src", "coordinator/src", "agent/src")
TABLE = re.compile(r"^<!-- messages of (?P<paths>[^\n]+) -->\n+(?:\|[^\n]*\n)*\n*", re.MULTILINE)
HEAD = "| it says | what to do |\n|---|---|\n"

# Messages that need no cure of their own, and why.
NEEDS_NONE = {
    "`{PATH}` wants {EXPECTED}, and has {FOUND}": "says what is wanted",
    "`{PATH}`: {MESSAGE}": "the message within it says what is right",
    "`{NAME}` cannot be a swarm's name: {WHY}": "says what may stand in a name",
    "`{PATH}` is no path inside an agent: {WHY}": "says what is wrong with it, and who takes the path adds the cure",
    "a link-local address is not the agent's": "who reads the probe adds the cure",
    "a bid is a whole number of sats from 1 to {MAX}": "says what is right",
}
# Answers to clients of the original are in the original's words.
NOT_OUR_WORDS = ("coordinator/src/http/older", "coordinator/src/http/routes.rs")


def all_said():
    """Each message of each crate once, with the cures of all places that make it."""
    found = {}
    for folder in CRATES:
        for said in spoken.Errors(ROOT / folder).found():
            file = str(pathlib.Path(said.file).relative_to(ROOT))
            one = found.setdefault((topic_of(file), said.message), (said, {}))
            one[1].update(dict.fromkeys(said.cures))
    return found


@functools.cache
def topics():
    """The paths that each table is of, in the order of the page."""
    return [tuple(table["paths"].split()) for table in TABLE.finditer(PAGE.read_text())]


def topic_of(file):
    """The table that a file's messages are in: the one that names it, or the nearest folder above it."""
    named = [(len(path), paths) for paths in topics() for path in paths if file == path or file.startswith(path + "/")]
    return max(named)[1] if named else None


def place_of(said):
    return said.place.removeprefix(f"{ROOT}/")


def unfit(said, cures):
    """What is wrong with a message as something for a person to read."""
    if said.kind == "unread":
        yield "its words are not written out where .ci/book/spoken.py finds them"
        return
    # Of what "it" is, another message says, and has the cure.
    cured = cures or said.kind == "typed" and (said.message.endswith(")") or said.message.startswith("it "))
    if said.kind != "part" and not cured and said.message not in NEEDS_NONE:
        yield "says no cure"
    own = not place_of(said).startswith(NOT_OUR_WORDS)
    yield from (f"the message {why}" for why in spoken.unfit(said.message) if own)
    yield from (f"its cure {why}" for cure in cures for why in spoken.unfit(cure))


def shown(text):
    """A text in a table: what is filled in are capitals."""
    text = re.sub(r"(?<!\{)\{(\w+)\}(?!\})", r"\1", text).replace("{{", "{").replace("}}", "}")
    return text.replace("\n", " ").replace("|", "\\|").strip()


def verbatim(message):
    """A message word for word, whose quotes stay what they are."""
    text = shown(message)
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def prose(cure):
    """A cure; of one that is nowhere written out whole, that it is said."""
    if re.fullmatch(r"\{\w*\}", cure):
        return "as the case may be"
    pieces = re.split(r"(`[^`]*`)", shown(cure))
    return "".join(piece if at % 2 else re.sub(r"([<*])", r"\\\1", piece) for at, piece in enumerate(pieces))


def rows(found, topic):
    """The rows of a table, by the alphabet; messages with the same several cures share one."""
    shared = {}
    for (where, message), (said, cures) in found.items():
        if where != topic:
            continue
        cures = tuple(cures)
        key = cures if len(cures) > 2 else (cures, message)
        shared.setdefault(key, (cures, []))[1].append(verbatim(message))
    lines = []
    for cures, messages in shared.values():
        messages = sorted(dict.fromkeys(messages), key=by_the_alphabet)
        lines.append(f"| {'<br>'.join(messages)} | {'; or '.join(dict.fromkeys(prose(cure) for cure in cures))} |\n")
    return sorted(dict.fromkeys(lines), key=by_the_alphabet)


def by_the_alphabet(text):
    return re.sub(r"[^a-z ]", "", text.casefold()).strip()


def page(found):
    """The page with its tables as they are to be."""
    return TABLE.sub(
        lambda table: f"<!-- messages of {table['paths']} -->\n\n{HEAD}{''.join(rows(found, tuple(table['paths'].split())))}\n",
        PAGE.read_text(),
    ).rstrip("\n") + "\n"


def write():
    PAGE.write_text(page(all_said()))


def faults():
    found, all_of = [], all_said()
    for (topic, message), (said, cures) in all_of.items():
        found += [f"{place_of(said)}: {why}: {message}" for why in unfit(said, cures)]
        if topic is None:
            found.append(f"{place_of(said)}: no table of {PAGE.name} is of this file")
    found += [f".ci/book/library.py: nothing says `{message}`" for message in NEEDS_NONE if message not in {m for _, m in all_of}]
    has, wanted = PAGE.read_text().splitlines(), page(all_of).splitlines()
    found += [f"docs/guide/{PAGE.name} lacks this row (`--write {PAGE.name}` writes it): {row}" for row in wanted if row not in has]
    found += [f"docs/guide/{PAGE.name} has what nothing says: {row}" for row in has if row not in wanted]
    if len(all_of) < 450:
        found.append(f"only {len(all_of)} messages were found in the libraries: how errors are made has changed")
    return found
