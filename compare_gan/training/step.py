"""One generator step."""

import functools
from collections.abc import Callable

import keras
from keras import ops

from compare_gan import engine
from compare_gan.backend import rows_of_part
from compare_gan.gans import LossTerms
from compare_gan.gans.terms import part_name
from compare_gan.training.state import TrainState
from compare_gan.types import Tensor


class TrainStep:
    """One generator step: `disc_iters` discriminator updates, one generator update, the EMA.

    A pure function of the state and the batch; runs inside `strategy.run`.

    Args:
      state: The state that it changes.
      microbatches: Number of parts in which a replica computes its batch, one after the other.

    Attributes:
      names: Names of the values that a step returns, known after it has been traced.
    """

    def __init__(self, state: TrainState, microbatches: int = 1):
        self._state = state
        self._microbatches = microbatches
        self.names: list[str] = []

    def __call__(self, batch: dict[str, Tensor]) -> Tensor:
        """Trains on one element of the input pipeline.

        Args:
          batch: As `datasets.train_batches` yields it: every entry has the leading axis
            `disc_iters + 1`, one sub-batch for each update.

        Returns:
          float32 [len(names)]: losses by term, accuracies, gradient norms, mean image, loss scales
          under float16; in the order of `names`. Terms of the discriminator's loss are those of its
          last update, except lazy penalties, which are means over its updates.
        """
        gan = self._state.gan
        done = ops.convert_to_tensor(self._state.step)  # Generator steps, this one not included.
        self._state.set_learning_rates()
        if self._microbatches == 1:
            batch = dict(batch, images=engine.as_float(batch["images"]))
        sub_batches = [
            {name: value[i] for name, value in batch.items()} for i in range(gan.disc_iters + 1)
        ]
        d_batches, g_batch = sub_batches[:-1], sub_batches[-1]
        if gan.experimental_joint_gen_for_disc:
            fakes = gan.joint_fakes(d_batches)
        else:
            fakes = [None] * gan.disc_iters
        updates = []
        for i, (d_batch, fake) in enumerate(zip(d_batches, fakes, strict=True)):
            values = self._update(
                functools.partial(self._discriminator_loss, d_batch, fake, done, i),
                gan.discriminator_variables,
                self._state.d_optimizer,
                "discriminator",
            )
            updates.append(values)
        # A lazy penalty is zero in most updates, possibly in every last one: its mean is recorded.
        for penalty in gan.penalties:
            if penalty.interval > 1 and penalty.term("discriminator"):
                name = f"loss/{part_name(penalty, 'discriminator')}"
                values[name] = sum(each[name] for each in updates) / gan.disc_iters
        for augmentation in gan.augmentations:
            for name, value in augmentation.measures(done).items():
                values[f"augmentation/{augmentation.name}_{name}"] = value
        values |= self._update(
            lambda: (gan.generator_loss(gan.optimized(self._part(g_batch), done), done), {}),
            gan.generator_variables,
            self._state.g_optimizer,
            "generator",
        )
        self._state.update_ema()
        self._state.step.assign_add(1)
        self.names = sorted(values)
        return ops.stack([ops.cast(values[name], "float32") for name in self.names])

    def state_variables(self) -> list[keras.Variable]:
        """All variables that a step reads or changes."""
        return self._state.all_variables()

    def batch_axis(self, name: str) -> int | None:
        """The axis of the examples in an entry of the batch; seeds have none."""
        return None if name == "seed" else 1

    def _discriminator_loss(
        self, batch: dict[str, Tensor], fake: Tensor | None, done: Tensor, iteration: int
    ) -> tuple[LossTerms, dict[str, Tensor]]:
        batch = self._state.gan.optimized(self._part(batch), done)
        fake = self._state.gan.fakes(batch) if fake is None else rows_of_part(fake)
        # One non-finite pixel makes the mean non-finite: a cheap check for a diverged generator.
        mean = {"fake_image_mean": ops.mean(fake)}
        return self._state.gan.discriminator_loss(batch, fake, done, iteration), mean

    def _part(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The current part of a sub-batch; all of it if there is one part."""
        if self._microbatches == 1:
            return batch
        part = {
            name: value if self.batch_axis(name) is None else rows_of_part(value)
            for name, value in batch.items()
        }
        return dict(part, images=engine.as_float(part["images"]))

    def _update(
        self,
        loss_fn: Callable[[], tuple[LossTerms, dict[str, Tensor]]],
        variables: list[keras.Variable],
        optimizer: keras.optimizers.Optimizer,
        network: str,
    ) -> dict[str, Tensor]:
        def loss_and_parts() -> tuple[Tensor, dict[str, Tensor]]:
            terms, others = loss_fn()
            losses = {f"loss/{name}": value for name, value in terms.parts.items()}
            measures = {f"accuracy/{name}": value for name, value in terms.measures.items()}
            return terms.total, losses | measures | others

        done = engine.update(loss_and_parts, variables, optimizer, self._microbatches)
        values = dict(done.aux)
        values[f"loss/{network}"] = done.loss
        values[f"gradient_norm/{network}"] = done.gradient_norm
        if done.loss_scale is not None:
            values[f"loss_scale/{network}"] = done.loss_scale
        return values
