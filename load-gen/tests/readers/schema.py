"""Validates a result against the schema with PyPI jsonschema, and prints what is wrong as a JSON array."""
import json
import sys

import jsonschema

schema, result = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:3])
jsonschema.Draft202012Validator.check_schema(schema)
errors = jsonschema.Draft202012Validator(schema).iter_errors(result)
json.dump([f"{error.json_path}: {error.message}" for error in errors], sys.stdout)
