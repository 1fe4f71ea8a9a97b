"""`compare_gan export`: networks for use without this library or without its runner."""

import logging
import os

from compare_gan import files, paths
from compare_gan.errors import UserError
from compare_gan.hub import saved_model
from compare_gan.training.restored import RestoredModel

_log = logging.getLogger(__name__)

_KERAS = ".keras"


def export(model: RestoredModel, path: str, discriminator: bool = False) -> list[str]:
    """Writes the generator and, if requested, the discriminator.

    Standing statistics are accumulated first, unless the generator keeps its own.

    Args:
      model: The model, as `RunDir.load` returns it.
      path: With the ending `.keras`, a Keras file, which loads where `compare_gan` is installed and
        does not clip images, see `architectures.base.Generator`.
        Otherwise a directory for a SavedModel, which loads with TensorFlow alone; under JAX another
        process writes it, with TensorFlow. Its signature
        `serving_default` takes `z` [n, z_dim] and, if the model is conditional, `labels`
        [n, num_classes] (one-hot, soft, or zeros for no label), and returns `images`
        [n, H, W, C] in [0, 1]; all float32.
      discriminator: Also write the discriminator network: next to the Keras file as
        `<name>_discriminator.keras`, or in the SavedModel as the signature `discriminate`, from
        `images` and `labels` to `logits` [n, 1] and `features` [n, f]. It does not contain the
        heads that a GAN adds to it, such as S3GAN's projection.

    Returns:
      The paths of the files or directories written.

    Raises:
      UserError: A path exists already, or a SavedModel is requested without TensorFlow.

    Example:
      >>> from compare_gan.hub import export
      >>> from compare_gan.training import RunDir
      >>> model = RunDir("runs/s3gan").load()  # doctest: +SKIP
      >>> export(model, "generator.keras")  # doctest: +SKIP
      ['generator.keras']
    """
    path = os.path.normpath(path)
    networks = {path: model.sampler.network}
    if path.endswith(_KERAS) and discriminator:
        neighbour = f"{path.removesuffix(_KERAS)}_discriminator{_KERAS}"
        networks[neighbour] = model.state.gan.discriminator
    for taken in filter(os.path.exists, networks):
        raise UserError(f"'{taken}' exists already: choose another --out.")
    if not path.endswith(_KERAS):
        saved_model.check_installed()
    model.sampler.prepare()
    if path.endswith(_KERAS):
        for target, network in networks.items():
            with files.atomic(target, keep_ending=True) as temporary:  # Keras asks for it.
                network.save(temporary)
    else:
        with files.atomic(path) as temporary:
            saved_model.save(
                model.sampler, model.state.gan.discriminator if discriminator else None, temporary
            )
        if paths.is_pattern(path):
            _log.warning(
                "TensorFlow takes '%s' for a pattern and cannot load it under this name: rename it "
                "without *, ?, [ and \\ (the files are complete), or load it through a link.",
                path,
            )
    return list(networks)
