"""Scripts that make the runs of a study on a cluster with a scheduler of its own."""

import dataclasses
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskArray:
    """Tasks on a cluster, one for each run of a study.

    Attributes:
      title: Title of the study.
      study_dir: Absolute path of its directory.
      runs: Names of the runs.
      at_once: Number of tasks that run at the same time; None = as many as there is room for.
      cpus: Number of cores of each task.
      gpus: Number of GPUs of each task.

    Example:
      >>> from compare_gan.studies.cluster_scripts import TaskArray
      >>> tasks = TaskArray(title="losses", study_dir="/shared/losses", runs=["a-seed1"], at_once=1)
      >>> [line for line in tasks.slurm_script().splitlines() if "--array" in line]
      ['#SBATCH --array=0-0%1']
      >>> [line.strip() for line in tasks.kubernetes_job().splitlines() if "completions" in line]
      ['completions: 1']
    """

    title: str
    study_dir: str
    runs: Sequence[str]
    at_once: int | None = None
    cpus: int = 4
    gpus: int = 1

    def slurm_script(self) -> str:
        """The script of a Slurm array, whose tasks are queued again if they are interrupted."""
        throttle = "" if self.at_once is None else f"%{self.at_once}"
        logs = f"{self.study_dir.replace('%', '%%')}/logs/slurm-%A_%a.txt"
        options = [
            f"--job-name={self._name}",
            f"--array=0-{len(self.runs) - 1}{throttle}",
            "--ntasks=1",
            f"--cpus-per-task={self.cpus}",
            *([f"--gpus-per-task={self.gpus}"] if self.gpus else []),
            "--time=24:00:00",
            "--signal=TERM@300",
            "--requeue",
            "--open-mode=append",
            f"--output={json.dumps(logs)}",
        ]
        note = _NOTE.format(
            does="# A task of a Slurm array for each run of a study: sbatch THIS_FILE"
        )
        return "\n".join(
            [
                "#!/bin/bash",
                note + "#",
                "# Five minutes before the time limit Slurm sends SIGTERM: the run saves a",
                "# checkpoint, and its task is queued again.",
                *(f"#SBATCH {option}" for option in options),
                "",
                "set -euo pipefail",
                *self._array,
                "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK",
                "status=0",
                f"srun {self._command('SLURM_ARRAY_TASK_ID')} || status=$?",
                'if [ "$status" -eq 130 ]; then # Interrupted, with a checkpoint.',
                '  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"',
                "fi",
                'exit "$status"',
                "",
            ]
        )

    def kubernetes_job(self) -> str:
        """The manifest of an indexed Kubernetes Job, with one completion for each task."""
        script = [*self._array, f"exec {self._command('JOB_COMPLETION_INDEX')}"]
        note = _NOTE.format(
            does="# One pod of a Kubernetes Job for each run of a study: kubectl apply -f THIS_FILE"
        )
        count = len(self.runs)
        return _JOB.format(
            note=note,
            name=self._name,
            completions=count,
            parallelism=count if self.at_once is None else min(self.at_once, count),
            script=("\n" + " " * 14).join(script),
            cache=json.dumps(f"{self.study_dir}/shared/cache"),
            cpus=self.cpus,
            gpus=f'\n              nvidia.com/gpu: "{self.gpus}"' if self.gpus else "",
            folder=json.dumps(self.study_dir),
            sub_path=json.dumps(self.study_dir.rpartition("/")[2]),
        )

    @property
    def _name(self) -> str:
        """A name that Slurm and Kubernetes accept: that of a host, of at most 50 characters."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower())[:50].strip("-") or "study"

    @property
    def _array(self) -> list[str]:
        return ["runs=(", *(f"  {shlex.quote(run)}" for run in self.runs), ")"]

    def _command(self, index: str) -> str:
        only = f'"${{runs[${index}]}}"'
        study_dir = shlex.quote(self.study_dir)
        return f"compare_gan study run --study_dir {study_dir} --workers 1 --only {only}"
