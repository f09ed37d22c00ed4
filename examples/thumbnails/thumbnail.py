"""Makes one thumbnail: of picture number `completion_index()` under SOURCE, into PIERHEAD_OUTPUT_URI.

The pictures are taken in the order of their keys, so index i is the same picture in every round. Environment:
SOURCE (`s3://bucket/prefix/`), PIERHEAD_OUTPUT_URI (likewise), EDGE (longest side in pixels, 128 if unset),
and AWS's usual variables. Exit codes: 0 done, 2 there is no such picture, 3 it is not a picture.
"""

import io
import os
import sys
from itertools import islice
from urllib.parse import urlsplit

import boto3
from PIL import Image, ImageOps, UnidentifiedImageError

NO_SUCH_PICTURE = 2
NOT_A_PICTURE = 3


def completion_index() -> int:
    place = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    for part in filter(None, os.environ.get("PIERHEAD_INDEX_MAP", "").split(",")):
        first, _, last = part.partition("-")
        length = int(last or first) - int(first) + 1
        if place < length:
            return int(first) + place
        place -= length
    return place + int(os.environ.get("PIERHEAD_INDEX_OFFSET", "0"))


def place_in_s3(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    prefix = parts.path.lstrip("/")
    return parts.netloc, prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def main() -> int:
    index = completion_index()
    s3 = boto3.client("s3")
    bucket, prefix = place_in_s3(os.environ["SOURCE"])
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = (entry["Key"] for page in pages for entry in page.get("Contents", ()))
    key = next(islice(keys, index, None), None)
    if key is None:
        print(f"there is no picture number {index} under s3://{bucket}/{prefix}", file=sys.stderr)
        return NO_SUCH_PICTURE

    original = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(original)))
    except UnidentifiedImageError:
        print(f"s3://{bucket}/{key} is not a picture", file=sys.stderr)
        return NOT_A_PICTURE
    edge = int(os.environ.get("EDGE", "128"))
    picture.thumbnail((edge, edge))
    thumbnail = io.BytesIO()
    picture.convert("RGB").save(thumbnail, "JPEG", quality=85)

    target_bucket, target_prefix = place_in_s3(os.environ["PIERHEAD_OUTPUT_URI"])
    target = f"{target_prefix}{key.removeprefix(prefix)}.jpg"
    s3.put_object(Bucket=target_bucket, Key=target, Body=thumbnail.getvalue(), ContentType="image/jpeg")
    print(f"{index}: s3://{bucket}/{key} -> s3://{target_bucket}/{target} {picture.width}x{picture.height}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
