"""What a render can end in, beside a rendering.

Invariant: an error caused by the input is terminal, since the same input gives the same error again; one
caused by the machine is not.
"""

from pierhead.engine.outcome import Invalid, Transient


class RenderInvalid(Invalid):
    """The chart, overlay, values or manifests are wrong.

    `source` says which of them: `helm`, `values`, `kustomize` or `resources`.
    """

    default_reason = "RenderFailed"

    def __init__(self, message: str, *, source: str, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.source = source


class RenderTimeout(RenderInvalid):
    """Rendering did not end within the deadline; its process was killed."""

    default_reason = "RenderTimeout"


class RenderOutOfMemory(RenderInvalid):
    """Rendering took more memory than a renderer may have, which ended its process."""

    default_reason = "RenderOutOfMemory"


class RendererCrashed(Transient):
    """The renderer's process ended, or could not start, for a reason that is not the request's."""

    default_reason = "RendererCrashed"


class RendererFault(Exception):
    """A bug in the renderer, or a request that no caller should make."""
