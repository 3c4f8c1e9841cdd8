"""What an expression in Rust says: the texts that it may stand for, followed to where they are written out.

A name is followed to what it was bound to, a `match` into its arms, and what a function is handed to those who call it.
What is not written out anywhere stays a `{NAME}`.
"""

import dataclasses
import functools
import itertools
import re

import rust

FIELD = re.compile(r"(?<!\{)\{(?P<what>[^{}:]*)(?::(?P<form>[^{}]*))?\}(?!\})")
WORDS_FOR_STRINGS = re.compile(r"\bstr\b|String|Display")
# A value's name is the one before these.
CONVERSIONS = "display join to_string to_owned as_str clone escape_default as_secs to_run to_string_lossy".split()


@dataclasses.dataclass(frozen=True)
class Here:
    """A place in the sources, and what the functions around it were called with."""

    source: rust.Source
    at: int
    calls: tuple = ()

    def moved(self, at):
        return dataclasses.replace(self, at=at)

    def called_with(self, function):
        return next((call for called, call in self.calls if called is function), None)


class Crate:
    def __init__(self, folder):
        self.sources = rust.crate(folder)
        self.by_name, self.asked = {}, set()
        for source in self.sources:
            for function in source.functions:
                self.by_name.setdefault(function.name, []).append(function)

    @functools.cached_property
    def calls(self):
        """Each call in the crate, by the name of what is called."""
        found = {}
        for source in self.sources:
            for call in re.finditer(r"(\.|::|fn )?\b(\w+)\(", source.code):
                found.setdefault(call[2], []).append((source, call[1], call.start(), call.end() - 1))
        return found

    @functools.cached_property
    def constants(self):
        """Each constant that is a text, by its name."""
        found = {}
        for source in self.sources:
            for constant in re.finditer(r"\bconst (\w+): &(?:'static )?str =\s*", source.code):
                found.setdefault(constant[1], []).append(Here(source, constant.end()))
        return found

    def callers(self, function):
        """Each call of a function: where it is, the spans of what it hands over, and where they open."""
        # Every type has a `new`, and which is called is not known here.
        calls = self.calls.get(function.name, ()) if function.name != "new" else ()
        for source, before, at, opening in calls:
            if before != "fn " and (before == ".") == function.of_self and self.meant(function, source, at):
                yield Here(source, at), ([None] if function.of_self else []) + source.arguments(opening), opening

    def meant(self, function, source, at):
        """Whether a call here is of this function, and not of another of its name."""
        own = function.source
        if function.closure:
            around = own.around(function.at)
            return own is source and at > function.at and (not around or around[0].end > at)
        if own is source:
            return True
        nearer = any(other.source is source for other in self.by_name[function.name])
        beneath = own.file.with_suffix("") in source.file.parents
        return not nearer and (function.public or beneath)

    # What an expression says.

    def said(self, here, span, deep=0):
        """The texts that an expression may stand for, each with the tuple that it was taken from."""
        source, (begin, end) = here.source, span
        code = source.code
        while begin < end and code[begin] in " \n&(":
            if code[begin] == "(":
                closing = source.pairs[begin]
                if code[closing + 1 : end].strip():
                    break
                end = closing
            begin += 1
        text = code[begin:end].rstrip()
        end = begin + len(text)
        if not text or deep > 12:
            return []
        if text[0] == '"' and begin in source.strings:
            until, said = source.strings[begin]
            # A brace of a plain string is one that is written twice in a template.
            return [(said.replace("{", "{{").replace("}", "}}"), None)]
        if call := re.match(r"(?:format|concat)!\(", text):
            return self.template(here, begin + call.end() - 1, deep)
        if call := re.match(r"(?:Some|Ok|Err|Cow::\w+|String::from|Escaped)\(", text):
            closing = source.pairs[begin + call.end() - 1]
            return self.said(here, (begin + call.end(), closing), deep + 1)
        if re.match(r"if\b", text):
            return self.branches(here, begin, end, deep)
        if re.match(r"match\b", text):
            body = source.until(begin + 5, "{")
            return self.arms(here, body, deep) if body < end else []
        if text[0] == "{":
            return self.tail(here, begin, deep)
        if name := re.fullmatch(r"(\w+)(?:\.clone\(\)|\.as_str\(\)|\.to_owned\(\)|\.to_string\(\)|\.into\(\))?", text):
            return self.bound(here.moved(begin), name[1], deep)
        if call := re.match(r"(?:\w+(?:\.|::))*(\w+)\((?=\)|\w+\))", text):
            if end == source.pairs[begin + call.end() - 1] + 1:
                return self.given(here, call[1], deep)
        # Otherwise whatever in it looks like words, as in `.unwrap_or("…")`.
        strings = [(at, said) for at, (until, said) in source.strings.items() if begin <= at and until <= end]
        found = []
        for at, said in strings:
            if code.endswith("format!(", 0, at):
                found += self.template(here, at - 1, deep)
            elif re.search(r"\w \w", said):
                found.append((said.replace("{", "{{").replace("}", "}}"), None))
        return found

    def template(self, here, opening, deep):
        """What `format!` makes, with what is filled in where that is written out somewhere."""
        spans = here.source.arguments(opening)
        begin = spans[0][0] + len(here.source.code[spans[0][0] :]) - len(here.source.code[spans[0][0] :].lstrip())
        if begin not in here.source.strings:
            return []
        text, rest = here.source.strings[begin][1], spans[1:]
        named = {}
        for span in rest:
            if name := re.match(r"\s*(\w+) = ", here.source.code[span[0] : span[1]]):
                named[name[1]] = (span[0] + name.end(), span[1])
        positions, pieces, at = iter(rest), [], 0
        for field in FIELD.finditer(text):
            pieces.append([text[at : field.start()]])
            what, form = field["what"].strip(), field["form"]
            shown = ":" + form if form and "?" in form else ""
            if not what:
                span = next(positions, None)
                values = self.said(here, span, deep + 1) if span else []
                what = here.source.text[span[0] : span[1]] if span else ""
            elif what in named:
                values = self.said(here, named[what], deep + 1)
                what = here.source.text[named[what][0] : named[what][1]]
            else:
                values = self.bound(here.moved(begin), what, deep + 1)
            values = [value for value, _ in values] if not shown and all(value.strip() for value, _ in values) else []
            pieces.append(values or [f"{{{name_of(what)}{shown}}}"])
            at = field.end()
        pieces.append([text[at:]])
        return [("".join(one), None) for one in itertools.islice(itertools.product(*pieces), 40)]

    def branches(self, here, begin, end, deep):
        found, at = [], begin
        while at < end:
            body = here.source.until(at, "{")
            if body >= end:
                break
            found += self.tail(here, body, deep)
            at = here.source.pairs[body] + 1
            if not re.match(r"\s*else\b", here.source.code[at:end]):
                break
        return found

    def arms(self, here, body, deep):
        found, end, at = [], here.source.pairs[body], body + 1
        while arrow := re.compile("=>").search(here.source.code, at, end):
            begin = arrow.end() + len(here.source.code[arrow.end() : end]) - len(here.source.code[arrow.end() : end].lstrip())
            until = here.source.pairs[begin] + 1 if here.source.code[begin] == "{" else here.source.until(begin, ",")
            found += self.said(here, (begin, until), deep + 1)
            at = until
        return found

    def tail(self, here, body, deep):
        """What a block ends with."""
        begin, end = body + 1, here.source.pairs[body]
        while (semicolon := here.source.until(begin, ";")) < end:
            begin = semicolon + 1
        return self.said(here.moved(begin), (begin, end), deep + 1)

    def given(self, here, name, deep):
        """What a function of this crate gives, that is called for its words alone."""
        known = [function for function in self.by_name.get(name, ()) if self.meant(function, here.source, here.at)]
        if len(known) != 1 or known[0].closure or known[0].source.code[known[0].begin] != "{":
            return []
        function = known[0]
        return self.tail(Here(function.source, function.end), function.begin, deep + 1)

    def bound(self, here, name, deep):
        """What a name stands for: bound by `let`, handed to the function, or a constant."""
        if deep > 12:
            return []
        source = here.source
        for function in source.around(here.at):
            let = rf"\blet (?:mut )?(?:(?P<one>{name})(?:: [^=;]*)?|\((?P<some>[^()=]*\b{name}\b[^()=]*)\)) =(?!=)"
            for found in reversed(list(re.finditer(let, source.code[function.begin : here.at]))):
                begin = function.begin + found.end()
                span = (begin, source.until(begin, ";"))
                if span[1] >= here.at:
                    # A name within its own binding is an older one.
                    continue
                if found["one"]:
                    return self.said(here.moved(begin), span, deep + 1)
                names = [one.strip() for one in found["some"].split(",")]
                return self.of_tuples(here.moved(begin), span, names.index(name) if name in names else 0, len(names), deep)
            if name in function.parameters:
                index = function.parameters.index(name)
                call = here.called_with(function)
                if not call and WORDS_FOR_STRINGS.search(function.types[index]):
                    self.asked.add(function)
                if not call or index >= len(call[1]) or not call[1][index]:
                    return []
                return self.said(dataclasses.replace(call[0], calls=here.calls), call[1][index], deep + 1)
        constants = sorted(self.constants.get(name, ()), key=lambda other: other.source is not source)
        return self.said(constants[0], (constants[0].at, constants[0].source.until(constants[0].at, ";")), deep + 1) if constants else []

    def of_tuples(self, here, span, index, count, deep):
        """One place of each tuple in an expression; where the expression is a call, of each in that function."""
        source, (begin, end) = here.source, span
        if call := re.fullmatch(r"\s*(?:\w+\.)*(?:\w+::)*(\w+)\([^()]*\)\??\s*", source.code[begin:end]):
            for function in self.by_name.get(call[1], ()):
                if function.gives and function.gives.startswith("-> ("):
                    return self.of_tuples(Here(function.source, function.end), (function.begin, function.end), index, count, deep)
        found = []
        for opening in re.finditer(r"(?<![\w!])\(", source.code[begin:end]):
            at = begin + opening.start()
            spans = source.arguments(at)
            if len(spans) == count:
                values = self.said(here.moved(at), spans[index], deep + 1)
                found += [(value, (source.file, at)) for value, _ in values]
        return found


def name_of(expression):
    """What stands for a value that is filled in: the last name in the expression that is one of a thing."""
    # Of `names.join(", ")` it is `names`, of `Escaped(&agent.name)` it is `name`.
    words = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression).strip()
    if getter := re.search(r"\.(\w+)\(\)$", words):
        if getter[1] in ("len", "count"):
            return "N"
        if getter[1] not in CONVERSIONS:
            return getter[1].upper()
    if handed := re.fullmatch(r"(?:Escaped|shown|humantime::format_duration)\((.*)\)", words, re.DOTALL):
        words = handed[1]
    called = r"(?:\.|::)[a-z_]\w*\((?:[^()]|\([^()]*\))*\)"
    names = re.findall(r"[A-Za-z_]\w*", re.sub(called, "", words))
    names = [name for name in names if name not in ("self", "crate")]
    return (names[-1] if names else "VALUE").upper()
