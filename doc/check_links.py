"""
Check that every internal link of the built site leads to a page, and to an anchor that is there.

    python doc/check_links.py doc/_build

Exits with 1 if one does not. No network is used: links to other sites are not followed.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SOURCES = {"a": "href", "link": "href", "img": "src", "script": "src"}
NOT_ANCHORS = {"", "top"}  # the top of a page


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        link = attributes.get(SOURCES.get(tag))
        if link is not None:
            self.links.append(link)


def broken(pages):
    """Each link that leads nowhere, with its page."""
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            anchor = unquote(url.fragment)
            if not target.exists():
                yield path, link
            elif target in pages and anchor not in pages[target].anchors | NOT_ANCHORS:
                yield path, link


def main():
    site = Path(sys.argv[1]).resolve()
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: Page(path) for path in paths}
    n_broken = 0
    for path, link in broken(pages):
        n_broken += 1
        print(f"{path.relative_to(site)}: {link}", file=sys.stderr)
    print(f"{len(pages)} pages, {sum(len(page.links) for page in pages.values())} links")
    sys.exit(n_broken > 0 or not pages)


if __name__ == "__main__":
    main()
