"""Draw the graph of an expression as SVG and as graphviz's DOT text (lesson 02).

Operations are boxes, leaves are ovals; every arrow carries the shape that flows
along it. Layout is by layers: an operation stands below everything it reads, and an
arrow over several layers goes round the boxes between.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from tinyternary.autograd.tensor import Tensor
from tinyternary.errors import ConfigError, TinyTernaryError

_ROW, _GAP, _EDGE, _HEIGHT, _LETTER = 78, 24, 12, 40, 7.2  # pixels


@dataclass(frozen=True)
class Drawing:
    """A drawn graph: notebooks show it, `save` writes it.

    Attributes
    ----------
    svg, dot : str
        The picture, and the same graph in graphviz's language.
    """

    svg: str
    dot: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write ``.svg`` or ``.dot``, by the path's ending.

        Raises
        ------
        ConfigError
            For another ending.
        """
        path = Path(path)
        texts = {".svg": self.svg, ".dot": self.dot}
        if path.suffix not in texts:
            raise ConfigError(f"path: expected a name ending in .svg or .dot, got {path.name!r}")
        path.write_text(texts[path.suffix], encoding="utf-8")
        return path


@dataclass
class _Box:
    label: str
    shape: str
    leaf: bool
    level: int = 0
    x: float = 0.0

    @property
    def width(self) -> float:
        letters = max(len(self.label), len(self.shape))
        return 22 + _LETTER * letters if letters else 0  # nothing: an arrow passes here

    @property
    def top(self) -> int:
        return self.level * _ROW + _EDGE


def draw_graph(result: Tensor, names: dict[str, Tensor] | None = None) -> Drawing:
    """Draw how a tensor was made.

    Parameters
    ----------
    result : Tensor
        Made by at least one operation from leaves that require gradients.
    names : dict, optional
        Labels for leaves: ``{"w": w}``.

    Raises
    ------
    TinyTernaryError
        If no graph leads to `result`, or backward freed it.
    """
    root = result._node
    if root is None:
        raise TinyTernaryError("draw_graph: no recorded operation made this tensor")
    from tinyternary.autograd.backward import topological_order

    order = topological_order(root)
    if any(node.freed for node in order):
        raise TinyTernaryError("draw_graph: backward() freed this graph; draw it before that")
    labels = {id(tensor): name for name, tensor in (names or {}).items()}
    boxes: dict[int, _Box] = {}
    arrows: list[tuple[int, int, str]] = []
    for node in order:
        box = _Box(node.name, " ".join(map(_shape, node.output_shapes)), leaf=False)
        for number, edge in enumerate(node.edges):
            if edge is None:
                continue
            source = edge if isinstance(edge, Tensor) else edge[0]
            if isinstance(edge, Tensor) and id(edge) not in boxes:
                boxes[id(edge)] = _Box(labels.get(id(edge), "leaf"), _shape(edge.shape), True)
            arrows.append((id(source), id(node), _shape(node.input_shapes[number] or ())))
            box.level = max(box.level, boxes[id(source)].level + 1)
        boxes[id(node)] = box
    return Drawing(_svg(boxes, arrows), _dot(boxes, arrows))


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def _waypoints(boxes: dict[int, _Box], arrows: list[tuple[int, int, str]]) -> dict[int, list[_Box]]:
    """Give each source a free place in every row that its longest arrow has to cross."""
    points: dict[int, list[_Box]] = {}
    for source, target, _ in arrows:
        passed = points.setdefault(source, [])
        for level in range(boxes[source].level + 1 + len(passed), boxes[target].level):
            passed.append(_Box("", "", False, level))
    return points


