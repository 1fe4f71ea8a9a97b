"""Scripts that make the runs of a study on a cluster with a scheduler of its own."""

import json
import re
import shlex
from collections.abc import Sequence

_NOTE = """\
{does}
#
# Written by `compare_gan study script`, for the runs that had not ended then. Every task works in
# the directory of the study: it has to be on a disk that all hosts share, with locks (flock) that
# all of them see.
"""


def slurm_script(
    title: str,
    study_dir: str,
    runs: Sequence[str],
    *,
    at_once: int | None = None,
    cpus: int = 4,
    gpus: int = 1,
) -> str:
    """The script of a Slurm array with one task for each run, which is queued again if interrupted.

    Args:
      title: Title of the study.
      study_dir: Absolute path of its directory.
      runs: Names of the runs.
      at_once: Number of tasks that run at the same time; None = as many as there is room for.
      cpus: Number of cores of each task.
      gpus: Number of GPUs of each task.

    Example:
      >>> from compare_gan.studies.cluster_scripts import slurm_script
      >>> script = slurm_script("losses", "/shared/losses", ["a-seed1", "b-seed1"], at_once=1)
      >>> [line for line in script.splitlines() if "--array" in line]
      ['#SBATCH --array=0-1%1']
    """
    throttle = "" if at_once is None else f"%{at_once}"
    options = [
        f"--job-name={_name(title)}",
        f"--array=0-{len(runs) - 1}{throttle}",
        "--ntasks=1",
        f"--cpus-per-task={cpus}",
        *([f"--gpus-per-task={gpus}"] if gpus else []),
        "--time=24:00:00",
        "--signal=TERM@300",
        "--requeue",
        "--open-mode=append",
        f"--output={json.dumps(study_dir.replace('%', '%%') + '/logs/slurm-%A_%a.txt')}",
    ]
    note = _NOTE.format(does="# A task of a Slurm array for each run of a study: sbatch THIS_FILE")
    return "\n".join(
        [
            "#!/bin/bash",
            note + "#",
            "# Five minutes before the time limit Slurm sends SIGTERM: the run saves a",
            "# checkpoint, and its task is queued again.",
            *(f"#SBATCH {option}" for option in options),
            "",
            "set -euo pipefail",
            *_array(runs),
            "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK",
            "status=0",
            f"srun {_command(study_dir, 'SLURM_ARRAY_TASK_ID')} || status=$?",
            'if [ "$status" -eq 130 ]; then # Interrupted, with a checkpoint.',
            '  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"',
            "fi",
            'exit "$status"',
            "",
        ]
    )


def kubernetes_job(
    title: str,
    study_dir: str,
    runs: Sequence[str],
    *,
    at_once: int | None = None,
    cpus: int = 4,
    gpus: int = 1,
) -> str:
    """The manifest of an indexed Kubernetes Job with one completion for each run.

    Args:
      title: Title of the study.
      study_dir: Absolute path of its directory.
      runs: Names of the runs.
      at_once: Number of pods that run at the same time; None = as many as there is room for.
      cpus: Number of cores of each pod.
      gpus: Number of GPUs of each pod.

    Example:
      >>> from compare_gan.studies.cluster_scripts import kubernetes_job
      >>> manifest = kubernetes_job("losses", "/shared/losses", ["a-seed1", "b-seed1"])
      >>> [line.strip() for line in manifest.splitlines() if "completions" in line]
      ['completions: 2']
    """
    script = [
        *_array(runs),
        f"exec {_command(study_dir, 'JOB_COMPLETION_INDEX')}",
    ]
    note = _NOTE.format(
        does="# One pod of a Kubernetes Job for each run of a study: kubectl apply -f THIS_FILE"
    )
    return _JOB.format(
        note=note,
        name=_name(title),
        completions=len(runs),
        parallelism=len(runs) if at_once is None else min(at_once, len(runs)),
        script=("\n" + " " * 14).join(script),
        cache=json.dumps(f"{study_dir}/shared/cache"),
        cpus=cpus,
        gpus=f'\n              nvidia.com/gpu: "{gpus}"' if gpus else "",
        folder=json.dumps(study_dir),
        sub_path=json.dumps(study_dir.rpartition("/")[2]),
    )


_JOB = """\
{note}#
# Needs Kubernetes 1.29 or later, an image with compare_gan, and a volume that all pods can write
# to, with the directory of the study at its top: fill in `image` and `claimName`. A pod that is
# evicted gets SIGTERM, and its run saves a checkpoint, from which the next pod resumes.
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
spec:
  completions: {completions}
  parallelism: {parallelism}
  completionMode: Indexed
  backoffLimitPerIndex: 6
  podFailurePolicy:
    rules:
      # Evictions, and nodes that are drained, are no failures of a run.
      - action: Ignore
        onPodConditions:
          - type: DisruptionTarget
      # The command has tried the run several times itself, or found a mistake.
      - action: FailIndex
        onExitCodes:
          operator: In
          values: [1, 2]
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 300
      containers:
        - name: run
          image: registry.example/compare_gan:latest
          command: ["bash", "-c"]
          args:
            - |
              {script}
          env:
            # Data and reference statistics, which all runs share.
            - name: COMPARE_GAN_CACHE
              value: {cache}
            # A limit of CPU time does not show a process how many cores that is.
            - name: TF_NUM_INTRAOP_THREADS
              value: "{cpus}"
            - name: OMP_NUM_THREADS
              value: "{cpus}"
          resources:
            limits:
              cpu: "{cpus}"{gpus}
          volumeMounts:
            - name: studies
              mountPath: {folder}
              subPath: {sub_path}
            - name: shm
              mountPath: /dev/shm
      volumes:
        - name: studies
          persistentVolumeClaim:
            claimName: studies
        - name: shm
          emptyDir:
            medium: Memory
"""


def _name(title: str) -> str:
    """A name that Slurm and Kubernetes accept: that of a host, of at most 50 characters."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower())[:50].strip("-") or "study"


def _array(runs: Sequence[str]) -> list[str]:
    return ["runs=(", *(f"  {shlex.quote(run)}" for run in runs), ")"]


def _command(study_dir: str, index: str) -> str:
    only = f'"${{runs[${index}]}}"'
    return f"compare_gan study run --study_dir {shlex.quote(study_dir)} --workers 1 --only {only}"
