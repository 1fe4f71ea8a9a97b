"""SSGAN: a GAN whose discriminator also predicts rotations."""

from typing import Any

from compare_gan import registry
from compare_gan.backend import num_parts, num_shares
from compare_gan.errors import UserError, unknown_name
from compare_gan.gans.modular_gan import ModularGAN
from compare_gan.gans.tasks import NUM_ROTATIONS, AuxiliaryTask, RotationTask, check_square
from compare_gan.schedules import Scheduled, check_range

_SELF_SUPERVISION = ("rotation_gan", "rotation_only", "none")


@registry.register("gan", "SSGAN", paper="https://arxiv.org/abs/1811.11212")
class SSGAN(ModularGAN):
    """Self-supervised GAN: the discriminator also predicts rotations (Chen et al., 2019).

    Paper: https://arxiv.org/abs/1811.11212.

    Args:
      image_shape: Shape of images, (H, W, C).
      num_classes: Number of classes of the data; None if it has none.
      architecture: See ModularGAN.
      self_supervision: `rotation_gan` (adversarial and rotation losses), `rotation_only` (no
        adversarial loss; the penalty stays) or `none`.
      rotated_batch_size: Number of images for the rotation loss in the global batch: a fourth of
        them are originals, the others their turned copies. Required unless `none`.
      weight_rotation_loss_d: Weight of the rotation loss in the discriminator's loss.
      weight_rotation_loss_g: Weight of the rotation loss in the generator's loss.
      **modular_gan_options: All options of ModularGAN.

    Raises:
      UserError: Options contradict each other, or a keyword is not known.

    Example:
      >>> from compare_gan.gans import SSGAN
      >>> gan = SSGAN((8, 8, 1), None, "dummy_arch", rotated_batch_size=16, loss="hinge")
      >>> list(gan.heads)
      ['rotation']
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int | None,
        architecture: Any = None,
        *,
        self_supervision: str = "rotation_gan",
        rotated_batch_size: int | None = None,
        weight_rotation_loss_d: Scheduled = 1.0,
        weight_rotation_loss_g: Scheduled = 0.2,
        **modular_gan_options: Any,
    ):
        self.self_supervision = self_supervision
        self.rotated_batch_size = rotated_batch_size
        self.weight_rotation_loss_d = weight_rotation_loss_d
        self.weight_rotation_loss_g = weight_rotation_loss_g
        if self_supervision == "rotation_only":
            self.adversarial_weight = 0.0
        super().__init__(image_shape, num_classes, architecture, **modular_gan_options)

    def check_options(self) -> None:
        super().check_options()
        for option in ("weight_rotation_loss_d", "weight_rotation_loss_g"):
            check_range(f"SSGAN.{option}", getattr(self, option))
        if self.self_supervision not in _SELF_SUPERVISION:
            raise unknown_name("SSGAN.self_supervision", self.self_supervision, _SELF_SUPERVISION)
        if self.self_supervision == "none":
            return
        size = self.rotated_batch_size
        if not isinstance(size, int) or size < 1 or size % NUM_ROTATIONS:
            raise UserError(
                f"SSGAN.rotated_batch_size must be a multiple of {NUM_ROTATIONS} with "
                f"self_supervision = '{self.self_supervision}', received {size!r}."
            )
        check_square(self.image_shape)

    def check_batch_size(self, batch_size_per_replica: int) -> None:
        super().check_batch_size(batch_size_per_replica)
        if self.self_supervision == "none":
            return
        shares = num_shares()
        originals = self._num_originals()
        if originals % shares:
            among = f"on {shares} replicas" if num_parts() == 1 else f"in {shares} microbatches"
            raise UserError(
                f"SSGAN.rotated_batch_size is {self.rotated_batch_size}, but {among} it must be a "
                f"multiple of {NUM_ROTATIONS * shares}."
            )
        if originals > batch_size_per_replica * shares:
            raise UserError(
                f"SSGAN.rotated_batch_size is {self.rotated_batch_size}, of which {originals} are "
                f"originals: more than the batch size, {batch_size_per_replica * shares}."
            )

    def make_tasks(self) -> list[AuxiliaryTask]:
        if self.self_supervision == "none":
            return []
        return [
            RotationTask(
                lambda _: self._num_originals() // num_shares(),
                self.weight_rotation_loss_d,
                self.weight_rotation_loss_g,
            )
        ]

    def _num_originals(self) -> int:
        """The number of images of the global batch that are turned."""
        assert self.rotated_batch_size is not None  # See `check_options`.
        return self.rotated_batch_size // NUM_ROTATIONS
