"""The Markdown tables of a run."""

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.gpu.results import MEASURED, Results

# Dense TFLOP/s in bfloat16 and in TF32, from NVIDIA's data sheets.
PEAKS = {
    "GB200": (2500.0, 1250.0),
    "B200": (2250.0, 1125.0),
    "GH200": (989.0, 494.0),
    "H200": (989.0, 494.0),
    "H100 PCIe": (756.0, 378.0),
    "H100": (989.0, 494.0),
    "A100": (312.0, 156.0),
    "L40S": (362.0, 183.0),
    "L4": (121.0, 60.0),
    "A10": (125.0, 62.5),
}


def peak(device: str, precision: str) -> float | None:
    """Dense peak of a card in TFLOP/s; None if it is not known."""
    for name, (half, full) in PEAKS.items():
        if name in device:
            return half if precision == "bfloat16" else full
    return None


def write_report(results: Results) -> None:
    """Writes `results.md` beside the results."""
    (results.folder / "results.md").write_text(report(results.data))


def report(data: dict[str, Any]) -> str:
    """All tables of a run in Markdown."""
    environment = data.get("environment", {})
    device = environment.get("device", "unknown device")
    packages = environment.get("packages", {})
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    lines = [f"{device}; {versions}.", ""]
    for precision, rates in data.get("matrix_products", {}).items():
        limit = peak(device, precision)
        of_peak = f" of {limit:g}" if limit else ""
        lines.append(
            f"Matrix products in {precision}: {quartiles(rates)}{of_peak} TFLOP/s."
            if rates
            else f"Matrix products in {precision}: not measured."
        )
    lines += [
        "",
        "| case | images/s | PyTorch, images/s | ratio | TFLOP a step | TFLOP/s | of the peak | "
        "of the product | GB, PyTorch | compile s, PyTorch | plain / folded |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(name, record, device) for name, record in data["cases"].items()]
    problems = [
        f"- {name}, {stage}: {' '.join(text.split())[:300]}"
        for name, record in data["cases"].items()
        for stage, text in record.get("errors", {}).items()
    ]
    problems = [f"- {k}: {v}" for k, v in data.get("errors", {}).items()] + problems
    if problems:
        lines += ["", "Not measured:", "", *problems]
    for name, record in data["cases"].items():
        if _fullest(record).get("forms"):
            lines += ["", *_forms(name, _fullest(record)["forms"])]
        if "profile" in _fullest(record):
            lines += ["", *_profile(name, _fullest(record)["profile"])]
    return "\n".join(lines) + "\n"


def _row(name: str, record: dict[str, Any], device: str) -> str:
    precision, batch_size = name.rsplit("-", 1)[-1], int(name.split("-")[-2])
    status, record = _status(record), _fullest(record)
    rounds = record.get("rounds", {})
    measured = rounds.get("peer") or rounds.get("alone") or []
    if not measured:
        return f"| {name} | {status} |" + " |" * 9
    ours = [each["folded"] for each in measured if "folded" in each]
    peer = record.get("peer", "")
    theirs = [each[peer] for each in measured if peer in each]
    work, limit = record.get("operations", 0) / 1e12, peak(device, precision)
    rates = [work / seconds for seconds in ours]
    products = [each["product_tflops"] for each in measured if "folded" in each]
    shares = [rate / product for rate, product in zip(rates, products, strict=True)]
    sides = record["sides"]
    cells = [
        name if status == MEASURED else f"{name} ({status})",
        quartiles([batch_size / seconds for seconds in ours]),
        quartiles([batch_size / seconds for seconds in theirs])
        + (f" ({peer.split(', ')[1]})" if theirs else ""),
        quartiles([b / a for a, b in zip(ours, theirs, strict=False)]),
        f"{work:.3g}",
        quartiles(rates),
        quartiles([100 * rate / limit for rate in rates]) + " %" if limit and rates else "–",
        quartiles([100 * share for share in shares]) + (" %" if shares else ""),
        f"{_gigabytes(sides, 'folded')}, {_gigabytes(sides, peer)}",
        f"{_compile(sides, 'folded')}, {_compile(sides, peer)}",
        quartiles([each["plain"] / each["folded"] for each in rounds.get("plain", [])]),
    ]
    return f"| {' | '.join(cells)} |"


def _fullest(record: dict[str, Any]) -> dict[str, Any]:
    """A record, or the earlier one of the case while the new one has no rounds."""
    return record if record.get("rounds") else record.get("earlier", record)


def _status(record: dict[str, Any]) -> str:
    return " ".join(record["status"].split())[:100]


def _gigabytes(sides: dict[str, Any], side: str) -> str:
    memory = sides.get(side, {}).get("memory")
    return f"{memory / 1e9:.3g}" if memory else "–"


def _compile(sides: dict[str, Any], side: str) -> str:
    entry = sides.get(side, {})
    seconds = entry.get("trace", 0.0) + entry.get("compile", 0.0)
    return f"{seconds:.3g}" if seconds else "–"


def _profile(name: str, profile: dict[str, Any]) -> list[str]:
    span, total = profile["span"], profile["all_kernels"]
    lines = [
        f"One step of {name}: {1e3 * span:.4g} ms, of which {1e3 * profile['outside']:.3g} ms "
        f"({100 * profile['outside'] / span:.3g} %) outside of kernels; "
        f"{profile['launches']:.0f} launches.",
        "",
        "| kernel | ms | % of all kernels | runs | operation |",
        "|---|---|---|---|---|",
    ]
    for each in profile["kernels"][:10]:
        title, operation = (each[key].replace("|", "/")[:100] for key in ("name", "operation"))
        lines.append(
            f"| `{title}` | {1e3 * each['seconds']:.3g} | {100 * each['seconds'] / total:.3g} | "
            f"{each['runs']:.3g} | {operation} |"
        )
    return lines


def _forms(name: str, forms: dict[str, Any]) -> list[str]:
    lines = [
        f"Forms of the grouped convolutions of {name}:",
        "",
        "| input | form | forward, ms | TFLOP/s | gradients, ms | TFLOP/s | differs by |",
        "|---|---|---|---|---|---|---|",
    ]
    for shape, by_form in forms.items():
        for form, found in by_form.items():
            work = found["operations"] / 1e12
            lines.append(
                f"| {shape} | {form} | {1e3 * found['forward']:.3g} | {work / found['forward']:.3g}"
                f" | {1e3 * found['gradients']:.3g} | {2 * work / found['gradients']:.3g} | "
                f"{found['difference']:.1g} |"
            )
    return lines


def quartiles(values: Sequence[float]) -> str:
    """The median and, of several values, the quartiles: `3 (2–4)`; `–` without values."""
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.3g}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"
