"""The bindings for StudioGAN's loss, penalties, augmentations and optimization."""

from collections.abc import Iterator

from compare_gan import registry
from compare_gan.errors import UserError, with_known_names
from compare_gan.hub.studiogan.settings import Binding, Settings
from compare_gan.losses import decides_at_zero, is_mean_over_images

_LOSSES = {
    "vanilla": "non_saturating",
    "logistic": "non_saturating",
    "least_square": "ls_gan",
    "hinge": "hinge",
    "wasserstein": "wasserstein",
    "MH": "multi_hinge",
}
_ADA_POLICIES = {
    "blit": "blit",
    "geom": "geometry",
    "color": "color",
    "filter": "filter",
    "noise": "noise",
    "cutout": "cutout",
    "bg": "blit,geometry",
    "bgc": "blit,geometry,color",
    "bgcf": "blit,geometry,color,filter",
    "bgcfn": "blit,geometry,color,filter,noise",
    "bgcfnc": "blit,geometry,color,filter,noise,cutout",
}


def _name_of_loss(settings: Settings) -> str:
    """StudioGAN's name of the loss.

    Raises:
      UserError: It has no counterpart.
    """
    name = "MH" if settings["MODEL.d_cond_mtd"] == "MH" else settings["LOSS.adv_loss"]
    if name not in _LOSSES:
        sentence = f"{settings.name}: the loss '{name}' has no counterpart."
        raise UserError(with_known_names(sentence, str(name), _LOSSES))
    return name


def loss(settings: Settings, missing: list[str]) -> Iterator[Binding]:
    """The adversarial loss, latent optimization, top-k."""
    settings["LOSS.adv_loss"]
    name = _name_of_loss(settings)
    matches = settings.is_on("LOSS.apply_fm", "LOSS.fm_lambda")
    if name == "MH":
        yield "ModularGAN.loss", "@multi_hinge()"
        yield "multi_hinge.g_weight", str(settings.number("LOSS.mh_lambda", 0.05))
        matching = settings.number("LOSS.fm_lambda", 1.0) if matches else 0.0
        yield "multi_hinge.feature_matching", str(matching)
    else:
        yield "loss.fn", f"@{_LOSSES[name]}"
    options = {
        "alpha": "lo_alpha",
        "beta": "lo_beta",
        "rate": "lo_rate",
        "cost_weight": "lo_lambda",
    }
    keys = [f"LOSS.{key}" for key in (*options.values(), "lo_steps4train", "lo_steps4eval")]
    if settings.is_on("LOSS.apply_lo", *keys):
        yield "ModularGAN.latent_optimization", "@latent_optimization()"
        for option, key in options.items():
            if settings[f"LOSS.{key}"] is not None:
                yield f"latent_optimization.{option}", str(settings.number(f"LOSS.{key}"))
        # StudioGAN takes one step whatever it is asked for, and limits latents, not steps.
        settings["LOSS.lo_steps4train"]
        yield "latent_optimization.max_step", "None"
        yield "latent_optimization.max_latent", "1.0"
    if settings.is_on("LOSS.apply_topk", "LOSS.topk_gamma", "LOSS.topk_nu"):
        gamma = settings.number("LOSS.topk_gamma", 0.99)
        final = settings.number("LOSS.topk_nu", 0.5)
        if not is_mean_over_images(registry.get("loss", _LOSSES[name])):
            missing.append(f"LOSS.apply_topk: the loss '{name}' is not a mean over images")
            return
        yield "ModularGAN.top_k", "@top_k/exponential_decay()"
        yield "top_k/exponential_decay.rate", str(gamma)
        yield "top_k/exponential_decay.final", str(final)
        yield "top_k/exponential_decay.steps", "1000"
        yield "top_k/exponential_decay.staircase", "True"
        missing.append("LOSS.topk_gamma: it acts every 1,000 steps here, not in each epoch")


