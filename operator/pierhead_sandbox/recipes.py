"""How each program of the sandbox is built.

Invariant: a recipe's key is a hash of everything that decides the program's bytes except the Go
release: go.mod, go.sum and flags, and the sources where they are ours. Two checkouts with the same
key share one program; a changed pin or source never meets an old program.
"""

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pierhead_sandbox.errors import SandboxError

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
RENDERER = "pierhead-renderer"
HELM = "helm"
KUSTOMIZE = "kustomize"

KWOK_MODULE = "sigs.k8s.io/kwok"
KWOK_STAGES = tuple(
    f"kustomize/stage/{name}.yaml"
    for name in (
        "node/fast/node-initialize",
        "node/heartbeat-with-lease/node-heartbeat-with-lease",
        "pod/fast/pod-ready",
        "pod/fast/pod-complete",
        "pod/fast/pod-delete",
    )
)

_KEY_LENGTH = 16
_GO_LINE = re.compile(r"^go (\d+)\.(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One program: a package of a Go module, and the flags it is built with."""

    name: str
    module: Path
    package: str
    stamps: Mapping[str, str] = field(default_factory=dict)
    """Linker variables and their values (`-X`)."""

    tags: str = ""
    ours: bool = False
    """Whether the sources are part of this repository, and so of the key."""

    seconds: float = 60.0
    """A cold build on two cores, for the rough share done. No promise."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Arguments of `go build`, without the output and the package."""
        linker = ["-s", "-w", *(f"-X {name}={value}" for name, value in sorted(self.stamps.items()))]
        tags = [f"-tags={self.tags}"] if self.tags else []
        return ("-trimpath", "-buildvcs=false", *tags, f"-ldflags={' '.join(linker)}")

    @property
    def key(self) -> str:
        """Hash of what decides the program. Raises SandboxError when the module is not there."""
        digest = hashlib.sha256()
        for part in (self.package, *self.flags, platform.system(), platform.machine()):
            digest.update(part.encode() + b"\0")
        for path in self._inputs():
            digest.update(str(path.relative_to(self.module)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:_KEY_LENGTH]

    @property
    def go_version(self) -> tuple[int, int]:
        """The least Go release (major, minor) the module asks for."""
        match = _GO_LINE.search((self.module / "go.mod").read_text())
        if match is None:
            raise SandboxError(f"{self.module}/go.mod has no go line")
        return int(match[1]), int(match[2])

    def _inputs(self) -> list[Path]:
        fixed = [self.module / "go.mod", self.module / "go.sum"]
        if not fixed[0].is_file():
            raise SandboxError(f"{self.name} cannot be built: there is no {fixed[0]}")
        if not self.ours:
            return [path for path in fixed if path.is_file()]
        return sorted(
            path
            for path in self.module.rglob("*")
            if path.is_file()
            and not path.name.endswith("_test.go")
            and not any(
                part.startswith(".") or part == "testdata" for part in path.parts[len(self.module.parts) :]
            )
        )


def recipes(root: Path) -> dict[str, Recipe]:
    """Every program by name, in the order to build them: the ones that share work beside each other."""
    tools = root / "tools"
    kubernetes = required_version(tools / "kube" / "go.mod", "k8s.io/kubernetes")
    helm = required_version(tools / "helm" / "go.mod", "helm.sh/helm/v4")
    kube = {
        "module": tools / "kube",
        "stamps": _kubernetes_stamps(kubernetes),
        "tags": "selinux,notest,grpcnotrace",
    }
    listed = [
        Recipe("etcd", tools / "etcd", "go.etcd.io/etcd/server/v3", seconds=31),
        *(
            Recipe(name, package=f"k8s.io/kubernetes/cmd/{name}", seconds=seconds, **kube)  # type: ignore[arg-type]
            for name, seconds in (
                ("kube-apiserver", 195),
                ("kube-controller-manager", 63),
                ("kube-scheduler", 6),
                ("kubectl", 20),
            )
        ),
        Recipe("kwok", tools / "kwok", f"{KWOK_MODULE}/cmd/kwok", seconds=110),
        Recipe(RENDERER, root / "renderer", ".", ours=True, seconds=60),
        Recipe(
            HELM,
            tools / "helm",
            "helm.sh/helm/v4/cmd/helm",
            stamps={"helm.sh/helm/v4/internal/version.version": helm},
            seconds=60,
        ),
        Recipe(KUSTOMIZE, tools / "kustomize", "sigs.k8s.io/kustomize/kustomize/v5", seconds=5),
    ]
    return {recipe.name: recipe for recipe in listed}


def required_version(go_mod: Path, module: str) -> str:
    """The version of `module` that `go_mod` requires, `v1.2.3`. Raises SandboxError when there is none."""
    pattern = re.compile(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", re.MULTILINE)
    match = pattern.search(go_mod.read_text())
    if match is None:
        raise SandboxError(f"{go_mod} does not require {module}")
    return match[1]


def _kubernetes_stamps(version: str) -> dict[str, str]:
    """What Kubernetes' own release build stamps; without it charts with a kubeVersion are refused."""
    major, minor = version.removeprefix("v").split(".")[:2]
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return {f"{package}.{name}": value for package in packages for name, value in values.items()}
