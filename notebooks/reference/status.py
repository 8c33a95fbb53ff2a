# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: page
#     after: chapters
#     reading_minutes: 3
#     exercise_minutes: 0
#     data: []
#     max_seconds: 30
# ---

# %% [markdown]
# # How this build ran
#
# A book of numbers should say on what machine they were computed. This page is written by the build itself: time
# and memory of every chapter, versions of what they stand on, and the device.
#
# A chapter's time includes starting Python and importing its libraries. Chapters that ran side by side slowed
# each other down, so read the times as an upper bound for your machine, not as a benchmark.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %% tags=["hide-input"]
import json
import os
import platform

import pandas as pd

from causalrec_lib import course, data
from causalrec_lib.course import chapters, records
from causalrec_lib.data.registry import entry

pd.set_option("display.max_colwidth", None)
run = course.start(PROFILE, SEED, chapter="reference/status")
folder = records.build_dir() / "runs" / PROFILE
runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.json"))]
runs = [r for r in runs if r["chapter"] != run.chapter]

# %% [markdown]
# ## Time and memory

# %% tags=["hide-input"]
paths = [records.record_path(r["chapter"], PROFILE) for r in runs]
times = pd.DataFrame(
    {
        "chapter": [r["chapter"] for r in runs],
        "seconds": [r["seconds"] for r in runs],
        "allowed": [r["max_seconds"] or float("nan") for r in runs],
        "memory (MB)": [round(r["peak_mb"]) for r in runs],
        "numbers recorded": [len(records.read(path)) if path.is_file() else 0 for path in paths],
        "finished": [r["finished"] for r in runs],
    }
).set_index("chapter")
run.record("chapters", float(len(times)), kind="measured")
run.record("seconds", float(times["seconds"].sum()), kind="measured")
run.record("numbers", float(times["numbers recorded"].sum()), kind="measured")
late = list(times.index[times["seconds"] > times["allowed"]])
course.say(
    f"**{len(times)}** chapters and pages took **{times['seconds'].sum():,.0f} s** one after the other and recorded "
    f"**{times['numbers recorded'].sum():,.0f}** numbers. "
    + (f"Slower than they declare: {', '.join(late)}." if late else "Each kept the time that it declares.")
)
times.round({"seconds": 1})

# %% [markdown]
# ## Machine

# %% tags=["hide-input"]
pd.Series(
    {
        "profile": PROFILE,
        "device": run.device,
        "processor": platform.machine(),
        "cores visible": os.cpu_count(),
        "threads a chapter may use": run.threads,
        "system": platform.system(),
    },
    name="this build",
).to_frame()

# %% [markdown]
# ## Versions
# If a row holds two versions, chapters ran in different environments: build the book again.

# %% tags=["hide-input"]
names = sorted({name for r in runs for name in r["versions"]}, key=str.lower)
versions = pd.Series(
    {name: ", ".join(sorted({r["versions"][name] for r in runs if name in r["versions"]})) for name in names},
    name="version",
).rename_axis("package")
run.record("mixed_versions", float(versions.str.contains(", ").sum()), kind="measured")
versions.to_frame()

# %% [markdown]
# ## Broken twins
# A test is worth what it catches. So each estimator is broken on purpose, one way at a time, and its checks have to
# notice: the table names the check that refused the twin.

# %% tags=["hide-input"]
report = records.build_dir() / "reports" / "twins.json"
twins = pd.DataFrame(columns=["estimator", "name", "killed_by"])
if report.is_file():
    twins = pd.DataFrame(json.loads(report.read_text(encoding="utf-8"))["twins"])
    course.say(f"**{twins['killed_by'].notna().sum()}** of **{len(twins)}** broken twins were refused.")
else:
    course.say("Not tried on this machine yet: `make test`, or `python -m tests.regression.test_twins`, tries them.")
twins = twins.rename(columns={"name": "how it is broken", "killed_by": "refused by"}).set_index("estimator")
twins.fillna("SURVIVES") if len(twins) else None

# %% [markdown]
# ## Data
# What was on this machine. A section that needs a set which is absent says so on its page.

# %% tags=["hide-input"]
sets = [entry(name) for name in data.names(group=None)]
used = {c.id: {*c.data(), *c.data("optional_data")} for c in chapters.find()}
stock = pd.DataFrame(
    {
        "set": [e.name for e in sets],
        "what it is": [e.title for e in sets],
        "here": ["yes" if data.present(e.name) else "no" for e in sets],
        "used by": [", ".join(sorted(c for c, names in used.items() if e.name in names)) for e in sets],
    }
).set_index("set")
run.record("sets_present", float((stock["here"] == "yes").sum()), kind="measured")
stock
