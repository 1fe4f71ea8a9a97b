"""All recorded values of peers for recorded features and logits."""

import functools
import math
import os

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from threadpoolctl import threadpool_limits

from compare_gan import metrics


# The matrices are so small that threads wait for each other longer than they work.
@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with threadpool_limits(1):
        yield


_DATA = os.path.join(os.path.dirname(__file__), "..", "data")


def _load(name):
    with np.load(os.path.join(_DATA, name), allow_pickle=False) as file:
        return dict(file)


_GOLDEN = _load("metrics_features_golden.npz")
_VALUES = dict(zip(_GOLDEN["names"].tolist(), _GOLDEN["values"].tolist(), strict=True))
_REAL, _FAKE = _GOLDEN["real"], _GOLDEN["fake"]
_INPUTS = _load("metrics_golden.npz")
_SMALL = (_INPUTS["real_small"], _INPUTS["fake_small"])
_LOGITS = _INPUTS["logits"]


@functools.cache
def _kid(*args, rbf=False, **kwargs):
    kernel = {"kernel": metrics.RbfKernel(10.0)} if rbf else {}
    return metrics.kernel_distance_of_subsets(_REAL, _FAKE, *args, **kwargs, **kernel)


@functools.cache
def _neighbours(k):
    share, spread = metrics.precision_recall(_REAL, _FAKE, k), metrics.density_coverage
    return share._asdict() | {"f_score": share.f_score} | spread(_REAL, _FAKE, k)._asdict()


@functools.cache
def _fid(small):
    return metrics.frechet_distance(*(_SMALL if small else (_REAL, _FAKE)))


def _fid_with_means_in_float32():
    apart = _REAL.mean(axis=0) - _FAKE.mean(axis=0)
    assert apart.dtype == np.float32
    centred = (x - x.mean(axis=0, dtype=np.float64) for x in (_REAL, _FAKE))
    return float(apart @ apart) + metrics.frechet_distance(*centred)


def _mmd2(estimator):
    return metrics.kernel_distance(_REAL[:1500], _FAKE, estimator=estimator)


def _vendi_orders(prefix, features):
    return {
        f"{prefix}_q{name}": functools.partial(metrics.vendi_score, features, order)
        for name, order in (("0.5", 0.5), ("1", 1), ("2", 2), ("inf", math.inf))
    }


def _table():
    """Returns, by name, the function that computes a value and the allowed relative difference."""
    table = {}

    def add(rtol, **ours):
        table.update({name.replace("__", "/"): (value, rtol) for name, value in ours.items()})

    # Rounding of the general method. Peers lose half of the digits without full rank.
    for name in ("own_symmetric_eigh", "pytorch_fid", "pytorch_fid_asis"):
        add(1e-11, **{f"fid__{name}_f64": lambda: _fid(False)})
    add(1e-11, fid__torch_fidelity_f64_features=lambda: _fid(False))
    for name in ("own_symmetric_eigh_small", "pytorch_fid_small_40x64_30x64"):
        add(5e-7, **{f"fid__{name}_f64": lambda: _fid(True)})
    add(5e-7, fid__torch_fidelity_small_40x64_30x64_f64=lambda: _fid(True))
    # torch-fidelity computes means in float32, which changes the seventh digit; so does this.
    add(1e-11, fid__torch_fidelity_f32_features=_fid_with_means_in_float32)
    add(None, fid__torch_fidelity_self_f64=lambda: metrics.frechet_distance(_REAL, _REAL))

    for run, args, rtol in (
        ("100x1000_f64", {}, 1e-12),
        ("50x500_seed7_f64", {"num_subsets": 50, "subset_size": 500, "seed": 7}, 1e-12),
        ("rbf10_100x1000_f64", {"rbf": True}, 1e-12),
    ):
        for part in ("mean", "std"):
            name = f"kid__torch_fidelity_{run}__kernel_inception_distance_{part}"
            add(rtol, **{name: lambda args=args, part=part: getattr(_kid(**args), part)})
    name = "kid__torch_fidelity_100x1000_f32__kernel_inception_distance_"
    add(1e-6, **{f"{name}mean": lambda: _kid().mean})
    add(1e-5, **{f"{name}std": lambda: _kid().std})  # The kernel is float32, and digits cancel.

    for estimator in ("biased", "unbiased", "u_statistic"):
        name = estimator.replace("u_statistic", "ustat")
        add(
            1e-12,
            **{f"mmd2__torch_fidelity_{name}_first1500_f64": lambda e=estimator: _mmd2(e)},
        )
    add(1e-12, mmd2__unbiased_full_2000_vs_1500_f64=lambda: metrics.kernel_distance(_REAL, _FAKE))

    for splits in (1, 10):
        for label, seed in (("noshuffle", None), ("shuffle2020", 2020)):
            score = functools.partial(metrics.inception_score, _LOGITS, splits, seed)
            name = f"isc__torch_fidelity_splits{splits}_{label}__inception_score_"
            add(
                1e-12,
                **{f"{name}mean": lambda s=score: s()[0], f"{name}std": lambda s=score: s()[1]},
            )

    for run, k in (("k3_f32", 3), ("k3_f64", 3), ("k3_f64_saveram_bs512", 3), ("k5_f64", 5)):
        for part in ("precision", "recall", "f_score"):
            # torch-fidelity computes shares in float32 for any features.
            add(
                1e-7,
                **{f"prc__torch_fidelity_{run}__{part}": lambda k=k, p=part: _neighbours(k)[p]},
            )
    for run, k in (("k3_f64", 3), ("k5_f32", 5), ("k5_f64", 5)):
        for part in ("precision", "recall", "density", "coverage"):
            add(1e-15, **{f"prdc__prdc_{run}__{part}": lambda k=k, p=part: _neighbours(k)[p]})

    vendi = {
        "asis_score_X": lambda: metrics.vendi_score(_FAKE),
        "score_X_cosine_q1": lambda: metrics.vendi_score(_FAKE),
        "score_X_cosine_q1_real": lambda: metrics.vendi_score(_REAL),
        "score_K_rbf_gamma_1over64_q1_first300": lambda: metrics.vendi_score_from_similarities(
            rbf_kernel(_FAKE[:300].astype(np.float64), gamma=1 / 64)
        ),
    } | _vendi_orders("score_dual_cosine", _FAKE)
    for name, value in _vendi_orders("score_K_cosine", _FAKE[:300]).items():
        vendi[f"{name}_first300"] = value
    for name, value in vendi.items():
        # The [n, n] form has n - f eigenvalues of rounding errors; for q = 0.5 it adds their roots.
        rounding = name == "score_K_cosine_q0.5_first300"
        add(1e-6 if rounding else 1e-11, **{f"vendi__{name}_f64": value})
    return table


