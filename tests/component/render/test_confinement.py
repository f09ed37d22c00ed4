"""A chart or overlay reads its own source, and nothing else of the machine or the network."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pierhead.render import Overlay, PlainManifests, RendererPool, RenderInvalid, RenderRequest
from support.renders import CHARTS, CONFIG_MAP, of_chart, write_chart, write_tree


class Counting(ThreadingHTTPServer):
    """A server that must never be asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Counting

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONFIG_MAP.encode())


@pytest.fixture
def server() -> Any:
    with Counting() as started:
        Thread(target=started.serve_forever, daemon=True).start()
        yield started
        started.shutdown()


FETCHING: dict[str, dict[str, Any]] = {
    "resource": {"resources": ["URL/all.yaml"]},
    "base": {"bases": ["URL/base"]},
    "repository": {"resources": ["https://github.com/owner/repo//base?ref=main"]},
    "repository without a scheme": {"resources": ["github.com/owner/repo//base"]},
    "repository over ssh": {"resources": ["git@git.example.com:owner/repo.git"]},
    "repository on disk": {"resources": ["file:///srv/repo.git"]},
    "component": {"components": ["URL/component"]},
    "patch": {"patches": [{"path": "URL/patch.yaml", "target": {"kind": "ConfigMap"}}]},
    "old patch": {"patchesStrategicMerge": ["URL/patch.yaml"]},
    "old JSON patch": {
        "patchesJson6902": [{"path": "URL/p.yaml", "target": {"name": "settings", "kind": "ConfigMap"}}]
    },
    "crds": {"crds": ["URL/crds.yaml"]},
    "configuration": {"configurations": ["URL/c.yaml"]},
    "openapi": {"openapi": {"path": "URL/schema.json"}},
    "generator file": {"configMapGenerator": [{"name": "x", "files": ["key=URL/f"]}]},
    "generator environment": {"secretGenerator": [{"name": "x", "envs": ["URL/f"]}]},
    "replacement": {"replacements": [{"path": "URL/r.yaml"}]},
    "generator": {"generators": ["URL/g.yaml"]},
    "transformer": {"transformers": ["URL/t.yaml"]},
    "validator": {"validators": ["URL/v.yaml"]},
    "chart": {"helmCharts": [{"name": "x", "repo": "URL", "version": "1"}]},
    "old chart": {"helmChartInflationGenerator": [{"chartName": "x", "chartRepoUrl": "URL"}]},
}

INFLATION = (
    "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: x\nrepo: URL\n"
)
PATCHING = (
    "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\n"
    "path: URL/p.yaml\ntarget: {kind: ConfigMap}\n"
)
FUNCTION = (
    "apiVersion: example.com/v1\nkind: X\nmetadata:\n  name: x\n"
    "  annotations: {config.kubernetes.io/function: '{exec: {path: /bin/true}}'}\n"
)

PLUGINS: dict[str, dict[str, Any]] = {
    "chart, inline generator": {"generators": [INFLATION]},
    "patch, inline transformer": {"transformers": [PATCHING]},
    "program, generator": {"generators": [FUNCTION]},
    "program, transformer": {"transformers": [FUNCTION]},
    "container, transformer": {
        "transformers": [FUNCTION.replace("exec: {path: /bin/true}", "container: {image: x}")]
    },
}


@pytest.mark.parametrize("case", [*FETCHING, *PLUGINS])
@pytest.mark.parametrize("inline", [True, False])
async def test_an_overlay_fetches_and_starts_nothing(
    pool: RendererPool, server: Counting, tmp_path: Path, *, case: str, inline: bool
) -> None:
    text = json.dumps((FETCHING | PLUGINS)[case]).replace("URL", server.url)
    fields = json.loads(text)
    overlay = Overlay(inline=fields)
    if not inline:
        write_tree(tmp_path, {"base/kustomization.yaml": text, "kustomization.yaml": "resources: [base]"})
        overlay = Overlay(path=tmp_path)
    manifests = PlainManifests(text=CONFIG_MAP)
    with pytest.raises(RenderInvalid) as caught:
        await pool.render(RenderRequest(manifests=manifests, overlay=overlay))
    assert server.asked == []
    assert caught.value.source == "kustomize"
    if case in FETCHING and "hart" not in case:
        assert "is remote" in caught.value.message
        assert next(iter(fields)) in caught.value.message


OUTSIDE = ["../outside", "../../{tmp}/outside", "link"]


