"""The number of devices that the user wants this process to use (`--devices`)."""

_count: int | None = None


def set_wanted_devices(count: int) -> None:
    """Records the number, at least 1."""
    global _count
    _count = count


def wanted_devices() -> int | None:
    """The number; None = all devices that there are.

    Example:
      >>> from compare_gan import engine
      >>> engine.wanted_devices() is None
      True
    """
    return _count