def penalties(settings: Settings, missing: list[str]) -> Iterator[Binding]:
    """Penalties with their weights; those that see images in [-1, 1] there are rescaled."""
    chosen: list[tuple[str, dict[str, str]]] = []

    def add(part: str, /, **options: float | int | str) -> None:
        chosen.append((part, {option: str(value) for option, value in options.items()}))

    def is_on(switch: str, *options: str) -> bool:
        return settings.is_on(f"LOSS.apply_{switch}", *(f"LOSS.{option}" for option in options))

    for short, name in (("gp", "wgangp_penalty"), ("dra", "dragan_penalty")):
        if is_on(short, f"{short}_lambda"):
            weight = settings.number(f"LOSS.{short}_lambda", 10.0)
            add(f"{short}/function_penalty", fn=f"@{name}", name=repr(short), weight=weight)
            missing.append(
                f"LOSS.apply_{short}: slopes are those for images in [0, 1], twice as large as for "
                "[-1, 1]"
            )
    if is_on("maxgp", "maxgp_lambda"):
        # The gradient with respect to images in [0, 1] is twice as large.
        add("max_gp", weight=settings.number("LOSS.maxgp_lambda", 1.0) / 4)
    if settings.is_on("LOSS.apply_cr", "LOSS.cr_lambda", "AUG.cr_aug_type"):
        add("cr", weight=settings.number("LOSS.cr_lambda", 10.0))
    if settings.is_on("LOSS.apply_bcr", "LOSS.real_lambda", "LOSS.fake_lambda", "AUG.bcr_aug_type"):
        weights = [settings.number(f"LOSS.{each}_lambda", 10.0) for each in ("real", "fake")]
        add("bcr", weight=weights[0])
        if weights[0] != weights[1]:
            missing.append(f"LOSS.fake_lambda = {weights[1]}: bcr has one weight")
    if is_on("zcr", "d_lambda", "g_lambda", "radius"):
        # Squared distances of images in [0, 1] are a quarter of those in [-1, 1].
        add("zcr", weight_d=settings.number("LOSS.d_lambda", 20.0),
            weight_g=4 * settings.number("LOSS.g_lambda", 0.5),
            sigma=settings.number("LOSS.radius", 0.05))  # fmt: skip
    if is_on("lecam", "lecam_lambda", "lecam_start_iter", "lecam_ema_decay"):
        add("lecam", weight=settings.number("LOSS.lecam_lambda", 0.3),
            start_step=settings.integer("LOSS.lecam_start_iter", 1000),
            decay=settings.number("LOSS.lecam_ema_decay", 0.99))  # fmt: skip
    if is_on("r1_reg", "r1_place", "r1_lambda"):
        settings["LOSS.r1_place"]
        add("r1", gamma=settings.number("LOSS.r1_lambda", 10.0) / 4,
            interval=settings.integer("STYLEGAN.d_reg_interval", 1))  # fmt: skip
    if settings.is_on("STYLEGAN.apply_pl_reg", "STYLEGAN.pl_weight"):
        # Squared lengths are a quarter of those for images in [-1, 1].
        add("path_length", weight=4 * settings.number("STYLEGAN.pl_weight", 2.0),
            interval=settings.integer("STYLEGAN.g_reg_interval", 4))  # fmt: skip
    if chosen:
        yield "ModularGAN.penalties", "[" + ", ".join(f"@{name}()" for name, _ in chosen) + "]"
    for name, options in chosen:
        yield from ((f"{name}.{option}", value) for option, value in options.items())


def augmentations(settings: Settings, missing: list[str]) -> Iterator[Binding]:
    """DiffAugment, ADA, APA."""
    chosen: list[tuple[str, dict[str, str]]] = []
    if settings.is_on("AUG.apply_diffaug", "AUG.diffaug_type"):
        chosen.append(("diff_augment", {"policy": "'color,translation,cutout'"}))
    loss_name = _name_of_loss(settings)
    for name in ("ada", "apa"):
        keys = ["target", "kimg", "interval", "initial_augment_p"]
        keys += ["aug_type"] if name == "ada" else []
        if not settings.is_on(f"AUG.apply_{name}", *(f"AUG.{name}_{key}" for key in keys)):
            continue
        options = {
            "target": str(settings.number(f"AUG.{name}_target", 0.6)),
            "images": str(int(1000 * settings.number(f"AUG.{name}_kimg", 500))),
            "interval": str(settings.integer(f"AUG.{name}_interval", 4)),
        }
        first = settings.number(f"AUG.{name}_initial_augment_p", 0.0)
        if first != 0:
            missing.append(f"AUG.{name}_initial_augment_p = {first}: it begins at 0 here")
        if not decides_at_zero(registry.get("loss", _LOSSES[loss_name])):
            missing.append(
                f"AUG.apply_{name}: its probability follows the signs of logits, which do not "
                f"separate real from generated images with the loss '{loss_name}'"
            )
            continue
        if name == "ada":
            policy = settings["AUG.ada_aug_type"] or "bgc"
            if policy not in _ADA_POLICIES:
                sentence = f"{settings.name}: ADA's policy '{policy}' has no counterpart."
                raise UserError(with_known_names(sentence, str(policy), _ADA_POLICIES))
            options["policy"] = repr(_ADA_POLICIES[policy])
        chosen.append((name, options))
    if chosen:
        yield "ModularGAN.augmentations", "[" + ", ".join(f"@{name}()" for name, _ in chosen) + "]"
    for name, options in chosen:
        yield from ((f"{name}.{option}", value) for option, value in options.items())


