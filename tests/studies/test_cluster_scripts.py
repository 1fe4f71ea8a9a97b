"""Scripts for Slurm and Kubernetes: their syntax, and what their tasks run."""

import os
import re
import shlex
import subprocess

import pytest
from manifests import CONTAINER, check_schema, pod_of

from compare_gan.studies.cluster_scripts import TaskArray

_RUNS = ["hinge-seed1", "g_lr=0.0001-seed1", "ünicode-seed1"]
_STUDY_DIR = "/shared/my studies/100% $losses"


def _tasks(title, **options):
    return TaskArray(title=title, study_dir=_STUDY_DIR, runs=_RUNS, **options)


def _programs(folder, **programs):
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    "options, array, gpus",
    [({}, "0-2", "1"), ({"at_once": 2, "gpus": 0}, "0-2%2", None), ({"gpus": 2}, "0-2", "2")],
)
def test_a_slurm_script_has_an_array_of_the_runs(options, array, gpus):
    script = _tasks("My losses!", **options).slurm_script()
    found = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.+))?$", script, flags=re.MULTILINE))
    assert found["array"] == array
    assert found.get("gpus-per-task") == gpus
    assert found["job-name"] == "my-losses"
    assert found["output"] == '"/shared/my studies/100%% $losses/logs/slurm-%A_%a.txt"'
    assert {"signal", "requeue", "ntasks"} <= found.keys()
    assert all(len(line) <= 100 for line in script.splitlines() if line.startswith("#"))
    check = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("status, requeued", [(0, []), (1, []), (130, ["requeue 17_1"])])
def test_a_slurm_task_makes_its_run_and_is_queued_again_if_interrupted(tmp_path, status, requeued):
    environment = _programs(
        tmp_path,
        scontrol=f'echo "$@" >> {shlex.quote(str(tmp_path / "log"))}',
        srun=f'printf "%s\\n" "$SRUN_CPUS_PER_TASK" "$@"; exit {status}',
    )
    script = _tasks("losses").slurm_script()
    slurm = {"SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "4"}
    done = subprocess.run(
        ["bash", "-c", script], env=environment | slurm, capture_output=True, text=True
    )
    assert done.returncode == status, done.stderr
    assert done.stdout.splitlines() == [
        "4", "compare_gan", "study", "run", "--study_dir", _STUDY_DIR, "--workers", "1",
        "--only", "g_lr=0.0001-seed1",
    ]  # fmt: skip
    log = tmp_path / "log"
    assert (log.read_text().splitlines() if log.exists() else []) == requeued


# The part of the schema of batch/v1 that the manifest uses; see `manifests`.
_CONTAINER = CONTAINER | {
    "resources": {"limits": {"cpu": str, "nvidia.com/gpu": str}},
    "volumeMounts": [{"name": str, "mountPath": str, "subPath": str}],
}
_RULE = {
    "action": str,
    "onPodConditions": [{"type": str}],
    "onExitCodes": {"operator": str, "values": [int]},
}
_JOB = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "completions": int,
        "parallelism": int,
        "completionMode": str,
        "backoffLimitPerIndex": int,
        "podFailurePolicy": {"rules": [_RULE]},
        "template": {"spec": pod_of(_CONTAINER)},
    },
}


@pytest.mark.parametrize("at_once, gpus", [(None, 1), (2, 0), (9, 2)])
def test_a_kubernetes_job_has_a_pod_for_each_run(tmp_path, at_once, gpus):
    yaml = pytest.importorskip("yaml")
    text = _tasks("My losses!", at_once=at_once, cpus=8, gpus=gpus).kubernetes_job()
    job = yaml.safe_load(text)
    check_schema(job, _JOB)
    spec = job["spec"]
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert (job["metadata"]["name"], spec["completionMode"]) == ("my-losses", "Indexed")
    assert (spec["completions"], spec["parallelism"]) == (3, min(at_once or 3, 3))
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # podFailurePolicy needs it.
    [container] = pod["containers"]
    limits = container["resources"]["limits"]
    assert limits == {"cpu": "8"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }
    assert container["volumeMounts"][0]["mountPath"] == _STUDY_DIR
    environment = _programs(tmp_path, compare_gan='printf "%s\\n" "$@"')
    done = subprocess.run(
        [*container["command"], *container["args"]],
        env=environment | {"JOB_COMPLETION_INDEX": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == _RUNS[2]
    assert done.stdout.splitlines()[:4] == ["study", "run", "--study_dir", _STUDY_DIR]
