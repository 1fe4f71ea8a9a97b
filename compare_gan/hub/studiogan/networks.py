"""The bindings for StudioGAN's data, networks and use of labels."""

from collections.abc import Iterator

from compare_gan.errors import UserError, with_known_names
from compare_gan.hub.studiogan.settings import Binding, Settings

_DATASETS = {"CIFAR10": "cifar10", "CIFAR100": "tfds:cifar100"}
_IMAGENET_SIZES = (64, 128, 256, 512)
# The nearest family of architectures, by StudioGAN's name; `resnet` depends on the size.
_FAMILIES = {
    "deep_conv": "sndcgan",
    "big_resnet": "resnet_biggan",
    "big_resnet_deep_legacy": "resnet_biggan_deep",
    "big_resnet_deep_studiogan": "resnet_biggan_deep",
    "stylegan2": "stylegan2",
}
_RESNETS = {32: "resnet_cifar", 48: "resnet_stl"}
# Where all blocks are equally wide, StudioGAN's unit of widths is not the width itself.
_WIDTHS = {"resnet_cifar": (4, 2)}
_PROJECTIONS = ("PD", "SPD")
_FAMILIES_WITH_PROJECTION = ("resnet_cifar", "resnet_biggan", "resnet_biggan_deep", "stylegan2")
_INITIALIZERS = {"ortho": "orthogonal", "N02": "normal", "TN02": "truncated"}
_CONNECTIONS = {"orig": "plain", "skip": "skip", "resnet": "resnet"}


def family_of(settings: Settings) -> str:
    """The family of architectures, the first part of the names of its options.

    Raises:
      UserError: StudioGAN's backbone has no counterpart.
    """
    backbone, size = settings["MODEL.backbone"], settings.integer("DATA.img_size")
    if backbone == "resnet":
        return _RESNETS.get(size, "resnet5")
    if backbone not in _FAMILIES:
        sentence = f"{settings.name}: the backbone '{backbone}' has no counterpart."
        raise UserError(with_known_names(sentence, str(backbone), [*_FAMILIES, "resnet"]))
    return _FAMILIES[backbone]


def data(settings: Settings, missing: list[str]) -> Iterator[Binding]:
    """The data set, its size, flips."""
    name, size = settings["DATA.name"], settings.integer("DATA.img_size")
    settings["DATA.num_classes"]  # Data sets know their own.
    if name in _DATASETS:
        yield "dataset.name", repr(_DATASETS[name])
    elif name == "ImageNet" and size in _IMAGENET_SIZES:
        yield "dataset.name", repr(f"imagenet_{size}")
    else:
        yield "dataset.name", "'image_folder'"
        yield "dataset.data_dir", repr(f"data/{name}")
        yield "dataset.image_size", str(size)
        missing.append(
            f"DATA.name = {name}: put its images, a folder for each class, in data/{name}"
        )
    if settings["PRE.apply_rflip"]:
        yield "dataset.flip", "True"


