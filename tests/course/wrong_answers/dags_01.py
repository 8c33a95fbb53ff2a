"""Plausible wrong answers to the exercises of dags/01_graphs_and_identification, each to be refused with a hint."""

import networkx as nx
import numpy as np


def _given_blocks(left, right, m_given, descendant_given):
    return ~m_given


def _no_descendants(left, right, m_given, descendant_given):
    return np.where((left == "a>m") & (right == "b>m"), m_given, ~m_given)


def _upside_down(left, right, m_given, descendant_given):
    return np.where((left == "a>m") & (right == "b>m"), ~m_given, m_given)


def _seeing(p_z, p_t, p_y):
    treated, others = p_z * p_t, p_z * (1 - p_t)
    return p_y[1] @ treated / treated.sum() - p_y[0] @ others / others.sum()


def _on_the_treated(p_z, p_t, p_y):
    return (p_y[1] - p_y[0]) @ (p_z * p_t) / (p_z @ p_t)


def _all_alike(p_z, p_t, p_y):
    return (p_y[1] - p_y[0]).mean()


def _descendants_allowed(graph, treatment, outcome, candidates):
    cut = graph.copy()
    cut.remove_edges_from(list(graph.out_edges(treatment)))
    return [nx.is_d_separator(cut, {treatment}, {outcome}, set(c)) for c in candidates]


def _nothing_cut(graph, treatment, outcome, candidates):
    after = nx.descendants(graph, treatment)
    return [not after & set(c) and nx.is_d_separator(graph, {treatment}, {outcome}, set(c)) for c in candidates]


def _all_parents(graph, treatment, outcome, candidates):
    return [set(c) >= set(graph.predecessors(treatment)) for c in candidates]


def _as_printed(y, t, z):
    means = []
    for arm in (0, 1):
        in_arm = t == arm
        shares = np.array([(z[in_arm] == k).mean() for k in np.unique(z)])
        means.append(np.array([y[in_arm & (z == k)].mean() for k in np.unique(z)]) @ shares)
    return means[1] - means[0]


def _gaps_of_the_treated(y, t, z):
    gaps = np.array([y[(t == 1) & (z == k)].mean() - y[(t == 0) & (z == k)].mean() for k in np.unique(z)])
    return gaps @ np.array([(z[t == 1] == k).mean() for k in np.unique(z)])


WRONG = {
    "dags/01.1": [_given_blocks, _no_descendants, _upside_down],
    "dags/01.2": [_seeing, _on_the_treated, _all_alike],
    "dags/01.3": [_descendants_allowed, _nothing_cut, _all_parents],
    "dags/01.4": [_as_printed, _gaps_of_the_treated],
}
