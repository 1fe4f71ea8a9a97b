"""Gin configs: parsing, places of bindings, messages about mistakes."""

from compare_gan.config.messages import ConfigError
from compare_gan.config.mistakes import Mistakes
from compare_gan.config.names import example_configs, example_studies, find_config
from compare_gan.config.parsing import (
    Bindings,
    bindings_kept,
    config_text,
    is_bound,
    located,
    operative_text,
    parse,
)

__all__ = [
    "Bindings",
    "ConfigError",
    "Mistakes",
    "bindings_kept",
    "config_text",
    "example_configs",
    "example_studies",
    "find_config",
    "is_bound",
    "located",
    "operative_text",
    "parse",
]
