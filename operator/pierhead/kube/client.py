"""The Kubernetes API, as far as pierhead uses it, over plain JSON.

Invariant: an object goes out and comes back as the JSON it is; every failure is an `ApiError`; and an
error about a Secret never repeats what the API server said, which may quote values. All views made by
`impersonating` share the connections of the client they came from.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from pierhead.engine.resource import Object
from pierhead.kube.answers import METADATA_LIST, PLAIN, ApplyAnswer, Page, accept_for, selectors, typed
from pierhead.kube.credentials import Credentials, Identity
from pierhead.kube.errors import Conflict409, Gone, NotFound, Rejected, Request
from pierhead.kube.resources import PODS, SECRETS, ResourceType
from pierhead.kube.transport import Answer, Call, RequestObserver, Transport
from pierhead.model import FIELD_MANAGER

Propagation = Literal["Background", "Foreground", "Orphan"]

USER_AGENT = "pierhead"
PAGE_SIZE = 500
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_PAGED_TRIES = 3
_CREATED = 201


class Client:
    """Talks to one API server, as itself or as a ServiceAccount."""

    def __init__(self, transport: Transport, identity: Identity | None = None) -> None:
        self._transport = transport
        self._identity = identity
        self._user = identity.user if identity else None

    @classmethod
    async def connect(
        cls,
        credentials: Credentials,
        *,
        connections: int = 64,
        streams: int = 512,
        user_agent: str = USER_AGENT,
        metrics: RequestObserver | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
    ) -> "Client":
        """A client with its own connections, of which none is opened yet.

        `connections` bounds requests under way, `streams` open watches. Raises OSError or ssl.SSLError
        when a certificate cannot be loaded.
        """
        transport = Transport(
            credentials,
            connections=connections,
            streams=streams,
            user_agent=user_agent,
            observer=metrics,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        return cls(transport)

    async def close(self) -> None:
        """Closes the connections of this client and of all its views."""
        await self._transport.close()

    @property
    def identity(self) -> Identity | None:
        """Whom it acts as; None for itself."""
        return self._identity

    def impersonating(self, identity: Identity | None) -> "Client":
        """A view that acts as this ServiceAccount; as the client itself for None."""
        return Client(self._transport, identity)

    async def get(
        self, resource: ResourceType, name: str, namespace: str | None = None, *, metadata_only: bool = False
    ) -> Object:
        """The live object. Raises NotFound."""
        call = self._call("GET", "get", resource, name, namespace, accept=accept_for(metadata_only))
        return typed(await self._object(call), resource)

    async def pages(
        self,
        resource: ResourceType,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
        page_size: int = PAGE_SIZE,
    ) -> AsyncIterator[Page]:
        """All objects, page by page, each with its apiVersion and kind.

        A list whose continue token expires begins again with a page that is `first`, at last unpaged.
        """
        query = selectors(label_selector, field_selector)
        accept = METADATA_LIST if metadata_only else PLAIN
        limit, token, tries = page_size, "", 1
        while True:
            paging = {"limit": str(limit)} if limit else {}
            if token:
                paging["continue"] = token
            call = self._call("GET", "list", resource, None, namespace, query=query | paging, accept=accept)
            try:
                answer = await self._object(call)
            except Gone:
                if not token:
                    raise
                tries += 1
                token = ""
                limit = page_size if tries < _PAGED_TRIES else 0
                continue
            first, token = not token, answer["metadata"].get("continue") or ""
            items = [typed(item, resource) for item in answer.get("items") or ()]
            yield Page(items, answer["metadata"]["resourceVersion"], first, not token)
            if not token:
                return

    async def create(self, resource: ResourceType, obj: Object, *, dry_run: bool = False) -> Object:
        """Creates the object, or has it judged only. Raises AlreadyExists."""
        metadata = obj.get("metadata") or {}
        name = metadata.get("name") or metadata.get("generateName") or ""
        query = {"dryRun": "All"} if dry_run else None
        call = self._call(
            "POST", "create", resource, None, metadata.get("namespace"), query=query, body=obj, named=name
        )
        return await self._object(call)

    async def create_subresource(
        self, resource: ResourceType, name: str, namespace: str | None, subresource: str, obj: Object
    ) -> Object:
        """Posts to a subresource, such as a ServiceAccount's `token` or a Pod's `eviction`."""
        call = self._call("POST", "create", resource, name, namespace, subresource=subresource, body=obj)
        return await self._object(call)

    async def delete(
        self,
        resource: ResourceType,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
    ) -> bool:
        """Deletes the object if it is the one named by `uid` and `resource_version`.

        True when it is gone, already or now; False when finalizers or a grace period hold it.
        Raises Conflict409 when another object has the name by now.
        """
        given = {"uid": uid, "resourceVersion": resource_version}
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        preconditions = {key: value for key, value in given.items() if value}
        if preconditions:
            options["preconditions"] = preconditions
        try:
            answer = await self._object(
                self._call("DELETE", "delete", resource, name, namespace, body=options)
            )
        except NotFound:
            return True
        # Some kinds answer with the object even when it is gone; what is held has a time of deletion.
        return "deletionTimestamp" not in (answer.get("metadata") or {})

    async def apply(
        self,
        resource: ResourceType,
        obj: Object,
        *,
        field_manager: str = FIELD_MANAGER,
        force: bool = True,
        dry_run: bool = False,
        subresource: str | None = None,
    ) -> Object:
        """Server-side apply with strict field validation. Raises Rejected, FieldConflict without force."""
        applied = await self.apply_answer(
            resource, obj, field_manager=field_manager, force=force, dry_run=dry_run, subresource=subresource
        )
        return applied.object

    async def apply_answer(
        self,
        resource: ResourceType,
        obj: Object,
        *,
        field_manager: str = FIELD_MANAGER,
        force: bool = True,
        dry_run: bool = False,
        subresource: str | None = None,
        metadata_only: bool = False,
    ) -> ApplyAnswer:
        """As `apply`, and tells whether the object was created; `metadata_only` answers less."""
        query = {
            "fieldManager": field_manager,
            "force": "true" if force else "false",
            "fieldValidation": "Strict",
        }
        if dry_run:
            query["dryRun"] = "All"
        metadata = obj["metadata"]
        call = self._call(
            "PATCH",
            "apply",
            resource,
            metadata["name"],
            metadata.get("namespace"),
            subresource=subresource,
            query=query,
            body=obj,
            content_type=APPLY_PATCH,
            accept=accept_for(metadata_only),
            repeatable=True,
        )
        answer = await self._transport.send(call)
        made = typed(answer.value, resource)
        return ApplyAnswer(made, answer.code == _CREATED, answer.date, answer.seconds)

    async def json_patch(
        self,
        resource: ResourceType,
        name: str,
        namespace: str | None,
        operations: Iterable[Mapping[str, Any]],
        *,
        subresource: str | None = None,
    ) -> Object:
        """Applies the operations in order, or none. Raises Conflict409 when the object is not as they expect.

        An operation that replaces `/metadata/resourceVersion` by the version the others were decided on
        makes the patch fail for any other version.
        """
        call = self._call(
            "PATCH",
            "patch",
            resource,
            name,
            namespace,
            subresource=subresource,
            body=list(operations),
            content_type=JSON_PATCH,
        )
        try:
            return await self._object(call)
        except Rejected as error:
            # A `test` that fails, or a path that is not there, is told by a 422 that names nothing.
            if error.code == 422 and not error.details:  # noqa: PLR2004
                raise Conflict409(
                    f"{call.request}: the object is not as the patch expects",
                    code=error.code,
                ) from None
            raise

    async def merge_patch(
        self,
        resource: ResourceType,
        name: str,
        namespace: str | None,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> Object:
        """RFC 7386: lists are replaced whole, null removes."""
        call = self._call(
            "PATCH",
            "patch",
            resource,
            name,
            namespace,
            subresource=subresource,
            body=patch,
            content_type=MERGE_PATCH,
        )
        return await self._object(call)

    async def replace(self, resource: ResourceType, obj: Object, *, subresource: str | None = None) -> Object:
        """Replaces the whole object. Raises Conflict409 when it is not at `obj`'s resourceVersion."""
        metadata = obj["metadata"]
        call = self._call(
            "PUT",
            "update",
            resource,
            metadata["name"],
            metadata.get("namespace"),
            subresource=subresource,
            body=obj,
        )
        return await self._object(call)

    async def raw_get(self, path: str, *, accept: str = PLAIN) -> Any:
        """Any path of the API server, such as `/version`; the path is sent as it is."""
        call = Call(
            method="GET",
            path=path,
            request=Request("get", path, user=self._user),
            accept=accept,
            user=self._user,
            repeatable=True,
        )
        return (await self._transport.send(call)).value

    async def logs(self, pod: str, namespace: str, *, container: str, lines: int, limit_bytes: int) -> str:
        """The last lines of a container's log."""
        call = self._call(
            "GET",
            "get",
            PODS,
            pod,
            namespace,
            subresource="log",
            query={"container": container, "tailLines": str(lines), "limitBytes": str(limit_bytes)},
            accept="*/*",
            text=True,
        )
        return str((await self._transport.send(call)).value)

    def watch_stream(
        self,
        resource: ResourceType,
        namespace: str | None,
        *,
        resource_version: str,
        timeout_seconds: int,
        silence: float,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes of one watch request, for `kube.watch`; lines of JSON. Raises ApiError when entered."""
        query = selectors(label_selector, field_selector) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        call = self._call(
            "GET", "watch", resource, None, namespace, query=query, accept=accept_for(metadata_only)
        )
        return self._transport.stream(call, silence=silence)

    async def _object(self, call: Call) -> Object:
        answer: Answer = await self._transport.send(call)
        value: Object = answer.value if isinstance(answer.value, dict) else {}
        return value

    def _call(
        self,
        method: str,
        verb: str,
        resource: ResourceType,
        name: str | None,
        namespace: str | None,
        *,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = PLAIN,
        accept: str = PLAIN,
        repeatable: bool = False,
        named: str = "",
        text: bool = False,
    ) -> Call:
        place = "/".join(part for part in (namespace, name or named) if part)
        target = f"{resource.group_resource} {place}".rstrip()
        redact = resource.plural == SECRETS.plural and not resource.group
        encoded = None
        if body is not None:
            encoded = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        return Call(
            method=method,
            path=resource.path(namespace, name, subresource),
            request=Request(verb, target, user=self._user, redact=redact),
            query=query or {},
            body=encoded,
            content_type=content_type,
            accept=accept,
            user=self._user,
            repeatable=repeatable or method == "GET",
            text=text,
        )
