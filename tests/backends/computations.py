"""Computes values of the parts written in keras.ops, under the Keras backend of the environment.

`python computations.py OUT.npz` writes one array per key, `section/…`. Weights and inputs are
derived from the names of their uses, so that they are the same in every process.
"""

import functools
import os
import sys
import zlib

if (
    os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow"
):  # Makes every import of TensorFlow fail.
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "without_tensorflow"))

import compiled_checks
import keras
import numpy as np
from keras import ops

from compare_gan import backend, layers, registry
from compare_gan.architectures import dcgan, resnet5
from compare_gan.datasets import InfoCodes
from compare_gan.gans import S3GAN, SSGAN, LatentOptimization, ModularGAN
from compare_gan.gans.parts import make_parts, make_penalties
from compare_gan.gans.tasks import ContraGANTask, InfoTask, ReACGANTask
from compare_gan.gans.terms import part_name
from compare_gan.penalties import wgangp_penalty
from compare_gan.registry import call_with_requested

# For each architecture, the image size and options that make it narrow.
NETWORKS = {
    "dcgan_arch": (8, {"ch": 4}),
    "dummy_arch": (8, {}),
    "infogan_arch": (8, {"ch": 4}),
    "r3gan_arch": (8, {"ch": 8}),
    "resnet30_arch": (128, {"ch": 4, "blocks_per_size": 1}),
    "resnet5_arch": (8, {"ch": 4}),
    "resnet_biggan_arch": (32, {"ch": 2}),
    "resnet_biggan_deep_arch": (32, {"ch": 4}),
    "resnet_cifar_arch": (32, {"ch": 4}),
    "resnet_stl_arch": (48, {"ch": 4}),
    "sagan_arch": (32, {"ch": 2}),
    "sndcgan_arch": (8, {"ch": 4}),
    "stylegan2_arch": (8, {"ch": 4, "mapping_layers": 2}),
    "unet_biggan_arch": (32, {"ch": 2}),
}
_Z_DIM, _CLASSES, _BATCH = 40, 3, 2
# Penalties with a gradient of their own; the others have one together, which JAX compiles faster.
_BY_THEMSELVES = (
    "no_penalty", "wgangp_penalty", "dragan_penalty", "l2_penalty", "r1", "lecam",
)  # fmt: skip


def numbers(name: str, shape=(), low=None) -> np.ndarray:
    """float32 draws derived from the name: normal, or uniform from `low` to 1."""
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    drawn = random.normal(size=shape) if low is None else random.uniform(low, 1, size=shape)
    return np.asarray(drawn, np.float32)


def fill(*parts) -> None:
    """Assigns every weight a value derived from its path, of a scale that preserves signals."""
    for weight in (weight for part in parts for weight in part.weights):
        values = numbers(weight.path, weight.shape)
        if len(weight.shape) > 1 and weight.name != "u_var":
            values /= np.sqrt(np.prod(weight.shape[:-1]))
        elif weight.name in ("gamma", "sigma", "moving_variance"):
            values = 1 + 0.1 * np.abs(values)
        elif weight.name.startswith(("accu_", "update_")):
            continue
        weight.assign(values)


def run(fn, *args):
    """`fn(*args)`; assignments to variables are discarded.

    Compiled as a whole under JAX, which would otherwise compile every operation separately.
    """

    def stateless(*args):
        with keras.StatelessScope():
            return fn(*args)

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(stateless)(*args)
    return stateless(*args)


def build(fn, *args) -> None:
    """Creates the variables of the layers that `fn(*args)` calls; JAX only traces it."""
    if keras.backend.backend() == "jax":
        import jax

        with keras.StatelessScope():
            jax.eval_shape(fn, *args)
    else:
        fn(*args)


def gradients(fn, variables, **inputs) -> dict:
    """Gradients of the sum of `fn(*inputs)` with respect to variables and inputs, by path or name.

    Assignments that `fn` makes to variables are discarded.
    """
    tensors = {v.path: ops.convert_to_tensor(v) for v in variables} | inputs
    shapes = [tuple(tensor.shape) for tensor in tensors.values()]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes]).tolist()

    def parts(flat):
        slices = (flat[start:end] for start, end in zip([0, *ends], ends, strict=False))
        return [ops.reshape(part, shape) for part, shape in zip(slices, shapes, strict=True)]

    def at(flat):
        values = parts(flat)
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=False))):
            return fn(*values[len(variables) :])

    flat = ops.concatenate([ops.reshape(tensor, (-1,)) for tensor in tensors.values()])
    found = parts(backend.gradient(at, flat))
    return {f"grad/{key}": gradient for key, gradient in zip(tensors, found, strict=True)}


