"""Start-up of every command that computes."""

import contextlib
import sys
import warnings

from PIL import Image

from compare_gan.startup import freeze_imports, prepare_engine, quick_imports


def start_engine(devices: int | None = None) -> None:
    """Chooses and prepares the engine (see `startup.prepare_engine`), with its cache on disk.

    A command that reads `run_config` changes the cache afterwards, before anything is compiled.

    Args:
      devices: See `engine.use_devices`; None = as the engine finds them.
    """
    # `datasets.image_headers.open_image` refuses what Pillow only warns of.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    # Damaged EXIF is no damage to an image.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    is_new_process = "keras" not in sys.modules
    engine = prepare_engine()
    if engine != "tensorflow":
        with quick_imports(engine):
            _hide_tensorflow_from_keras()
    if is_new_process:
        freeze_imports()
    from compare_gan.engine import use_compilation_cache, use_devices

    if devices is not None:
        use_devices(devices)

    use_compilation_cache()


def _hide_tensorflow_from_keras() -> None:
    """Prevents Keras from importing TensorFlow under another engine, only because it is there.

    Setting a seed or saving a model does that: it takes seconds, and memory of the GPUs.
    """
    # This is private in Keras: a version without it only starts more slowly.
    with contextlib.suppress(ImportError, AttributeError):
        from keras.src.utils import module_utils

        module_utils.tensorflow._available = False
