"""The exact forms of a convolution on TensorFlow, and which of them is used.

A convolution may be computed directly, by Winograd's algorithm (`winograd`), or, with a kernel of
one pixel, as a product of matrices. The results are equal up to rounding; which form is fastest
depends on the shapes and on the processor. While a step is traced, a context decides which form its
convolutions get: `winograd_convolutions` by a fixed rule, `autotune.tuned_convolutions` by
measuring. Outside of both, every convolution is direct.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from keras import ops

from compare_gan.backend import winograd
from compare_gan.types import Tensor

# From the image and the kernel to the result.
Form: TypeAlias = Callable[[Tensor, Tensor], Tensor]

DIRECT, WINOGRAD, MATMUL = "direct", "winograd", "matmul"

# Limits of the fixed rule: below them the transforms cost more than the products save.
_MIN_CHANNELS = 128
_MIN_OPERATIONS = 1e9


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution with SAME padding of float32 tensors, by its shapes.

    Attributes:
      image: Shape of the image, [batch, h, w, channels].
      kernel: Shape of the kernel, see `backend.conv` and `backend.conv_transpose`.
      strides: Stride in both directions.
      transposed: Whether the convolution is transposed.

    Example:
      >>> from compare_gan.backend.forms import Convolution
      >>> convolution = Convolution((64, 8, 8, 3), (3, 3, 3, 16), strides=1)
      >>> str(convolution), convolution.operations
      ('conv 64x8x8x3, kernel 3x3x3x16, stride 1', 3538944)
    """

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: int
    transposed: bool = False

    def __str__(self) -> str:
        kind = "transposed conv" if self.transposed else "conv"
        image, kernel = ("x".join(map(str, shape)) for shape in (self.image, self.kernel))
        return f"{kind} {image}, kernel {kernel}, stride {self.strides}"

    @property
    def operations(self) -> int:
        """The multiplications and additions of the direct form, each counted on its own."""
        n, h, w, _ = self.image
        step = 1 if self.transposed else self.strides  # Distance between places of the kernel.
        return 2 * n * (h // step) * (w // step) * int(np.prod(self.kernel, dtype=np.int64))

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of the result."""
        n, *sides, _ = self.image
        if self.transposed:
            return (n, *(side * self.strides for side in sides), self.kernel[2])
        return (n, *(-(-side // self.strides) for side in sides), self.kernel[3])


def forms_of(convolution: Convolution) -> dict[str, Form]:
    """The forms in which a convolution can be computed, by name; the direct one comes first.

    Args:
      convolution: The convolution.

    Example:
      >>> from compare_gan.backend.forms import Convolution, forms_of
      >>> [
      ...     list(forms_of(Convolution((64, 8, 8, 3), (size, size, 3, 16), strides=1)))
      ...     for size in (1, 3, 5)
      ... ]
      [['direct', 'matmul'], ['direct', 'winograd'], ['direct']]
    """
    strides, transposed = convolution.strides, convolution.transposed

    def direct(x: Tensor, kernel: Tensor) -> Tensor:
        compute = ops.conv_transpose if transposed else ops.conv
        return compute(x, kernel, strides=strides, padding="same")

    found: dict[str, Form] = {DIRECT: direct}
    size = convolution.kernel[0]
    scheme = winograd.SCHEMES.get((size, strides))
    if scheme and scheme.suits(convolution.image, transposed):
        found[WINOGRAD] = scheme.transpose if transposed else scheme.convolve
    if size == strides == 1 and not transposed:
        found[MATMUL] = _matmul
    return found


def _matmul(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolves with a kernel of one pixel."""
    *pixels, channels = x.shape
    y = tf.matmul(tf.reshape(x, [-1, channels]), tf.reshape(kernel, [channels, -1]))
    return tf.reshape(y, [*pixels, -1])


def fixed_form(convolution: Convolution) -> str:
    """The name of the form that a convolution has without measurements: the fixed rule.

    Args:
      convolution: The convolution.

    Example:
      >>> from compare_gan.backend.forms import Convolution, fixed_form
      >>> fixed_form(Convolution((64, 16, 16, 128), (3, 3, 128, 128), strides=1))
      'winograd'
      >>> fixed_form(Convolution((64, 16, 16, 64), (3, 3, 64, 64), strides=1))
      'direct'
    """
    wide = min(convolution.kernel[2:]) >= _MIN_CHANNELS
    if wide and convolution.operations >= _MIN_OPERATIONS and WINOGRAD in forms_of(convolution):
        return WINOGRAD
    return DIRECT


_choose: contextvars.ContextVar[Callable[[Convolution], str] | None] = contextvars.ContextVar(
    "choose", default=None
)


@contextlib.contextmanager
def chosen_forms(choose: Callable[[Convolution], str] | None) -> Iterator[None]:
    """Context in which convolutions are traced in the forms that a function names.

    Args:
      choose: Function from a convolution to one of the names of `forms_of`; None makes all
        convolutions direct, in an outer context too.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan import backend
      >>> from compare_gan.backend.forms import chosen_forms
      >>> with chosen_forms(lambda convolution: "matmul"):
      ...     tuple(backend.conv(tf.ones((2, 8, 8, 3)), tf.ones((1, 1, 3, 4))).shape)
      (2, 8, 8, 4)
    """
    token = _choose.set(choose)
    try:
        yield
    finally:
        _choose.reset(token)


def winograd_convolutions(enabled: bool = True) -> contextlib.AbstractContextManager[None]:
    """Context in which convolutions are traced with Winograd's algorithm by the fixed rule.

    It applies to convolutions with at least 128 channels and 10⁹ operations.

    Args:
      enabled: Whether to use the algorithm; False switches an outer context off.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.backend.forms import winograd_convolutions
      >>> from compare_gan.layers import Conv2D
      >>> layer = tf.function(Conv2D(4, 3))
      >>> with winograd_convolutions():
      ...     tuple(layer(tf.ones((2, 8, 8, 3))).shape)
      (2, 8, 8, 4)
    """
    return chosen_forms(fixed_form if enabled else None)


def form_for(x: Tensor, kernel: Tensor, strides: int, transposed: bool = False) -> Form | None:
    """The form that the context chooses for a convolution; None: directly.

    Args:
      x: [batch, h, w, channels].
      kernel: [k, k, …], see `backend.conv` and `backend.conv_transpose`.
      strides: Stride in both directions.
      transposed: Whether the convolution is transposed.
    """
    choose = _choose.get()
    if choose is None or x.dtype != tf.float32 or None in x.shape:
        return None
    convolution = Convolution(tuple(x.shape), tuple(kernel.shape), strides, transposed)
    name = choose(convolution)
    return None if name == DIRECT else forms_of(convolution)[name]
