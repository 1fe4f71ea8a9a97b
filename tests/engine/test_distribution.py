import json

import pytest
import tensorflow as tf

from compare_gan.engine import expects_several_hosts, is_chief, make_strategy
from compare_gan.errors import UserError


def test_one_device_is_the_default_without_gpus(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("TPU_NAME", raising=False)
    for strategy in (make_strategy(), make_strategy("mirrored", single_core=True)):
        assert strategy.num_replicas_in_sync == 1
        assert is_chief(strategy)


def test_mirrored_uses_all_devices():
    strategy = make_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert is_chief(strategy)


@pytest.mark.parametrize("distribution", ("tpu", "auto"))
def test_an_unavailable_tpu_is_reported(monkeypatch, distribution):
    monkeypatch.setenv("TPU_NAME", "nowhere")

    def refuse(*args, **kwargs):
        raise ValueError("no such TPU")

    monkeypatch.setattr(tf.distribute.cluster_resolver.TPUClusterResolver, "connect", refuse)
    with pytest.raises(UserError, match="'tpu' but no TPU answers: no such TPU"):
        make_strategy(distribution)


def test_several_hosts_are_expected_where_the_cluster_has_several_workers(monkeypatch):
    assert not expects_several_hosts() and not expects_several_hosts("multi_worker")
    workers = {"worker": ["a.invalid:1", "b.invalid:1"]}
    cluster = {"cluster": workers, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    assert expects_several_hosts() and expects_several_hosts("multi_worker")
    for distribution in ("one_device", "mirrored", "tpu"):
        assert not expects_several_hosts(distribution)
    assert not expects_several_hosts("multi_worker", single_core=True)
