"""The same layers in PyTorch, at their best."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from peers.torch_training import make_trainer

from benchmarks.gpu.cases import LEARNING_RATE, Case

# Modes of `torch.compile`; "eager" does not compile.
EAGER, COMPILED, GRAPHS = "eager", "default", "reduce-overhead"


def prepare() -> None:
    """Lets float32 products run in TF32 and cuDNN choose the fastest algorithms."""
    if not torch.cuda.is_available():
        torch.set_num_threads(1)  # Threads that wait for a busy core make tiny steps slow.
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True


class Training:
    """The training step in PyTorch: fused Adam, channels last, automatic mixed precision.

    Args:
      case: The case.
      gan: Our GAN before any training, from which weights are copied.
      batch: Element of our input pipeline on which every step trains.
    """

    def __init__(self, case: Case, gan: Any, batch: Mapping[str, np.ndarray]):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._trainer = make_trainer(
            case.network.name,
            gan,
            device=self.device,
            precision=case.precision,
            learning_rates=(LEARNING_RATE, LEARNING_RATE),
        )
        self._batch = self._trainer.to_device({k: v for k, v in batch.items() if k != "seed"})

    def compile(self, mode: str) -> float:
        """Uses the networks compiled in a mode from now on; returns the seconds that it took."""
        self._trainer.discriminator.requires_grad_(True)  # Another mode may have failed halfway.
        self._trainer.compile_networks(None if mode == EAGER else mode)
        started = time.perf_counter()
        self.run(2)
        return time.perf_counter() - started

    def run(self, steps: int) -> dict[str, list[float]]:
        """Trains; returns the losses of both networks in each step."""
        losses = [self._trainer.start_step(self._batch) for _ in range(steps)]
        return {name: [each[name].item() for each in losses] for name in losses[0]}

    def peak_memory(self, steps: int = 1) -> int | None:
        """Bytes that PyTorch allocates at most during steps; None on a CPU."""
        if self.device != "cuda":
            return None
        torch.cuda.reset_peak_memory_stats()
        self.run(steps)
        return torch.cuda.max_memory_allocated()


def free() -> None:
    """Forgets compiled networks and returns unused memory."""
    torch._dynamo.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
