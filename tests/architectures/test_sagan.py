"""SAGAN's widths and the place of its attention; what both share with BigGAN is tested there."""

import numpy as np
import pytest
from keras import ops

from compare_gan.architectures import sagan
from compare_gan.errors import UserError
from compare_gan.layers import NonLocalBlock


def test_networks_are_those_of_the_paper():
    generator = sagan.Generator((128, 128, 3), ch=2, spectral_norm=True)
    discriminator = sagan.Discriminator((128, 128, 3), ch=2, spectral_norm=True)
    assert [block.out_channels for block in generator.blocks] == [32, 16, 8, 4, 2]
    assert [block.out_channels for block in discriminator.blocks] == [2, 4, 8, 16, 32, 32]
    assert [block.scale for block in discriminator.blocks] == 5 * ["down"] + ["none"]
    assert generator.fc.units == 16 * 32
    # 32 x 32 is the third size of the generator after the seed, the second of the discriminator.
    assert [*generator.attention, *discriminator.attention] == ["B3", "B2"]
    for network in (generator, discriminator):
        [attention] = [x for x in network._flatten_layers() if isinstance(x, NonLocalBlock)]
        assert attention.spectral_norm is not None


def test_attention_of_small_images_and_of_other_sizes():
    assert [*sagan.Generator((32, 32, 3), ch=2).attention] == ["B2"]
    assert [*sagan.Discriminator((32, 32, 3), ch=2).attention] == ["B1"]
    assert [*sagan.Generator((128, 128, 3), ch=2, attention_size=64).attention] == ["B4"]
    with pytest.raises(
        UserError, match=r"Discriminator\.attention_size must be .* 4, 8, 16, received 32\."
    ):
        sagan.Discriminator((32, 32, 3), attention_size=32)


def test_the_last_block_has_an_identity_shortcut():
    discriminator = sagan.Discriminator((32, 32, 3), ch=2)
    x = np.random.RandomState(0).uniform(size=(2, 32, 32, 3)).astype(np.float32)
    discriminator((x, None))
    *_, last = discriminator.blocks
    h = ops.convert_to_tensor(np.random.RandomState(1).normal(size=(2, 4, 4, 8)))
    last.conv2.kernel.assign(np.zeros(last.conv2.kernel.shape))
    np.testing.assert_array_equal(last(h), ops.cast(h, "float32"))
