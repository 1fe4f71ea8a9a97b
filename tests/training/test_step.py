"""One generator step against the same updates written out one by one."""

import gin
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from compare_gan.engine.tensorflow import make_train_loop
from compare_gan.penalties import Penalty
from compare_gan.training.step import TrainStep

CONFIG = """
    options.gan_class = @S3GAN
    S3GAN.conditional = True
    S3GAN.rotated_batch_fraction = 1
    S3GAN.project_y = True
    S3GAN.use_predictor = True
    ModularGAN.g_lr = 0.1
    ModularGAN.d_lr = 0.3
    ModularGAN.g_optimizer_fn = @tf.train.GradientDescentOptimizer
"""


def _make(tiny, config="", **options):
    gin.parse_config(CONFIG + config)
    return tiny.make_state(**options)


def _descend(loss_fn, variables, learning_rate):
    with tf.GradientTape() as tape:
        terms = loss_fn()
    gradients = tape.gradient(terms.total, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign(variable.value - learning_rate * gradient)
    return terms, np.sqrt(sum(np.square(g).sum() for g in gradients))


def _sub_batch(batch, i):
    return {name: value[i] for name, value in batch.items()}


@pytest.mark.parametrize("joint", (False, True))
def test_a_step_is_its_updates_one_after_the_other(tiny, joint):
    config = f"S3GAN.experimental_joint_gen_for_disc = {joint}"
    batch = tiny.make_batch(unlabelled=[1, 5])
    state, other = _make(tiny, config), _make(tiny, config)
    step = TrainStep(state)
    values = step(batch).numpy()
    values = dict(zip(step.names, values, strict=True))

    gan, sub_batches = other.gan, [_sub_batch(batch, i) for i in range(3)]
    for b in sub_batches[:2]:
        # The generator does not move meanwhile, so joint and separate fakes are the same.
        fakes = gan.fakes(b)
        d, d_norm = _descend(
            lambda b=b, fakes=fakes: gan.discriminator_loss(b, fakes),
            gan.discriminator_variables,
            0.3,
        )
    g, g_norm = _descend(lambda: gan.generator_loss(sub_batches[2]), gan.generator_variables, 0.1)

    expected = {
        f"{group}/{name}": value
        for group, values_by_name in (
            ("loss", d.parts | g.parts),
            ("accuracy", d.measures | g.measures),
        )
        for name, value in values_by_name.items()
    }
    expected |= {"loss/discriminator": d.total, "loss/generator": g.total}
    expected |= {"gradient_norm/discriminator": d_norm, "gradient_norm/generator": g_norm}
    expected |= {"fake_image_mean": np.mean(fakes)}
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    assert int(state.step) == 1
    for ours, theirs in (
        (state.gan.generator_variables, gan.generator_variables),
        (state.gan.discriminator_variables, gan.discriminator_variables),
    ):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.value, b.value, rtol=1e-5, atol=1e-6, err_msg=a.path)


@pytest.mark.parametrize("joint", (False, True))
def test_generator_runs_once_for_each_update(tiny, joint):
    """Its batch norm then moves that often."""
    state = _make(
        tiny,
        f"""
            S3GAN.experimental_joint_gen_for_disc = {joint}
            G.batch_norm_fn = @batch_norm
            ModularGAN.g_lr = 0.0
        """,
        disc_iters=3,
    )
    calls, call = [], state.gan.generator.call
    state.gan.generator.call = lambda inputs, training: (
        calls.append(inputs[0].shape[0]) or call(inputs, training)
    )
    TrainStep(state)(tiny.make_batch(disc_iters=3))
    assert calls == ([24, 8] if joint else [8, 8, 8, 8])


def test_bytes_are_images_in_0_to_1(tiny):
    batch = tiny.make_batch()
    as_bytes = np.round(255 * batch["images"]).astype(np.uint8)
    state, other = _make(tiny), _make(tiny)
    from_bytes = TrainStep(state)(batch | {"images": as_bytes})
    from_floats = TrainStep(other)(batch | {"images": as_bytes / np.float32(255)})
    np.testing.assert_allclose(from_bytes, from_floats, rtol=1e-6)


def _iterator(batches):
    """Yields the batches (a list of dicts of arrays) in turn."""
    stacked = {name: np.stack([batch[name] for batch in batches]) for name in batches[0]}
    return iter(tf.data.Dataset.from_tensor_slices(stacked))