def to_numpy(x) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


def _uniform(shape):
    return ops.convert_to_tensor(numbers("uniform", tuple(shape), 0))


def compute_losses():
    real, fake = (ops.convert_to_tensor(2 * numbers(name, (8, 1))) for name in ("real", "fake"))
    inputs = {}
    for side in ("real", "fake"):
        inputs[f"{side}_labels"] = np.eye(_CLASSES, dtype=np.float32)[np.arange(8) % _CLASSES]
        for kind in ("class_logits", "features"):
            drawn = numbers(f"{side}_{kind}", (8, _CLASSES))
            inputs[f"{side}_{kind}"] = ops.convert_to_tensor(drawn)
    for name in registry.names("loss"):
        [made] = make_parts("loss", name)

        def loss(real, fake, made=made):
            return call_with_requested(functools.partial(made, real, fake), **inputs)

        def values(loss=loss):
            found = dict(loss(real, fake)._asdict())
            found["d_grad_real"] = backend.gradient(lambda x: loss(x, fake).d_loss, real)
            found["d_grad_fake"] = backend.gradient(lambda x: loss(real, x).d_loss, fake)
            found["g_grad"] = backend.gradient(lambda x: loss(real, x).g_loss, fake)
            return found

        yield from ((f"{name}/{key}", value) for key, value in run(values).items())


def compute_penalties():
    critic = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, strides=2, spectral_norm=True, name="conv"),
            layers.BatchNorm(name="norm"),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Flatten(),
            layers.Dense(1, name="dense"),
        ],
        name="critic",
    )
    generator = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(8 * 8 * 3, name="dense"),
            keras.layers.Activation("sigmoid"),
            keras.layers.Reshape((8, 8, 3)),
        ],
        name="generator",
    )
    fill(critic, generator)
    variables = critic.trainable_variables + generator.trainable_variables
    x, z = numbers("x", (4, 8, 8, 3), 0), ops.convert_to_tensor(numbers("z", (4, 5)))

    def penalty_of(term):
        x_fake = generator(z)
        return call_with_requested(
            term,
            discriminator=lambda images: critic(images, training=True),
            discriminator_of_fakes=lambda images: critic(images, training=True),
            generator=generator,
            styles=lambda z, y: z,
            synthesize=lambda z, y: generator(z),
            x=x,
            x_fake=x_fake,
            z=z,
            fake_y=None,
            real_logits=critic(x, training=True),
            fake_logits=critic(x_fake, training=True),
            logits_with_pixels=lambda images: critic(images, training=True),
            real_logits_with_pixels=critic(x, training=True),
            fake_logits_with_pixels=critic(x_fake, training=True),
            step=2000,
            uniform=_uniform,
            normal=lambda shape: ops.convert_to_tensor(numbers("normal", tuple(shape))),
            kernels=[v for v in variables if v.name == "kernel"],
        )

    groups = {}
    for penalty in make_penalties(registry.names("penalty")):
        penalty.prepare()
        if hasattr(penalty, "sigma"):  # Small noise makes squared differences of few digits.
            penalty.sigma = 1.0
        for network in ("discriminator", "generator"):
            if term := penalty.term(network):
                group = penalty.name if penalty.name in _BY_THEMSELVES else "together"
                name = f"{penalty.name}/{part_name(penalty, network)}"
                groups.setdefault(group, {})[name] = term

    for group, terms in groups.items():

        def relative_sum(terms=terms):
            values = [penalty_of(term) for term in terms.values()]
            return sum(value / (1e-3 + ops.abs(ops.stop_gradient(value))) for value in values)

        def values_and_gradients(group=group, terms=terms, total=relative_sum):
            found = {name: penalty_of(term) for name, term in terms.items()}
            grads = gradients(total, variables)
            return found | {f"{group}/{key}": value for key, value in grads.items()}

        yield from run(values_and_gradients).items()


