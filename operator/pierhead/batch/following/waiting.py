"""Why runnable jobs do not start, in Batch's words and in ours. Pure.

Invariant: what Batch says is repeated as it is; what we add says what to do. Source: AWS Batch user guide,
"Jobs stuck in a RUNNABLE status".
"""

from typing import Final

from pierhead.batch.model.status import TEXT_LIMIT

_KINDS: Final = ("CAPACITY:", "MISCONFIGURATION:", "ACTION_REQUIRED", "UNDETERMINED")

_ADVICE: Final = {
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": (
        "AWS has no such instance at the moment: allow more instance types or subnets, or wait"
    ),
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": (
        "the compute environment may not grow so far: raise its maxvCpus"
    ),
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": (
        "an index needs more than any instance that the compute environment allows: ask for less, or allow"
        " larger ones"
    ),
    "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS": "give the compute environment's service role its rights",
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED": (
        "correct the instance types, the image or the key pair of the compute environment"
    ),
}


def said_to_be_stuck(status_reason: str) -> str:
    """The statusReason of a runnable job if it says why the job cannot start; empty otherwise."""
    return shortened(status_reason) if status_reason.startswith(_KINDS) else ""


def with_advice(reason: str) -> str:
    """The reason, and what to do about it where that is known."""
    for kind, advice in _ADVICE.items():
        if reason.startswith(kind):
            return f"{reason}; {advice}"
    return reason


def shortened(text: str) -> str:
    """The text, within the bytes a status has for it."""
    return text.encode()[:TEXT_LIMIT].decode(errors="ignore")
