import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.labels.backbone import BackboneOptions, make_backbone


def test_blocks_halve_the_image_and_double_the_width():
    options = BackboneOptions(width=4, units=(1, 2, 1))
    model = make_backbone(options, (28, 28, 1), seed=0)
    shapes = {name: output.shape[1:] for name, output in model.output.items()}
    assert list(shapes) == options.layers
    assert shapes == {
        "block1": (14, 14, 4),
        "block2": (7, 7, 8),
        "block3": (4, 4, 16),
        "pooled": (16,),
    }


def test_resnet_50_v2():
    options = BackboneOptions(width=64, units=(3, 4, 6, 3), bottleneck=True, stem="imagenet")
    model = make_backbone(options, (64, 64, 3), seed=0)
    assert model.output["block1"].shape[1:] == (16, 16, 256)
    assert model.output["pooled"].shape[1:] == (2048,)
    # 23.5 million, as published; Keras's ResNet has additional biases in its convolutions.
    assert model.count_params() == pytest.approx(23_564_800, rel=0.003)
    kernels = [v for v in model.trainable_variables if v.path.endswith("kernel")]
    assert len(kernels) == 1 + 3 * 16 + 4  # Stem, units, shortcuts.


def test_initial_weights_follow_from_the_seed():
    def weights(seed):
        model = make_backbone(BackboneOptions(width=4, units=(1,)), (8, 8, 1), seed)
        return np.concatenate([np.ravel(v) for v in model.get_weights()])

    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "backbone.width must be a positive integer, received 0."),
        ({"units": ()}, "backbone.units must be a list of integers, received ()."),
        ({"units": (1, 0)}, "Each of backbone.units must be a positive integer, received 0."),
        ({"stem": "smal"}, "Unknown backbone.stem 'smal'. Did you mean 'small'?"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(UserError) as error:
        BackboneOptions(**options)
    assert str(error.value).startswith(message)