def optimization(settings: Settings, missing: list[str]) -> Iterator[Binding]:
    """Steps, batches, learning rates, optimizer, average of the weights, precision."""
    yield "options.training_steps", str(settings.integer("OPTIMIZATION.total_steps"))
    parts = settings.integer("OPTIMIZATION.acml_steps")
    yield "options.batch_size", str(parts * settings.integer("OPTIMIZATION.batch_size"))
    if parts > 1:
        yield "run_config.microbatches", str(parts)
    yield "options.disc_iters", str(settings.integer("OPTIMIZATION.d_updates_per_step"))
    yield "ModularGAN.g_lr", str(settings.number("OPTIMIZATION.g_lr"))
    yield "ModularGAN.d_lr", str(settings.number("OPTIMIZATION.d_lr"))
    yield from _optimizer(settings)
    interval = settings["STYLEGAN.g_reg_interval"]
    if interval is not None and not settings["STYLEGAN.apply_pl_reg"]:
        missing.append(
            f"STYLEGAN.g_reg_interval = {interval}: it lowers the rate of the generator there, "
            "though it has no penalty"
        )
    by_decay = ("MODEL.g_ema_decay", "MODEL.g_ema_start")
    by_half_life = ("STYLEGAN.g_ema_kimg", "STYLEGAN.g_ema_rampup")
    if settings.is_on("MODEL.apply_g_ema", *by_decay, *by_half_life):
        yield "ModularGAN.g_use_ema", "True"
        if settings["STYLEGAN.g_ema_kimg"] is not None:
            half_life = int(1000 * settings.number("STYLEGAN.g_ema_kimg", 500))
            yield "ModularGAN.ema_half_life", str(half_life)
            if settings["STYLEGAN.g_ema_rampup"] is not None:
                yield "ModularGAN.ema_rampup", str(settings.number("STYLEGAN.g_ema_rampup"))
            settings["MODEL.g_ema_decay"], settings["MODEL.g_ema_start"]
        else:
            yield "ModularGAN.ema_decay", str(settings.number("MODEL.g_ema_decay", 0.9999))
            yield "ModularGAN.ema_start_step", str(settings.integer("MODEL.g_ema_start", 1000))
    if settings["RUN.mixed_precision"]:
        yield "run_config.mixed_precision", "'float16'"
    if settings["RUN.standing_statistics"]:
        yield "standardize_batch.use_moving_averages", "False"


def _optimizer(settings: Settings) -> Iterator[Binding]:
    kind = settings["OPTIMIZATION.type_"]
    if kind == "Adam":
        yield "ModularGAN.g_optimizer_fn", "@tf.train.AdamOptimizer"
        yield "tf.train.AdamOptimizer.beta1", str(settings.number("OPTIMIZATION.beta1"))
        yield "tf.train.AdamOptimizer.beta2", str(settings.number("OPTIMIZATION.beta2"))
    elif kind == "SGD":
        yield "ModularGAN.g_optimizer_fn", "@tf.train.MomentumOptimizer"
        yield (
            "tf.train.MomentumOptimizer.momentum",
            str(settings.number("OPTIMIZATION.momentum", 0)),
        )
        yield (
            "tf.train.MomentumOptimizer.use_nesterov",
            str(bool(settings["OPTIMIZATION.nesterov"])),
        )
    elif kind == "RMSprop":
        yield "ModularGAN.g_optimizer_fn", "@tf.train.RMSPropOptimizer"
        yield "tf.train.RMSPropOptimizer.decay", str(settings.number("OPTIMIZATION.alpha", 0.99))
    else:
        sentence = f"{settings.name}: the optimizer '{kind}' has no counterpart."
        raise UserError(with_known_names(sentence, str(kind), ("Adam", "SGD", "RMSprop")))
