"""A process of charge workers: the product's own Lambda handler, in as many threads as it is told.

    python -m tests.bench.billing.charge_process THREADS

Each line on its input is the body of a message; each line on its output says what became of one, and the CPU so far.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from chalicelib import wiring
from chalicelib.handlers import jobs
from chalicelib.services.billing import charging


def main() -> None:
    """Work until the input ends."""
    said = sys.stdout
    # Log lines and metrics go where Lambda would have them; the output is for the answers.
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the life of the process

    def say(what: dict[str, object]) -> None:
        said.write(json.dumps(what) + "\n")
        said.flush()

    def work(line: str) -> None:
        began = time.monotonic()
        answer = jobs.charge({"Records": [{"messageId": "1", "body": line}]}, None)
        body = json.loads(line)
        done = not answer["batchItemFailures"]
        cpu = time.process_time() - began_with
        say({"id": body["record_id"], "done": done, "seconds": time.monotonic() - began, "cpu": cpu})

    # What the process takes to come up, with all that the first charge would import, is no charge's.
    ports = wiring.worker_ports()
    assert ports.stripe
    assert ports.records
    assert charging.charge_invoice
    began_with = time.process_time()
    say({"ready": True})
    with ThreadPoolExecutor(int(sys.argv[1])) as pool:
        for line in sys.stdin:
            pool.submit(work, line)


if __name__ == "__main__":
    main()
