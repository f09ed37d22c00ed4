"""Why an index failed, in Batch's words, and what to do about it in ours. Pure.

Invariant: what Batch says is repeated as it is; advice is only added where it says enough. Source: AWS Batch
and Amazon ECS, "Troubleshooting"; Kubernetes, reasons of containers that wait.
"""

from typing import Final

from pierhead.batch.model.status import Failure

_ADVICE: Final = (
    (
        ("CannotPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName"),
        "correct `image`, or let executionRoleArn pull it; of a Pod, imagePullSecrets",
    ),
    (
        ("unable to assume the role", "unable to assume role", "perform: sts:AssumeRole"),
        "let ecs-tasks.amazonaws.com assume jobRoleArn and executionRoleArn, by their trust policies",
    ),
    (
        ("ResourceInitializationError",),
        "let executionRoleArn read the secrets and write the logs, and the subnets reach AWS",
    ),
    (
        ("CannotStartContainer", "CannotCreateContainer", "executable file not found", "StartError"),
        "correct `command`: the container could not be started",
    ),
    (("OutOfMemory", "OOMKilled"), "raise resources.memoryMiB"),
    (("exceeded timeout",), "raise timeoutSeconds, or give an index less to do"),
    (("Host EC2",), "its host was lost: raise attempts.limit"),
)


def cause_of(failure: Failure) -> str:
    """The index, what Batch says of its failure, and what to do where that is known."""
    said = [f"exit code {failure.exit_code}"] if failure.exit_code is not None else []
    said += dict.fromkeys(text for text in (failure.reason, failure.status_reason) if text)
    words = "; ".join(said) or "Batch gives no reason"
    advice = next((text for marks, text in _ADVICE if any(mark in words for mark in marks)), "")
    return f"index {failure.index}: {words}{f'; {advice}' if advice else ''}"
