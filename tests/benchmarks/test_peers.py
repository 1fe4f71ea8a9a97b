"""The PyTorch networks that speed is measured against do what ours do."""

import pathlib
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is in the extra `bench`")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))

import train_step
from peers.torch_training import TorchTrainer, copy_weights


def _bindings(name):
    return [
        "options.batch_size = 4",
        "options.z_dim = 8",
        f"{name}.Generator.ch = 8",
        f"{name}.Discriminator.ch = 8",
    ]


@pytest.mark.parametrize("name", train_step.PEERS)
def test_losses_of_three_steps_are_ours(name):
    *times, differences = train_step.compare_with_torch(
        name, 3, _bindings(name), make_peer=lambda name, gan, batch: TorchTrainer(name, gan)
    )
    assert [len(each) for each in times] == [3, 3]
    # Adam's first steps are nearly signs of gradients, which enlarges rounding errors.
    assert differences[0] < 1e-5
    assert max(differences) < 1e-3


@pytest.mark.parametrize("name", train_step.PEERS)
def test_all_weights_are_copied(name, tmp_path):
    gan = train_step.make_trainer(name, str(tmp_path), _bindings(name)).gan
    peer = TorchTrainer(name, gan)
    for ours, theirs in ((gan.generator, peer.generator), (gan.discriminator, peer.discriminator)):
        count = sum(np.prod(v.shape) for v in ours.trainable_variables)
        assert count == sum(p.numel() for p in theirs.parameters())
    peer.generator.extra = peer.generator.g_fc1 if name == "sndcgan" else peer.generator.fc_noise
    peer.generator.register_buffer("unknown", peer.generator.extra.bias.clone())
    with pytest.raises(ValueError, match="unknown"):
        copy_weights(gan.generator, peer.generator)