@pytest.mark.parametrize("path", OUTSIDE)
async def test_a_base_lies_inside_the_source(pool: RendererPool, tmp_path: Path, path: str) -> None:
    write_tree(
        tmp_path,
        {
            "outside/kustomization.yaml": "resources: [secret.yaml]",
            "outside/secret.yaml": CONFIG_MAP,
            "source/kustomization.yaml": f"resources: [{path.format(tmp=tmp_path)}]",
        },
    )
    (tmp_path / "source" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(RenderInvalid, match=r"leads out of the source|does not exist in the source"):
        await pool.render(RenderRequest(overlay=Overlay(path=tmp_path / "source")))


NAMED_FILES: dict[str, str] = {
    "resource": "resources: [FILE]",
    "generator": "configMapGenerator: [{name: x, files: [FILE]}]",
    "patch": "resources: [all.yaml]\npatches: [{path: FILE, target: {kind: ConfigMap}}]",
    "openapi": "resources: [all.yaml]\nopenapi: {path: FILE}",
}


@pytest.mark.parametrize("file", ["link.yaml", "../outside.yaml", "{tmp}/outside.yaml"])
@pytest.mark.parametrize("case", NAMED_FILES)
async def test_an_overlays_file_lies_inside_the_source(
    pool: RendererPool, tmp_path: Path, case: str, file: str
) -> None:
    kustomization = NAMED_FILES[case].replace("FILE", file.format(tmp=tmp_path))
    write_tree(
        tmp_path,
        {
            "outside.yaml": CONFIG_MAP,
            "source/kustomization.yaml": kustomization,
            "source/all.yaml": CONFIG_MAP,
        },
    )
    (tmp_path / "source" / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(RenderInvalid):
        await pool.render(RenderRequest(overlay=Overlay(path=tmp_path / "source")))


async def test_links_inside_the_source_are_followed(pool: RendererPool, tmp_path: Path) -> None:
    chart = write_chart(tmp_path, {"x.yaml": '{{ include "shared" . }}'})
    helpers = write_tree(tmp_path, {"shared/_h.tpl": f'{{{{ define "shared" }}}}{CONFIG_MAP}{{{{ end }}}}'})
    (chart / "templates" / "_h.tpl").symlink_to(helpers / "shared" / "_h.tpl")
    assert (await pool.render(of_chart(chart, root=tmp_path))).objects
    with pytest.raises(RenderInvalid, match=r"templates/_h\.tpl: a link that leads out of the source"):
        await pool.render(of_chart(chart))


@pytest.mark.parametrize("target", ["/etc/passwd", "/proc/self/environ", "/etc", "../../secret.txt"])
async def test_a_chart_cannot_read_the_machine_through_a_link(
    pool: RendererPool, tmp_path: Path, target: str
) -> None:
    template = CONFIG_MAP + 'data: {x: {{ .Files.Get "loot" | quote }}}'
    chart = write_chart(tmp_path, {"x.yaml": template})
    (tmp_path / "secret.txt").write_text("secret")
    (chart / "loot").symlink_to(target)
    with pytest.raises(RenderInvalid, match=r"loot: a link (that leads out of the source|to nothing)"):
        await pool.render(of_chart(chart))


async def test_plain_manifests_cannot_read_the_machine_through_a_link(
    pool: RendererPool, tmp_path: Path
) -> None:
    write_tree(tmp_path, {"secret.yaml": CONFIG_MAP, "source/a.yaml": CONFIG_MAP})
    (tmp_path / "source" / "b.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(RenderInvalid, match=r"b\.yaml: a link that leads out of the source"):
        await pool.render(RenderRequest(manifests=PlainManifests(path=tmp_path / "source")))


async def test_a_link_that_goes_round_in_circles_is_refused(pool: RendererPool, tmp_path: Path) -> None:
    chart = write_chart(tmp_path, {"x.yaml": CONFIG_MAP})
    (chart / "templates" / "loop").symlink_to(chart)
    with pytest.raises(RenderInvalid, match="leads back to a folder above it"):
        await pool.render(of_chart(chart))


SCHEMA_REFERENCES = ["URL/schema.json", "file:///etc/hosts", "other.json"]


@pytest.mark.parametrize("field", ["$ref", "$schema"])
@pytest.mark.parametrize("reference", SCHEMA_REFERENCES)
async def test_a_values_schema_refers_to_itself_only(
    pool: RendererPool, server: Counting, tmp_path: Path, field: str, reference: str
) -> None:
    schema = {"$id": f"{server.url}/self.json", field: reference.replace("URL", server.url)}
    chart = write_chart(tmp_path, {"x.yaml": CONFIG_MAP, "values.schema.json": json.dumps(schema)})
    with pytest.raises(
        RenderInvalid, match=r"is not fetched: a schema may refer to itself only|values\.schema"
    ):
        await pool.render(of_chart(chart))
    assert server.asked == []


async def test_templates_see_no_environment(pool: RendererPool, tmp_path: Path) -> None:
    for function in ("env", "expandenv"):
        chart = write_chart(tmp_path / function, {"x.yaml": f'{{{{ {function} "PATH" }}}}'})
        with pytest.raises(RenderInvalid, match=f'function "{function}" not defined'):
            await pool.render(of_chart(chart))


def process_file(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


async def test_the_kernel_refuses_the_renderer_sockets_and_programs(pool: RendererPool) -> None:
    await pool.render(of_chart(CHARTS / "simple"))
    status = process_file(pool.pids[0], "status")
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
    assert process_file(pool.pids[0], "environ").strip("\0") == "GOTRACEBACK=single"
