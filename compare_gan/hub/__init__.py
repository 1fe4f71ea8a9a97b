"""Models out and in: export for other programs, import of models of the 2019 library."""

from compare_gan.hub.exporter import export
from compare_gan.hub.importer import import_weights

__all__ = ["export", "import_weights"]
