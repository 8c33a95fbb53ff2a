"""Figures: colours that everybody can tell apart, alternative text, ids that never clash, graphs and forests."""

import itertools
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from numpydoc.validate import validate

from causalrec_lib import plots, simulation
from causalrec_lib.estimate import Design, Estimate

ALT = "A straight line that rises from the lower left to the upper right."
CAPTION = "The line rises: <more> shelf & more sales."
PAGES = {"light": "#ffffff", "dark": "#121212"}
# Linear-light matrices of full colour-vision deficiency (Machado, Oliveira and Fernandes, 2009).
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


@pytest.fixture(autouse=True)
def clean():
    """Default settings and no open figure after each test."""
    with mpl.rc_context():
        plots.use_style()
        yield
    plt.close("all")


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, as HTML."""
    pages = []
    monkeypatch.setattr(plots, "display", lambda page: pages.append(page.data))
    return pages


def line():
    """A small figure."""
    fig, ax = plt.subplots()
    ax.plot([0, 1], [0, 1])
    return fig


def linear(colour):
    """Linear-light RGB of a hex colour."""
    c = np.array(mpl.colors.to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* under D65."""
    x = XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a, b):
    """Contrast ratio of two colours as WCAG 2 defines it."""
    light, dark = sorted((float(XYZ[1] @ linear(c)) for c in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISION)
def test_any_two_colours_can_be_told_apart(vision):
    seen = {name: lab(np.array(VISION[vision]) @ linear(c)) for name, c in plots.COLORS.items() if name != "truth"}
    distance = {(a, b): np.linalg.norm(seen[a] - seen[b]) for a, b in itertools.combinations(seen, 2)}
    closest = min(distance, key=distance.get)
    assert distance[closest] >= 10, f"{closest} are {distance[closest]:.1f} apart under {vision} vision"


@pytest.mark.parametrize("page", PAGES)
def test_lines_and_marks_stand_out_from_the_page(page):
    for name in set(plots.COLORS) - {"ink", "truth", "soft"}:  # ink follows the page, soft fills areas
        assert contrast(plots.COLORS[name], PAGES[page]) >= 2.99, f"{name} on a {page} page"


def test_colours_can_not_be_changed_by_a_chapter():
    with pytest.raises(TypeError):
        plots.COLORS["naive"] = "red"


def test_the_cycle_uses_the_same_colours():
    assert set(plots.CYCLE) <= set(plots.COLORS.values())
    assert len(set(plots.CYCLE)) == len(plots.CYCLE) == 6


def test_a_figure_says_what_it_shows(shown):
    plots.show(line(), alt=ALT, caption=CAPTION)
    (page,) = shown
    assert f'role="img" tabindex="0" aria-label="{ALT}"' in page
    assert "<figcaption>The line rises: &lt;more&gt; shelf &amp; more sales.</figcaption>" in page


def test_the_alternative_text_can_hold_quotes(shown):
    plots.show(line(), alt='A line called "sales", rising <fast>.', caption=CAPTION)
    assert 'aria-label="A line called &quot;sales&quot;, rising &lt;fast&gt;."' in shown[0]


def test_ink_takes_the_colour_of_the_page(shown):
    plots.show(line(), alt=ALT, caption=CAPTION)
    assert "currentColor" in shown[0]
    assert plots.INK not in shown[0]


def test_the_page_is_well_formed_and_reads_offline(shown):
    plots.show(line(), alt=ALT, caption=CAPTION)
    root = ET.fromstring(shown[0])  # noqa: S314  (made here)
    assert root.tag == "figure"
    assert "<script" not in shown[0]
    assert not re.search(r"(?:href|src)=\"https?:", shown[0])


def test_every_reference_inside_a_figure_has_its_target(shown):
    plots.show(line(), alt=ALT, caption=CAPTION)
    wanted = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", shown[0]))
    targets = set(re.findall(r' id="([^"]+)"', shown[0]))
    assert wanted
    assert {a or b for a, b in wanted} <= targets


def test_two_figures_on_a_page_share_no_id(shown):
    plots.show(line(), alt=ALT, caption=CAPTION)
    plots.show(line(), alt=ALT, caption=CAPTION + " Again.")
    first, second = (set(re.findall(r' id="([^"]+)"', page)) for page in shown)
    assert first
    assert not first & second


def test_the_same_figure_makes_the_same_bytes(shown):
    for _ in range(2):
        plots.show(line(), alt=ALT, caption=CAPTION)
    assert shown[0] == shown[1]


def test_a_shown_figure_is_closed(shown):
    fig = line()
    plots.show(fig, alt=ALT, caption=CAPTION)
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize("text", ["", " " * 30, "Results.", None, 7])
@pytest.mark.parametrize("name", ["alt", "caption"])
def test_text_that_says_nothing_is_refused(shown, name, text):
    with pytest.raises(ValueError, match=f"{name} must say in words"):
        plots.show(line(), **{"alt": ALT, "caption": CAPTION, name: text})
    assert shown == []


def test_hashes_are_the_same_in_every_process():
    assert plots.hash_text("shelf") == 2772917219


def test_the_truth_is_a_dashed_line_in_ink():
    _, ax = plt.subplots()
    plots.truth_line(ax, 1.5)
    plots.truth_line(ax, 0.5, axis="y")
    assert [line.get_linestyle() for line in ax.lines] == ["--", "--"]
    assert {line.get_color() for line in ax.lines} == {plots.INK}
    assert list(ax.lines[0].get_xdata()) == [1.5, 1.5]
    assert list(ax.lines[1].get_ydata()) == [0.5, 0.5]


def estimate(**changes):
    """One, give or take a tenth."""
    return Estimate(**{"value": 1.0, "se": 0.1, "estimand": "ATE", "method": "m", "n": 50, **changes})


def test_a_forest_shows_points_intervals_and_who_is_naive():
    estimates = {"naive": 2.0, "weighted": estimate(), "flagged": estimate().flagged("too few rows")}
    fig = plots.forest(estimates, naive=("naive",), truth=1.1)
    (ax,) = fig.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == list(estimates)
    points = [x for x in ax.lines if x.get_marker() in ("o", "X")]
    assert [p.get_color() for p in points] == [plots.COLORS[c] for c in ("naive", "estimate", "warn")]
    assert [p.get_marker() for p in points] == ["o", "o", "X"]
    spans = [tuple(x.get_xdata()) for x in ax.lines if len(x.get_xdata()) == 2 and x.get_linestyle() == "-"]
    assert spans == [(estimate().low, estimate().high)] * 2
    tops = dict(zip([t.get_text() for t in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    assert tops["naive"] > tops["weighted"] > tops["flagged"]
    assert [p.get_ydata()[0] for p in points] == list(tops.values())


def test_a_forest_without_an_interval_draws_none():
    fig = plots.forest({"a": estimate(se=np.nan)})
    assert len(fig.axes[0].lines) == 1
    assert fig.axes[0].get_legend() is None


def test_a_forest_fits_into_given_axes():
    fig, (left, _) = plt.subplots(1, 2)
    assert plots.forest({"a": 1.0}, ax=left) is fig
    assert len(left.lines) == 1


def test_an_empty_forest_is_refused():
    with pytest.raises(ValueError, match="estimates is empty"):
        plots.forest({})


def graph():
    """Taste moves shelf and sales."""
    g = nx.DiGraph([("taste", "shelf"), ("taste", "sales"), ("shelf", "sales")])
    g.nodes["taste"].update(observed=False, role="confounder", label="taste\nof the town")
    g.nodes["shelf"]["role"] = "treatment"
    g.edges["taste", "sales"]["kind"] = "bias"
    return g


def test_a_graph_is_drawn_with_its_words(shown):
    plots.draw_dag(graph(), alt=ALT, caption=CAPTION)
    for word in ("taste", "of the town", "shelf", "sales", plots.COLORS["treated"], plots.COLORS["warn"]):
        assert word in shown[0]
    assert "stroke-dasharray" in shown[0]
    assert plt.get_fignums() == []


def test_causes_stand_left_of_their_effects():
    pos = plots._layout(graph())
    assert pos["taste"][0] < pos["shelf"][0] < pos["sales"][0]


def test_given_positions_are_kept():
    g = graph()
    for k, v in enumerate(g):
        g.nodes[v]["pos"] = (k, -k)
    assert plots._layout(g)["sales"] == (2, -2)


@pytest.mark.parametrize("bad", [nx.DiGraph(), nx.DiGraph([("a", "b"), ("b", "a")])])
def test_a_graph_with_a_cycle_or_without_a_node_is_refused(shown, bad):
    with pytest.raises(ValueError, match="acyclic"):
        plots.draw_dag(bad, alt=ALT, caption=CAPTION)


@pytest.mark.parametrize("bad", [nx.Graph([("a", "b")])])
def test_a_graph_without_directions_is_refused(shown, bad):
    with pytest.raises(ValueError, match="acyclic DiGraph"):
        plots.draw_dag(bad, alt=ALT, caption=CAPTION)


SCORES = np.linspace(0.05, 0.95, 200)
GROUP = (np.arange(200) % 3 == 0).astype(float)


def heights(ax, label):
    """Heights of the stairs with a label."""
    return next(p for p in ax.patches if p.get_label() == label).get_data()[0]


def test_overlap_shows_both_groups_apart_and_weighted():
    fig = plots.overlap(SCORES, GROUP, weights=1 + GROUP, labels=("shown", "not shown"))
    (ax,) = fig.axes
    assert heights(ax, "shown").sum() == GROUP.sum() and heights(ax, "not shown").sum() == -(1 - GROUP).sum()
    assert heights(ax, "shown, weighted").sum() == 2 * GROUP.sum()
    assert heights(ax, "all rows").sum() == 200 and heights(ax, "shown").min() >= 0
    assert ax.yaxis.get_major_formatter()(-12, 0) == "12"
    far = plots.overlap(20 * SCORES - 10, GROUP, density=True).axes[0]
    assert far.get_xlim()[0] < -8 and heights(far, "treated").sum() == pytest.approx(-heights(far, "controls").sum())
    with pytest.raises(ValueError, match="t has 199 rows"):
        plots.overlap(SCORES, GROUP[1:])


def test_a_love_plot_compares_designs():
    table = pd.DataFrame({"before": [-0.5, 0.2], "after": [0.01, -0.3]}, index=["log_price", "age"])
    other = table.assign(after=[0.0, 0.05])
    (ax,) = plots.love({"weights": table, "twins": estimate(balance=other)}, labels={"age": "years"}).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["log price", "years"]
    drawn = {x.get_label(): list(x.get_xdata()) for x in ax.lines}
    assert drawn["before"] == [0.5, 0.2] and drawn["weights"] == [0.01, 0.3] and drawn["twins"] == [0.0, 0.05]
    assert [t.get_text() for t in plots.love(table).axes[0].get_legend().get_texts()] == ["before", "after"]
    fig, (left, _) = plt.subplots(1, 2)
    assert plots.love(table, ax=left) is fig
    for bad in ({}, estimate(), table[["before"]]):
        with pytest.raises(ValueError, match="balance"):
            plots.love(bad)


def test_a_bias_plane_draws_the_line_where_the_answer_turns():
    found = estimate(design=Design(np.tile([2.0, -2.0], 50), np.tile([1.0, -1.0, -1.0, 1.0], 25))).sensitivity()
    points = pd.DataFrame({"r2_treatment": [0.1], "r2_outcome": [0.02]}, ["log_age"])
    (ax,) = plots.bias_plane(found, lines={0.0: "none", 0.5: "half"}, benchmarks=points, hidden=(0.3, 0.1)).axes
    drawn = {x.get_label(): x for x in ax.lines}
    assert list(drawn) == ["none", "half", "log age", "the hidden cause"]
    for words, value in (("none", 0.0), ("half", 0.5)):
        d, y = (a[200] for a in drawn[words].get_data())
        assert np.sqrt(y * d / (1 - d)) * found.scale == pytest.approx(abs(found.value - value))
    assert [list(a) for a in drawn["the hidden cause"].get_data()] == [[0.3], [0.1]]
    assert ax.get_xlim()[1] == pytest.approx(0.42) and ax.get_ylim()[1] == pytest.approx(0.14)
    fig, (left, _) = plt.subplots(1, 2)
    assert plots.bias_plane(found, ax=left, limits=(0.5, 0.5)) is fig and left.get_xlim() == (0, 0.5)
    with pytest.raises(ValueError, match="no bias bound"):
        plots.bias_plane(estimate().sensitivity())


def test_coverage_marks_the_intervals_that_miss():
    def answer(k):
        return {"sound": estimate(value=1 + 0.2 * (k == 0)), "naive": estimate(value=2.0)}

    runs = simulation.repeat(answer, range(20), 1.0)
    runs.loc[[2], "refused"] = True
    left, right = plots.coverage(runs, naive="naive", show=10, what="weeks").axes
    assert left.get_title("left") == "sound: 95% cover, 5% refused" and right.get_title("left") == "naive: 0% cover"
    drawn = {mpl.colors.to_hex(c.get_color()[0]): len(c.get_segments()) for c in left.collections if c.get_segments()}
    assert drawn == {plots.COLORS["estimate"]: 8, plots.COLORS["warn"]: 1}
    assert left.get_ylabel() == "10 of the weeks" and left.lines[0].get_xdata()[0] == 1.0
    with pytest.raises(ValueError, match="naive must be one of"):
        plots.coverage(runs, naive="wrong")


@pytest.mark.parametrize("name", ["overlap", "love", "coverage", "bias_plane", "truth_line"])
def test_figures_of_the_private_modules_are_documented(name):
    checks = {"GL08", "SS03", "PR01", "PR02", "PR03", "PR04", "PR07", "PR08", "PR10", "RT01", "RT03", "YD01"}
    assert [e for e in validate(f"causalrec_lib.plots.{name}")["errors"] if e[0] in checks] == []
