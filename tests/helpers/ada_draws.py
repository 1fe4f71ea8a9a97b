"""The draws of ADA that were recorded from its authors' program."""

import numpy as np
import tensorflow as tf

from compare_gan.augmentations.ada.draws import COUNTS


def recorded_draws(numbers, prefix, strengths):
    """The functions `uniform` and `normal` that return the draws of one call on four images.

    Args:
      numbers: Recorded arrays by key.
      prefix: What precedes the name of a draw in their keys.
      strengths: Transformations, as in `ADA.strengths`.
    """
    draw = lambda name: numbers[prefix + name]  # noqa: E731
    uniforms, normals = [], [np.zeros((4, 0))]
    for name, count in COUNTS.items():
        if name not in strengths:
            continue
        if name == "filter":
            uniforms.append(np.stack([draw(f"imgfilter{band}_gate") for band in range(4)], 1))
            normals.append(np.stack([draw(f"imgfilter{band}_n") for band in range(4)], 1))
            continue
        own = {"noise": "noise_sigma_n", "cutout": "cutout_center_u"}
        suffix = "u" if count.uniform else "n"
        values = draw(own.get(name, f"{name}_{suffix}")).reshape(4, -1)
        uniforms.append(draw(f"{name}_gate")[:, None])
        (uniforms if count.uniform else normals).append(values)

    def found(arrays):
        def function(shape):
            array = draw("noise_n") if len(shape) == 4 else np.concatenate(arrays, axis=1)
            if array.shape[1] == 0:
                array = np.zeros(shape)
            assert array.shape == tuple(shape)
            return tf.constant(array, tf.float32)

        return function

    return found(uniforms), found(normals)