_TABLE = _table()


def test_every_recorded_value_is_compared():
    assert set(_VALUES) <= set(_TABLE) and len(_VALUES) == 64


@pytest.mark.parametrize(
    "name",
    # 100 kernels of 1000 images take long: quick are 50 of 500.
    [pytest.param(n, marks=[pytest.mark.slow] if "100x1000" in n else []) for n in _VALUES],
)
def test_recorded_value_of_a_peer(name, assert_golden):
    ours, rtol = _TABLE[name]
    if rtol is None:  # Both are 0 up to rounding.
        assert 0 <= ours() < 1e-12
        assert abs(_VALUES[name]) < 1e-12
    else:
        assert_golden(f"peers/{name.split('/')[0]}", name, ours(), _VALUES[name], rtol)


def test_recorded_prd_of_distributions(assert_golden):
    real, fake = _GOLDEN["in/prd_ref_dist"], _GOLDEN["in/prd_eval_dist"]
    curve = metrics.prd_from_distributions(real, fake)
    assert_golden("prd", "precision", curve.precision, _GOLDEN["prd/precision_1001"], 1e-14)
    assert_golden("prd", "recall", curve.recall, _GOLDEN["prd/recall_1001"], 1e-14)
    # The 2019 library adds 1e-10 to the denominators of F-scores.
    scores = curve.f_beta(8), curve.f_beta(1 / 8)
    assert_golden("prd", "f8", scores, _GOLDEN["prd/max_f_beta_pair_beta8"], 1e-9)
    assert_golden("prd", "f1", curve.f_beta(1), _GOLDEN["prd/f_beta1"].max(), 1e-9)


def test_recorded_prd_of_features(assert_golden):
    real, fake = _GOLDEN["in/prd_ref_embed"], _GOLDEN["in/prd_eval_embed"]
    curve = metrics.prd_curve(real, fake, num_clusters=5)
    for name in ("precision", "recall"):
        expected = _GOLDEN[f"prd/from_embedding_k5_{name}"]
        # The 2019 library exceeds 1 by rounding, and its F-scores then raise an error.
        assert getattr(curve, name).max() <= 1
        assert_golden("prd", f"features/{name}", getattr(curve, name), expected, 1e-14)
    excess = _GOLDEN["prd/from_embedding_k5_max_recall_minus_1"]
    assert 0 <= excess < 1e-15 and curve.recall.max() == pytest.approx(1, abs=1e-15)
    scores = curve.f_beta(8), curve.f_beta(1 / 8)
    assert_golden(
        "prd", "features/f8", scores, _GOLDEN["prd/from_embedding_k5_maxf8_clipped"], 1e-9
    )