def compute_augmentations():
    """Images after each augmentation, and the gradient of a weighted sum of them."""
    x = ops.convert_to_tensor(numbers("pixels", (3, 8, 6, 3), 0))
    weighting = ops.convert_to_tensor(numbers("weighting", x.shape))
    policy = "xint,rotate,brightness,hue,filter,cutout"
    options = {"ada": {"policy": policy, "p": 0.9}, "apa": {"p": 0.5}}
    for name in registry.names("augmentation"):
        augment = registry.get("augmentation", name)(**options.get(name, {}))

        def shown(x, augment=augment):
            normal = lambda shape: ops.convert_to_tensor(numbers("normal", shape))  # noqa: E731
            images, _ = augment.replace_real((x, None), (1.0 - x, None), _uniform, 0)
            return augment(images, _uniform, normal, 0)

        def value_and_gradient(x, shown=shown):
            slope = backend.gradient(lambda x: shown(x) * weighting, x)
            return {"images": shown(x), "gradient": slope}

        yield from ((f"{name}/{k}", value) for k, value in run(value_and_gradient, x).items())


def _layers():
    yield "dense", layers.Dense(5, name="dense"), (7,)
    for side in ("left", "right", "auto"):
        norm = layers.SpectralNorm(singular_value=side)
        yield f"dense_{side}", layers.Dense(5, spectral_norm=norm, name="dense"), (7,)
    for size, stride in ((1, 1), (3, 1), (3, 2), (4, 2), (5, 2)):
        conv = layers.Conv2D(6, size, strides=stride, spectral_norm=True, name="conv")
        yield f"conv_{size}_{stride}", conv, (7, 8, 4)
        conv = layers.Conv2D(6, size, strides=stride, groups=2, name="conv")
        yield f"grouped_{size}_{stride}", conv, (7, 8, 4)
        deconv = layers.Conv2DTranspose(6, size, strides=stride, name="deconv")
        yield f"deconv_{size}_{stride}", deconv, (7, 8, 4)
    for size in (4, 5):
        deconv = layers.Conv2DTranspose(2, size, strides=2, output_size=(7, 7), name="deconv")
        yield f"deconv_{size}_to_7", deconv, (4, 4, 3)
    for resample in ("unpool_then", "nearest_then", "then_mean_pool"):
        for size, folded in ((1, True), (3, True), (3, False)):
            conv = layers.Conv2D(6, size, resample=resample, folded=folded, name="conv")
            yield f"{resample}_{size}_{folded}", conv, (8, 8, 4)
    yield "non_local_block", layers.NonLocalBlock(spectral_norm=True), (8, 8, 16)
    for name in registry.names("normalization"):
        yield name, registry.get("normalization", name)(name=name), (8, 8, 4)
    # In each of the networks they have all scales, without gradients.
    for block, scale in (
        (layers.ResNetBlock, "up"),
        (layers.BigGanResNetBlock, "none"),
        (layers.BigGanDeepResNetBlock, "down"),
    ):
        made = block(
            4, 8, scale, scale == "up", spectral_norm=True,
            batch_norm_fn=layers.ConditionalBatchNorm, name="block",
        )  # fmt: skip
        yield f"{block.__name__}_{scale}", made, (8, 8, 4)


def compute_layers():
    z, y = (ops.convert_to_tensor(numbers(n, (_BATCH, 6))) for n in ("z", "y"))
    for name, layer, shape in _layers():
        inputs = ops.convert_to_tensor(numbers("inputs", (_BATCH, *shape)))

        def forward(x, training=True, layer=layer):
            return call_with_requested(layer, inputs=x, x=x, z=z, y=y, training=training)

        build(forward, inputs)
        fill(layer)
        behaviour = run(lambda x, f=forward, layer=layer: _behaviour(f, layer, x), inputs)
        yield from ((f"{name}/{key}", value) for key, value in behaviour.items())


def _behaviour(forward, layer, inputs) -> dict:
    inference = forward(inputs, training=False)
    outputs = forward(inputs)
    state = {f"after/{v.path}": ops.copy(v.value) for v in layer.non_trainable_variables}
    weighting = ops.convert_to_tensor(numbers("weighting", tuple(outputs.shape)))
    return (
        {"inference": inference, "training": outputs}
        | state
        | gradients(
            lambda x: ops.sum(forward(x) * weighting), layer.trainable_variables, inputs=inputs
        )
    )


