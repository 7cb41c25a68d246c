"""Reads an interval log with PyPI hdrhistogram, and prints what it holds as JSON."""
import json
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

HOUR_NS = 3_600_000_000_000
log = HistogramLogReader(sys.argv[1], HdrHistogram(1, HOUR_NS, 3))
lines = []
while histogram := log.get_next_interval_histogram():
    begin_ms, end_ms = histogram.get_start_time_stamp(), histogram.get_end_time_stamp()
    lines.append({
        "tag": histogram.get_tag(),
        "begin_s": begin_ms / 1e3,
        "length_s": (end_ms - begin_ms) / 1e3,
        "count": histogram.get_total_count(),
        "max": histogram.get_max_value(),
        # Its percentiles are of the nearest sample, not the one that reaches them, so that only buckets can be compared.
        "buckets": [
            [bucket.value_iterated_to, bucket.count_at_value_iterated_to]
            for bucket in histogram.get_recorded_iterator()
        ],
    })
json.dump({"start_s": log.get_start_time_sec(), "lines": lines}, sys.stdout)
