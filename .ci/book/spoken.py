"""What the libraries say when something is wrong: each message with its cure, read from where an error is made.

A message is followed to where it is written: through what a name was bound to, through the arms of a `match`, and, where
a function is handed it, to those who call that function.
"""

import dataclasses
import re

import words

# What makes an error, and which of its arguments is the message (counted from the end), and which the cure.
MAKERS = (
    (re.compile(r"\b(?P<type>(?:\w+::)*\w*(?:Error|Self|Unable|Refusal))::new\("), -1, None),
    (re.compile(r"\b(?P<type>Error|Self)::unsupported\("), -2, -1),
    (re.compile(r"\b(?P<type>io::Error)::other\("), -1, None),
    (re.compile(r"\b(?P<type>(?:\w+::)*Error|E)::custom\("), -1, None),
    (re.compile(r"\.(?P<type>with_note)\("), -2, -1),
)
# These stand within the message of another, which has the cure, or are read by programs.
PARTS = re.compile(r"io::Error|(?:super::)?Unable|Refusal|D::Error|de::Error|E")
# What hands on the message of another error.
PASSED_ON = re.compile(r"self|sentence|(?:self\.)?message(?:\.clone\(\))?|error\.(?:message|to_string)\(\)")
PROPER_NAMES = ("Docker", "Podman")
RUST = re.compile(r"\bNone\b|\b(?:Some|Ok|Err)\(|\b(?:Option|Result)<|\bunwrap\b")
DEEPEST = 4


@dataclasses.dataclass(frozen=True, order=True)
class Said:
    """A message: where it is made, its words with `{…}` where something is filled in, and its cures.

    Its kind is `whole`, `typed` (of a type of its own, which may have its cure in its words), or `part` of another; it is
    `unread` where its words were not found.
    """

    place: str
    message: str
    cures: tuple
    kind: str
    file: str


class Errors(words.Crate):
    """The errors of a crate."""

    def chain(self, source, closing):
        """The spans of what is handed to each method that is called on what ends here."""
        found, at = [], closing + 1
        while method := re.compile(r"\s*\??\s*\.\s*(\w+)\s*(?:::<[^>()]*>)?\(").match(source.code, at):
            opening = method.end() - 1
            found.append((method[1], opening))
            at = source.pairs[opening] + 1
        return found, at

    def cures(self, here, closing):
        """The texts of all cures that are given to the error that is made here, and whether one is given at all."""
        source = here.source
        methods, end = self.chain(source, closing)
        openings = [opening for method, opening in methods if method == "with_cure"]
        for method, opening in methods:
            if method in ("map_err", "map", "or_else"):
                span = source.code[opening : source.pairs[opening]]
                openings += [opening + found.end() - 1 for found in re.finditer(r"\.with_cure\(", span)]
        before = source.code[max(0, here.at - 80) : here.at]
        if not openings and (name := re.search(r"\blet (?:mut )?(\w+) = (?:\w+\()?$", before)):
            around = source.around(here.at)
            until = around[0].end if around else len(source.code)
            openings = [found.end() - 1 for found in re.compile(rf"\b{name[1]}\s*\.with_cure\(").finditer(source.code, end, until)]
        found = []
        for opening in openings:
            span = source.arguments(opening)[0]
            values = self.said(here.moved(span[0]), span)
            found += values or [(f"{{{words.name_of(source.text[span[0]:span[1]])}}}", None)]
        return found

    def found(self):
        for source in self.sources:
            for maker, message, cure in MAKERS:
                for call in maker.finditer(source.code):
                    # Within its own file a type calls itself so.
                    of = {"error.rs": "Error", "refusal.rs": "Refusal"}.get(source.file.name)
                    made = call["type"] if not call["type"].endswith("Self") else of
                    if not made:
                        continue
                    kind = "part" if PARTS.fullmatch(made.removeprefix("std::").removeprefix("serde::")) else "whole"
                    opening = call.end() - 1
                    spans = source.arguments(opening)
                    if len(spans) < max(-message, -(cure or 0)):
                        continue
                    here = self.made = words.Here(source, call.start())
                    if made == "Error" and any(function.name == "unsupported" for function in source.around(here.at)):
                        # It is a maker itself.
                        continue
                    said = list(self.spoken(here, opening, spans[message], cure and spans[cure], kind))
                    expression = source.text[slice(*spans[message])].strip()
                    if not said and not PASSED_ON.fullmatch(expression):
                        said = [Said(f"{source.file}:{source.line(here.at)}", expression, (), "unread", str(source.file))]
                    yield from said
            yield from self.filled(source)
            yield from self.typed(source)

    def spoken(self, here, opening, message, cure, kind, calls=()):
        """The messages of one error, by each way to it. `here` is the outermost place that is known of a way."""
        made = words.Here(self.made.source, self.made.at, tuple(calls))
        source = made.source
        self.asked = set()
        texts = self.said(made.moved(message[0]), message)
        # Of several cures the last counts, which is that of the outermost.
        cures = []
        for _, (frame, _, closing) in calls:
            cures = cures or self.cures(words.Here(frame.source, frame.at, tuple(calls)), frame.source.pairs[closing])
        if not cures:
            cures = self.said(made.moved(cure[0]), cure) if cure else self.cures(made, source.pairs[opening])
        function = next(iter(here.source.around(here.at)), None)
        if function and len(calls) < DEEPEST:
            hands_on = function.closure or re.search(r"\b(?:Error|ConfigError|Self)$", function.gives)
            if function in self.asked or (texts and not cures and hands_on):
                callers = list(self.callers(function))
                for caller, spans, at in callers:
                    yield from self.spoken(caller, opening, message, cure, kind, ((function, (caller, spans, at)), *calls))
                if callers:
                    return
        for text, tuple_of in texts:
            fitting = [said for said, of in cures if tuple_of is None or of is None or of == tuple_of]
            yield Said(f"{here.source.file}:{here.source.line(here.at)}", text, tuple(dict.fromkeys(fitting)), kind, str(source.file))

    def filled(self, source):
        """What stands in a structure that becomes an error, `Problem { message, cure, … }`."""
        for structure in re.finditer(r"(?<!struct )(?<!enum )\bProblem \{", source.code):
            fields, opening = {}, structure.end() - 1
            for begin, end in source.arguments(opening):
                name = re.match(r"\s*(\w+)(?:: )?", source.code[begin:end])
                # `message,` alone is `message: message`.
                fields[name[1]] = (begin + name.end() if name[0].endswith(": ") else begin, end)
            if {"message", "cure"} <= fields.keys():
                here = self.made = words.Here(source, structure.start())
                yield from self.spoken(here, opening, fields["message"], fields["cure"], "whole")

    def typed(self, source):
        """What `#[error("…")]` says."""
        for attribute in re.finditer(r"#\[error\(\s*(?=\")", source.code):
            opening = source.code.index("(", attribute.start())
            for text, _ in self.template(words.Here(source, attribute.start()), opening, 0):
                yield Said(f"{source.file}:{source.line(attribute.start())}", text, (), "typed", str(source.file))


def unfit(text):
    """What is wrong with a message, or a cure, as something for a person to read."""
    word = re.match(r"[A-Z]\w*", text)
    if re.search(r"\{[^{}]*:[^{}]*\?\}", text):
        yield "shows a value in its Debug form"
    if text.endswith(".") and not text.endswith(".."):
        yield "ends with a full stop"
    if word and not word[0].isupper() and word[0] not in PROPER_NAMES:
        yield "begins with a capital"
    if found := RUST.search(text):
        yield f"has Rust in it, `{found[0]}`"
