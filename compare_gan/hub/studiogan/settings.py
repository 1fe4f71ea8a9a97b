"""The settings of a YAML file of StudioGAN, over its defaults."""

import contextlib
import importlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from compare_gan.errors import UserError

# A parameter and its value in gin's spelling.
Binding = tuple[str, str]

# Sections and settings that decide what is trained, with StudioGAN's defaults. None stands for its
# "N/A" and "W/O". Sections that say where and how fast it runs have no place here.
DEFAULTS: dict[str, dict[str, Any]] = {
    "DATA": {"name": "CIFAR10", "img_size": 32, "num_classes": 10},
    "MODEL": {
        "backbone": "resnet", "g_cond_mtd": None, "d_cond_mtd": None, "aux_cls_type": None,
        "normalize_d_embed": False, "d_embed_dim": None, "apply_g_sn": False, "apply_d_sn": False,
        "g_act_fn": "ReLU", "d_act_fn": "ReLU", "apply_attn": False, "attn_g_loc": None,
        "attn_d_loc": None, "z_prior": "gaussian", "z_dim": 128, "w_dim": None,
        "g_shared_dim": None, "g_conv_dim": 64, "d_conv_dim": 64, "g_depth": None, "d_depth": None,
        "apply_g_ema": False, "g_ema_decay": 0.9999, "g_ema_start": 1000, "g_init": "ortho",
        "d_init": "ortho", "info_type": None, "info_num_discrete_c": None, "info_num_conti_c": None,
        "info_dim_discrete_c": None,
    },
    "LOSS": {
        "adv_loss": "vanilla", "cond_lambda": None, "tac_dis_lambda": None, "tac_gen_lambda": None,
        "mh_lambda": None, "apply_fm": False, "fm_lambda": None, "apply_gp": False,
        "gp_lambda": None, "apply_dra": False, "dra_lambda": None, "apply_maxgp": False,
        "maxgp_lambda": None, "apply_cr": False, "cr_lambda": None, "apply_bcr": False,
        "real_lambda": None, "fake_lambda": None, "apply_zcr": False, "radius": None,
        "g_lambda": None, "d_lambda": None, "apply_wc": False, "wc_bound": None, "apply_lo": False,
        "lo_rate": None, "lo_steps4train": None, "lo_steps4eval": None, "lo_alpha": None,
        "lo_beta": None, "lo_lambda": None, "apply_topk": False, "topk_gamma": None,
        "topk_nu": None, "apply_r1_reg": False, "r1_place": None, "r1_lambda": None,
        "m_p": None, "temperature": None, "apply_lecam": False, "lecam_lambda": None,
        "lecam_start_iter": None, "lecam_ema_decay": None, "infoGAN_loss_discrete_lambda": None,
        "infoGAN_loss_conti_lambda": None,
    },
    "OPTIMIZATION": {
        "type_": "Adam", "batch_size": 64, "acml_steps": 1, "g_lr": 0.0002, "d_lr": 0.0002,
        "g_weight_decay": 0.0, "d_weight_decay": 0.0, "momentum": None, "nesterov": None,
        "alpha": None, "beta1": 0.5, "beta2": 0.999, "d_first": True, "g_updates_per_step": 1,
        "d_updates_per_step": 5, "total_steps": 100_000,
    },
    "PRE": {"apply_rflip": True},
    "AUG": {
        "apply_diffaug": False, "diffaug_type": "diffaug", "apply_ada": False,
        "ada_aug_type": None, "ada_initial_augment_p": None, "ada_target": None, "ada_kimg": None,
        "ada_interval": None, "apply_apa": False, "apa_initial_augment_p": None,
        "apa_target": None, "apa_kimg": None, "apa_interval": None, "cr_aug_type": "cr",
        "bcr_aug_type": "bcr",
    },
    "STYLEGAN": {
        "g_reg_interval": None, "d_reg_interval": None, "mapping_network": None,
        "style_mixing_p": None, "g_ema_kimg": None, "g_ema_rampup": None, "apply_pl_reg": False,
        "pl_weight": None, "d_architecture": None, "d_epilogue_mbstd_group_size": None,
    },
    "RUN": {"mixed_precision": False, "standing_statistics": False},
}  # fmt: skip


