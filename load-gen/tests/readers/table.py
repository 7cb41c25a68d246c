"""Reads the table with Python's csv, and prints its rows as a JSON array of objects."""
import csv
import json
import sys

with open(sys.argv[1], encoding="utf-8", newline="") as file:
    json.dump(list(csv.DictReader(file, strict=True)), sys.stdout)
