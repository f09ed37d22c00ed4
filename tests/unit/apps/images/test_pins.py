"""Pinned images: the same in objects and manifest, and nothing else touched."""

import json

import pytest

from pierhead.apps.images.pins import Pin, pinned, pinned_text
from pierhead.apps.inputs.documents import load
from pierhead.render.protocol import Hook, RenderedObject, Rendering

WEB = Pin("registry.example.com:5000/shop/web", "1.2.0", "sha256:abc")
IMAGE = "registry.example.com:5000/shop/web:1.2.0@sha256:abc"
PINS = {WEB.name: WEB}

DEPLOYMENT = """# Source: shop/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web  # registry.example.com:5000/shop/web is not here
spec:
  template:
    spec:
      initContainers:
      - image: registry.example.com:5000/shop/web
        name: init
      containers:
      - name: web
        image: "registry.example.com:5000/shop/web:latest"   # the image
      - {name: other, image: "registry.example.com:5000/shop/web-other:1"}
      - image: registry.example.com:5000/shop/web@sha256:old
"""

CONFIG = """# Source: shop/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  containers: |
    containers:
    - image: registry.example.com:5000/shop/web:1
"""


def rendering(*texts: str, hooks: tuple[Hook, ...] = ()) -> Rendering:
    return Rendering(
        objects=tuple(RenderedObject(load(text), "x") for text in texts),
        crds=(),
        hooks=hooks,
        notes="",
        manifest="".join(f"---\n{text}" for text in texts),
        chart_metadata=None,
        chart_values=None,
        values=None,
    )


def test_objects_and_manifest_are_pinned_alike():
    made, found = pinned(rendering(DEPLOYMENT, CONFIG), [WEB])
    documents = made.manifest.split("---\n")

    assert found == {WEB.name}
    assert [load(text) for text in documents[1:]] == [item.object for item in made.objects]
    assert made.manifest.count(IMAGE) == 3
    assert f'image: "{IMAGE}"   # the image' in made.manifest
    assert "shop/web-other:1" in made.manifest
    assert documents[2] == CONFIG


def test_what_no_pin_is_about_stays_the_very_same():
    before = rendering(CONFIG)
    made, found = pinned(before, [WEB])

    assert found == frozenset()
    assert made.objects[0].object is before.objects[0].object
    assert made.manifest is not None
    assert made.manifest == before.manifest


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"kind": "Pod", "spec": {"containers": [{"image": WEB.name}]}}),
        f"kind: Pod\nspec: {{containers: [{{image: {WEB.name}, name: a}}]}}\n",
        f"kind: Pod\nspec:\n  containers:\n  - image: >-\n      {WEB.name}\n",
    ],
)
def test_other_ways_of_writing_it_are_written_anew(text):
    made = pinned_text(text, PINS)

    assert load(made)["spec"]["containers"][0]["image"] == IMAGE


def test_a_document_that_is_written_anew_keeps_its_source_and_neighbours():
    flow = f"# Source: a.yaml\nkind: Pod\nspec: {{containers: [{{image: {WEB.name}}}]}}\n"
    made = pinned_text(f"---\n{flow}---\n{CONFIG}", PINS)
    one, other = made.split("---\n")[1:]

    assert one.startswith("# Source: a.yaml\n")
    assert json.loads(one.split("\n", 1)[1])["spec"]["containers"][0]["image"] == IMAGE
    assert other == CONFIG


def test_custom_resources_and_hooks_are_pinned_and_their_definitions_are_not():
    custom = {"kind": "Rollout", "spec": {"workers": [{"initContainers": [{"image": WEB.name}]}]}}
    definition = {"kind": "CustomResourceDefinition", "spec": {"containers": [{"image": WEB.name}]}}
    job = f"kind: Job\nspec:\n  template:\n    spec:\n      containers:\n      - image: {WEB.name}:old\n"
    hook = Hook(load(job), "migrate", "Job", "a", job, ("pre-upgrade",), 0, (), ())
    made, _ = pinned(rendering(json.dumps(custom), json.dumps(definition), hooks=(hook,)), [WEB])

    assert made.objects[0].object["spec"]["workers"][0]["initContainers"][0]["image"] == IMAGE
    assert made.objects[1].object == definition
    assert made.hooks[0].object["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
    assert load(made.hooks[0].manifest) == made.hooks[0].object


def test_a_list_of_objects_is_pinned():
    text = json.dumps({"kind": "List", "items": [{"spec": {"containers": [{"image": WEB.name}]}}]})

    assert load(pinned_text(text, PINS))["items"][0]["spec"]["containers"][0]["image"] == IMAGE
