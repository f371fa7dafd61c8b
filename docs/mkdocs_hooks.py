"""Makes the pages, which link to each other and to the repository as GitHub wants it, work on the site, too."""

import posixpath
import re
from typing import Any

REPOSITORY = "https://github.com/cnntrain/cnntrain/blob/main/"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links that lead out of docs/ to GitHub, and leave fences only their language."""
    return plain_fences(repository_links(markdown, page.file.src_uri))


def plain_fences(markdown: str) -> str:
    """Return a page whose fences have no second word, which the site would not read as fences."""
    return re.sub(r"^```(\w+) \w+$", r"```\1", markdown, flags=re.MULTILINE)


def repository_links(markdown: str, source: str) -> str:
    """Return a page whose links out of docs/ lead to GitHub.

    Args:
        markdown: The page.
        source: Path of the page in docs/.
    """

    def link(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        return f"]({REPOSITORY}{path.removeprefix('../')}" if path.startswith("../") else match[0]

    return re.sub(r"\]\((\.\./[^)\s#]*)", link, markdown)
