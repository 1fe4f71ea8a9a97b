"""The compiled loop over training steps, and the iterator that feeds it."""

import contextlib
import contextvars
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from compare_gan.backend import on_cpu
from compare_gan.engine.interface import MakeBatches, Step
from compare_gan.engine.stages import Stages
from compare_gan.engine.tensorflow.distribution import is_chief, on_several_hosts


class Loop:
    """Steps that run one after the other in compiled code, on all replicas.

    Args:
      step: One training step, see `engine.Step`.
      make_batches: From (number of replicas, ids of the replicas to feed) to a dataset that yields
        for each step one batch for each of those ids, in turn. Called when the first step runs.
      strategy: The strategy of the run; the current one if None.
      jit_compile: Compile a step with XLA; None = only on GPU and TPU.
      context: Makes the context manager in which the loop is called, and so traced.

    Attributes:
      step: One training step.
      strategy: The strategy of the run.
      is_chief: Whether this process writes files; True unless it is one of several workers.
      iterator: The iterator over batches; None until the first step runs. Can
        be replaced, for example by a benchmark.
      function: The compiled loop, see `make_train_loop`.
      stages: Record of how long the start took: `data`, and `trace` and `compile` unless
        TensorFlow runs functions eagerly.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan import engine
      >>> class Step:
      ...     names = ("mean",)
      ...     def __call__(self, batch):
      ...         return tf.reduce_mean(batch)[None]
      >>> data = tf.data.Dataset.from_tensors(tf.constant([1.0, 3.0])).repeat()
      >>> loop = engine.Loop(Step(), lambda num_replicas, replica_ids: data)
      >>> loop.run(3)["mean"].tolist()
      [2.0, 2.0, 2.0]
    """

    def __init__(
        self,
        step: Step,
        make_batches: MakeBatches,
        strategy: tf.distribute.Strategy | None = None,
        jit_compile: bool | None = None,
        context: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    ):
        self.step = step
        self.strategy = strategy or tf.distribute.get_strategy()
        self.is_chief = is_chief(self.strategy)
        self.iterator: Any = None
        self.stages = Stages()
        self.function = make_train_loop(step, self.strategy, jit_compile)
        self._is_compiled = False
        self._make_batches = make_batches
        self._context = context
        self._several = on_several_hosts(self.strategy)
        self._sum_function = tf.function(self._sum_over_replicas)

    def run(self, num_steps: int) -> dict[str, np.ndarray]:
        """Runs steps in one call of the compiled loop.

        Returns:
          Each value's course over the steps, by name, float32 [num_steps]; shorter if a value was
          not finite: the last entry is then that step's.
        """
        if self.iterator is None:
            with self.stages.stage("data", "Preparing the batches"):
                self.iterator = distributed_iterator(self.strategy, self._make_batches)
        with self._context():
            # Where functions run eagerly, as in tests of a few steps, there is nothing to compile.
            if self._is_compiled or num_steps < 1 or tf.config.functions_run_eagerly():
                history = self.function(self.iterator, tf.constant(num_steps)).numpy()
            else:
                history = self._first_run(num_steps)
        return dict(zip(self.step.names, history.T, strict=True))

    def _first_run(self, num_steps: int) -> np.ndarray:
        """As `run`, with the first step on its own: it takes long, and that is shown."""
        with self.stages.stage("trace", "Tracing the training step"):
            self.function.get_concrete_function(self.iterator, tf.constant(1))
        with self.stages.stage("compile", "Compiling the training step"):
            first = self.function(self.iterator, tf.constant(1)).numpy()
        self._is_compiled = True
        if num_steps == 1 or not np.isfinite(first).all():
            return first
        others = self.function(self.iterator, tf.constant(num_steps - 1)).numpy()
        return np.concatenate([first, others])

    def any_worker(self, flag: bool) -> bool:
        """Whether the flag is set in any worker; all workers call this at the same step."""
        return self._sum(float(flag), first_alone=False) > 0 if self._several else flag

    def of_chief(self, value: int) -> int:
        """The chief's number, from 0 to 2²⁴, in all workers; all of them call this."""
        if not self._several:
            return value
        return int(self._sum(float(min(value, 2**24)), first_alone=True))

    def local_state(self) -> contextlib.AbstractContextManager:
        """A context that does nothing: each process has all variables."""
        return contextlib.nullcontext()

    def _sum(self, value: float, first_alone: bool) -> float:
        return float(self._sum_function(tf.constant(value), tf.constant(first_alone)))

    def _sum_over_replicas(self, value: tf.Tensor, first_alone: tf.Tensor) -> tf.Tensor:
        """The sum of each replica's value, or the value of the first replica alone."""

        def own() -> tf.Tensor:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            return tf.where(first_alone & (replica != 0), 0.0, value)

        values = self.strategy.run(own)
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)


def distributed_iterator(strategy: tf.distribute.Strategy, make_batches: MakeBatches) -> Any:
    """An iterator of per-replica batches, to call `next` on inside the compiled loop.

    Args:
      strategy: The strategy of the run.
      make_batches: See `Loop`.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return iter(make_batches(1, [0]))

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * count
        return make_batches(replicas, list(range(first, first + count)))

    return iter(strategy.distribute_datasets_from_function(pipeline))


def make_train_loop(
    step: Step,
    strategy: tf.distribute.Strategy,
    jit_compile: bool | None = None,
) -> Any:
    """The compiled loop `(iterator, num_steps) -> [steps done, number of values]`.

    It ends early after a step with a value that is not finite, so that the last row shows which
    value it was. `num_steps` is an int32 tensor: any number of steps uses the same trace.

    Args:
      step: From one element of the iterator to float32 [number of values]; runs on each replica.
      strategy: The strategy of the run.
      jit_compile: Whether to compile a step with XLA; None = only on GPU and TPU.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.engine.tensorflow import make_train_loop
      >>> class Double:
      ...     names = ["doubled"]
      ...     def __call__(self, batch):
      ...         return tf.stack([2.0 * batch])
      >>> loop = make_train_loop(Double(), tf.distribute.get_strategy(), jit_compile=False)
      >>> batches = iter(tf.data.Dataset.from_tensor_slices([1.0, 2.0, 3.0]))
      >>> loop(batches, tf.constant(2)).numpy().tolist()
      [[2.0], [4.0]]
    """
    if jit_compile is None:
        jit_compile = not on_cpu()

    @tf.function
    def train_loop(iterator: Any, num_steps: tf.Tensor) -> tf.Tensor:
        step_fn = _step_function(step, jit_compile)
        history = tf.TensorArray(tf.float32, size=num_steps, dynamic_size=False)
        done = tf.constant(0)
        finite = tf.constant(True)
        while done < num_steps and finite:
            values = strategy.run(step_fn, args=(next(iterator),))
            values = strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)
            history = history.write(done, values)
            finite = tf.reduce_all(tf.math.is_finite(values))
            done += 1
        return history.gather(tf.range(done))

    return train_loop


# Only the loop needs AutoGraph: translating everything that a step calls would take twice as long
# as tracing it.
@tf.autograph.experimental.do_not_convert
def _step_function(step: Step, jit_compile: bool) -> Callable[[Any], tf.Tensor]:
    """The step in the context variables of this thread: threads of replicas do not inherit them."""
    context = contextvars.copy_context()

    @tf.autograph.experimental.do_not_convert
    def step_fn(batch: Any) -> tf.Tensor:
        return context.copy().run(step, batch)

    return tf.function(step_fn, jit_compile=True, autograph=False) if jit_compile else step_fn
