"""The layered layout: boxes do not touch, edges go down, crossings are counted, equal input gives an equal drawing."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwblocks.charts.layout import GAP_X, GAP_Y, crossings, layered


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 24))
    sizes = [(draw(st.integers(10, 200)), draw(st.integers(10, 60))) for _ in range(count)]
    pairs = list(combinations(range(count), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=40)) if pairs else []
    return sizes, sorted(edges)


def overlap(a, b, first, second):
    apart_x = abs(a[0] - b[0]) >= (first[0] + second[0]) / 2 + GAP_X - 1e-6
    apart_y = abs(a[1] - b[1]) >= (first[1] + second[1]) / 2 + GAP_Y - 1e-6
    return not (apart_x or apart_y)


@given(graphs())
def test_boxes_keep_their_distance_and_stay_inside(graph):
    sizes, edges = graph
    made = layered(sizes, edges)
    for i, j in combinations(range(len(sizes)), 2):
        assert not overlap(made.centres[i], made.centres[j], sizes[i], sizes[j])
    for (x, y), (wide, tall) in zip(made.centres, sizes):
        assert x - wide / 2 >= -1e-6 and x + wide / 2 <= made.width + 1e-6
        assert y - tall / 2 >= -1e-6 and y + tall / 2 <= made.height + 1e-6


@given(graphs())
def test_edges_go_down_from_box_to_box(graph):
    sizes, edges = graph
    made = layered(sizes, edges)
    for (source, target), path in zip(edges, made.paths):
        assert path[0] == (made.centres[source][0], made.centres[source][1] + sizes[source][1] / 2)
        assert path[-1] == (made.centres[target][0], made.centres[target][1] - sizes[target][1] / 2)
        assert all(above[1] < below[1] for above, below in pairwise(path))


@given(graphs())
def test_long_edges_pass_beside_boxes(graph):
    sizes, edges = graph
    made = layered(sizes, edges)
    for path in made.paths:
        for x, y in path[1:-1]:
            for (cx, cy), (wide, tall) in zip(made.centres, sizes):
                assert abs(x - cx) >= wide / 2 or abs(y - cy) >= tall / 2 + 1e-6


@given(graphs())
def test_equal_input_equal_layout(graph):
    assert layered(*graph) == layered(*graph)


def test_a_chain_is_a_straight_column():
    made = layered([(100, 40)] * 5, [(i, i + 1) for i in range(4)])
    assert {x for x, _ in made.centres} == {50.0}
    assert [y for _, y in made.centres] == [20 + i * (40 + GAP_Y) for i in range(5)]


def test_a_skip_connection_bends_once_a_level():
    made = layered([(100, 40)] * 4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert [len(path) for path in made.paths] == [2, 2, 2, 4]


def test_starts_stand_just_above_their_first_reader():
    made = layered([(10, 10)] * 4, [(0, 1), (1, 2), (3, 2)])
    assert made.centres[3][1] == made.centres[1][1]


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=14, unique=True)
        )
    )
)
def test_crossings_equal_the_pairs_that_cross(drawn):
    count, edges = drawn
    below = [[count + b for a, b in edges if a == v] for v in range(count)] + [[] for _ in range(count)]
    expected = sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(edges, 2))
    assert crossings([list(range(count)), list(range(count, 2 * count))], below) == expected


def test_crossed_pairs_are_uncrossed():
    made = layered([(10, 10)] * 4, [(0, 3), (1, 2)])
    left = made.centres[0][0] < made.centres[1][0]
    assert (made.centres[3][0] < made.centres[2][0]) == left


@pytest.mark.parametrize("count", [0, 1, 300])
def test_sizes_of_all_kinds(count):
    edges = [(i, i + 1) for i in range(count - 1)] + [(i, i + 7) for i in range(0, count - 7, 5)]
    made = layered([(190, 42)] * count, edges)
    assert len(made.centres) == count
    assert len(made.paths) == len(edges)
