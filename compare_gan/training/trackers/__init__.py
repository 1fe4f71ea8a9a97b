"""Trackers: programs outside of this library that collect runs and show them side by side.

base.Tracker                   what a tracker takes of a run; a subclass adds another one
wandb, mlflow, aim             Weights & Biases, MLflow, Aim
run_trackers.RunTrackers       hands the records of a run to its trackers
feed.Feed                      a queue and a thread for each tracker
tracked_file                   how a run is known to its trackers, and what they have of it

The packages of the trackers are imported when a run starts.
"""

from compare_gan.training.trackers.aim import AimTracker
from compare_gan.training.trackers.base import TrackedRun, Tracker
from compare_gan.training.trackers.mlflow import MLflowTracker
from compare_gan.training.trackers.wandb import WandbTracker

__all__ = ["AimTracker", "MLflowTracker", "TrackedRun", "Tracker", "WandbTracker"]
