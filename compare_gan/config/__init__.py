"""Gin configs: parsing, where a binding is written, messages about mistakes."""

from compare_gan.config.messages import ConfigError
from compare_gan.config.names import example_configs, find_config
from compare_gan.config.parsing import is_bound, load_all_parts, parse, told

__all__ = [
    "ConfigError",
    "example_configs",
    "find_config",
    "is_bound",
    "load_all_parts",
    "parse",
    "told",
]
