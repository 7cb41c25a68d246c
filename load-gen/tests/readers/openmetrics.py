"""Parses OpenMetrics text with PyPI prometheus_client, which is strict, and prints the families as JSON."""
import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with open(sys.argv[1], encoding="utf-8") as file:
    families = {
        family.name: {
            "type": family.type,
            "unit": family.unit,
            "samples": [{"name": s.name, "labels": s.labels, "value": s.value} for s in family.samples],
        }
        for family in text_string_to_metric_families(file.read())
    }
json.dump(families, sys.stdout)
