"""Plain manifests: a text or a folder of YAML."""

from pathlib import Path

import pytest

from pierhead.render import PlainManifests, RendererPool, RenderInvalid, RenderRequest
from support.renders import CONFIG_MAP, OVERLAYS, identities, write_tree

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


def of_text(text: str, namespace: str = "") -> RenderRequest:
    return RenderRequest(manifests=PlainManifests(text=text), namespace=namespace)


async def test_documents_come_in_install_order(pool: RendererPool) -> None:
    rendering = await pool.render(of_text(f"# nothing\n---\n{CONFIG_MAP}\n---\n---\n{NAMESPACE}"))
    assert identities(rendering.objects) == [("Namespace", "shop"), ("ConfigMap", "settings")]
    assert rendering.manifest.startswith("---\n# Source: resources.yaml\napiVersion: v1\nkind: Namespace")


async def test_a_folder_is_read_whole(pool: RendererPool, tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "a.yaml": CONFIG_MAP,
            "deep/er/b.yml": NAMESPACE,
            "c.json": '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}',
            "README.md": "not: [read",
            ".git/config.yaml": "not: [read",
        },
    )
    rendering = await pool.render(RenderRequest(manifests=PlainManifests(path=tmp_path)))
    assert [item.source for item in rendering.objects] == ["deep/er/b.yml", "c.json", "a.yaml"]


async def test_a_file_is_read_alone(pool: RendererPool) -> None:
    manifests = PlainManifests(path=OVERLAYS / "plain" / "base" / "service.yaml", root=OVERLAYS)
    rendering = await pool.render(RenderRequest(manifests=manifests))
    assert identities(rendering.objects) == [("Service", "api")]


async def test_lists_are_taken_apart(pool: RendererPool) -> None:
    items = '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}'
    text = f'{{"apiVersion": "v1", "kind": "List", "items": [{items}]}}\n'
    assert identities((await pool.render(of_text(text))).objects) == [("Secret", "s")]


async def test_annotated_hooks_are_hooks_here_too(pool: RendererPool) -> None:
    text = CONFIG_MAP.replace("settings", "settings, annotations: {helm.sh/hook: test}")
    rendering = await pool.render(of_text(text))
    assert (len(rendering.objects), len(rendering.hooks)) == (0, 1)


async def test_numbers_and_words_keep_their_type(pool: RendererPool) -> None:
    text = (
        CONFIG_MAP + 'data: {a: "1.10", b: 1.10, c: 12345678901234567, d: "yes", e: yes, f: 0o17, g: "017"}\n'
    )
    data = (await pool.render(of_text(text))).objects[0].object["data"]
    assert data == {"a": "1.10", "b": 1.1, "c": 12345678901234567, "d": "yes", "e": True, "f": 15, "g": "017"}


BAD: dict[str, tuple[str, str]] = {
    "not YAML": ("a: [", r"^YAML parse error on resources\.yaml"),
    "text": ("hello", r"resources\.yaml"),
    "no kind": ("metadata: {name: a}", r"^resources\.yaml: an object without kind \(a\)$"),
    "a name that is a number": ("{apiVersion: v1, kind: Secret, metadata: {name: 1}}", r"resources\.yaml"),
    "twice": (f"{CONFIG_MAP}---\n{CONFIG_MAP}", r'ConfigMap "settings" is there twice'),
    "bad item": (
        '{"apiVersion": "v1", "kind": "List", "items": [{"kind": "Secret"}]}',
        r"without apiVersion",
    ),
    "expands without end": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        r"excessive aliasing|without kind",
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_manifests_are_refused(pool: RendererPool, case: str) -> None:
    text, pattern = BAD[case]
    with pytest.raises(RenderInvalid, match=pattern) as caught:
        await pool.render(of_text(text))
    assert caught.value.source == "resources"


async def test_the_namespace_where_objects_go_tells_them_apart(pool: RendererPool) -> None:
    text = f"{CONFIG_MAP}---\n{CONFIG_MAP.replace('settings', 'settings, namespace: shop')}"
    assert len((await pool.render(of_text(text, "other"))).objects) == 2
    with pytest.raises(RenderInvalid, match="is there twice"):
        await pool.render(of_text(text, "shop"))


async def test_an_overlays_folder_is_no_folder_of_manifests(pool: RendererPool) -> None:
    manifests = PlainManifests(path=OVERLAYS / "plain")
    with pytest.raises(RenderInvalid, match=r"base/kustomization\.yaml: this folder is a Kustomize overlay"):
        await pool.render(RenderRequest(manifests=manifests))


async def test_a_folder_without_manifests_is_refused(pool: RendererPool, tmp_path: Path) -> None:
    with pytest.raises(RenderInvalid, match=r"no \.yaml"):
        await pool.render(RenderRequest(manifests=PlainManifests(path=tmp_path)))
