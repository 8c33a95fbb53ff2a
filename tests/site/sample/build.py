"""Runs the two sample chapters and builds a site from them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import jupytext
import papermill

from causalrec_lib.course import site
from causalrec_lib.course.site_layout import Layout

HERE = Path(__file__).parent
BOOK = HERE.parents[2] / "book"
LAB = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}


def sample(folder: Path) -> Layout:
    """Run the sample chapters into `folder` and put labs beside them; return the folders of the build."""
    root, build = folder / "course", folder / "build"
    shutil.copytree(HERE / "notebooks", root / "notebooks")
    shutil.copytree(HERE / "book", root / "book")
    shutil.copytree(BOOK / "_static", root / "book" / "_static")
    for name in ("_config.yml", "references.bib", "bibliography.md"):
        shutil.copy(BOOK / name, root / "book" / name)
    where = Layout(root, root / "book", build, "ci")
    kept = os.environ.get("CAUSALREC_BUILD")
    os.environ["CAUSALREC_BUILD"] = str(build)
    try:
        for source in where.sources():
            chapter = where.chapter(source)
            raw = build / "ipynb" / f"{chapter}.ipynb"
            for target in (raw, where.executed(chapter), where.lab(chapter, "student")):
                target.parent.mkdir(parents=True, exist_ok=True)
            jupytext.write(jupytext.read(source), raw)
            papermill.execute_notebook(
                str(raw), str(where.executed(chapter)), {"PROFILE": "ci", "SEED": 7}, progress_bar=False
            )
            for kind in ("student", "solution"):
                where.lab(chapter, kind).write_text(json.dumps(LAB), encoding="utf-8")
    finally:
        os.environ.pop("CAUSALREC_BUILD")
        if kept is not None:
            os.environ["CAUSALREC_BUILD"] = kept
    return where


def built(folder: Path) -> Layout:
    """Run the sample chapters into `folder` and build their site."""
    where = sample(folder)
    site.build_site("ci", root=where.root, build=where.build, book=where.book)
    return where
