"""The page of messages has every message of the program: shown by a transcript, or in its list of those that are not
to be had at will. What the program would say is read from its source, where a failure is made.
"""

import re

from pages import ROOT

PAGE = ROOT / "docs" / "guide" / "messages.md"
MADE = re.compile(r"\b(?:Failure::input|tell)\(")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# What stands between braces is filled in; a brace itself is written twice.
FILLED_IN = re.compile(r"(?<!\{)\{[^{}]*\}(?!\})")


def first_argument(source, at):
    """What stands between the parenthesis that opens at `at` and the next comma of its level."""
    depth, end = 0, at
    while True:
        text = TEXT.match(source, end)
        if text:
            end = text.end()
            continue
        if source[end] in "([{":
            depth += 1
        elif source[end] in ")]}":
            depth -= 1
        if depth == 0 or (depth == 1 and source[end] == ","):
            return source[at + 1:end]
        end += 1


def made():
    """Each message that is written out where a failure is made, with its place."""
    for file in sorted((ROOT / "cli" / "src").rglob("*.rs")):
        source = file.read_text().split("#[cfg(test)]")[0]
        for call in MADE.finditer(source):
            said = first_argument(source, call.end() - 1)
            # A long one has a name, and is written out just before.
            name = re.fullmatch(r"\s*&?(\w+)\s*", said)
            bound = name and source.rfind(f"let {name[1]} = ", 0, call.start())
            text = TEXT.search(source, bound, call.start()) if name and bound >= 0 else TEXT.search(said)
            if text:
                line = source.count("\n", 0, call.start()) + 1
                yield f"{file.relative_to(ROOT)}:{line}", re.sub(r"\\\n\s*", "", text[1]).replace('\\"', '"')


def faults():
    page = PAGE.read_text()
    found, seen = [], 0
    for place, message in made():
        parts = (part.replace("{{", "{").replace("}}", "}") for part in FILLED_IN.split(message))
        if not re.search(r"[^\n]*?".join(map(re.escape, parts)), page):
            found.append(f"{place}: docs/guide/messages.md neither shows nor lists this message: {message}")
        seen += 1
    if seen < 60:
        found.append(f"only {seen} messages were found in cli/src: how failures are made has changed")
    return found
