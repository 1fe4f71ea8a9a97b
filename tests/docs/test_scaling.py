"""The commands of docs/scaling.md on loopback, and the files for clusters."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from manifests import CONTAINER, check_schema, pod_of

_ROOT = pathlib.Path(__file__).parents[2]
_PAGE = "docs/scaling.md"
_CLUSTER = _ROOT / "examples" / "cluster"
# The blocks that follow these headings, and the directories that they train in.
_RUNS = {
    "### One host": "runs/four",
    "### Two hosts on TensorFlow": "runs/two",
    "### Two hosts on JAX": "runs/two_jax",
}


def _section(heading: str) -> str:
    text = (_ROOT / _PAGE).read_text()
    return text.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]


def _first_block(text: str, fence: str) -> str:
    return re.search(rf"```{fence}\n(.*?)```", text, flags=re.DOTALL)[1]


def _run(heading: str, folder: pathlib.Path, reserve_port) -> subprocess.CompletedProcess:
    """Runs the shell block of a section as a reader does, with this checkout's `compare_gan`.

    Only the ports are others, which no other program has.
    """
    command = f'compare_gan() {{ "{sys.executable}" -m compare_gan.main "$@"; }}\n'
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TF_CONFIG", "KERAS_BACKEND", "COORDINATOR_ADDRESS"))
    }
    environment |= {"PYTHONPATH": str(_ROOT), "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    block = re.sub(
        r"(?<=localhost:)\d+", lambda _: str(reserve_port()), _first_block(_section(heading), "sh")
    )
    script = command + "set -e\n" + block
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )


@pytest.fixture(name="finished", scope="module")
def _finished(tmp_path_factory, reserve_port):
    """The folder in which all commands have run, and what each has said, by heading."""
    folder = tmp_path_factory.mktemp("scaling")
    (folder / "tiny.gin").write_text(_first_block(_section("## Try it"), 'gin title="tiny.gin"'))
    with concurrent.futures.ThreadPoolExecutor() as executor:
        outcomes = {h: executor.submit(_run, h, folder, reserve_port) for h in _RUNS}
    return folder, {heading: outcome.result() for heading, outcome in outcomes.items()}


@pytest.mark.slow
@pytest.mark.parametrize("heading", _RUNS)
def test_commands_train_and_score_on_several_devices(finished, heading):
    folder, outcomes = finished
    outcome = outcomes[heading]
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    [row] = (folder / _RUNS[heading] / "results.jsonl").read_text().splitlines()
    assert json.loads(row)["step"] == 20


@pytest.mark.slow
def test_losses_do_not_depend_on_the_devices(finished):
    """Four logical CPUs and two workers: JAX draws other initial weights."""
    folder, _ = finished
    four, two = (
        [json.loads(line) for line in (folder / run / "log.jsonl").read_text().splitlines()]
        for run in ("runs/four", "runs/two")
    )
    for first, second in zip(four, two, strict=True):
        losses = [key for key in first if key.startswith("loss/")]
        assert len(losses) >= 2
        for key in losses:
            np.testing.assert_allclose(first[key], second[key], rtol=1e-3, atol=1e-4, err_msg=key)


def test_the_slurm_script_is_valid():
    script = _CLUSTER / "slurm.sh"
    check = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    options = re.findall(r"^#SBATCH --([a-z-]+)", script.read_text(), flags=re.MULTILINE)
    assert {"nodes", "ntasks-per-node", "signal", "requeue"} <= set(options)


def test_the_slurm_script_queues_an_interrupted_run_again(tmp_path):
    """Exit status 130 (interrupted, with a checkpoint) queues the job again; others do not."""
    programs = {
        # Hosts of the job, or a request that is noted.
        "scontrol": '[ "$1" = show ] && printf "%s\\n" first second || echo "$@" >> "$0.log"',
        # Each process says where it is, and what it is to do.
        "srun": 'for i in 0 1; do SLURM_PROCID=$i "${@:2}"; done; exit $STATUS',
        "compare_gan": 'echo $COORDINATOR_ADDRESS $PROCESS_ID of $NUM_PROCESSES, '
        'GPUs $JAX_LOCAL_DEVICE_IDS: "$@"',
    }  # fmt: skip
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    command_line = (
        "train --gin_config tiny.gin --gin_bindings run_config.distribution = "
        '"multi_worker" --model_dir runs/x'
    )
    for status, expected in ((130, ["requeue 17"]), (2, []), (0, [])):
        environment = os.environ | {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "STATUS": str(status),
            "SLURM_JOB_ID": "17",
            "SLURM_JOB_NODELIST": "two hosts",
            "SLURM_NTASKS": "2",
            "SLURM_GPUS_ON_NODE": "4",
        }
        command = ["bash", str(_CLUSTER / "slurm.sh"), "tiny.gin", "runs/x"]
        outcome = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert outcome.returncode == status, outcome.stderr
        assert outcome.stdout.splitlines() == [
            f"first:10017 {i} of 2, GPUs 0,1,2,3: {command_line}" for i in range(2)
        ]
        log = tmp_path / "scontrol.log"
        assert (log.read_text().splitlines() if log.exists() else []) == expected
        log.unlink(missing_ok=True)


# The part of the schema of jobset.x-k8s.io/v1alpha2 that the manifest uses; see `manifests`.
_CONTAINER = CONTAINER | {
    "ports": [{"containerPort": int}],
    "resources": {"limits": {"nvidia.com/gpu": int}},
    "volumeMounts": [{"name": str, "mountPath": str}],
}
_JOB = {
    "parallelism": int,
    "completions": int,
    "completionMode": str,
    "backoffLimit": int,
    "template": {"spec": pod_of(_CONTAINER)},
}
_JOBSET = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "failurePolicy": {"maxRestarts": int},
        "replicatedJobs": [{"name": str, "replicas": int, "template": {"spec": _JOB}}],
    },
}


def test_the_job_set_fits_its_schema_and_itself():
    yaml = pytest.importorskip("yaml")
    manifest = yaml.safe_load((_CLUSTER / "jobset.yaml").read_text())
    check_schema(manifest, _JOBSET)
    assert (manifest["apiVersion"], manifest["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    [hosts] = manifest["spec"]["replicatedJobs"]
    job = hosts["template"]["spec"]
    [container] = job["template"]["spec"]["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert job["completionMode"] == "Indexed"
    assert job["parallelism"] == job["completions"] == int(environment["NUM_PROCESSES"])
    name = manifest["metadata"]["name"]
    host, port = environment["COORDINATOR_ADDRESS"].split(":")
    assert host == f"{name}-{hosts['name']}-0-0.{name}"
    assert int(port) in [entry["containerPort"] for entry in container["ports"]]
    volumes = {volume["name"] for volume in job["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    shell = subprocess.run(["bash", "-n", "-c", container["args"][0]], capture_output=True)
    assert shell.returncode == 0
