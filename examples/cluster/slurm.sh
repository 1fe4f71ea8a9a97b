#!/bin/bash
# Trains on several hosts of a Slurm cluster: sbatch examples/cluster/slurm.sh CONFIG RUN_DIRECTORY
#
# One process on each host uses all of its GPUs; the first host is the coordinator. The run directory has
# to be on a disk that all hosts share. Five minutes before the time limit Slurm sends SIGTERM: the run
# saves a checkpoint and ends, and the job is queued again, until it has finished.
#SBATCH --job-name=compare_gan
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=compare_gan-%j.log

set -euo pipefail
config=${1:?usage: sbatch slurm.sh CONFIG RUN_DIRECTORY}
run_directory=${2:?usage: sbatch slurm.sh CONFIG RUN_DIRECTORY}

# JAX would find the processes through Slurm too, but use one GPU of each host, and end the others with a
# dump of its stack if one is lost.
hosts=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
export COORDINATOR_ADDRESS=${hosts[0]}:$((10000 + SLURM_JOB_ID % 20000))
export KERAS_BACKEND=jax NUM_PROCESSES=$SLURM_NTASKS
if [ "${SLURM_GPUS_ON_NODE:-0}" -gt 0 ]; then
  JAX_LOCAL_DEVICE_IDS=$(seq -s , 0 $((SLURM_GPUS_ON_NODE - 1)))
  export JAX_LOCAL_DEVICE_IDS
fi
status=0
srun --kill-on-bad-exit=0 bash -c 'PROCESS_ID=$SLURM_PROCID exec compare_gan "$@"' bash train \
  --gin_config "$config" \
  --gin_bindings 'run_config.distribution = "multi_worker"' \
  --model_dir "$run_directory" || status=$?
if [ "$status" -eq 130 ]; then # Interrupted, with a checkpoint.
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
