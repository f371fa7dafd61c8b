"""Makes the pages, which link to each other and to the repository as GitHub wants it, work on the site, too."""

import re
from typing import Any

REPOSITORY = "https://github.com/cnntrain/cnntrain/blob/main/"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Point links that lead out of docs/ to GitHub."""
    return re.sub(r"\]\(\.\./", f"]({REPOSITORY}", markdown)
