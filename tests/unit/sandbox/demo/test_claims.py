from pierhead_sandbox.demo.claims import Claim, Ledger


def test_nothing_holds_before_everything_was_checked():
    ledger = Ledger()
    for claim in Claim:
        assert not ledger.holds
        ledger.settle(claim, True, "seen")

    assert ledger.holds


def test_one_claim_that_does_not_hold_is_enough():
    ledger = Ledger()
    for claim in Claim:
        ledger.settle(claim, claim is not Claim.ROTATED, "seen")

    assert not ledger.holds


def test_what_was_found_wrong_stays_wrong():
    ledger = Ledger()
    ledger.settle(Claim.READY, False, "never")
    ledger.settle(Claim.READY, True, "at last")

    finding = ledger.findings[Claim.READY]
    assert finding is not None
    assert (finding.holds, finding.evidence) == (False, "never")
