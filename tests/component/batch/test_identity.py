"""A BatchJob works as a ServiceAccount of its namespace, and with no role that the policy refuses."""

from pierhead.kube.resources import BATCH_JOBS, SERVICE_ACCOUNTS
from support.batch_lab import Lab, condition

ROLE = "arn:aws:iam::123456789012:role/"
ANNOTATION = "eks.amazonaws.com/role-arn"
AWS = {"serviceAccountName": "worker"}


async def account(lab: Lab, role: str) -> None:
    metadata = {"name": "worker", "namespace": lab.namespace, "annotations": {ANNOTATION: role}}
    obj = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    await lab.kube.apply(SERVICE_ACCOUNTS, obj, field_manager="person")


async def test_a_service_account_submits_and_follows_with_one_session(lab: Lab):
    await account(lab, f"{ROLE}{lab.namespace}-worker")
    lab.operator()
    names = [await lab.job(aws=AWS, completions=3) for _ in range(2)]
    for name in names:
        obj = await lab.has(name, "Complete")
        assert obj["status"]["role"] == f"{ROLE}{lab.namespace}-worker"
    assert lab.aws.count("sts", "AssumeRoleWithWebIdentity") == 1
    assert lab.aws.count("sts", "AssumeRole") == 0


async def test_a_role_that_changes_while_jobs_run_is_not_taken_for_their_loss(lab: Lab):
    await account(lab, f"{ROLE}{lab.namespace}-worker")
    lab.batch.script(stays="RUNNING")
    lab.operator(batch_settle_seconds=0.1)
    name = await lab.job(aws=AWS, completions=2)
    await lab.until(name, lambda obj: obj.get("status", {}).get("states", {}).get("running") == 2)
    await account(lab, f"{ROLE}{lab.namespace}-other")
    await lab.poke(name, "now")
    obj = await lab.has(name, "Stalled", reason="RoleChanged")
    assert condition(obj, "Ready")["message"].startswith("spec.aws.serviceAccountName: ")
    assert obj["status"]["active"] == 2
    # It ends its jobs all the same, with the role that they were submitted by.
    await lab.kube.delete(SERVICE_ACCOUNTS, "worker", lab.namespace)
    await account(lab, f"{ROLE}{lab.namespace}-other")
    await lab.delete(name)
    await lab.gone(name)
    (submission,) = lab.submissions()
    (job,) = lab.described(submission.job_id)
    assert (job["status"], job["isTerminated"]) == ("FAILED", True)


async def test_a_role_of_others_is_refused_before_any_call(lab: Lab):
    await account(lab, f"{ROLE}admin")
    lab.operator()
    name = await lab.job(aws=AWS)
    obj = await lab.has(name, "Stalled", reason="PolicyDenied")
    message = condition(obj, "Ready")["message"]
    assert message.startswith("spec.aws.serviceAccountName: ")
    assert f"{ROLE}admin" in message
    assert lab.submissions() == []
    assert lab.aws.count("sts", "AssumeRoleWithWebIdentity") == 0
    await lab.delete(name)
    await lab.gone(name)
    assert await lab.is_gone(BATCH_JOBS, name)
