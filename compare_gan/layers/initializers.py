"""How weights start."""

import gin
import keras

from compare_gan.errors import check_range, unknown_name


@gin.configurable("weights")
def weight_initializer(initializer: str = "normal", stddev: float = 0.02):
    """The initializer of every kernel that is not given one of its own (gin scope `weights`).

    Args:
      initializer: `normal`, `truncated` (normal, cut at two standard deviations) or `orthogonal`.
      stddev: Standard deviation of the two normal ones. (In the 2019 library it had no effect: all
        layers had the default.)

    Returns:
      A Keras initializer.

    Raises:
      UserError: `initializer` is none of the three, or `stddev` is negative.
    """
    check_range("weights.stddev", stddev)
    makers = {
        "normal": lambda: keras.initializers.RandomNormal(stddev=stddev),
        "truncated": lambda: keras.initializers.TruncatedNormal(stddev=stddev),
        "orthogonal": lambda: keras.initializers.Orthogonal(),
    }
    if initializer not in makers:
        raise unknown_name("weights.initializer", initializer, makers)
    return makers[initializer]()
