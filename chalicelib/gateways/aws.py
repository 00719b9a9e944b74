"""How clients of AWS are made: with time-outs that fit a request, and only when used (the import costs 200 ms)."""

from __future__ import annotations

from typing import Any, Final

CONNECT_SECONDS: Final = 1.0


def aws_client(service: str, *, region: str, endpoint: str | None, read_seconds: float, tries: int) -> Any:
    """A client of one service. `endpoint` is None for AWS's own; `tries` counts the first one too."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": tries},
    )
    # The name is a variable here, and the stubs know one overload for each literal name.
    client: Any = boto3.session.Session().client(service, region_name=region, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]
    return client
