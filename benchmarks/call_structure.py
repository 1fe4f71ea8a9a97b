"""Measures how far the model directory travels through the code in `train`, `eval` and `sample`.

    python benchmarks/call_structure.py

For tiny runs of these commands, it prints how many calls, of how many distinct functions in how
many files, have the model directory (its path or a `RunDir`) as an argument, and how often the path
through these calls returns to a file that it had left: places where a reader must go back and
forth. Methods of `RunDir` itself do not count, because they are meant to know the directory.
"""

import contextlib
import io
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import compare_gan
from compare_gan import main as command_line

_PACKAGE = os.path.dirname(os.path.abspath(compare_gan.__file__))
_BINDINGS = (
    "options.gan_class = @S3GAN",
    "options.architecture = 'dummy_arch'",
    "options.batch_size = 8",
    "options.training_steps = 4",
    "options.z_dim = 4",
    "dataset.name = 'synthetic'",
    "dataset.image_size = 8",
    "synthetic.num_examples = 40",
    "S3GAN.rotated_batch_fraction = 2",
    "S3GAN.conditional = True",
    "S3GAN.project_y = True",
    "S3GAN.g_use_ema = True",
    "D.spectral_norm = True",
    "run_config.tf_random_seed = 3",
    "run_config.iterations_per_loop = 2",
    "run_config.save_checkpoints_steps = 2",
    "evaluation.metrics = ['fid']",
    "evaluation.extractor = 'fashion_cnn'",
    "evaluation.num_fake = 40",
)


class Trace:
    """Records calls into the package, by `sys.setprofile`.

    Attributes:
      calls: (file, line of the function) of each call with the model directory, in order.
    """

    def __init__(self, model_dir: str):
        self._model_dir = model_dir
        self.calls: list[tuple[str, int]] = []

    def __call__(self, frame, event, _) -> None:
        code = frame.f_code
        ours = event == "call" and code.co_filename.startswith(_PACKAGE)
        if ours and self._sees_model_dir(frame):
            self.calls.append((code.co_filename, code.co_firstlineno))

    def count_returns(self) -> int:
        """The number of times that the calls return to a file that they had left."""
        left: set[str] = set()
        current, count = None, 0
        for file, _ in self.calls:
            if file != current:
                count += file in left
                left.add(current)
                current = file
        return count

    def _sees_model_dir(self, frame) -> bool:
        code = frame.f_code
        count = code.co_argcount + code.co_kwonlyargcount
        for name in code.co_varnames[:count]:
            value = frame.f_locals.get(name)
            is_run_dir = type(value).__name__ == "RunDir"
            if is_run_dir and name == "self":
                return False
            if is_run_dir or (isinstance(value, str) and value == self._model_dir):
                return True
        return False


def trace(model_dir: str, *arguments: str) -> Trace:
    """Runs the command line with these arguments and traces it."""
    watcher = Trace(model_dir)
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        sys.setprofile(watcher)
        try:
            command_line.main(list(arguments))
        except SystemExit as end:
            if end.code:
                raise RuntimeError(output.getvalue()) from end
        finally:
            sys.setprofile(None)
    return watcher


def main() -> None:
    bindings = [word for each in _BINDINGS for word in ("--gin_bindings", each)]
    with tempfile.TemporaryDirectory() as folder:
        model_dir = os.path.join(folder, "run")
        commands = {
            "train": ["train", "--model_dir", model_dir, *bindings],
            "eval": ["eval", "--model_dir", model_dir],
            "sample": ["sample", "--model_dir", model_dir],
        }
        print("command   calls  functions  files  returns to a file")
        for name, arguments in commands.items():
            watcher = trace(model_dir, *arguments)
            functions = set(watcher.calls)
            print(
                f"{name:<8} {len(watcher.calls):>6} {len(functions):>10} "
                f"{len({file for file, _ in functions}):>6} {watcher.count_returns():>18}"
            )
            if "-v" in sys.argv:
                for file, line in watcher.calls:
                    print(f"    {os.path.relpath(file, _PACKAGE)}:{line}")


if __name__ == "__main__":
    main()
