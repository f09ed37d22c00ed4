import pytest
from rich.console import Console

from pierhead_sandbox.demo import __main__ as demo
from pierhead_sandbox.demo.claims import Claim, Ledger
from pierhead_sandbox.demo.display import Stage
from pierhead_sandbox.errors import SandboxError


def test_help_names_the_option_and_runs_nothing(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        demo.main(["--help"])

    assert ended.value.code == 0
    assert "--keep" in capsys.readouterr().out


@pytest.mark.parametrize(("fails", "unchecked", "status"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
async def test_the_status_is_0_only_if_everything_was_checked_and_held(
    monkeypatch: pytest.MonkeyPatch, fails: int, unchecked: int, status: int
):
    async def tell(stage: Stage, ledger: Ledger, after: object) -> None:
        for place, claim in enumerate(list(Claim)[unchecked:]):
            ledger.settle(claim, place >= fails, "seen")

    monkeypatch.setattr(demo, "tell", tell)

    assert await demo.Demo(Console(quiet=True), keep=False).run() == status


async def test_a_step_that_fails_fails_the_demo_and_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    async def tell(stage: Stage, ledger: Ledger, after: object) -> None:
        for claim in Claim:
            ledger.settle(claim, True, "seen")
        raise SandboxError("the pier is closed")

    monkeypatch.setattr(demo, "tell", tell)

    assert await demo.Demo(Console(), keep=False).run() == 1
    assert "the pier is closed" in capsys.readouterr().out
