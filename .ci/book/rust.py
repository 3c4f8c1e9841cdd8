"""Sources in Rust, read as far as the book needs it: where strings, calls and functions are, without what is only tested.

A `Source` has the text, and the same text with comments, tests and the insides of strings blanked, so that what is looked
for there is code, and stands at the same place.
"""

import functools
import pathlib
import re

TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/
    | \b[bc]?r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes) | (?:\b[bc])?"(?P<text>(?:[^"\\]|\\.)*)"
    | '(?:[^'\\\n]|\\(?:x..|u\{[^}]*\}|.))' """,
    re.DOTALL | re.VERBOSE,
)
ESCAPED = re.compile(r"\\(?:\n\s*|u\{(?P<code>\w+)\}|(?P<one>.))")
TEST_ONLY = re.compile(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*")


def plain(text):
    """What a string literal stands for, from what stands between its quotes."""

    def said(escape):
        if escape["code"]:
            return chr(int(escape["code"], 16))
        return {"n": "\n", "t": "\t", "r": "\r", "0": "\0", None: ""}.get(escape["one"], escape["one"])

    return ESCAPED.sub(said, text)


class Source:
    """One file."""

    def __init__(self, file):
        self.file, self.text = file, file.read_text()
        self.strings = {}
        self.code = TOKEN.sub(self._blank, self.text)
        self.pairs = self._pairs()
        self.test_modules = set()
        self._blank_tests()

    def _blank(self, token):
        whole = re.sub(r"[^\n]", " ", token[0])
        inside = token["text"] if token["text"] is not None else token["raw"]
        if inside is None:
            return whole
        self.strings[token.start()] = (token.end(), plain(inside) if token["text"] is not None else inside)
        return f'"{whole[1:-1]}"'

    def _blank_tests(self):
        """Blanks each item that only tests have, and remembers which modules are such items."""
        while found := TEST_ONLY.search(self.code):
            at = found.end()
            if module := re.match(r"(?:pub(?:\([^)]*\))? )?mod (\w+);", self.code[at:]):
                self.test_modules.add(module[1])
            ends = ";" if self.code.startswith("use ", at) else ";{"
            end = self.until(at, ends)
            if self.code[end] == "{":
                end = self.pairs[end]
            blank = re.sub(r"[^\n]", " ", self.code[found.start() : end + 1])
            self.code = self.code[: found.start()] + blank + self.code[end + 1 :]
        self.strings = {at: said for at, said in self.strings.items() if '"' in self.code[at : said[0]]}

    def line(self, at):
        return self.text.count("\n", 0, at) + 1

    def _pairs(self):
        """Where what opens is closed."""
        opened, found = [], {}
        for sign in re.finditer(r"[][(){}]", self.code):
            if sign[0] in "([{":
                opened.append(sign.start())
            else:
                found[opened.pop()] = sign.start()
        return found

    def until(self, at, signs):
        """Where the first of these signs is that nothing between here and there encloses, or what encloses this ends."""
        wanted = re.compile(f"[][(){{}}{re.escape(signs)}]")
        while sign := wanted.search(self.code, at):
            if sign[0] in signs or sign[0] in ")]}":
                return sign.start()
            at = self.pairs[sign.start()] + 1
        return len(self.code)

    def arguments(self, opening):
        """The spans of what stands between commas within what opens here."""
        end, at, found = self.pairs[opening], opening + 1, []
        while at < end:
            comma = self.until(at, ",")
            if self.code[at:comma].strip():
                found.append((at, comma))
            at = comma + 1
        return found

    @functools.cached_property
    def functions(self):
        """Functions and named closures, the inner after the outer."""
        found = []
        for head in re.finditer(r"\bfn (\w+)", self.code):
            opening = self._after_generics(head.end())
            closing = self.pairs[opening]
            body = self.until(closing + 1, "{;")
            if self.code[body] == "{":
                public = bool(re.search(r"\bpub[^;{}]*$", self.code[max(0, head.start() - 60) : head.start()]))
                gives = self.code[closing + 1 : body].strip()
                found.append(Function(self, head[1], self.arguments(opening), body, self.pairs[body], public, gives, head.start()))
        for head in re.finditer(r"\blet (\w+) = (?:move )?\|([^|]*)\|\s*", self.code):
            parameters, at = [], head.start(2)
            for one in head[2].split(","):
                parameters.append((at, at + len(one)))
                at += len(one) + 1
            found.append(Function(self, head[1], parameters, head.end(), self.until(head.end(), ";"), False, None, head.start()))
        return sorted(found, key=lambda function: (function.begin, -function.end))

    def _after_generics(self, at):
        depth = 0
        while depth or self.code[at] != "(":
            depth += {"<": 1, ">": -(self.code[at - 1] != "-")}.get(self.code[at], 0)
            at += 1
        return at

    def around(self, at):
        """The functions that something stands in, the innermost first."""
        return [function for function in reversed(self.functions) if function.begin <= at < function.end]


class Function:
    """A function or a closure that has a name: its parameters, and where its body is."""

    def __init__(self, source, name, parameters, begin, end, public, gives, at):
        self.source, self.name, self.begin, self.end = source, name, begin, end
        self.public, self.gives, self.at, self.closure = public, gives, at, gives is None
        texts = [source.code[begin:end].strip() for begin, end in parameters]
        self.of_self = bool(texts) and bool(re.fullmatch(r"&?(?:'\w+ )?(?:mut )?self", texts[0]))
        self.parameters = [re.sub(r"^mut ", "", text.partition(":")[0].strip()) for text in texts]
        self.types = [text.partition(":")[2].strip() for text in texts]


@functools.cache
def crate(folder):
    """The files of a crate's library or program, without its tests."""
    sources = {file: Source(file) for file in sorted(pathlib.Path(folder).rglob("*.rs"))}
    tested = set()
    for file, source in sources.items():
        beside = file.parent if file.name in ("lib.rs", "main.rs") else file.with_suffix("")
        tested |= {beside / name for name in source.test_modules}

    def is_tested(file):
        own = file.with_suffix("")
        return "tests" in own.parts or any(own == module or module in own.parents for module in tested)

    return [source for file, source in sources.items() if not is_tested(file)]
