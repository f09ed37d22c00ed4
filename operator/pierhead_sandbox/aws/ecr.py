"""What moto's ECR gets wrong, put right around it.

Invariant: an image's digest is that of its manifest; a listing has pages and knows untagged images; a scan's
findings are what a test or a person put there, else an image was never scanned. A push, a deletion
and a finished scan are put on EventBridge. A password lasts twelve hours, unless a test says how long.
Source: Amazon ECR API reference and user guide.
"""

import base64
import hashlib
import io
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import uuid4

from moto.iam.models import get_account_id_from

from pierhead_sandbox.aws.answer import Answer, error_answer, json_answer
from pierhead_sandbox.aws.bus import Bus, Event
from pierhead_sandbox.aws.operations import Call

Json = dict[str, Any]

_OK = 200
_PAGE = 100
_TOKEN_SECONDS = 12 * 3600.0


class Ecr:
    """Stands between the front door and moto's ECR."""

    def __init__(self, moto: Callable[[Json], Answer], bus: Bus) -> None:
        self._moto = moto
        self._bus = bus
        self._scans: dict[tuple[str, str, str], Json] = {}
        self._tokens: tuple[float, Iterator[int]] | None = None

    def __call__(self, call: Call, environ: Json, body: bytes) -> Answer:
        """Answer one call."""
        request = json.loads(body) if body else {}
        if call.operation == "PutImage":
            return self._put(call, environ, request)
        if call.operation == "DescribeImages":
            return self._describe(environ, request)
        if call.operation == "GetAuthorizationToken":
            return self._token(environ)
        if call.operation == "DescribeImageScanFindings":
            return self._findings(call, request)
        if call.operation != "BatchDeleteImage":
            return self._moto(environ)
        answer = self._moto(environ)
        for image in _ids(answer):
            self._tell_action(call, request["repositoryName"], "DELETE", image)
        return answer

    def scan(self, given: Json) -> None:
        """Puts a scan's result: repository, digest, region, status, and counts of findings by severity."""
        region, repository, digest = given["region"], given["repository"], given["digest"]
        status, counts = given.get("status", "COMPLETE"), given.get("counts") or {}
        self._scans[region, repository, digest] = {"status": status, "counts": counts}
        if status == "COMPLETE":
            detail = {
                "scan-status": status,
                "repository-name": repository,
                "image-digest": digest,
                "finding-severity-counts": counts,
            }
            self._tell(given["account"], region, "ECR Image Scan", detail)

    def last(self, seconds: float) -> None:
        """From now on passwords last so long, and each is another."""
        self._tokens = (seconds, self._tokens[1] if self._tokens else itertools.count(1))

    def reset(self) -> None:
        """Forgets all scans, and how long passwords last."""
        self._scans.clear()
        self._tokens = None

    def _token(self, environ: Json) -> Answer:
        answer = self._moto(environ)
        if answer.status != _OK:
            return answer
        found = json.loads(answer.body)
        seconds, numbers = self._tokens or (_TOKEN_SECONDS, None)
        for given in found["authorizationData"]:
            given["expiresAt"] = time.time() + seconds
            if numbers is not None:
                login = base64.b64decode(given["authorizationToken"]).decode()
                given["authorizationToken"] = base64.b64encode(f"{login}-{next(numbers)}".encode()).decode()
        return json_answer(found)

    def _put(self, call: Call, environ: Json, request: Json) -> Answer:
        manifest = str(request.get("imageManifest", ""))
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        changed = json.dumps({**request, "imageDigest": digest}).encode()
        environ["CONTENT_LENGTH"] = str(len(changed))
        environ["wsgi.input"] = io.BytesIO(changed)
        answer = self._moto(environ)
        if answer.status == _OK:
            image = {"imageDigest": digest, "imageTag": request.get("imageTag", "")}
            self._tell_action(call, request["repositoryName"], "PUSH", image)
        return answer

    def _describe(self, environ: Json, request: Json) -> Answer:
        answer = self._moto(environ)
        if answer.status != _OK or request.get("imageIds"):
            return answer
        details: list[Json] = json.loads(answer.body)["imageDetails"]
        wanted = (request.get("filter") or {}).get("tagStatus", "ANY")
        if wanted != "ANY":
            details = [detail for detail in details if bool(detail.get("imageTags")) == (wanted == "TAGGED")]
        start, size = int(request.get("nextToken") or 0), int(request.get("maxResults") or _PAGE)
        page: Json = {"imageDetails": details[start : start + size]}
        if start + size < len(details):
            page["nextToken"] = str(start + size)
        return json_answer(page)

    def _findings(self, call: Call, request: Json) -> Answer:
        repository, image = request["repositoryName"], request["imageId"]
        scan = self._scans.get((call.region, repository, image.get("imageDigest", "")))
        if scan is None:
            return error_answer(
                call.protocol, 400, "ScanNotFoundException", f"Image scan does not exist for {image}"
            )
        found: Json = {
            "repositoryName": repository,
            "imageId": image,
            "imageScanStatus": {"status": scan["status"]},
        }
        if scan["status"] in {"COMPLETE", "ACTIVE"}:
            found["imageScanFindings"] = {"findings": [], "findingSeverityCounts": scan["counts"]}
        return json_answer(found)

    def _tell_action(self, call: Call, repository: str, action: str, image: Json) -> None:
        detail = {
            "action-type": action,
            "result": "SUCCESS",
            "repository-name": repository,
            "image-digest": image.get("imageDigest", ""),
            "image-tag": image.get("imageTag", ""),
        }
        self._tell(get_account_id_from(call.access_key), call.region, "ECR Image Action", detail)

    def _tell(self, account: str, region: str, detail_type: str, detail: Json) -> None:
        self._bus.put(
            Event(
                id=str(uuid4()),
                account=account,
                region=region,
                source="aws.ecr",
                detail_type=detail_type,
                resources=(),
                detail=detail,
                at=time.time(),
            )
        )


def _ids(answer: Answer) -> Iterable[Json]:
    if answer.status != _OK:
        return ()
    deleted: list[Json] = json.loads(answer.body).get("imageIds") or []
    return deleted