def compute_standing_statistics():
    """Accumulates them eagerly, as a sampler does."""
    norm = layers.StandardizeBatch(statistics={"use_moving_averages": False}, name="norm")
    model = keras.Sequential([keras.Input((4, 4, 2)), norm])
    x, *batches = (ops.convert_to_tensor(numbers(f"x{i}", (4, 4, 4, 2))) for i in range(4))
    for name in ("first", "after_reset"):
        layers.reset_standing_statistics(model)
        with layers.accumulating_standing_statistics(model):
            for batch in batches:
                model(batch, training=False)
        yield name, model(x, training=False)
        batches.pop()
    yield from ((variable.path, variable.value) for variable in model.variables)


def compute_networks():
    """All families; `layers` has each normalization."""
    for name, (size, options) in NETWORKS.items():
        found = _network_outputs(name, (size, size, 3), options)
        yield from ((f"{name}/{output}", value) for output, value in found.items())


def _network_outputs(name, shape, options):
    z = ops.convert_to_tensor(numbers("z", (_BATCH, _Z_DIM)))
    y = ops.one_hot(ops.convert_to_tensor([0, 2]), _CLASSES, dtype="float32")
    x = ops.convert_to_tensor(numbers("x", (_BATCH, *shape), 0))
    family = registry.get("architecture", name)
    generator = family.Generator(
        image_shape=shape, batch_norm_fn="self_modulated_batch_norm", **options
    )
    discriminator = family.Discriminator(
        image_shape=shape, spectral_norm=True, layer_norm=name == "resnet5_arch", **options
    )

    # In training, resnet30's last norms divide by a batch variance that is the difference of
    # two nearly equal numbers.
    training = name != "resnet30_arch"

    def forward(z, x, y):
        images = generator((z, y), training=training)[:, ::4, ::4]
        logits, features = discriminator((x, y), training=True)
        return {"images": images, "logits": logits, "features": features}

    build(forward, z, x, y)
    fill(generator, discriminator)
    return run(forward, z, x, y)


def compute_mixed_precision():
    """Forward passes in training; numbers of results and of variables that are not float32."""
    z = ops.convert_to_tensor(numbers("z", (4, 6)))
    y = ops.one_hot(ops.convert_to_tensor([0, 2, 1, 1]), _CLASSES, dtype="float32")
    x = ops.convert_to_tensor(numbers("x", (4, 8, 8, 3), 0))
    for policy, family, normalized in (
        ("mixed_bfloat16", resnet5, {"layer_norm": True}),
        ("mixed_float16", dcgan, {"batch_norm_fn": "layer_norm"}),
    ):
        keras.config.set_dtype_policy(policy)
        options = {"image_shape": (8, 8, 3), "spectral_norm": True, "ch": 2}
        parts = (
            family.Generator(batch_norm_fn="conditional_batch_norm", **options),
            family.Discriminator(**normalized, **options),
            layers.NonLocalBlock(spectral_norm=True, name="attention"),
        )

        def forward(z, x, y, parts=parts):
            generator, discriminator, attention = parts
            images = generator((z, y), training=True)
            logits, features = discriminator((attention(x, training=True), y), training=True)
            return {"images": images, "logits": logits, "features": features} | {
                v.path: ops.copy(v.value) for v in generator.variables if "moving" in v.name
            }

        build(forward, z, x, y)
        fill(*parts)
        computed = run(forward, z, x, y)
        for key, value in computed.items():
            yield f"{policy}/{key}", ops.cast(value, "float32")
        variables = [variable for part in parts for variable in part.variables]
        for key, values in (("results", computed.values()), ("variables", variables)):
            types = [keras.backend.standardize_dtype(value.dtype) for value in values]
            yield f"{policy}/{key}", sum(dtype != "float32" for dtype in types)
    keras.config.set_dtype_policy("float32")


def compute_gan():
    """Losses on a batch of NumPy arrays; for S3GAN with a gradient penalty, and all gradients."""
    modular = ModularGAN(
        (8, 8, 3), _CLASSES, "dummy_arch", z_dim=6, conditional=True,
        tasks=[
            *("ac_gan", "tac_gan", "adc_gan"), ContraGANTask(dimension=4),
            ReACGANTask(dimension=4, relative_to_largest=True), InfoTask(InfoCodes((3,), 2)),
        ],
    )  # fmt: skip
    yield from _gan_losses("modular_gan", modular)
    ssgan = SSGAN((8, 8, 3), _CLASSES, "dummy_arch", z_dim=6, rotated_batch_size=4)
    yield from _gan_losses("ssgan", ssgan)
    s3gan = S3GAN(
        (8, 8, 3), _CLASSES, "dummy_arch", z_dim=6, conditional=True, project_y=True,
        use_predictor=True, rotated_batch_fraction=1, penalties=[wgangp_penalty],
    )  # fmt: skip
    yield from _gan_losses("s3gan", s3gan, with_gradients=True)
    logan = ModularGAN(
        (8, 8, 3), None, "dummy_arch", z_dim=6, top_k=0.5, latent_optimization=LatentOptimization(),
    )  # fmt: skip
    yield from _gan_losses("logan", logan, with_gradients=True)


