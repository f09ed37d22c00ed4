"""SQS of moto, quick enough for queues of thousands of messages.

Invariant: what is received, and when, is as moto has it. moto asks for all attributes of a queue, counts of
every kind of message among them, for each message it hands out: seconds a call once some thousands wait.
"""

from typing import Any

from moto.core.utils import unix_time
from moto.sqs.models import Message, SQSBackend


def quicken() -> None:
    """Makes moto look at nothing but the retention period, where that is all it asks for."""
    SQSBackend.is_message_valid_based_on_retention_period = _retained  # type: ignore[method-assign, assignment]


def _retained(backend: SQSBackend, queue_name: str, message: Message) -> bool:
    queue: Any = backend.get_queue(queue_name)
    sent = (message.sent_timestamp or 0.0) / 1000
    return bool(queue.message_retention_period + sent > unix_time())
