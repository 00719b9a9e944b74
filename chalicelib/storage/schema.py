"""What the tables are, and how long DynamoDB is waited for; `infra/template.json` creates the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.aws.services import address_of
from chalicelib.aws.signing import Credentials

HEAD: Final = "#"
"""The sort key of an aggregate itself; what belongs to it may follow under other sort keys."""

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where the tables are, and who asks. `endpoint_url` is None for the region's own.

    With `credentials`, records are read by requests of our own. Without, botocore's chain finds out who we are (a
    profile, single sign-on, a machine's role, all of which it renews), and every request is PynamoDB's.
    """

    region: str
    endpoint_url: str | None
    records_table: str
    events_table: str
    timers_table: str
    credentials: Credentials | None = None

    @property
    def address(self) -> str:
        """Where DynamoDB is asked."""
        return self.endpoint_url or address_of("dynamodb", self.region)
