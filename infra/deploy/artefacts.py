"""The bucket that CloudFormation reads the zip and the template from; each under the hash of its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

FUNCTION: Final = "AWS::Serverless::Function"


def ensure_bucket(s3: Any, name: str, region: str, account: str) -> bool:
    """Have the bucket there, private; whether it was made now. Raises ClientError where it is somebody else's."""
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
        return False
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchBucket"}:
            raise
    # The one region that may not be said (Amazon S3 API Reference, CreateBucket, LocationConstraint).
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **place)
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))
    return True


def upload_zip(s3: Any, bucket: str, archive: Path) -> str:
    """The zip's key; sent only where it is not there yet."""
    content = archive.read_bytes()
    key = f"{hashlib.sha256(content).hexdigest()}.zip"
    _upload(s3, bucket, key, content)
    return key


def upload_template(s3: Any, bucket: str, template: Path, zip_key: str) -> str:
    """The key of the template with that zip as the code of every Lambda."""
    read = json.loads(template.read_text(encoding="utf-8"))
    for resource in read["Resources"].values():
        if resource["Type"] == FUNCTION:
            resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": zip_key}
    content = json.dumps(read, sort_keys=True).encode()
    key = f"{hashlib.sha256(content).hexdigest()}.json"
    _upload(s3, bucket, key, content)
    return key


def _upload(s3: Any, bucket: str, key: str, content: bytes) -> None:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchKey"}:
            raise
        s3.put_object(Bucket=bucket, Key=key, Body=content, ServerSideEncryption="AES256")
