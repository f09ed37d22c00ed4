"""What a person reads while a build runs."""

from pierhead_sandbox.progress import Lines, shown

WEIGHTS = [("etcd", 30.0), ("kubectl", 20.0)]


def test_without_a_terminal_there_are_plain_lines(capsys):
    with shown(WEIGHTS) as progress:
        progress.start("kubectl")
        progress.advance("kubectl", 0.5, "k8s.io/api")
        progress.finish("kubectl")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["building kubectl (2 of 2)", "kubectl: there after 0 s"]


def test_a_long_build_says_how_far_it_is(capsys):
    progress = Lines(WEIGHTS, every=0.0)
    progress.start("etcd")
    progress.advance("etcd", 0.25, "go.etcd.io/raft")
    assert "etcd: about 25% after 0 s, go.etcd.io/raft" in capsys.readouterr().err
