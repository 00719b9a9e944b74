"""`python -I -S -B probe.py WHAT ANSWER`: what one fresh interpreter costs, in a folder that a zip was unpacked into.

WHAT is marshalled and comes on standard input, the figures go marshalled into the file ANSWER: both cost no import, so
what is counted is the app's alone. What the app itself writes to standard output is its log, and part of its work.
"""

import marshal
import sys
import time


def resident() -> int:
    """Bytes of memory that this process has now; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as told:
            return int(told.read().split()[1]) * 4096
    except OSError:
        return 0


def cold(what: dict) -> dict:
    """From nothing to the first answer."""
    before, memory, began = set(sys.modules), resident(), time.process_time()
    import app

    answer = app.app(what["first"], None)
    took = time.process_time() - began
    memory = resident() - memory
    loaded = sorted(set(sys.modules) - before)
    return {"cpu": took, "memory": memory, "modules": loaded, "answers": [answer]}


def framework(what: dict) -> dict:
    """The import of Chalice, and nothing else."""
    began = time.process_time()
    import chalice  # noqa: F401 - it is what is measured

    return {"cpu": time.process_time() - began}


def warm(what: dict) -> dict:
    """The mean of the measured events, after those that warm up."""
    import app

    answers = [app.app(event, None) for event in what["warm_up"]]
    began = time.process_time()
    answers += [app.app(event, None) for event in what["measured"]]
    took = time.process_time() - began
    return {"cpu": took / len(what["measured"]), "answers": answers}


def job(what: dict) -> dict:
    """One message to a Lambda that no page belongs to."""
    import app

    getattr(app, what["name"])(what["event"], None)
    return {}


if __name__ == "__main__":
    asked = marshal.load(sys.stdin.buffer)  # noqa: S302 - from our own parent
    sys.path.insert(0, asked["tree"])
    found = {"cold": cold, "framework": framework, "warm": warm, "job": job}[asked["kind"]](asked)
    with open(sys.argv[1], "wb") as answer_file:
        marshal.dump(found, answer_file)
