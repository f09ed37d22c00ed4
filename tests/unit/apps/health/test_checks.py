"""Health by an author's expressions, and what becomes of objects when these change."""

import pytest

from pierhead.apps.health.checks import compiled_checks, judged
from pierhead.apps.model.delivery import HealthCheck
from pierhead.apps.objects.live import LiveObjects
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import ObjectKey
from pierhead.expressions import Expressions
from pierhead.kube.inventory import Entry

OWNER = ObjectKey("team", "shop")


def check(**more):
    return HealthCheck(
        **{
            "api_version": "example.com/v1",
            "kind": "Database",
            "current": "object.status.phase == 'Up'",
            **more,
        }
    )


def database(phase: str = "", *, name: str = "db", version: int = 1, **status):
    found = {"phase": phase, **status} if phase else status
    metadata = {
        "name": name,
        "namespace": "team",
        "uid": name,
        "resourceVersion": str(version),
        "generation": 2,
    }
    return {"apiVersion": "example.com/v2", "kind": "Database", "metadata": metadata, "status": found}


def checks(*wanted):
    return compiled_checks(wanted, Expressions())


FULL = checks(
    check(in_progress="object.status.phase == 'Busy'", failed="object.status.phase in ['Busy', 'Lost']")
)


@pytest.mark.parametrize(
    ("obj", "status"),
    [
        (database("Up"), "Current"),
        (database("Busy"), "InProgress"),
        (database("Lost"), "Failed"),
        (database("Starting"), "InProgress"),
        (database(), "InProgress"),
        (database("Up", observedGeneration=1), "InProgress"),
        (database("Up", observedGeneration=2), "Current"),
        ({**database("Lost"), "kind": "Table"}, "Current"),
    ],
)
def test_a_check_decides_about_its_kind(obj, status):
    assert judged(obj, FULL).status == status


def test_the_first_check_that_fits_decides():
    named = checks(check(name="other", current="false"), check())
    assert judged(database("Up"), named).status == "Current"
    assert judged(database("Up", name="other"), named).status == "InProgress"


def test_what_goes_wrong_in_an_expression_is_said_and_not_raised():
    health = judged(database("Up"), checks(check(current="object.status.phase > 1")))
    assert health.status == "InProgress"
    assert health.message.startswith("spec.health.checks[0].current: ")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (check(current="1 +"), "spec.health.checks[0].current"),
        (check(failed="self.x"), "spec.health.checks[0].failed"),
        (check(api_version="v1", kind="Secret"), "spec.health.checks[0].kind"),
    ],
)
def test_a_check_that_cannot_be_used_is_refused(wanted, field):
    with pytest.raises(Invalid) as caught:
        checks(wanted)
    assert caught.value.field == field


def test_a_new_check_asks_for_the_objects_it_is_about_and_judges_them_anew():
    live, entry = LiveObjects(), Entry.of(database())
    live.claim(OWNER, [entry])
    live.handle("ADDED", database("Starting"))
    assert live.health([entry]).status == "Current"
    assert live.judge_by(OWNER, FULL) == (entry,)
    assert (
        live.judge_by(
            OWNER,
            checks(
                *[
                    check(
                        in_progress="object.status.phase == 'Busy'",
                        failed="object.status.phase in ['Busy', 'Lost']",
                    )
                ]
            ),
        )
        == ()
    )
    live.judged_anew(database("Starting"))
    assert live.health([entry]).status == "InProgress"
    live.handle("MODIFIED", database("Up", version=2))
    assert live.health([entry]).status == "Current"
    assert live.judge_by(OWNER, ()) == (entry,)


def test_what_pods_say_stands_beside_what_their_workload_says():
    live, entry = LiveObjects(), Entry.of(database())
    live.claim(OWNER, [entry])
    live.judge_by(OWNER, FULL)
    live.handle("ADDED", database("Starting"))
    assert "(Pod web-1: no image)" in live.health([entry], {entry: "Pod web-1: no image"}).message
