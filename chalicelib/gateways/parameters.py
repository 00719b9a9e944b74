"""Parameter Store: a deployment's secrets, asked for once in the life of a process and never logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.gateways.aws import aws_client
from chalicelib.services.ports import Seam, StoreUnavailable

READ_SECONDS: Final = 3.0
TRIES: Final = 3


def read_parameters(names: Sequence[str], *, region: str, endpoint: str | None, seam: Seam) -> dict[str, str]:
    """The decrypted values by name, in one call; a name that there is none of is left out.

    At most ten names (AWS, Systems Manager API Reference, GetParameters). Raises StoreUnavailable.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    client = aws_client("ssm", region=region, endpoint=endpoint, read_seconds=READ_SECONDS, tries=TRIES, seam=seam)
    try:
        answer = client.get_parameters(Names=list(names), WithDecryption=True)
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(f"Parameter Store: {type(error).__name__}") from error
    finally:
        # Nothing is asked for twice.
        client.close()
    return {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
