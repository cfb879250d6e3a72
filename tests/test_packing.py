"""The packed layout against the list of (sequence, time) that it stands for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_rnn._networks.packing import Packing

falling_lengths = st.lists(st.integers(1, 30), min_size=1, max_size=12).map(
    lambda lengths: np.sort(lengths)[::-1]
)


def layout(lengths):
    """(sequence, time) of every packed row."""
    return [(s, t) for t in range(lengths[0]) for s in range(len(lengths)) if t < lengths[s]]


def rows_of(selection, n):
    return np.arange(n)[selection].tolist()


def links(steps, places):
    """(row, row that it is linked to) of every step, as (sequence, time)."""
    return [
        (places[row], places[before])
        for step in steps
        for row, before in zip(
            rows_of(step.linked, len(places)), rows_of(step.before, len(places)), strict=True
        )
    ]


@given(falling_lengths)
def test_counts(lengths):
    packing = Packing(lengths)
    assert packing.n_sequences == len(lengths)
    assert packing.n_rows == lengths.sum()
    times = [t for _, t in layout(lengths)]
    assert_array_equal(packing.running, np.bincount(times))
    assert_array_equal(packing.offsets, [0, *np.cumsum(np.bincount(times))])


@given(falling_lengths, st.randoms(use_true_random=False))
def test_rows_take_every_row_once(lengths, random):
    # sequences stand in any order in the data
    order = random.sample(range(len(lengths)), len(lengths))
    starts = np.empty(len(lengths), dtype=int)
    starts[order] = np.cumsum(lengths[order]) - lengths[order]
    rows = Packing(lengths).rows(starts)
    assert_array_equal(np.sort(rows), np.arange(lengths.sum()))
    assert_array_equal(rows, [starts[s] + t for s, t in layout(lengths)])


@given(falling_lengths)
def test_first_last_and_sequence(lengths):
    packing, places = Packing(lengths), layout(lengths)
    assert places[packing.first] == [(s, 0) for s in range(len(lengths))]
    assert [places[row] for row in packing.last] == [(s, n - 1) for s, n in enumerate(lengths)]
    assert packing.sequence.tolist() == [s for s, _ in places]


@given(falling_lengths)
def test_links_pair_all_rows_with_the_ones_before(lengths):
    packing, places = Packing(lengths), layout(lengths)
    pairs = [
        (places[row], places[earlier])
        for linked, before in packing.links
        for row, earlier in zip(
            rows_of(linked, len(places)), rows_of(before, len(places)), strict=True
        )
    ]
    assert pairs == [((s, t), (s, t - 1)) for s, t in places if t > 0]
    # where lengths agree, one link is all
    assert len(packing.links) < max(2, len(set(lengths.tolist())) + 1)


@given(falling_lengths)
def test_steps_link_each_row_to_the_one_before(lengths):
    packing, places = Packing(lengths), layout(lengths)
    now = [row for step in packing.steps for row in rows_of(step.now, len(places))]
    assert now == list(range(len(places)))
    expected = [((s, t), (s, t - 1)) for s, t in places if t > 0]
    assert links(packing.steps, places) == expected


@given(falling_lengths)
def test_steps_back_link_each_row_to_the_one_after(lengths):
    packing, places = Packing(lengths), layout(lengths)
    times = [[places[row][1] for row in rows_of(s.now, len(places))] for s in packing.steps_back]
    assert times == [[t] * n for t, n in reversed(list(enumerate(packing.running)))]
    expected = {((s, t), (s, t + 1)) for s, t in places if t + 1 < lengths[s]}
    found = links(packing.steps_back, places)
    assert len(found) == len(expected)
    assert set(found) == expected


@given(falling_lengths)
def test_a_step_links_rows_of_its_own(lengths):
    packing = Packing(lengths)
    for step in [*packing.steps, *packing.steps_back]:
        now = rows_of(step.now, packing.n_rows)
        assert set(rows_of(step.linked, packing.n_rows)) <= set(now)
        assert not set(rows_of(step.before, packing.n_rows)) & set(now)
