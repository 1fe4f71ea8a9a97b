"""MkDocs hook: pages and files of the site from outside docs/, and links to them.

The site has the `README.md` files, gin files and examples of the repository at their paths in the
repository, so that a link works both in a checkout and on the site: `../example_configs/x.gin`
of `docs/page.md` becomes `example_configs/x.gin` in the site.
"""

import pathlib
import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = pathlib.Path(__file__).parents[1]
_OUTSIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "benchmarks/few_labels/README.md",
    "example_configs/README.md",
    "example_configs/**/*.gin",
    "examples/*.py",
)
_LINK = re.compile(r"(\]\()(?![a-z]+:|#|/)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages and files from outside docs/."""
    for pattern in _OUTSIDE:
        for path in sorted(_ROOT.glob(pattern)):
            name = path.relative_to(_ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites links between docs/ and the rest of the repository."""
    place = page.file.src_uri
    outside = page.file.generated_by is not None
    source = posixpath.dirname(place if outside else f"docs/{place}")

    def rewrite(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(source, match[2]))
        target = target.removeprefix("docs/")
        return match[1] + posixpath.relpath(target, posixpath.dirname(place) or ".")

    return _LINK.sub(rewrite, markdown)
