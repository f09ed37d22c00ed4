"""Counters out of a Prometheus text."""

import re
from collections import Counter

_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def counters(text: str, name: str, *labels: str) -> Counter[tuple[str, ...]]:
    """The samples of one counter, summed over all labels but those named."""
    found: Counter[tuple[str, ...]] = Counter()
    for sample in _SAMPLE.finditer(text):
        if sample["name"] == name:
            given = dict(_LABEL.findall(sample["labels"] or ""))
            found[tuple(given.get(label, "") for label in labels)] += int(float(sample["value"]))
    return found
