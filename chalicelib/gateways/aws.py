"""How clients of AWS are made: with time-outs that fit a request, and only when used (the import costs 200 ms)."""

from __future__ import annotations

from typing import Any, Final, Literal

from chalicelib.crossing import USER_AGENT, cross_seam
from chalicelib.services.ports import Seam, Service

CONNECT_SECONDS: Final = 1.0


_SERVICE_OF: Final[dict[str, Service]] = {"sqs": "sqs", "sesv2": "ses", "ssm": "ssm"}


def aws_client(
    service: Literal["sqs", "sesv2", "ssm"],
    *,
    region: str,
    endpoint: str | None,
    read_seconds: float,
    tries: int,
    seam: Seam,
) -> Any:
    """A client of one service, behind the seam.

    `endpoint` is None for AWS's own; `tries` counts the first one too.
    """
    # boto3 would add the time of its own import, and nothing that is used here.
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": tries},
        # What is asked is written here and typed; botocore would compare it with its description each time.
        parameter_validation=False,
        user_agent=USER_AGENT,
    )
    client: Any = get_session().create_client(service, region_name=region, endpoint_url=endpoint, config=config)
    cross_seam(client, _SERVICE_OF[service], seam)
    return client
