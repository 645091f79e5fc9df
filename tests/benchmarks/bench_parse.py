"""Time to understand a request: ``python -m tests.benchmarks.bench_parse``; prints JSON.

Every request of ``tests/conversation/requests*.yaml``: once cold (the vocabulary is built), then five times warm, the
first time through (when titles and rules are indexed) counted in.
"""

import json
import statistics
import time
from pathlib import Path

import yaml

from engine.conversation.rules.parser import parse
from engine.schema.catalogue import catalogue

REQUESTS = sorted((Path(__file__).resolve().parents[1] / "conversation").glob("requests*.yaml"))


def main() -> None:
    """Measure and print."""
    tables = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in REQUESTS]
    texts = [text for table in tables for group in table.values() for text in group]
    schema = catalogue().mimic3_schema()
    started = time.perf_counter()
    parse(texts[0], schema=schema)
    first = time.perf_counter() - started
    seconds = []
    for _ in range(5):
        for text in texts:
            started = time.perf_counter()
            parse(text, schema=schema)
            seconds.append(time.perf_counter() - started)
    seconds.sort()
    print(
        json.dumps(
            {
                "requests": len(texts),
                "first_ms": round(first * 1000),
                "median_ms": round(statistics.median(seconds) * 1000, 2),
                "p99_ms": round(seconds[int(len(seconds) * 0.99)] * 1000, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