class Settings:
    """What a YAML file sets, over StudioGAN's defaults; remembers which settings were read.

    Args:
      text: The YAML file.
      name: Its name, for messages.

    Raises:
      UserError: It is not YAML of StudioGAN's form, or PyYAML is not installed.

    Example:
      >>> from compare_gan.hub.studiogan.settings import Settings
      >>> settings = Settings("MODEL: {backbone: big_resnet, g_cond_mtd: W/O}")
      >>> settings["MODEL.backbone"], settings["MODEL.g_cond_mtd"], settings["MODEL.z_dim"]
      ('big_resnet', None, 128)
    """

    def __init__(self, text: str, name: str = "config.yaml"):
        self.name = name
        self._given = dict(_entries(_parsed(text, name), name))
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        """The value of a setting `SECTION.name`; None where StudioGAN has "N/A" or "W/O"."""
        section, name = key.split(".")
        default = DEFAULTS[section][name]
        self._read.add(key)
        return self._given.get(key, default)

    def is_on(self, switch: str, *options: str) -> bool:
        """Whether a switch is on; if not, its options have no effect and count as read."""
        if not self[switch]:
            self._read.update(options)
        return bool(self[switch])

    def number(self, key: str, default: float | None = None) -> float:
        """A numeric setting, or `default` where it is absent.

        PyYAML takes `1e-4`, which has no point, for text.

        Raises:
          UserError: It is not a finite number, or absent without a default.
        """
        given = self[key]
        value = default if given is None else given
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = float(value)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            raise UserError(f"{self.name}: {key} must be a number, received {given!r}.")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """As `number`, of an integer."""
        value = self.number(key, default)
        if value != int(value):
            raise UserError(f"{self.name}: {key} must be an integer, received {self[key]!r}.")
        return int(value)

    def integers(self, key: str) -> list[int]:
        """A setting of one integer or a list of them; none where it is absent.

        Raises:
          UserError: It is something else.
        """
        given = self[key]
        values = given if isinstance(given, list) else [] if given is None else [given]
        if not all(type(value) is int for value in values):
            raise UserError(f"{self.name}: {key} must be a list of integers, received {given!r}.")
        return values

    def left(self) -> Iterator[tuple[str, Any]]:
        """The given settings that nobody has read, and that differ from StudioGAN's defaults."""
        for key, value in self._given.items():
            section, name = key.split(".")
            default = DEFAULTS[section].get(name)
            # A switch that is off, whether StudioGAN's default is known or not.
            is_off = value is None or (value is False and default in (None, False))
            if key not in self._read and value != default and not is_off:
                yield key, value


def _parsed(text: str, name: str) -> Any:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise UserError(
            "To read YAML, PyYAML must be installed: pip install 'compare_gan[studiogan]'."
        ) from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        # Parsers explain on several lines, of which the last names the place.
        where = str(getattr(error, "problem_mark", None) or "").strip()
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{name} is not YAML: {reason} {where}".rstrip() + ".") from None


def _entries(content: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The settings of the sections that decide what is trained, by `SECTION.name`."""
    if not isinstance(content, Mapping) or not DEFAULTS.keys() & content.keys():
        raise UserError(
            f"{name} is not a config of StudioGAN: it has none of the sections "
            f"{', '.join(DEFAULTS)}."
        )
    for section in DEFAULTS.keys() & content.keys():
        settings = content[section]
        if not isinstance(settings, Mapping):
            raise UserError(f"{name}: the section {section} must have settings by name.")
        for setting, value in settings.items():
            # Of RUN, most settings say where and how fast StudioGAN runs.
            if section != "RUN" or setting in DEFAULTS["RUN"]:
                yield f"{section}.{setting}", None if _is_absent(value) else value


def _is_absent(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_absent, value))
    return value is None or value in ("N/A", "W/O")
