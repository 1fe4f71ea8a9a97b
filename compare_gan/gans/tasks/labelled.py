"""What tasks that compare with labels share: which images have one, and means over those."""

from keras import ops

from compare_gan.backend import cross_replica_mean
from compare_gan.errors import UserError
from compare_gan.gans.tasks.base import AuxiliaryTask
from compare_gan.schedules import Scheduled, check_range
from compare_gan.types import Tensor


def label_available(labels: Tensor) -> Tensor:
    """Finds the rows that hold a label: those that sum to more than one half.

    Args:
      labels: Float [b, num_classes]; one-hot, soft, or a row of zeros for no label.

    Returns:
      [b, 1] of zeros and ones, in the dtype of `labels`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.gans.tasks import label_available
      >>> np.array(label_available(np.float32([[0, 1], [0, 0]]))).tolist()
      [[1.0], [0.0]]
    """
    return ops.cast(ops.sum(labels, axis=1, keepdims=True) > 0.5, labels.dtype)


def labelled_means(labels: Tensor, *values: Tensor) -> list[Tensor]:
    """The mean of each of the values [b] over the images that have a label; 0 if none has."""
    available = label_available(labels)[:, 0]
    # Replicas may have different numbers of labels. The mean of their losses is the mean over
    # all labelled images if each divides by the average number. None gives 0 / epsilon.
    [count] = cross_replica_mean([ops.sum(available)])
    count = ops.maximum(count, 1e-6)
    return [ops.sum(available * value) / count for value in values]


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy [b] of logits [b, num_classes] for one-hot or soft labels."""
    return -ops.sum(ops.multiply(labels, ops.log_softmax(logits)), axis=1)


def agreements(scores: Tensor, labels: Tensor) -> Tensor:
    """1 where the class with the highest score is that of the label, otherwise 0, [b]."""
    equal = ops.equal(ops.argmax(scores, axis=1), ops.argmax(labels, axis=1))
    return ops.cast(equal, labels.dtype)


def check_conditional(name: str, num_classes: int | None) -> None:
    """Raises UserError if the GAN that gets the task of this name is unconditional."""
    if num_classes is None:
        raise UserError(f"The task '{name}' needs a conditional GAN.")


class ConditioningTask(AuxiliaryTask):
    """Base of the tasks that make the generator follow its labels, with a term in each loss.

    Means are over the labelled images: an image without label changes nothing.

    Args:
      weight_d: Weight in the discriminator's loss, a number or a schedule.
      weight_g: Weight in the generator's loss, a number or a schedule.
    """

    learns_from_labels = True

    def __init__(self, weight_d: Scheduled = 1.0, weight_g: Scheduled = 1.0):
        check_range(f"{self.name}.weight_d", weight_d)
        check_range(f"{self.name}.weight_g", weight_g)
        self.weight_d = weight_d
        self.weight_g = weight_g

    def check(self, image_shape: tuple[int, int, int], num_classes: int | None) -> None:
        check_conditional(self.name, num_classes)
