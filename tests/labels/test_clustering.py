import numpy as np

from compare_gan.labels.clustering import fit_clusters


def test_separate_groups_become_clusters():
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]])
    true = rng.integers(4, size=300)
    x = (centers[true] + rng.normal(size=[300, 3])).astype(np.float32)
    nearest = fit_clusters(x, 4, seed=1)
    found = nearest(x)
    assert found.dtype == np.int32
    # Each cluster is exactly one group.
    assert len(set(zip(found, true, strict=True))) == 4
    np.testing.assert_array_equal(found, fit_clusters(x, 4, seed=1)(x))
    assert (nearest(centers.astype(np.float32)) == [found[true == i][0] for i in range(4)]).all()
