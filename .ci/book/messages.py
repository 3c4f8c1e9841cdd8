"""The page of messages has every message of the program: shown by a transcript, or in its list of those that are not
to be had at will. What the program would say is read from its source, where a failure is made.
"""

import re

import rust
import spoken
from pages import ROOT

PAGE = ROOT / "docs" / "guide" / "messages.md"
MADE = re.compile(r"\b(?:Failure::input|tell)\(")
# What stands between braces is filled in; a brace itself is written twice.
FILLED_IN = re.compile(r"(?<!\{)\{[^{}]*\}(?!\})")


def made():
    """Each message that is written out where a failure is made, with its place."""
    for source in rust.crate(ROOT / "cli" / "src"):
        for call in MADE.finditer(source.code):
            handed = source.arguments(call.end() - 1)
            if not handed:
                continue
            begin, end = handed[0]
            # A long one has a name, and is written out just before.
            name = re.fullmatch(r"\s*&?(\w+)\s*", source.code[begin:end])
            bound = name and source.code.rfind(f"let {name[1]} = ", 0, call.start())
            begin, end = (bound, call.start()) if name and bound >= 0 else (begin, end)
            said = next((text for at, (_, text) in sorted(source.strings.items()) if begin <= at < end), None)
            if said:
                yield f"{source.file.relative_to(ROOT)}:{source.line(call.start())}", said


def faults():
    page = PAGE.read_text()
    found, seen = [], 0
    for place, message in made():
        found += [f"{place}: the message {why}: {message}" for why in spoken.unfit(message)]
        parts = (part.replace("{{", "{").replace("}}", "}") for part in FILLED_IN.split(message))
        if not re.search(r"[^\n]*?".join(map(re.escape, parts)), page):
            found.append(f"{place}: docs/guide/messages.md neither shows nor lists this message: {message}")
        seen += 1
    if seen < 60:
        found.append(f"only {seen} messages were found in cli/src: how failures are made has changed")
    return found
