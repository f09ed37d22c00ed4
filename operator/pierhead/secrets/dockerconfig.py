"""The text of a pull secret.

Invariant: what a kubelet reads of it is the very registry, user and password it was made of. Source:
Kubernetes, "Pull an image from a private registry".
"""

import base64

from pierhead.engine.properties import to_json


def docker_config(registry: str, username: str, password: str) -> str:
    """The value of `.dockerconfigjson` for one registry."""
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    return to_json({"auths": {registry: {"username": username, "password": password, "auth": auth}}})
