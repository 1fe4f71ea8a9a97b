"""Options of networks that names and shapes of their variables show, as gin bindings."""

import inspect
import re
from collections.abc import Mapping

import keras

from compare_gan.hub.weights_source import GraphFacts
from compare_gan.layers import SpectralNorm

Shapes = Mapping[str, tuple[int, ...]]


def latent_and_labels(
    cls: type, shapes: Shapes, z_in: int, facts: GraphFacts, num_classes: int | None
) -> tuple[int, dict[str, object], int | None]:
    """Options of latent and labels.

    Args:
      cls: Class of the generator.
      shapes: Shapes of all variables by name.
      z_in: Number of inputs of its first dense layer.
      facts: Facts that the saved graph shows.
      num_classes: Number of classes, used where the variables do not show it.

    Returns:
      The dimension of z, the options of `cls`, the number of classes (None if unconditional).
    """
    generator = {name: shape for name, shape in shapes.items() if name.startswith("generator/")}
    embed_y = "generator/embed_y/kernel"
    y_in = _shape_of(generator, r"^generator/(?!final_norm/).*condition/gamma/kernel$")[0]
    y_final = _shape_of(generator, r"/final_norm/condition/gamma/kernel")[0]
    shown = (
        _shape_of(shapes, embed_y)[0]
        or _shape_of(shapes, "discriminator/embedding_fc/kernel")[0]
        or _shape_of(shapes, "discriminator_projection/kernel")[0]
        or _shape_of(shapes, "discriminator_predictor/predictor_linear/kernel")[1]
        or y_final
    )
    # The family's default, unless something else is known. In published models a block gets 20
    # dimensions of z, or at least 120 where all blocks see the same z.
    hierarchical = bool(defaults(cls).get("hierarchical_z")) and z_in < 64
    if y_in and not shown:
        shown = num_classes or (y_in - z_in if hierarchical else y_in)
    y_dim = _shape_of(shapes, embed_y)[1] or shown or 0
    # Without a hidden layer the layer of gamma sees z.
    z_final = (
        _shape_of(generator, "/final_norm/sbn/hidden/kernel")[0]
        or _shape_of(generator, "/final_norm/sbn/gamma/kernel")[0]
    )
    if y_in:
        hierarchical = y_in == z_in + y_dim
    elif z_final and "hierarchical_z" in defaults(cls):
        hierarchical = z_final != z_in
    if facts.z_dim:
        z_dim, hierarchical = facts.z_dim, hierarchical and facts.z_dim != z_in
    elif hierarchical:
        z_dim = z_in * (1 + len({name.split("/")[1] for name in generator if "/B" in name}))
    else:
        # In BigGAN-deep every layer that sees z sees y too.
        z_dim = z_in - y_dim if y_in and y_in == z_in != y_dim else z_in
    options: dict[str, object] = {
        "hierarchical_z": hierarchical,
        "embed_z": "generator/embed_z/kernel" in generator,
        "embed_y": embed_y in generator,
        "embed_y_dim": _shape_of(generator, embed_y)[1],
        "embed_bias": bool(_shape_of(generator, r"generator/embed_[yz]/bias")[0]),
    }
    return z_dim, options, shown or None


def normalizations(scope: str, variables: Shapes) -> list[str]:
    """Bindings of the normalizations of `G` or `D`."""
    # BigGAN's last normalization does not depend on the option.
    names = {n: s for n, s in variables.items() if "/final_norm/" not in n}
    bindings = []
    if _shape_of(names, r"/condition/gamma/kernel")[0]:
        norm = "conditional_batch_norm"
        use_bias = _shape_of(names, r"/condition/gamma/bias")[0] is not None
        bindings += [f"{norm}.centered = False", f"{norm}.use_bias = {use_bias}"]
    elif _shape_of(names, r"/sbn/gamma/kernel")[0]:
        norm = "self_modulated_batch_norm"
        num_hidden = _shape_of(names, r"/sbn/hidden/kernel")[1] or 0
        bindings.append(f"{norm}.num_hidden = {num_hidden}")
    elif _shape_of(names, r"/(moving_mean|accu_mean)")[0]:
        norm = "batch_norm"
    elif _shape_of(names, r"/ln\d+/gamma")[0]:
        return ["D.layer_norm = True"]
    else:
        return []
    return [f"{scope}.batch_norm_fn = @{norm}", *bindings]


def statistics(shapes: Shapes, facts: GraphFacts) -> list[str]:
    """Bindings of `standardize_batch`."""
    # Where only weights were saved, the value of the 2019 configs.
    bindings = [f"standardize_batch.epsilon = {facts.epsilon or 1e-5}"]
    if _shape_of(shapes, r"/accu/accu_mean")[0]:
        bindings.append("standardize_batch.use_moving_averages = False")
    return bindings


def spectral_norm(shapes: Shapes) -> list[str]:
    """Bindings of spectral normalization in both networks."""
    vectors = {n.removesuffix("/u_var"): s for n, s in shapes.items() if n.endswith("/u_var")}
    bindings = [
        f"{scope}.spectral_norm = True"
        for scope, network in (("G", "generator/"), ("D", "discriminator/"))
        if any(name.startswith(network) for name in vectors)
    ]
    kernels = {n: shapes[n] for n in vectors if n in shapes}
    for side in ("left", "right", "auto"):
        norm = SpectralNorm(singular_value=side)
        if kernels and all(norm.u_shape(s) == vectors[n] for n, s in kernels.items()):
            return [*bindings, f"spectral_norm.singular_value = '{side}'"]
    return bindings


def attention(network: keras.Model, variables: Shapes) -> str | None:
    """The block that self-attention follows: "" for none, None for the default of the family."""
    channels = _shape_of(variables, "/non_local_block/conv2d_theta/kernel$")[2]
    by_default = list(getattr(network, "attention", ()))
    if channels is None:
        return "" if by_default else None
    # A block's last convolution; a bottleneck's has a scope of its own.
    last = re.compile(r"\w+/(B\d+)/(\w*conv2|conv4/1x1_conv)/bias")
    outputs = {m[1]: s[0] for n, s in variables.items() if (m := last.fullmatch(n))}
    fitting = [name for name, width in outputs.items() if width == channels]
    if not fitting or any(name in fitting for name in by_default):
        return None
    return fitting[0]


def bindings_of(network: keras.Model, options: Mapping[str, object]) -> list[str]:
    """Bindings of the width and of those options that the class of the network has."""
    cls = type(network)
    options = {"ch": getattr(network, "ch", None), **options}
    return [
        f"{cls.__module__.rsplit('.', 1)[-1]}.{cls.__name__}.{name} = {value!r}"
        for name, value in options.items()
        if name in defaults(cls) and value is not None
    ]


def defaults(cls: type) -> dict[str, object]:
    """The optional parameters of a class, its bases included, and their defaults."""
    found: dict[str, object] = {}
    for base in cls.__mro__[:-1]:
        if "__init__" in vars(base):
            signature = inspect.signature(vars(base)["__init__"]).parameters.values()
            # A subclass passes on what its base requires: such parameters have no default.
            found = {p.name: p.default for p in signature if p.default is not p.empty} | found
            if not any(p.kind == p.VAR_KEYWORD for p in signature):
                break
    return found


def _shape_of(variables: Shapes, pattern: str) -> tuple[int | None, ...]:
    """The shape of the first variable with a name that matches, filled up with None."""
    shape = next((s for name, s in variables.items() if re.search(pattern, name)), ())
    return (*shape, None, None, None, None)
