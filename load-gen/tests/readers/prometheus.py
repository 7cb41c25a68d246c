"""Gives Prometheus text to those that read it, and prints as JSON what each makes of it: promtool what it has to say against it, PyPI
prometheus_client, a Pushgateway and the textfile collector of a node_exporter what they read, as types and samples."""
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

OURS = ("load_gen_", "muxbench_")


def read(text):
    """Types by family, and samples, of what is ours. Numbers in labels are compared as such: Go writes 1.0 as 1."""
    types, samples = {}, []
    for family in text_string_to_metric_families(text):
        if not family.name.startswith(OURS):
            continue
        types[family.name] = family.type
        for sample in family.samples:
            labels = {key: value for key, value in sample.labels.items() if key not in ("job", "instance")}
            labels |= {key: float(labels[key]) for key in ("le", "quantile") if key in labels}
            samples.append([sample.name, sorted((key, str(value)) for key, value in labels.items()), sample.value])
    return {"types": types, "samples": sorted(samples)}


@contextlib.contextmanager
def serving(*command):
    """The address of a server, which says on which port it listens."""
    server = subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            if found := re.search(r"Listening on.*?(127\.0\.0\.1:[1-9]\d*)", line):
                yield "http://" + found[1]
                return
        sys.exit(f"{command[0]} does not listen: {''.join(said)}")
    finally:
        server.terminate()
        server.wait()


def get(url, **request):
    with urllib.request.urlopen(urllib.request.Request(url, **request), timeout=30) as answer:
        return answer.read().decode()


with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
promtool = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
with serving("prometheus-pushgateway") as address:
    get(address + "/metrics/job/test", data=text.encode(), method="PUT")
    pushed = get(address + "/metrics")
with tempfile.TemporaryDirectory() as folder:
    shutil.copy(sys.argv[1], folder + "/metrics.prom")
    collector = ["--collector.disable-defaults", "--collector.textfile", "--collector.textfile.directory=" + folder]
    with serving("prometheus-node-exporter", *collector) as address:
        collected = get(address + "/metrics")
json.dump({
    "promtool": [promtool.returncode, promtool.stdout + promtool.stderr],
    "client": read(text),
    "pushgateway": read(pushed),
    "node_exporter": read(collected),
    "node_textfile_scrape_error": re.findall(r"^node_textfile_scrape_error (\S+)$", collected, re.MULTILINE),
}, sys.stdout)