def networks(settings: Settings, missing: list[str]) -> Iterator[Binding]:
    """Architectures with their widths, attention, normalization, weights."""
    family = family_of(settings)
    yield "options.architecture", f"'{family}_arch'"
    latent = {"gaussian": "normal", "uniform": "uniform"}.get(settings["MODEL.z_prior"], "normal")
    categories, continuous = _codes(settings)
    # Codes are the last coordinates of a latent here; StudioGAN appends them to it.
    z_dim = settings.integer("MODEL.z_dim") + sum(categories) + continuous
    yield "options.z_dim", str(z_dim)
    distribution = f"@tf.random.{latent}"
    if categories or continuous:
        yield "info_codes.categories", str(categories)
        yield "info_codes.continuous", str(continuous)
        yield "info_codes.latents", distribution
        if continuous and latent != "uniform":
            missing.append(
                "MODEL.info_num_conti_c: continuous codes are normal, as the latents are"
            )
        distribution = "@info_codes()"
    yield "z.distribution_fn", distribution
    yield "eval_z.distribution_fn", distribution
    if family == "stylegan2":
        yield from _stylegan2(settings)
        return
    for network, key, times in zip(
        ("Generator", "Discriminator"),
        ("g_conv_dim", "d_conv_dim"),
        _WIDTHS.get(family, (1, 1)),
        strict=True,
    ):
        # The widths of StudioGAN's deep_conv are fixed: 64 channels at the largest size.
        yield f"{family}.{network}.ch", str(times * settings.integer(f"MODEL.{key}", 64))
    if settings["MODEL.g_cond_mtd"] == "cBN":
        yield "G.batch_norm_fn", "@conditional_batch_norm"
        yield "conditional_batch_norm.centered", "True"
    else:
        yield "G.batch_norm_fn", "@batch_norm"
    yield "G.spectral_norm", str(bool(settings["MODEL.apply_g_sn"]))
    yield "D.spectral_norm", str(bool(settings["MODEL.apply_d_sn"]))
    if not settings["MODEL.apply_d_sn"]:
        missing.append("batch normalization of the discriminator, where StudioGAN has it")
    initializer = settings["MODEL.g_init"]
    if settings["MODEL.d_init"] != initializer:
        missing.append(
            f"MODEL.d_init = {settings['MODEL.d_init']}: both networks have {initializer}"
        )
    if initializer in _INITIALIZERS:
        yield "weights.initializer", repr(_INITIALIZERS[initializer])
    else:
        missing.append(f"MODEL.g_init = {initializer}")
    if family.startswith("resnet_biggan"):
        yield from _biggan(settings, family, missing)


def _codes(settings: Settings) -> tuple[list[int], int]:
    """InfoGAN's codes: numbers of values of the categorical ones, number of continuous ones.

    Raises:
      UserError: StudioGAN has no codes of this type.
    """
    kind = settings["MODEL.info_type"]
    if kind not in (None, "discrete", "continuous", "both"):
        sentence = f"{settings.name}: codes of the type '{kind}' have no counterpart."
        raise UserError(with_known_names(sentence, str(kind), ("both", "continuous", "discrete")))
    count = values = continuous = 0
    discrete = ("MODEL.info_num_discrete_c", "MODEL.info_dim_discrete_c")
    if kind in ("discrete", "both"):
        count, values = map(settings.integer, discrete)
    if kind in ("continuous", "both"):
        continuous = settings.integer("MODEL.info_num_conti_c")
    for key in (*discrete, "MODEL.info_num_conti_c"):
        settings[key]  # Without effect on codes of the other type.
    return count * [values], continuous


def _biggan(settings: Settings, family: str, missing: list[str]) -> Iterator[Binding]:
    for network, key in (("Generator", "attn_g_loc"), ("Discriminator", "attn_d_loc")):
        is_on = settings.is_on("MODEL.apply_attn", f"MODEL.{key}")
        blocks = settings.integers(f"MODEL.{key}") if is_on else []
        if family == "resnet_biggan":
            value = ",".join(f"B{block}" for block in blocks)
            yield f"{family}.{network}.blocks_with_attention", repr(value)
        else:
            missing.append(f"MODEL.{key} = {blocks}: BigGAN-deep has attention at 64x64 here")
    yield f"{family}.Generator.embed_y", str(settings["MODEL.g_shared_dim"] is not None)
    if settings["MODEL.g_shared_dim"] is not None:
        yield f"{family}.Generator.embed_y_dim", str(settings.integer("MODEL.g_shared_dim"))
    if family == "resnet_biggan":
        has_codes = settings["MODEL.info_type"] is not None
        yield f"{family}.Generator.hierarchical_z", str(not has_codes)
        if has_codes:
            missing.append("MODEL.info_type: all of the latent enters the first layer only")


