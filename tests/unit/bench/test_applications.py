import json
from pathlib import Path

from bench.applications import FIRST, application, write_chart


def test_the_chart_makes_what_the_limit_applies(tmp_path: Path):
    write_chart(tmp_path / "app")

    rendered = [
        json.loads(
            path.read_text().replace("{{ .Release.Name }}", "app-1").replace("{{ .Values.tag }}", FIRST)
        )
        for path in sorted((tmp_path / "app" / "templates").iterdir())
    ]

    by_kind = {obj["kind"]: obj for _, obj in application("app-1")}
    assert {obj["kind"]: obj for obj in rendered} == by_kind
    assert by_kind.keys() == {"ServiceAccount", "Service", "Deployment", "Ingress"}