def test_loop_is_its_steps_and_is_traced_once(tiny):
    batches = [tiny.make_batch(seed=seed) for seed in range(5)]
    state, other = _make(tiny), _make(tiny)
    step, single = TrainStep(state), TrainStep(other)
    loop = make_train_loop(step, tf.distribute.get_strategy(), jit_compile=False)
    iterator = _iterator(batches)
    history = np.concatenate([loop(iterator, tf.constant(n)) for n in (3, 2)])
    assert loop.experimental_get_tracing_count() == 1
    assert history.shape == (5, len(step.names)) and int(state.step) == 5
    for row, batch in zip(history, batches, strict=True):
        # Compiled and eager sums differ in rounding, five steps long.
        np.testing.assert_allclose(row, single(batch), rtol=1e-3, atol=1e-4)


def test_loop_compiled_by_xla_is_the_same(tiny):
    batches = [tiny.make_batch(disc_iters=1, seed=seed) for seed in range(2)]
    step, single = (TrainStep(_make(tiny, disc_iters=1)) for _ in range(2))
    loop = make_train_loop(step, tf.distribute.get_strategy(), jit_compile=True)
    history = loop(_iterator(batches), tf.constant(2))
    eager = [single(batch) for batch in batches]
    np.testing.assert_allclose(history, eager, rtol=1e-4, atol=1e-5)


def test_loop_ends_with_the_step_whose_values_are_not_finite(tiny):
    batches = [tiny.make_batch(disc_iters=1, seed=seed) for seed in range(4)]
    batches[1]["images"][:] = np.nan
    state = _make(tiny, disc_iters=1)
    step = TrainStep(state)
    loop = make_train_loop(step, tf.distribute.get_strategy(), jit_compile=False)
    history = loop(_iterator(batches), tf.constant(4)).numpy()
    assert len(history) == int(state.step) == 2
    history = dict(zip(step.names, history.T, strict=True))
    assert np.all(np.isfinite(history["loss/d_loss_real"][:1]))
    assert not np.isfinite(history["loss/d_loss_real"][-1])


class _Ones(Penalty):
    name = "ones"

    def discriminator_term(self, x):
        return tf.ones(())


@pytest.mark.parametrize("interval", (1, 2, 4))
def test_a_lazy_penalty_is_recorded_as_its_mean_over_the_updates(tiny, interval):
    """Of updates 0 to 7, every `interval`-th has it, but at intervals 2 and 4 no last one."""
    state = _make(tiny)
    state.gan.penalties = [_Ones(interval=interval)]
    step, recorded = TrainStep(state), []
    for _ in range(4):
        values = step(tiny.make_batch())
        recorded.append(float(values[step.names.index("loss/ones")]))
    assert recorded == {1: [1, 1, 1, 1], 2: [1, 1, 1, 1], 4: [2, 0, 2, 0]}[interval]


def _read_before_write(graph):
    """Pairs of a read and a later write of one variable, by the order that the graph demands."""
    nodes = {node.name: node for node in graph.node}
    pairs = set()
    for write in nodes.values():
        if not write.op.startswith("Assign"):
            continue
        before, waiting = set(), [write]
        while waiting:
            for name in waiting.pop().input:
                name = name.lstrip("^").split(":")[0]
                if name in nodes and name not in before:
                    before.add(name)
                    waiting.append(nodes[name])
        pairs |= {
            (name, write.name)
            for name in before
            if nodes[name].op == "ReadVariableOp" and nodes[name].input[0] == write.input[0]
        }
    return pairs


def test_the_graph_optimizer_keeps_reads_before_the_updates_that_follow(tiny):
    """TensorFlow's dependency optimizer let the penalty see the class predictor after its update.

    The penalty's gradients do not reach the predictor: only a control edge orders its read.
    """
    step = TrainStep(_make(tiny, "penalty.fn = @wgangp_penalty", disc_iters=1))
    compiled, batch = (
        tf.function(step, autograph=False),
        tiny.make_batch(disc_iters=1, unlabelled=[0, 1]),
    )
    context.enable_run_metadata()
    try:
        compiled(batch)
        metadata = context.export_run_metadata()
    finally:
        context.disable_run_metadata()
    graphs = max(metadata.function_graphs, key=lambda each: len(each.pre_optimization_graph.node))
    before, after = graphs.pre_optimization_graph, graphs.post_optimization_graph
    kept = {node.name for node in after.node}
    expected = {pair for pair in _read_before_write(before) if kept.issuperset(pair)}
    assert len(expected) > 20
    assert expected <= _read_before_write(after)