def _stylegan2(settings: Settings) -> Iterator[Binding]:
    for key in ("g_conv_dim", "d_conv_dim", "g_act_fn", "d_act_fn", "g_init", "d_init"):
        settings[f"MODEL.{key}"]  # Fixed in StyleGAN2.
    if settings["MODEL.w_dim"] is not None:
        yield "stylegan2.Generator.w_dim", str(settings.integer("MODEL.w_dim"))
    if settings["STYLEGAN.mapping_network"] is not None:
        layers = settings.integer("STYLEGAN.mapping_network")
        yield "stylegan2.Generator.mapping_layers", str(layers)
    yield "stylegan2.Generator.style_mixing", str(settings.number("STYLEGAN.style_mixing_p", 0.9))
    connections = _CONNECTIONS.get(settings["STYLEGAN.d_architecture"])
    if connections:
        yield "stylegan2.Discriminator.connections", repr(connections)
    if settings["STYLEGAN.d_epilogue_mbstd_group_size"] is not None:
        group = settings.integer("STYLEGAN.d_epilogue_mbstd_group_size")
        yield "stylegan2.Discriminator.group_size", str(group)


def conditioning(settings: Settings, missing: list[str]) -> Iterator[Binding]:
    """Labels: whether networks get them, projection, auxiliary classifiers, contrast; codes."""
    generator, discriminator = settings["MODEL.g_cond_mtd"], settings["MODEL.d_cond_mtd"]
    conditional = bool(generator or discriminator)
    projects = discriminator in _PROJECTIONS
    tasks: list[tuple[str, dict[str, str]]] = []
    weight = settings.number("LOSS.cond_lambda", 1.0)
    both = {"weight_d": str(weight), "weight_g": str(weight)}
    kind = settings["MODEL.aux_cls_type"]
    if discriminator == "AC" and kind == "TAC":
        if weight != 1:
            missing.append(
                f"LOSS.cond_lambda = {weight}: the weights of both classifiers are equal"
            )
        weights = [settings.number(f"LOSS.tac_{each}_lambda", 1.0) for each in ("dis", "gen")]
        tasks.append(("tac_gan", {"weight_d": str(weights[0]), "weight_g": str(weights[1])}))
    elif discriminator == "AC" and kind == "ADC":
        tasks.append(("adc_gan", both))
    elif discriminator == "AC":
        # StudioGAN's classifier learns from real images only.
        tasks.append(("ac_gan", both | {"weight_d_fake": "0.0"}))
    elif discriminator in ("2C", "D2DCE"):
        options = dict(both)
        if settings["MODEL.d_embed_dim"] is not None:
            options["dimension"] = str(settings.integer("MODEL.d_embed_dim"))
        options["temperature"] = str(settings.number("LOSS.temperature", 1.0))
        settings["MODEL.normalize_d_embed"]  # Cosines are invariant to it.
        if discriminator == "D2DCE":
            options["margin"] = str(settings.number("LOSS.m_p", 0.98))
            options["relative_to_largest"] = "True"  # StudioGAN's form of the loss.
        tasks.append(("contra_gan" if discriminator == "2C" else "reacgan", options))
    elif discriminator and not projects and discriminator != "MH":
        missing.append(f"MODEL.d_cond_mtd = {discriminator}")
    info = {"weight": "discrete", "weight_continuous": "conti"}
    keys = {option: f"LOSS.infoGAN_loss_{kind}_lambda" for option, kind in info.items()}
    if settings.is_on("MODEL.info_type", *keys.values()):
        tasks.append(("info", {o: str(settings.number(key, 1.0)) for o, key in keys.items()}))
    has_option = family_of(settings) in _FAMILIES_WITH_PROJECTION
    # Other discriminators have no projection of their own; S3GAN adds one to any.
    gan = "S3GAN" if projects and not has_option else "ModularGAN"
    yield "options.gan_class", f"@{gan}"
    yield "ModularGAN.conditional", str(conditional)
    if gan == "S3GAN":
        yield "S3GAN.project_y", "True"
        yield "S3GAN.self_supervision", "'none'"
    elif conditional and has_option:
        yield f"{family_of(settings)}.Discriminator.project_y", str(projects)
    if tasks:
        yield "ModularGAN.tasks", "[" + ", ".join(f"@{name}()" for name, _ in tasks) + "]"
    for name, options in tasks:
        yield from ((f"{name}.{option}", value) for option, value in options.items())
