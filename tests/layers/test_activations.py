import numpy as np

from compare_gan.layers import leaky_relu


def test_slope_equals_that_of_the_2019_library(golden, assert_golden):
    key = "op/lrelu/x4"
    assert_golden("op", key, leaky_relu(golden["op/in/x4"]), golden[key], rtol=1e-6)
    np.testing.assert_allclose(leaky_relu(np.float32([-2, 3]), 0.1), [-0.2, 3], rtol=1e-6)
