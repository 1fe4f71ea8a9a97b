"""Scores of any two sets of images, without a GAN.

result = score_sets("fashion_mnist_10k", "samples/", metrics=["fid"])
result.scores  # {"fid_fashion_cnn": 1.36}
"""

import dataclasses
import json
import types
from collections.abc import Mapping, Sequence

import PIL.Image

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.evaluation import metric_pictures, protocols
from compare_gan.evaluation.gather import statistics_name
from compare_gan.evaluation.image_sets import ImageSet, SplitImages
from compare_gan.evaluation.metric_options import metric_options
from compare_gan.evaluation.npz_files import GivenStatistics
from compare_gan.evaluation.open_images import open_images
from compare_gan.evaluation.results import Protocol
from compare_gan.evaluation.set_checks import ANY_NUMBER, check_sets, common_classes
from compare_gan.evaluation.set_protocol import set_protocol
from compare_gan.evaluation.set_statistics import (
    NONE,
    Gathered,
    gather_reference,
    gather_set,
)
from compare_gan.metrics.base import Metric
from compare_gan.metrics.extractors import Extractor
from compare_gan.metrics.tensor_float32 import without_tensor_float_32
from compare_gan.registry import call_with_requested

_METRICS = ("fid",)
# Where no metric needs one.
_NO_EXTRACTOR = types.SimpleNamespace(
    name=NONE, resizer=NONE, weights_hash=NONE, class_names=None, has_logits=False, canonical=False
)


@dataclasses.dataclass(frozen=True)
class SetScores:
    """Scores of a set of images.

    Attributes:
      real: Name of the reference; `none` if nothing is compared with one.
      fake: Name of the set that is scored.
      scores: By name; the name bears the extractor.
      protocol: How they were measured; what only the maker of the images knows is `not recorded`.
      protocol_name: Of the named protocol; empty if there is none.
      metrics: Names of the metrics.
      fake_hash: Names the content of the set that is scored, in whatever order.
      left_out: Broken files of both sets, each with the reason.
      pictures: What metrics draw, by the names of scores, if asked for.
    """

    real: str
    fake: str
    scores: dict[str, float]
    protocol: Protocol
    protocol_name: str
    metrics: Sequence[str]
    fake_hash: str
    left_out: Sequence[str]
    pictures: dict[str, PIL.Image.Image] = dataclasses.field(default_factory=dict, repr=False)

    def to_json(self) -> str:
        """All but the pictures, indented; `ResultRow.from_json` reads it."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["protocol"] = dataclasses.asdict(self.protocol)
        del values["pictures"]
        return json.dumps(values, indent=2, ensure_ascii=False)


@without_tensor_float_32()
def score_sets(
    real,
    fake,
    metrics: Sequence = (),
    extractor="auto",
    *,
    num_real: int | None = None,
    num_fake: int | None = None,
    batch_size: int = 100,
    seed: int = 0,
    protocol: str | None = None,
    on_error: str = "stop",
    pictures: bool = False,
    progress: bool = False,
) -> SetScores:
    """Scores a set of images against another one.

    Images are read batch by batch, in an order that `seed` shuffles (splits of data sets have one
    of their own): memory grows with their number only for metrics that need all of them at once.
    Images of several sizes in a set are each resized by the extractor's rule; metrics that look at
    the images themselves refuse them.

    Args:
      real: The reference, see `open_images`; None if no metric compares with one.
      fake: The images to score, see `open_images`.
      metrics: Registered names, classes or instances of `Metric`; FID if empty.
      extractor: A registered name, a class or an instance of `Extractor`; `auto` is `fashion_cnn`
        where a set is Fashion-MNIST by name, else `inception`.
      num_real: How many of the real images; None = all.
      num_fake: How many of the others; None = all.
      batch_size: Images in one forward of the extractor.
      seed: Of the order, and so of which images are taken where not all are (of splits, the first
        in the order that evaluation has).
      protocol: Name of a protocol, which sets metrics, extractor, num_real and num_fake.
      on_error: What to do about a broken file: `stop` or `skip`, see `open_images`.
      pictures: Let metrics draw.
      progress: Tell on standard error how far it is.

    Raises:
      UserError: A name is not known, a set cannot be read, is too small, or does not suit a metric.
    """
    named = protocols.get(protocol) if protocol else None
    if named:
        _refuse_beside(named, metrics, extractor, num_real, num_fake)
        extractor, num_real, num_fake = named.extractor, named.num_real, named.num_fake
    check_positive_integer("batch_size", batch_size)
    built = _build_metrics(named, metrics)
    real_set, fake_set, left_out = _open(real, fake, named, on_error, progress)
    real_set, fake_set = _take(real_set, num_real, seed), _take(fake_set, num_fake, seed)
    check_sets(built, real_set, fake_set)
    extractor = _build_extractor(extractor, built, named, real_set, fake_set)
    renumber = _check_meaning(built, extractor, real_set, fake_set)

    of_all = list(built.values())
    of_real = gather_reference(real_set, of_all, extractor, batch_size, progress)
    of_fake = gather_set(
        fake_set, of_all, extractor, batch_size, renumber=renumber, progress=progress
    )
    scores: dict[str, float] = {}
    drawn: dict[str, PIL.Image.Image] = {}
    for metric in of_all:
        available = dict(real=_find(metric, of_real), fake=_find(metric, of_fake))
        scores |= metric.named(extractor, call_with_requested(metric.value, **available))
        if pictures:
            drawn |= metric_pictures.draw(metric, extractor, available)
    options = metric_options(of_all, getattr(fake_set, "num_classes", 1), of_real.labels_hash)
    return SetScores(
        real=real_set.name if of_real.results else NONE,
        fake=fake_set.name,
        scores=scores,
        protocol=set_protocol((real_set, fake_set), of_real, of_fake, extractor, seed, options),
        protocol_name=protocol or "",
        metrics=list(built),
        fake_hash=of_fake.labels_hash or of_fake.content_hash,
        left_out=left_out,
        pictures=drawn,
    )


def _find(metric: Metric, gathered: Gathered):
    """A metric's statistics of a set; None if it has none."""
    if not gathered.results:
        return None
    return gathered.results.get(statistics_name(metric, gathered.count or ANY_NUMBER))


