"""What stands before moto's Secrets Manager."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from pierhead_sandbox.aws.answer import Answer, json_answer
from pierhead_sandbox.aws.operations import Call
from pierhead_sandbox.aws.secretsmanager import SecretsManager

CALL = Call("secretsmanager", "GetSecretValue", "us-east-1", "key", "json")


def test_moto_is_asked_for_one_thing_at_a_time() -> None:
    """It walks through its secrets, and fails with a 500 when one is made meanwhile."""
    inside, crowds = threading.Semaphore(1), []

    def moto(_environ: dict[str, Any]) -> Answer:
        crowds.append(not inside.acquire(blocking=False))
        time.sleep(0.01)
        inside.release()
        return json_answer({})

    stand_in = SecretsManager(moto, cast("Any", None), cast("Any", None))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: stand_in(CALL, {}, b"{}"), range(12)))

    assert {answer.status for answer in answers} == {200}
    assert not any(crowds)
