"""Checks the documents: `python3 .ci/book ALVEARY [OUT]`, where ALVEARY is the program and OUT a folder for the book.

Every link leads somewhere, every fleet file is right, every transcript of the guide is what the program says today,
every test that a page names is there, every message of the program is on the page of messages, and every message of the
libraries on theirs. With `--write` transcripts and tables are written anew instead of compared.
"""

import argparse
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import library
import links
import messages
import pages
import transcripts
from pages import ROOT


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("alveary", type=os.path.realpath, help="the program that the documents are about")
    parser.add_argument("out", nargs="?", type=os.path.realpath, help="where the book is to be built")
    parser.add_argument("--write", nargs="*", metavar="PAGE", help="write the transcripts and tables of these pages anew, or of all")
    options = parser.parse_args()
    if options.write is not None:
        for page in pages.guide():
            if not options.write or page.name in options.write:
                library.write() if page == library.PAGE else transcripts.write(page, options.alveary)
        return 0

    faults = links.in_sources() + messages.faults() + library.faults()
    faults += pages.faults(options.alveary) + transcripts.faults(options.alveary)
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or os.path.join(scratch, "book")
        built = subprocess.run(["mdbook", "build", ROOT / "docs", "--dest-dir", out], capture_output=True, text=True)
        if built.returncode or " WARN " in built.stderr:
            faults.append(f"mdbook build: {built.stderr.strip()}")
        else:
            faults += links.in_book(out)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


sys.exit(main())
