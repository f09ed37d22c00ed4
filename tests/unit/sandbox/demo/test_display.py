import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from pierhead_sandbox.demo.display import Lines, Picture, Row, Stage, best_display

WAITING = Row("BatchJob", "thumbnails", "False", "Running", "3 of 12")
READY = Row("BatchJob", "thumbnails", "True", "Completed", "12 of 12")


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, legacy_windows=False, _environ={})


def text_of(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def play(shown: Console, rows: Sequence[Sequence[Row]]) -> str:
    with best_display(shown) as display:
        stage = Stage(display)
        with stage.phase("First [step]") as say:
            say("all is well")
        with stage.phase("Second"):
            for each in rows:
                stage.show(each)
    return text_of(shown)


def test_a_terminal_gets_a_picture_and_a_pipe_lines():
    assert isinstance(best_display(console(terminal=True)), Picture)
    assert isinstance(best_display(console(terminal=False)), Lines)


def test_lines_tell_each_change_once():
    text = play(console(terminal=False), [[WAITING], [WAITING], [READY]])

    assert text.count("3 of 12") == 1
    assert text.count("12 of 12") == 1
    assert "First [step]: all is well (done in" in text
    assert "\x1b" not in text


def test_the_picture_ends_with_how_everything_stands():
    text = play(console(terminal=True), [[WAITING], [READY]])

    last = text[text.rindex("First [step]") :]
    assert "Completed" in last
    assert "Running" not in last
    assert "✓" in last


def test_a_step_that_fails_is_shown_as_failed():
    shown = console(terminal=False)
    stage = Stage(best_display(shown))

    with pytest.raises(RuntimeError), stage.phase("Doomed"):
        raise RuntimeError

    assert "Doomed (failed in" in text_of(shown)
