"""A preprocessor of mdBook. Links that lead out of the book lead to the repository instead; each decision is a chapter
by being there."""

import copy
import json
import pathlib
import posixpath
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def chapters(items):
    """All chapters, at any depth."""
    for item in items:
        if isinstance(item, dict) and (chapter := item.get("Chapter")):
            yield chapter
            yield from chapters(chapter["sub_items"])


def add_decisions(book):
    """Puts every decision beneath the first."""
    first, *others = sorted((ROOT / "docs/decisions").glob("*.md"))
    above = next(chapter for chapter in chapters(book["items"]) if chapter["path"] == f"decisions/{first.name}")
    for file in others:
        text, path = file.read_text(), f"decisions/{file.name}"
        chapter = copy.deepcopy(above) | {"content": text, "path": path, "source_path": path, "sub_items": []}
        chapter["name"] = text.partition("\n")[0].lstrip("# ")
        chapter["parent_names"] = [*above["parent_names"], above["name"]]
        if chapter["number"]:
            chapter["number"].append(len(above["sub_items"]) + 1)
        above["sub_items"].append({"Chapter": chapter})


def outward(text, page, inside, repository):
    """A page whose links to what is not in the book are whole addresses."""

    def turned(link):
        path, mark, heading = link[2].partition("#")
        target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), path))
        if "://" in link[2] or not path or target in inside:
            return link[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{link[1]}({repository}/{kind}/main/{target}{mark}{heading})"

    return re.sub(r"(\[[^\]]*\])\(([^)\s]+)\)", turned, text)


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    _context, book = json.load(sys.stdin)
    repository = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["repository"]
    add_decisions(book)
    pages = [chapter for chapter in chapters(book["items"]) if chapter["path"]]
    inside = {f"docs/{chapter['source_path']}" for chapter in pages}
    for chapter in pages:
        chapter["content"] = outward(chapter["content"], chapter["source_path"], inside, repository)
    json.dump(book, sys.stdout)


main()
