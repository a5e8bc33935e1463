"""The command ``python -m docs.make``."""

import argparse
import sys

from docs.make.pages import DOCS, pages


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or with ``--check`` return 1 if any differs from what it should be."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.make",
        description="Write the pages of docs/ that have a template in docs/make/templates. Numbers "
        "come from the tables and from stored results of runs; nothing is run.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing, name stale pages")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, text in pages().items():
        path = DOCS / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            stale += 1
            print(f"docs/{name} does not fit its template and the tables: python -m docs.make")
        else:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"docs/{name} written")
    return int(stale > 0)


if __name__ == "__main__":
    sys.exit(main())
