"""Pages of runs and studies: self-contained HTML files that open from disk.

writing           make_page, write_page, watch: from a directory to a file
run_page, study_page, comparison_page     contents of each kind of page
page              Page, Section and the blocks of text; assets/ has template, style and script
charts/           charts as SVG, with their data as CSV
tables, images    tables that sort; pictures, and frames with a slider

Names are imported when they are first used: the shell needs neither Keras nor TensorFlow.
"""

from typing import TYPE_CHECKING

from compare_gan.lazy_names import importer

if TYPE_CHECKING:
    from compare_gan.report.page import Page, Section, render
    from compare_gan.report.writing import make_page, watch, write_page

__all__ = ["Page", "Section", "make_page", "render", "watch", "write_page"]

_MODULES = {
    "page": ("Page", "Section", "render"),
    "writing": ("make_page", "watch", "write_page"),
}
__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
