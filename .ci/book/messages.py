"""The page of messages has every message of the program: shown by a transcript, or in its list of those that are not
to be had at will. What the program would say is read from its source: where a failure is made, where what was typed is
read, and where an error of the library's kind is made of the program's own.
"""

import re

import rust
import spoken
from pages import ROOT

PAGE = ROOT / "docs" / "guide" / "messages.md"
MADE = re.compile(r"\b(?:Failure::input|tell)\(")
REFUSED = re.compile(r"\bFailure::system\(")
STRUCT = re.compile(r"\bCoordinator\s*\{\s*what:")
# What reads a word of the command line says why it is none.
READS = re.compile(r"-> Result<.*, (?:String|&'static str)>$")
# What stands between braces is filled in; a brace itself is written twice.
FILLED_IN = re.compile(r"(?<!\{)\{[^{}]*\}(?!\})")


def strings(source, begin, end):
    return [text for at, (_, text) in sorted(source.strings.items()) if begin <= at < end]


def words_of(source, call):
    """The messages that the first thing is which is handed over: one, or that of each arm."""
    handed = source.arguments(call.end() - 1)
    if not handed:
        return []
    begin, end = handed[0]
    # A long one has a name, and is written out just before.
    if name := re.fullmatch(r"\s*&?(\w+)\s*", source.code[begin:end]):
        begin = source.code.rfind(f"let {name[1]} = ", 0, call.start())
        if begin < 0:
            return []
        end = source.until(begin, ";")
    return strings(source, begin, end)


def typed(source):
    """What is said of a word of the command line that cannot be read; clap says which word, and what it is for."""
    for function in source.functions:
        if READS.search(f"{function.gives or ''}"):
            yield from ((at, text) for at, (_, text) in source.strings.items() if function.begin <= at < function.end and " " in text)


def made():
    """Each message that is written out where a failure is made, with its place."""
    for source in rust.crate(ROOT / "cli" / "src"):
        place = source.file.relative_to(ROOT)
        found = [(call.start(), text) for call in MADE.finditer(source.code) for text in words_of(source, call)]
        found += [(call.start(), f"failed to {text}") for call in REFUSED.finditer(source.code) for text in words_of(source, call)]
        for struct in STRUCT.finditer(source.code):
            end = source.until(struct.end(), ",")
            found += [(struct.start(), text) for text in strings(source, struct.end(), end)]
        found += typed(source)
        for at, text in sorted(found):
            if re.search(r"[a-z]", FILLED_IN.sub("", text)):
                yield f"{place}:{source.line(at)}", text
    for said in spoken.Errors(ROOT / "cli" / "src").found():
        # What is within another is shown with that; what an engine or its program said is in its own words.
        if said.kind in ("part", "unread"):
            continue
        yield said.place.removeprefix(f"{ROOT}/"), said.message


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
