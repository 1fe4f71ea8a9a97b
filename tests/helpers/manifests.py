"""The part of Kubernetes's schema that our manifests use, and a check of manifests against it.

A schema has for each field its type, or the fields of an object; in a list, those of each entry.
"""

CONTAINER = {
    "name": str,
    "image": str,
    "env": [{"name": str, "value": str}],
    "command": [str],
    "args": [str],
}


def pod_of(container):
    """The schema of a pod with containers of this schema."""
    return {
        "restartPolicy": str,
        "terminationGracePeriodSeconds": int,
        "containers": [container],
        "volumes": [
            {
                "name": str,
                "persistentVolumeClaim": {"claimName": str},
                "emptyDir": {"medium": str},
            }
        ],
    }


def check_schema(value, schema, where="manifest"):
    """Asserts that a value has no other fields and types than its schema."""
    if isinstance(schema, list):
        assert isinstance(value, list) and value, where
        for i, entry in enumerate(value):
            check_schema(entry, schema[0], f"{where}[{i}]")
    elif isinstance(schema, dict):
        assert isinstance(value, dict), where
        assert value.keys() <= schema.keys(), (where, value.keys() - schema.keys())
        for name, entry in value.items():
            check_schema(entry, schema[name], f"{where}.{name}")
    else:
        assert type(value) is schema, where
