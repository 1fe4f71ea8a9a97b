"""The pictures on the page of a run, from the arrays that were collected."""

from collections.abc import Iterable, Sequence

import numpy as np

from compare_gan.report import images
from compare_gan.report.charts import heatmap, histogram
from compare_gan.report.markup import Block, element, number
from compare_gan.report.page import Facts, Group, Side
from compare_gan.report.run_images import Evolution, Rows
from compare_gan.report.run_labels import InferredLabels, Truth
from compare_gan.report.run_neighbours import Neighbours

_STRIP = 10  # Steps in a strip.
_BESIDE = 6  # Columns of two grids side by side.


def sample_blocks(samples: Rows) -> Iterable[Block | str]:
    """Samples, a row for each class."""
    yield _rows(samples.images, samples.names, "Samples", samples.origin)


def real_and_fake_blocks(real: Rows | None, fake: Rows | None) -> list[Block | str]:
    """Training images beside samples of the same classes; none unless there are both."""
    if real is None or fake is None:
        return []
    pair = [
        Group(title, [_rows(each.images[:, :_BESIDE], each.names, title, "")])
        for title, each in (("Training images", real), ("Samples", fake))
    ]
    return [Side(pair)]


def augmentation_blocks(rows: Rows) -> Iterable[Block | str]:
    """Training images before and after each augmentation."""
    yield _rows(rows.images, rows.names, "Training images", rows.origin)


def evolution_blocks(evolution: Evolution) -> Iterable[Block | str]:
    """The samples of equal latents: a slider that plays, and a strip for paper."""
    count, height, width = (evolution.frames.shape[i] for i in (0, 3, 4))
    columns = evolution.frames.shape[2]
    frames = [
        images.lay_out(frame.reshape(-1, *frame.shape[2:]), columns) for frame in evolution.frames
    ]
    left_out = evolution.available - count
    yield images.Evolution(
        frames,
        [f"step {step:,}" for step in evolution.steps],
        alt=f"Samples of the same latents at {count} steps, from {evolution.steps[0]:,} to "
        f"{evolution.steps[-1]:,}",
        caption="Samples of the same latents as training goes on"
        + (f": {count} of {evolution.available} stored grids." if left_out else "."),
        scale=_scale(height, width),
    )
    places = np.unique(np.linspace(0, count - 1, _STRIP).round().astype(int))
    strip = evolution.frames[places][:, :, 0].swapaxes(0, 1)  # [rows, steps, H, W, C]
    steps = ", ".join(f"{evolution.steps[i]:,}" for i in places)
    yield _rows(
        strip,
        evolution.names,
        "One latent over the steps",
        f"One latent in each row, at steps {steps}.",
    )


def interpolation_blocks(rows: Rows) -> Iterable[Block | str]:
    """Rows of images between two latents."""
    yield _rows(rows.images, rows.names, "Interpolation", rows.origin)


def neighbour_blocks(found: Neighbours) -> Iterable[Block | str]:
    """Samples beside their nearest training images."""
    drawn: list[object] = []
    for i, (sample, others) in enumerate(zip(found.samples, found.neighbours, strict=True)):
        pixels = [images.lay_out(each, len(each)) for each in (sample[None], others)]
        gap = np.zeros((len(pixels[0]), sample.shape[1] // 3, sample.shape[2] + 1), np.uint8)
        alt = f"Sample {i + 1} and its nearest training images, the nearest first"
        picture = images.Picture(
            np.concatenate([pixels[0], gap, pixels[1]], axis=1), alt, "", _scale(*sample.shape[:2])
        )
        nearest = number(float(found.distances[i, 0]), 3)
        drawn += [element("dt", nearest), element("dd", images.image_of(picture))]
    caption = (
        f"Each sample and, after the gap, its {found.neighbours.shape[1]} nearest of "
        f"{found.num_references:,} training images by distances between {found.by}; before it, the "
        "distance to the nearest. " + found.why_pixels
    )
    yield element(
        "figure", element("dl", *drawn), element("figcaption", caption.strip()), class_="rows"
    )
    yield Facts(
        {
            "Nearly copied": f"{100 * found.memorized:.1f} % of {found.num_compared:,} samples",
            "Authentic": f"{100 * found.authentic:.1f} % of them; a perfect generator about 50 %",
        }
    )


def label_blocks(labels: InferredLabels) -> Iterable[Block | str]:
    """Inferred labels: how many, how sure, and how right where the truth is known."""
    facts: dict[str, object] = {
        name.replace("_", " "): f"{value:.4g}" if isinstance(value, float) else value
        for name, value in labels.description.items()
        if name != "hash"
    }
    facts["given labels"] = f"{labels.num_given:,} of {labels.num_images:,}"
    if labels.seconds is not None:
        facts["seconds of the inference"] = number(labels.seconds)
    yield Facts(facts)
    if labels.why_no_truth:
        yield f"There is no confusion matrix. {labels.why_no_truth}"
    charts: list[Block | str] = []
    if labels.truth is not None:
        charts.append(_confusion(labels.truth))
    if labels.confidences:
        charts.append(
            histogram(
                "Confidence of inferred labels",
                labels.edges,
                labels.confidences,
                xlabel="probability of the inferred class",
                ylabel="images",
            )
        )
    if charts:
        yield Side(charts)
    if labels.truth is not None and labels.truth.wrong:
        yield _wrong(labels.truth)


def _confusion(truth: Truth) -> Block:
    totals = np.maximum(truth.totals, 1)[:, None]
    note = "Share of each true class, of images whose label was hidden; nothing is trained on it."
    if truth.accuracy is not None:
        note += f" {100 * truth.accuracy:.2f} % of the hidden labels are inferred correctly."
    if len(truth.rows) < truth.num_classes:
        note += f" Only the first {len(truth.rows)} of {truth.num_classes} classes are shown."
    shares = truth.matrix / totals
    return heatmap(
        "Confusion of hidden labels",
        shares.round(4).tolist(),
        truth.rows,
        truth.columns,
        xlabel="inferred",
        ylabel="true",
        texts=[[f"{100 * share:.0f}" if share >= 0.005 else "" for share in row] for row in shares],
        note=note,
    )


def _wrong(truth: Truth) -> Block:
    cards = []
    for each in truth.wrong:
        alt = f"An image of {each.true}, taken for {each.inferred}"
        picture = images.Picture(each.image, alt, "", _scale(*each.image.shape[:2]))
        sure = "" if each.confidence is None else f" {100 * each.confidence:.0f} %"
        words = f"{each.true} → {each.inferred}{sure}"
        cards.append(element("li", images.image_of(picture), element("span", words)))
    caption = "True class → inferred class, the most confident mistakes first."
    return Group(
        "Wrong labels",
        [element("figure", element("ul", *cards), element("figcaption", caption), class_="cards")],
    )


def _rows(pictures: np.ndarray, names: Sequence[str], alt: str, caption: str) -> Block:
    """Rows of images, with names in front if there are any."""
    if names:
        return images.rows(list(pictures), names, alt, caption)
    flat = pictures.reshape(-1, *pictures.shape[2:])
    return images.grid(flat, pictures.shape[1], alt, caption)


def _scale(height: int, width: int) -> float:
    return float(-(-56 // min(height, width)))
