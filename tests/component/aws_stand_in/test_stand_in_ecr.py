"""What pierhead relies on of ECR, and moto's has not: digests of manifests, pages, scans, events."""

import hashlib
import json

import pytest


@pytest.fixture
def ecr(client):
    made = client("ecr")
    made.create_repository(repositoryName="shop/web")
    return made


def push(ecr, tag, number):
    manifest = json.dumps({"mediaType": "application/vnd.oci.image.manifest.v1+json", "number": number})
    answer = ecr.put_image(repositoryName="shop/web", imageManifest=manifest, imageTag=tag)
    return answer["image"]["imageId"]["imageDigest"], manifest


def test_a_digest_is_the_manifests(ecr):
    digest, manifest = push(ecr, "1.0.0", 1)

    assert digest == f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


def test_a_listing_has_pages_and_filters(ecr):
    digests = {push(ecr, f"1.{number}.0", number)[0] for number in range(5)}
    moved, _ = push(ecr, "1.0.0", 9)
    pages = ecr.get_paginator("describe_images").paginate(
        repositoryName="shop/web", filter={"tagStatus": "TAGGED"}, PaginationConfig={"PageSize": 2}
    )
    sizes, found = [], {}
    for page in pages:
        sizes.append(len(page["imageDetails"]))
        found |= {detail["imageTags"][0]: detail["imageDigest"] for detail in page["imageDetails"]}

    assert max(sizes) == 2
    assert found["1.0.0"] == moved
    assert len(found) == 5
    assert set(found.values()) - {moved} <= digests


def test_an_image_was_never_scanned_until_somebody_says_so(ecr, stand_in):
    digest, _ = push(ecr, "1.0.0", 1)
    image = {"repositoryName": "shop/web", "imageId": {"imageDigest": digest}}
    with pytest.raises(ecr.exceptions.ScanNotFoundException):
        ecr.describe_image_scan_findings(**image)

    stand_in.control.scan_image("shop/web", digest, region=ecr.meta.region_name, HIGH=2)
    found = ecr.describe_image_scan_findings(**image)

    assert found["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 2}
    assert found["imageScanStatus"]["status"] == "COMPLETE"


def test_pushes_and_scans_are_put_on_the_bus(ecr, client, stand_in):
    sqs, events = client("sqs"), client("events")
    url = sqs.create_queue(QueueName="ecr")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="ecr", EventPattern=json.dumps({"source": ["aws.ecr"]}))
    events.put_targets(Rule="ecr", Targets=[{"Id": "queue", "Arn": arn}])
    digest, _ = push(ecr, "1.0.0", 1)
    stand_in.control.scan_image("shop/web", digest, region=ecr.meta.region_name)
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
    bodies = [json.loads(message["Body"]) for message in messages]

    assert {body["detail-type"] for body in bodies} == {"ECR Image Action", "ECR Image Scan"}
    assert {body["detail"]["repository-name"] for body in bodies} == {"shop/web"}
    assert all(body["account"] and body["region"] == ecr.meta.region_name for body in bodies)
