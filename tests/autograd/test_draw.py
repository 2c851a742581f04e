"""The drawn graph: valid SVG and DOT with every operation, leaf and shape."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

import tinyternary as tt
from tinyternary.errors import TinyTernaryError


def expression():
    x = tt.Tensor(np.zeros((3, 4), np.float32), requires_grad=True)
    w = tt.Tensor(np.zeros((4, 5), np.float32), requires_grad=True)
    return x, w, ((x @ w).gelu() + (x @ w)).sum()


def test_operations_leaves_and_shapes_are_drawn():
    x, w, y = expression()
    drawing = tt.draw_graph(y, {"x": x, "<w>": w})
    root = ET.fromstring(drawing.svg)  # well-formed, names escaped
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    for name in ("Matmul", "Gelu", "Add", "Sum", "x", "<w>", "(3, 4)", "(4, 5)", "(3, 5)"):
        assert name in texts, name
    assert texts.count("Matmul") == 2
    assert drawing._repr_svg_() == drawing.svg


def test_dot_has_one_line_for_each_node_and_arrow():
    _, _, y = expression()
    lines = tt.draw_graph(y).dot.splitlines()
    assert lines[0].startswith("digraph")
    assert lines[-1] == "}"
    assert sum("shape=" in line for line in lines) == 5 + 2
    assert sum("->" in line for line in lines) == 4 + 1 + 2 + 1


def test_boxes_of_a_row_do_not_overlap_and_stay_inside():
    _, _, y = expression()
    root = ET.fromstring(tt.draw_graph(y).svg)
    boxes = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("rx")]
    rows = {}
    for box in boxes:
        left, width = float(box.get("x")), float(box.get("width"))
        assert left >= 0
        assert left + width <= float(root.get("width")) + 1
        rows.setdefault(box.get("y"), []).append((left, left + width))
    for spans in rows.values():
        spans.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(spans))


def boxes_and_arrows(y):
    """Boxes as (left, top, right, bottom), and arrows as lists of points."""
    root = ET.fromstring(tt.draw_graph(y).svg)
    boxes, arrows = [], []
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        if rect.get("rx"):
            x, y, width, height = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
            boxes.append((x, y, x + width, y + height))
    for line in root.iter("{http://www.w3.org/2000/svg}polyline"):
        arrows.append([tuple(map(float, p.split(","))) for p in line.get("points").split()])
    return boxes, arrows


def test_no_arrow_runs_through_a_box():
    x, w, _ = expression()
    h = x @ w
    z = (h * h).gelu().exp() + h  # what is added passes three operations by
    y = (z.gelu() + z + h).sum()
    boxes, arrows = boxes_and_arrows(y)
    assert any(len(points) > 2 for points in arrows)
    for points in arrows:
        for (x1, y1), (x2, y2) in pairwise(points):
            for t in np.linspace(0.01, 0.99, 99):
                x, y = x1 + t * (x2 - x1), y1 + t * (y2 - y1)
                assert not any(a < x < c and b < y < d for a, b, c, d in boxes)


def test_an_operation_that_reads_a_value_twice_gets_two_arrows():
    x = tt.Tensor(np.zeros((3, 4), np.float32), requires_grad=True)
    _, arrows = boxes_and_arrows(x * x)
    assert len({points[-1] for points in arrows}) == 2


def test_a_chain_of_operations_is_a_straight_line():
    x, w, _ = expression()
    boxes, _ = boxes_and_arrows((x @ w).gelu().exp().sum())
    centres = sorted((top, (left + right) / 2) for left, top, right, _ in boxes)
    assert len(centres) == 6  # x and w stand side by side
    middle = [x for _, x in centres[2:]]
    np.testing.assert_allclose(middle, middle[0], atol=0.11)  # a picture rounds to tenths
    assert sum(x for _, x in centres[:2]) / 2 == pytest.approx(middle[0], abs=0.11)


def test_saves_by_ending(tmp_path):
    _, _, y = expression()
    drawing = tt.draw_graph(y)
    assert drawing.save(tmp_path / "g.svg").read_text() == drawing.svg
    assert drawing.save(str(tmp_path / "g.dot")).read_text() == drawing.dot


def test_needs_a_graph_that_is_still_there():
    x, _, y = expression()
    with pytest.raises(TinyTernaryError, match="no recorded operation"):
        tt.draw_graph(x)
    y.backward()
    with pytest.raises(TinyTernaryError, match="freed"):
        tt.draw_graph(y)


def test_a_long_chain_is_drawn_without_recursion():
    y = tt.Tensor(np.zeros(2, np.float32), requires_grad=True)
    for _ in range(2000):
        y = y * 2
    assert "Multiply" in tt.draw_graph(y).svg
