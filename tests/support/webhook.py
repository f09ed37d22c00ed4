"""An admission webhook of a test, asked by the real API server over TLS."""

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from pierhead_sandbox.certificates import Authority

Verdict = Callable[[dict[str, Any]], Awaitable[str | None]]
"""Why an object is refused; None to let it pass."""


class Webhook:
    """A validating webhook for the objects of one namespace."""

    def __init__(self, folder: Path, namespace: str, resource: str) -> None:
        self._authority = Authority(folder)
        self._namespace = namespace
        self._resource = resource
        self._runner: web.AppRunner | None = None
        self.asked = 0
        self.verdict: Verdict = _pass

    async def start(self) -> dict[str, Any]:
        """Serves it; the configuration to give to the API server."""
        application = web.Application()
        application.router.add_post("/", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0)
        await self._runner.setup()
        pair = self._authority.serving("webhook")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = self._runner.addresses[0][1]
        bundle = base64.b64encode(self._authority.files.certificate.read_bytes()).decode()
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": f"judge-{self._namespace}"},
            "webhooks": [
                {
                    "name": "judge.example.com",
                    "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": bundle},
                    "rules": [
                        {
                            "apiGroups": ["*"],
                            "apiVersions": ["*"],
                            "operations": ["CREATE", "UPDATE"],
                            "resources": [self._resource],
                        }
                    ],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self._namespace}},
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "timeoutSeconds": 1,
                }
            ],
        }

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        review = (await request.json())["request"]
        self.asked += 1
        refusal = await self.verdict(review["object"])
        answer: dict[str, Any] = {"uid": review["uid"], "allowed": refusal is None}
        if refusal is not None:
            answer["status"] = {"code": 403, "message": refusal}
        return web.json_response(
            {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
        )


async def _pass(_: dict[str, Any]) -> str | None:
    return None


async def never(_: dict[str, Any]) -> str | None:
    """No verdict within the API server's time."""
    await asyncio.sleep(5)
    return None
