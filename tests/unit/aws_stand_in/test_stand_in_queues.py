"""Messages are received as moto has it, however they are looked at."""

from moto.sqs.models import SQSBackend

from pierhead_sandbox.aws import sqs


def test_a_message_over_its_retention_period_is_not_received():
    sqs.quicken()
    backend = SQSBackend("us-east-1", "123456789012")
    backend.create_queue("uploads", {}, MessageRetentionPeriod="60")
    old = backend.send_message("uploads", "old")
    old.sent_timestamp -= 61_000
    assert backend.receive_message("uploads", 10, 0, 30) == []
    young = backend.send_message("uploads", "young")
    backend.get_queue("uploads")._messages.remove(old)
    assert [one.id for one in backend.receive_message("uploads", 10, 0, 30)] == [young.id]