def _refuse_beside(named: protocols.NamedProtocol, metrics, extractor, num_real, num_fake) -> None:
    given = dict(metrics=metrics, num_real=num_real, num_fake=num_fake)
    if extractor not in ("auto", named.extractor):
        given["extractor"] = extractor
    for name, value in given.items():
        if value:
            raise UserError(
                f"The protocol '{named.name}' says what {name} is: leave that out, received "
                f"{value!r}."
            )


def _build_metrics(named: protocols.NamedProtocol | None, metrics: Sequence) -> dict[str, Metric]:
    """By the names that the user gave."""
    if named:
        return dict(zip(named.metrics, named.make_metrics(), strict=True))
    if isinstance(metrics, str):
        raise UserError(f"metrics must be a list of names, received {metrics!r}.")
    built = {}
    for metric in metrics or _METRICS:
        is_built = isinstance(metric, Metric)
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", metric.name)
        made = metric if is_built else registry.get("metric", metric)()
        # The same name twice is the same metric.
        if any(m.name == made.name for n, m in built.items() if is_built or n != name):
            raise UserError(
                f"The scores of two '{made.name}' would have one name: ask for each in a call of "
                "its own."
            )
        built[name] = made
    return built


def _open(real, fake, named: protocols.NamedProtocol | None, on_error: str, progress: bool):
    """Both sets, if `real` is not None, and the broken files in them."""

    def choose_split(dataset):
        return named and named.split_of(dataset.name, dataset.splits)

    reading = dict(on_error=on_error, progress=progress)
    real_set = None if real is None else open_images(real, choose_split=choose_split, **reading)
    fake_set = open_images(fake, **reading)
    for what, images in (("real", real_set), ("fake", fake_set)):
        if named is None or images is None:
            continue
        if isinstance(images, GivenStatistics):
            raise UserError(
                f"The protocol '{named.name}' says how many images there are, which "
                f"'{images.name}' (mu, sigma) does not tell."
            )
        named.check_count(what, images.name, images.count)
    if named and isinstance(real_set, SplitImages):
        split = choose_split(real_set.dataset)
        if split not in (None, real_set.split):
            raise UserError(
                f"The protocol '{named.name}' compares with the split '{split}', received "
                f"'{real_set.name}'."
            )
    left_out = [
        f"{images.name}: {text}"
        for images in (real_set, fake_set)
        for text in getattr(images, "left_out", ())
    ]
    return real_set, fake_set, left_out


def _take(images, num: int | None, seed: int):
    """So many of the images; statistics, and None, as they are."""
    if isinstance(images, GivenStatistics) and num is not None:
        raise UserError(
            f"'{images.name}' holds statistics of images (mu, sigma), and {num} images cannot be "
            "taken of those: leave the number out."
        )
    if not isinstance(images, ImageSet):
        return images
    if num is None:
        return images.take(images.count, seed)
    check_positive_integer("The number of images", num)
    if num > images.count:
        raise UserError(f"'{images.name}' holds {images.count} images, fewer than {num}.")
    return images.take(num, seed)


def _build_extractor(extractor, built: Mapping[str, Metric], named, *sets):
    if not any(metric.needs & {"features", "logits"} for metric in built.values()):
        return _NO_EXTRACTOR
    if extractor == "auto":
        names = [images.name.replace("-", "_") for images in sets if images is not None]
        fashion = any(name.startswith("fashion_mnist") for name in names)
        extractor = "fashion_cnn" if fashion else "inception"
    if not isinstance(extractor, Extractor):
        extractor = registry.get("extractor", extractor)()
    if named:
        named.check_extractor(extractor)
    return extractor


def _check_meaning(built: Mapping[str, Metric], extractor, real_set, fake_set):
    """From the labels of the fake set to those of the real one, if any metric needs them."""
    labelled = [metric for metric in built.values() if "labels" in metric.needs]
    class_names, renumber = None, None
    if labelled:
        compared = any(metric.uses_real for metric in labelled)
        class_names, renumber = common_classes(real_set, fake_set, compared)
    for name, metric in built.items():
        reason = metric.inapplicable(extractor, class_names)
        if not reason and fake_set.shape:
            reason = metric.inapplicable_to(fake_set.shape)
        if reason:
            raise UserError(f"'{name}' has no meaning here: {reason}.")
    return renumber