def _spread(wanted: list[float], widths: list[float]) -> list[float]:
    """Places as near to the wanted ones (ascending) as boxes of these widths can be.

    Least squares: boxes that would overlap become a group around their common mean
    (pool adjacent violators).
    """
    offsets = [0.0]
    for a, b in pairwise(widths):
        offsets.append(offsets[-1] + (a + b) / 2 + _GAP)
    groups: list[tuple[float, int]] = []  # mean of (wanted - offset), and of how many boxes
    for place, offset in zip(wanted, offsets, strict=True):
        mean, count = place - offset, 1
        while groups and groups[-1][0] > mean:
            before, others = groups.pop()
            mean = (before * others + mean * count) / (others + count)
            count += others
        groups.append((mean, count))
    means = [mean for mean, count in groups for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _place(
    boxes: dict[int, _Box], arrows: list[tuple[int, int, str]]
) -> tuple[dict[int, list[_Box]], float, float]:
    """Give every box its place; returns the ways of long arrows, and the picture's size.

    An operation wants to stand below the operations that it reads, so that a chain is a
    straight line, and so does the way of an arrow that passes by. Leaves come to their right.
    """
    # a leaf stands just above the first operation that reads it
    for key, box in boxes.items():
        readers = [boxes[t].level for s, t, _ in arrows if s == key]
        if box.leaf and readers:
            box.level = min(readers) - 1
    ways = _waypoints(boxes, arrows)
    feeds: dict[int, list[_Box]] = {id(box): [] for box in boxes.values()}
    for source, target, _ in arrows:
        above = [boxes[source], *ways[source]]
        feeds[id(boxes[target])].append(above[boxes[target].level - boxes[source].level - 1])
    for source, way in ways.items():
        for before, point in pairwise([boxes[source], *way]):
            feeds[id(point)] = [before]
    rows: dict[int, list[_Box]] = {}
    for box in [*boxes.values(), *(point for way in ways.values() for point in way)]:
        rows.setdefault(box.level, []).append(box)
    for level in sorted(rows):
        leaves = [box for box in rows[level] if box.leaf]
        others = [box for box in rows[level] if not box.leaf] or leaves

        def wanted(box: _Box) -> tuple[float, float]:
            above = [b.x for b in feeds[id(box)]]
            operations = [b.x for b in feeds[id(box)] if not b.leaf] or above or [0.0]
            return sum(operations) / len(operations), sum(above)

        others.sort(key=wanted)
        places = _spread([wanted(box)[0] for box in others], [box.width for box in others])
        for box, place in zip(others, places, strict=True):
            box.x = place
        right = others[-1].x + others[-1].width / 2
        for box in leaves if others is not leaves else []:
            box.x = right + _GAP + box.width / 2
            right = box.x + box.width / 2
    everything = [box for row in rows.values() for box in row]
    shift = _GAP - min(box.x - box.width / 2 for box in everything)
    for box in everything:
        box.x += shift
    return (
        ways,
        max(box.x + box.width / 2 for box in everything) + _GAP,
        max(rows) * _ROW + _HEIGHT + 2 * _EDGE,
    )


def _svg(boxes: dict[int, _Box], arrows: list[tuple[int, int, str]]) -> str:
    ways, width, height = _place(boxes, arrows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    arriving: dict[int, list[tuple[float, list[_Box], str]]] = {}
    for source, target, shape in arrows:
        way = ways[source][: boxes[target].level - boxes[source].level - 1]
        from_x = (way or [boxes[source]])[-1].x
        arriving.setdefault(target, []).append((from_x, [boxes[source], *way], shape))
    for target, arrivals in arriving.items():
        box = boxes[target]
        arrivals.sort(key=lambda arrival: arrival[0])
        for number, (_, (start, *way), shape) in enumerate(arrivals):
            # side by side on the box, so that both arrows of x * x can be seen
            x = box.x + box.width * ((number + 1) / (len(arrivals) + 1) - 0.5)
            points = [(start.x, start.top + _HEIGHT)]
            for point in way:
                points += [(point.x, point.top), (point.x, point.top + _HEIGHT)]
            path = " ".join(f"{x:.1f},{y}" for x, y in [*points, (x, box.top)])
            lines.append(
                f'<polyline points="{path}" fill="none" stroke="#555" '
                f'marker-end="url(#tip)"><title>{escape(shape)}</title></polyline>'
            )
    for box in boxes.values():
        left, top = box.x - box.width / 2, box.top
        fill, corner = ("#e8f1fb", _HEIGHT // 2) if box.leaf else ("#fdf3e1", 4)
        lines.append(
            f'<rect x="{left:.1f}" y="{top}" width="{box.width:.1f}" height="{_HEIGHT}" '
            f'rx="{corner}" fill="{fill}" stroke="#555"/>'
            f'<text x="{box.x:.1f}" y="{top + 17}" text-anchor="middle">{escape(box.label)}</text>'
            f'<text x="{box.x:.1f}" y="{top + 32}" text-anchor="middle" fill="#555">'
            f"{escape(box.shape)}</text>"
        )
    return "\n".join([*lines, "</svg>"])


def _dot(boxes: dict[int, _Box], arrows: list[tuple[int, int, str]]) -> str:
    number = {key: f"n{i}" for i, key in enumerate(boxes)}
    lines = ["digraph expression {", '  node [fontname="monospace"];']
    for key, box in boxes.items():
        label = box.label.replace("\\", "\\\\").replace('"', '\\"')
        form = "ellipse" if box.leaf else "box"
        lines.append(f'  {number[key]} [shape={form}, label="{label}\\n{box.shape}"];')
    for source, target, shape in arrows:
        lines.append(f'  {number[source]} -> {number[target]} [label="{shape}"];')
    return "\n".join([*lines, "}"])
