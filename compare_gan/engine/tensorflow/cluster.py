"""The workers of a run, as TF_CONFIG names them."""

import dataclasses
import json
import re
from typing import Any

from compare_gan.errors import UserError, with_suggestion

_FORM = (
    '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'
)
_JOBS = ("chief", "worker")  # In the order of their numbers; others do not train.


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers that train together.

    Attributes:
      addresses: HOST:PORT of each, the first one's first.
      names: Their names, for messages.
      index: The number of this one.
    """

    addresses: list[str]
    names: list[str]
    index: int


def read_cluster(text: str) -> Cluster | None:
    """The workers in the value of TF_CONFIG; None if it names none.

    Args:
      text: The value; may be empty.

    Raises:
      UserError: It is not of the form that TensorFlow documents.

    Example:
      >>> import json
      >>> from compare_gan.engine.tensorflow.cluster import read_cluster
      >>> cluster = {"worker": ["10.0.0.1:1234", "10.0.0.2:1234"]}
      >>> task = {"type": "worker", "index": 1}
      >>> read_cluster(json.dumps({"cluster": cluster, "task": task})).index
      1
    """
    if not text.strip():
        return None
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _mistake(f"is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _mistake("is not a JSON object")
    cluster = content.get("cluster") or {}
    if not isinstance(cluster, dict):
        raise _mistake("has a cluster that is not an object")
    if not cluster.get("worker"):
        return None
    addresses = {job: _addresses(job, cluster[job]) for job in _JOBS if cluster.get(job)}
    places = [(job, i) for job, listed in addresses.items() for i in range(len(listed))]
    flat = [addresses[job][i] for job, i in places]
    if len(set(flat)) < len(flat):
        repeated = next(each for each in flat if flat.count(each) > 1)
        raise _mistake(f"has the address '{repeated}' twice")
    own = _own_place(content.get("task"), addresses)
    names = [
        f"{job.capitalize()} {index} ({address})"
        for (job, index), address in zip(places, flat, strict=True)
    ]
    return Cluster(flat, names, places.index(own))


def _addresses(job: str, listed: Any) -> list[str]:
    if not isinstance(listed, list):
        raise _mistake(f"has a cluster.{job} that is not a list")
    for address in listed:
        if not isinstance(address, str) or not re.fullmatch(r"[^/\s]+:\d+", address):
            raise _mistake(f"has {address!r} in cluster.{job}, which is not HOST:PORT")
    return listed


def _own_place(task: Any, addresses: dict[str, list[str]]) -> tuple[str, int]:
    """The job and the index of this process."""
    if not isinstance(task, dict) or "type" not in task or "index" not in task:
        raise _mistake("has no task with a type and an index")
    job, index = task["type"], task["index"]
    if job not in addresses:
        sentence = f"TF_CONFIG: task.type is {job!r}, but only {' and '.join(addresses)} train."
        raise UserError(with_suggestion(sentence, str(job), addresses))
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    count = len(addresses[job])
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < count:
        allowed = "0" if count == 1 else f"from 0 to {count - 1}"
        raise UserError(
            f"TF_CONFIG: task.index must be {allowed}, as cluster.{job} has {count} "
            f"address{'es' if count > 1 else ''}; received {task['index']!r}."
        )
    return job, index


def _mistake(event: str) -> UserError:
    return UserError(f"TF_CONFIG {event}; its form is {_FORM}.")
