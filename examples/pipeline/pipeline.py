"""The steps of an image pipeline, each the program of a BatchJob: `pipeline.py validate|resize|publish`.

Somebody uploads pictures under `incoming/RUN/`, and then the list of their keys as `incoming/RUN.manifest`.
`validate` moves what is no good picture to `rejected/RUN/`, with the reason, and writes the list of the
others to `work/RUN.list`. `resize` is an array: each index takes CHUNK lines of that list, makes three sizes
of each picture, and keeps a record of it in DynamoDB. `publish` writes `finished/RUN/manifest.json` when all
are done. RUN is a word of letters, digits and hyphens; pictures may be called anything.

Every step may run twice and does the same then. Environment: BUCKET, KEY (of the list), TABLE, LIMIT_BYTES,
CHUNK, RUN, AWS's usual variables, and pierhead's index contract. Exit code 2: the list is not there.
"""

import io
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

import boto3
from botocore.exceptions import ClientError
from PIL import Image, ImageOps, UnidentifiedImageError

SIZES = {"small": 96, "medium": 240, "large": 480}
TYPES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
NO_LIST = 2
AT_ONCE = 4


class Rejected(Exception):
    """Why a file is not taken."""


def completion_index() -> int:
    place = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    for part in filter(None, os.environ.get("PIERHEAD_INDEX_MAP", "").split(",")):
        first, _, last = part.partition("-")
        length = int(last or first) - int(first) + 1
        if place < length:
            return int(first) + place
        place -= length
    return place + int(os.environ.get("PIERHEAD_INDEX_OFFSET", "0"))


class Store:
    """The bucket."""

    def __init__(self) -> None:
        self._s3: Any = boto3.client("s3")
        self._bucket = os.environ["BUCKET"]

    def lines(self, key: str) -> list[str]:
        return [line for line in self.get(key).decode().splitlines() if line.strip()]

    def get(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body

    def get_up_to(self, key: str, limit: int) -> bytes:
        """Raises Rejected for an object that is larger, or is not there."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError:
            raise Rejected("missing: it was never uploaded") from None
        with answer["Body"] as body:
            if answer["ContentLength"] > limit:
                raise Rejected(f"too large: {answer['ContentLength']} bytes")
            content: bytes = body.read()
        return content

    def put(self, key: str, content: bytes, content_type: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)

    def move(self, key: str, target: str, reason: str) -> None:
        source = {"Bucket": self._bucket, "Key": key}
        self._s3.copy_object(
            Bucket=self._bucket,
            Key=target,
            CopySource=source,
            Metadata={"rejected-because": reason},
            MetadataDirective="REPLACE",
        )
        self._s3.delete_object(**source)


def checked(store: Store, key: str) -> None:
    """Raises Rejected for what is no picture that can be taken."""
    suffix = PurePosixPath(key).suffix.lower()
    if suffix not in TYPES:
        raise Rejected(f"wrong type: {suffix or 'no ending'}")
    content = store.get_up_to(key, int(os.environ.get("LIMIT_BYTES", "20000000")))
    try:
        picture = Image.open(io.BytesIO(content))
        found = picture.format
        picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Rejected(f"corrupt: {type(error).__name__}") from None
    if found != TYPES[suffix]:
        raise Rejected(f"wrong type: {found} in a {suffix}")


def validate() -> int:
    store, key = Store(), os.environ["KEY"]
    run = PurePosixPath(key).stem
    try:
        keys = store.lines(key)
    except ClientError:
        print(f"there is no list {key}", file=sys.stderr)
        return NO_LIST

    def judged(one: str) -> str:
        try:
            checked(store, one)
        except Rejected as reason:
            if not str(reason).startswith("missing"):
                store.move(one, f"rejected/{run}/{PurePosixPath(one).name}", str(reason))
            return str(reason)
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        reasons = list(pool.map(judged, keys))
    good = [one for one, reason in zip(keys, reasons, strict=True) if not reason]
    bad = {one: reason for one, reason in zip(keys, reasons, strict=True) if reason}
    store.put(f"rejected/{run}.json", json.dumps(bad, indent=1).encode(), "application/json")
    # Last: it starts the next step.
    store.put(f"work/{run}.list", "".join(f"{one}\n" for one in good).encode(), "text/plain")
    print(f"{len(good)} pictures of {run} are good, {len(bad)} are not")
    return 0


def resized(picture: Image.Image, edge: int) -> tuple[bytes, tuple[int, int]]:
    made = picture.copy()
    made.thumbnail((edge, edge))
    content = io.BytesIO()
    made.convert("RGB").save(content, "JPEG", quality=85)
    return content.getvalue(), made.size


def resize() -> int:
    store, key, chunk = Store(), os.environ["KEY"], int(os.environ["CHUNK"])
    run, table = PurePosixPath(key).stem, boto3.resource("dynamodb").Table(os.environ["TABLE"])
    first = completion_index() * chunk

    def one(source: str) -> dict[str, Any]:
        original = store.get(source)
        picture = Image.open(io.BytesIO(original))
        kind, (width, height) = picture.format or "", picture.size
        upright = ImageOps.exif_transpose(picture)
        sizes = {}
        for name, edge in SIZES.items():
            content, (wide, high) = resized(upright, edge)
            target = f"finished/{run}/{name}/{PurePosixPath(source).stem}.jpg"
            store.put(target, content, "image/jpeg")
            sizes[name] = {"key": target, "width": wide, "height": high, "bytes": len(content)}
        record = {"run": run, "picture": source, "format": kind, "width": width, "height": height}
        return {**record, "bytes": len(original), "sizes": sizes}

    sources = store.lines(key)[first : first + chunk]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        records = list(pool.map(one, sources))
    with table.batch_writer(overwrite_by_pkeys=["run", "picture"]) as batch:
        for record in records:
            batch.put_item(Item=record)
    print(f"{len(sources)} pictures of {run} from number {first}")
    return 0


def publish() -> int:
    store, run = Store(), os.environ["RUN"]
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    records: list[Any] = []
    more: dict[str, Any] = {}
    while True:
        condition = {"KeyConditionExpression": "#run = :run", "ExpressionAttributeNames": {"#run": "run"}}
        page = table.query(**condition, ExpressionAttributeValues={":run": run}, **more)
        records += page["Items"]
        if "LastEvaluatedKey" not in page:
            break
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    rejected = json.loads(store.get(f"rejected/{run}.json"))
    records.sort(key=lambda record: record["picture"])
    manifest = {"run": run, "pictures": records, "rejected": rejected}
    text = json.dumps(manifest, default=int, indent=1)
    store.put(f"finished/{run}/manifest.json", text.encode(), "application/json")
    print(f"{run}: {len(records)} pictures, {len(rejected)} rejected")
    return 0


if __name__ == "__main__":
    sys.exit({"validate": validate, "resize": resize, "publish": publish}[sys.argv[1]]())
