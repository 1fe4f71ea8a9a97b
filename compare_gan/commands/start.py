"""The first thing that a command does which computes."""

from compare_gan.startup import prepare_engine


def start_engine() -> None:
    """Chooses and prepares the engine (see `startup.prepare_engine`), with its cache on disk.

    A command that reads `run_config` changes the cache afterwards, before anything is compiled.
    """
    prepare_engine()
    from compare_gan.engine import use_compilation_cache

    use_compilation_cache()
