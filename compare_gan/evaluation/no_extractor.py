"""The extractor of measurements that need none."""

from typing import Any, NoReturn

from compare_gan.metrics.extractors import Extractor


class _NoExtractor(Extractor):
    name = weights_hash = resizer = "none"
    has_logits = takes_floats = False

    def forward(self, images: Any) -> NoReturn:
        raise AssertionError("A metric asks for features, but no extractor was chosen.")


NO_EXTRACTOR = _NoExtractor()
