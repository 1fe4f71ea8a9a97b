"""The PyTorch networks of the speed comparison compute the same as ours."""

import pathlib
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is in the extra `bench`")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))

import torch
import train_step
from peers.torch_training import TorchTrainer, copy_weights, make_trainer

pytestmark = pytest.mark.slow


def _bindings(name):
    more = [f"r3gan.{network}.group_size = 4" for network in ("Generator", "Discriminator")]
    return [
        "options.batch_size = 4",
        "options.z_dim = 8",
        "run_config.tf_random_seed = 1",
        f"{name}.Generator.ch = 8",
        f"{name}.Discriminator.ch = 8",
        *(more if name == "r3gan" else []),
    ]


@pytest.mark.parametrize("name", train_step.PEERS)
def test_losses_of_three_steps_are_ours(name):
    *times, differences = train_step.compare_with_torch(
        name, 3, _bindings(name), make_peer=lambda name, gan, batch: make_trainer(name, gan)
    )
    assert [len(each) for each in times] == [3, 3]
    # Adam's first steps are nearly signs of gradients, which amplifies rounding errors.
    assert differences[0] < 1e-5
    assert max(differences) < 1e-3


@pytest.mark.parametrize("name", train_step.PEERS)
def test_all_weights_are_copied(name, tmp_path):
    gan = train_step.make_trainer(name, str(tmp_path), _bindings(name)).gan
    peer = make_trainer(name, gan)
    for ours, theirs in ((gan.generator, peer.generator), (gan.discriminator, peer.discriminator)):
        count = sum(np.prod(v.shape) for v in ours.trainable_variables)
        assert count == sum(p.numel() for p in theirs.parameters())
    peer.generator.extra = peer.generator.g_fc1 if name == "sndcgan" else peer.generator.fc_noise
    peer.generator.register_buffer("unknown", peer.generator.extra.weight.clone())
    with pytest.raises(ValueError, match="unknown"):
        copy_weights(gan.generator, peer.generator)


def _assert_compiled_whole(peer, batch):
    """`torch.compile` captures each network in one graph, which computes the same."""
    tensors = peer.to_device(batch)
    z, x = tensors["z"][0], tensors["images"][0].float() / 255
    labels = [tensors["labels"][0]] if peer.conditional else []
    for network, inputs in ((peer.generator, z), (peer.discriminator, x)):
        network.eval()  # Otherwise each call moves the singular vectors.
        compiled = torch.compile(network, backend="eager", fullgraph=True, dynamic=False)
        with torch.no_grad():
            torch.testing.assert_close(compiled(inputs, *labels), network(inputs, *labels))


@pytest.mark.parametrize("name", train_step.PEERS)
def test_networks_are_compiled_whole(name, tmp_path):
    trainer = train_step.make_trainer(name, str(tmp_path), _bindings(name))
    [batch] = trainer.batches().take(1).as_numpy_iterator()
    _assert_compiled_whole(make_trainer(name, trainer.gan), batch)


def test_biggan_is_compiled_whole(biggan):
    [batch] = biggan.batches().take(1).as_numpy_iterator()
    _assert_compiled_whole(TorchTrainer("resnet_biggan", biggan.gan), batch)


_BIGGAN = [
    "options.gan_class = @ModularGAN",
    "options.architecture = 'resnet_biggan_arch'",
    "options.batch_size = 4",
    "options.disc_iters = 1",
    "options.training_steps = 1000",
    "options.z_dim = 8",
    "run_config.tf_random_seed = 1",
    "run_config.single_core = True",
    "dataset.name = 'synthetic'",
    "dataset.image_size = 32",
    "synthetic.num_classes = 3",
    "loss.fn = @hinge",
    "weights.initializer = 'orthogonal'",
    "ModularGAN.conditional = True",
    "ModularGAN.experimental_joint_gen_for_disc = True",
    "G.batch_norm_fn = @conditional_batch_norm",
    "G.spectral_norm = True",
    "D.spectral_norm = True",
    "resnet_biggan.Generator.ch = 4",
    "resnet_biggan.Generator.blocks_with_attention = 'B2'",
    "resnet_biggan.Generator.embed_y_dim = 6",
    "resnet_biggan.Discriminator.ch = 8",
]


@pytest.fixture(name="biggan")
def _biggan(tmp_path, monkeypatch):
    """Our trainer of a small BigGAN."""
    monkeypatch.setitem(train_step.CONFIGS, "biggan", ([], _BIGGAN))
    return train_step.make_trainer("biggan", str(tmp_path))


def test_losses_of_three_steps_of_biggan_are_ours(biggan):
    for network in (biggan.gan.generator, biggan.gan.discriminator):
        for attention in network.attention.values():
            attention.sigma.assign(0.5)  # Otherwise attention starts switched off.
    peer = TorchTrainer("resnet_biggan", biggan.gan)
    for ours, theirs in (
        (biggan.gan.generator, peer.generator),
        (biggan.gan.discriminator, peer.discriminator),
    ):
        count = sum(np.prod(v.shape) for v in ours.trainable_variables)
        assert count == sum(p.numel() for p in theirs.parameters())
    batches = list(biggan.batches().take(3).as_numpy_iterator())
    history = biggan.run_steps(3)
    for i, batch in enumerate(batches):
        for name, loss in peer.step(batch).items():
            # The hinge loss of a generator, near 0, is a difference of logits of about 1.
            assert loss == pytest.approx(history[f"loss/{name}"][i], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("precision", ("bfloat16", "float16"))
def test_pytorch_in_mixed_precision_is_close_to_float32(biggan, precision):
    [batch] = biggan.batches().take(1).as_numpy_iterator()
    exact, half = (
        TorchTrainer("resnet_biggan", biggan.gan, precision=p).step(batch)
        for p in ("float32", precision)
    )
    for name, value in exact.items():
        assert half[name] == pytest.approx(value, abs=0.02)
