from compare_gan.config.module_sources import ModuleSources
from compare_gan.training.config_history import ConfigHistory
from compare_gan.training.module_history import ModuleHistory


def test_a_run_that_goes_back_takes_its_earlier_modules_again(tmp_path, caplog):
    modules = ModuleHistory(str(tmp_path))
    earlier, later = (ModuleSources({"mine.py": text}) for text in (b"RATE = 1", b"RATE = 2"))
    modules.record(earlier, step=0)
    modules.record(later, step=500)
    modules.record(earlier, step=300)  # The checkpoints after it were lost.
    found = [modules.folder_of(step) for step in (300, 301, 600)]
    assert found == [f"{tmp_path}/modules/{name}" for name in ("0", "300", "300")]


def test_a_run_that_goes_back_takes_its_earlier_config_again(tmp_path):
    configs = ConfigHistory(str(tmp_path))
    for text, step in (("a.b = 1", 0), ("a.b = 2", 500), ("a.b = 1", 300), ("a.b = 1", 400)):
        configs.record(text, step)
    found = [configs.name_of(step) for step in (300, 301, 600)]
    assert found == ["configs/0.gin", "configs/300.gin", "configs/300.gin"]


def test_modules_that_remain_are_named(tmp_path, caplog):
    modules = ModuleHistory(str(tmp_path))
    modules.record(ModuleSources({"mine.py": b"", "other.py": b""}), step=0)
    with caplog.at_level("INFO", logger="compare_gan"):
        modules.record(ModuleSources({"mine.py": b""}), step=5)
    assert "modules of this run (mine.py) are in 'modules/5'" in caplog.text
