"""Client and supervisor of the renderer process.

Invariant: nothing a tenant wrote is rendered in this process. A chart or overlay that runs for ever or
eats memory costs a child process; the operator and the other requests go on.
"""

from pierhead.render.errors import (
    RendererCrashed,
    RendererFault,
    RenderInvalid,
    RenderOutOfMemory,
    RenderTimeout,
)
from pierhead.render.pool import RendererPool
from pierhead.render.protocol import (
    Capabilities,
    Chart,
    Hook,
    Lookup,
    LookupCall,
    Overlay,
    PlainManifests,
    Release,
    RenderedObject,
    Rendering,
    RenderRequest,
)

__all__ = [
    "Capabilities",
    "Chart",
    "Hook",
    "Lookup",
    "LookupCall",
    "Overlay",
    "PlainManifests",
    "Release",
    "RenderInvalid",
    "RenderOutOfMemory",
    "RenderRequest",
    "RenderTimeout",
    "RenderedObject",
    "RendererCrashed",
    "RendererFault",
    "RendererPool",
    "Rendering",
]
