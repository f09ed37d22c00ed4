"""What Batch says of a failure is repeated, and what to do is said where it is known."""

import pytest

from pierhead.batch.following.causes import cause_of
from pierhead.batch.model.status import Failure


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"exit_code": 3}, "index 7: exit code 3"),
        ({}, "index 7: Batch gives no reason"),
        ({"reason": "gone", "status_reason": "gone"}, "index 7: gone"),
        (
            {"exit_code": 1, "status_reason": "Essential container in task exited"},
            "index 7: exit code 1; Essential container in task exited",
        ),
    ],
)
def test_what_batch_says_is_repeated(said, text):
    assert cause_of(Failure(index=7, round=0, **said)) == text


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("CannotPullContainerError: pull access denied", "`image`"),
        ("ImagePullBackOff", "imagePullSecrets"),
        ("ECS was unable to assume the role 'arn' that was provided for this task.", "trust policies"),
        ("ResourceInitializationError: unable to pull secrets", "executionRoleArn"),
        ('CannotStartContainerError: exec: "run": executable file not found in $PATH', "`command`"),
        ("OutOfMemoryError: Container killed due to memory usage", "memoryMiB"),
        ("Job attempt duration exceeded timeout", "timeoutSeconds"),
        ("Host EC2 (instance i-1) terminated.", "attempts.limit"),
    ],
)
def test_what_to_do_is_said(reason, advice):
    text = cause_of(Failure(index=0, round=0, status_reason=reason))
    assert text.startswith(f"index 0: {reason}; ")
    assert advice in text.removeprefix(f"index 0: {reason}")
