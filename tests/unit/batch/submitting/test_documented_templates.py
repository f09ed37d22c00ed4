"""The templates in docs/batchjob.md are what they say."""

import re
from pathlib import Path

import pytest
import yaml

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.submitting.checks import refuse_misplaced
from pierhead.batch.submitting.definition import definition_request
from pierhead.batch.submitting.requests import job_request
from pierhead.model import parse

DOCS = Path(__file__).parents[4] / "docs" / "batchjob.md"
TEMPLATES = re.findall(r"```yaml\n(template:\n.*?)```", DOCS.read_text(), re.DOTALL)


def test_each_form_is_shown() -> None:
    forms = {form for text in TEMPLATES for form in yaml.safe_load(text)["template"]}
    assert forms == {"container", "eks", "ecs", "nodes"}


@pytest.mark.parametrize("text", TEMPLATES, ids=range(len(TEMPLATES)))
def test_a_template_of_the_docs_can_be_submitted(text: str) -> None:
    spec = parse(BatchJobSpec, {"queue": "media-q", **yaml.safe_load(text)})
    assert spec.template is not None
    refuse_misplaced(spec.template)
    assert definition_request(spec.template, "media")
    assert job_request(spec, name="n", definition="d", indexes=IndexSet.of([0]), tags={})