def _gan_losses(name, gan, with_gradients=False):
    fill(gan.generator, gan.discriminator, *gan.heads.values())
    labels = np.eye(_CLASSES, dtype=np.float32)[[0, 2, 1, 1]]
    batch = {
        "images": numbers("images", (4, 8, 8, 3), 0),
        "z": numbers("z", (4, 6)),
        "labels": labels * np.float32([[1], [0], [1], [0]]),
        "fake_labels": labels[::-1].copy(),
        "seed": np.array([1, 2], np.int32),
    }

    def discriminator_loss():
        optimized = gan.optimized(batch)
        return gan.discriminator_loss(optimized, gan.fakes(optimized))

    for side, loss, variables in (
        ("d", discriminator_loss, gan.discriminator_variables),
        ("g", lambda: gan.generator_loss(gan.optimized(batch)), gan.generator_variables),
    ):

        def terms(loss=loss, variables=variables):
            found = {"total": loss().total} | loss().parts
            return found | gradients(lambda: loss().total, variables) if with_gradients else found

        found = run(terms)
        yield from ((f"{name}/{side}/{key}", value) for key, value in found.items())


def compute_gradients():
    x = ops.convert_to_tensor(numbers("x", (3, 2)))
    yield "of_what_ignores_x", backend.gradient(lambda x: ops.ones((3, 1)), x)
    yield "of_a_sum", backend.gradient(lambda x: ops.sum(x**3, axis=1), x)
    yield "forward", backend.directional_derivative(lambda x: ops.sum(x**3, axis=1), x, x + 1.0)
    yield "of_lgamma", backend.gradient(backend.lgamma, ops.abs(x) + 0.1)
    yield (
        "of_resizing",
        backend.gradient(
            lambda x: backend.tf1_bilinear(ops.reshape(x, (1, 3, 2, 1)), (5, 3)) ** 2, x
        ),
    )
    # Four different numbers: most windows have equal pixels.
    x = ops.convert_to_tensor(np.floor(4 * numbers("pixels", (2, 5, 6, 3), 0)))
    weighting = ops.convert_to_tensor(numbers("weighting", (2, 2, 3, 3)))
    yield "max_pool", backend.max_pool(x)
    yield "of_max_pool", backend.gradient(lambda x: backend.max_pool(x) * weighting, x)


def compute_draws():
    """Uniform draws for four seeds, the first two equal, and normal draws."""
    for i, seed in enumerate(((3, -4), (3, -4), (-4, 3), (3, 5))):
        seed = ops.convert_to_tensor(np.int32(seed))
        if keras.backend.backend() == "jax":
            yield str(i), run(lambda s: backend.batch_uniform((1000, 2), s), seed)
        else:
            yield str(i), backend.batch_uniform((1000, 2), seed)
    yield "normal", run(lambda s: backend.batch_normal((5, 3), s), seed)


def compute_compiled():
    """Checks of compiled functions, which raise an error themselves."""
    for check in compiled_checks.CHECKS:
        check()
        yield check.__name__, 1.0


SECTIONS = {
    "losses": compute_losses,
    "penalties": compute_penalties,
    "augmentations": compute_augmentations,
    "layers": compute_layers,
    "standing_statistics": compute_standing_statistics,
    "networks": compute_networks,
    "mixed_precision": compute_mixed_precision,
    "gan": compute_gan,
    "gradients": compute_gradients,
    "draws": compute_draws,
    "compiled": compute_compiled,
}


def compute() -> dict[str, np.ndarray]:
    """All arrays by key."""
    return {
        f"{section}/{key}": to_numpy(value)
        for section, compute_section in SECTIONS.items()
        for key, value in compute_section()
    }


if __name__ == "__main__":
    np.savez(sys.argv[1], **compute())
