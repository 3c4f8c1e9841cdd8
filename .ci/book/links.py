"""Links: of the pages as they lie in the repository, and of the book that is made of them."""

import html.parser
import pathlib
import re
import urllib.parse

from pages import BLOCK, ROOT, all_pages, guide, name_of

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page):
    """The anchors of a page's headings, as GitHub and mdBook both make them."""
    found, text = set(), BLOCK.sub("", page.read_text())
    for heading in re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = 0
        while (one := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(one)
    return found


def in_sources():
    """Links of the pages that lead nowhere, and pages of the guide that are no chapters. Other hosts are not asked."""
    summary = (ROOT / "docs/SUMMARY.md").read_text()
    faults = [
        f"{name_of(page)} is no chapter: put it into docs/SUMMARY.md"
        for page in guide()
        if f"({page.relative_to(ROOT / 'docs')})" not in summary
    ]
    for page in all_pages():
        text = re.sub(r"`[^`\n]*`", "", BLOCK.sub("", page.read_text()))
        for link in LINK.findall(text):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme:
                continue
            target = (page.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else page
            if not target.is_relative_to(ROOT) or not target.exists():
                faults.append(f"{name_of(page)}: {link} is not there")
            elif parts.fragment and parts.fragment not in anchors(target):
                faults.append(f"{name_of(page)}: {link} has no such heading")
    return faults


class Page(html.parser.HTMLParser):
    """What a page of the book offers to links, and where its own lead."""

    def __init__(self, file):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(file.read_text())

    def handle_starttag(self, _tag, attributes):
        attributes = dict(attributes)
        self.ids.update(name for name in (attributes.get("id"), attributes.get("name")) if name)
        self.links += [link for link in (attributes.get("href"), attributes.get("src")) if link]


def in_book(folder):
    """Links of the built book that lead nowhere within it."""
    faults, folder = [], pathlib.Path(folder)
    read = {file.resolve(): Page(file) for file in folder.rglob("*.html")}
    for file, page in read.items():
        if file.name in ("print.html", "toc.html", "404.html"):
            continue
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else file
            if not target.exists():
                faults.append(f"book: {file.relative_to(folder.resolve())}: {link} is not there")
            elif parts.fragment and target in read and urllib.parse.unquote(parts.fragment) not in read[target].ids:
                faults.append(f"book: {file.relative_to(folder.resolve())}: {link} has no such heading")
    return faults
