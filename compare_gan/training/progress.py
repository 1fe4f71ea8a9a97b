"""The line of progress of a training."""

from compare_gan.engine.progress import ProgressLine


class Progress:
    """The line of progress of a GAN's training."""

    def __init__(self, first_step: int, last_step: int):
        self._line = ProgressLine("step", first_step, last_step)

    def update(self, step: int, images_per_second: float, values: dict[str, float]) -> None:
        """Shows the step, the two losses and the speed."""
        self._line.update(
            step,
            f"D {values['loss/discriminator']:.3f}, G {values['loss/generator']:.3f}, "
            f"{images_per_second:.0f} images/s",
        )

    def close(self) -> None:
        """Ends the line."""
        self._line.close()
