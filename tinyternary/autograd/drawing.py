"""Draw the graph of an expression as SVG and as graphviz's DOT text (lesson 02).

Operations are boxes, leaves are ovals; every arrow carries the shape that flows
along it. Layout is by layers: an operation stands below everything it reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from tinyternary.autograd.tensor import Tensor
from tinyternary.errors import ConfigError, TinyTernaryError

_ROW, _GAP, _HEIGHT, _LETTER = 78, 24, 40, 7.2  # pixels


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
        return 22 + _LETTER * max(len(self.label), len(self.shape))


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


def _place(boxes: dict[int, _Box], arrows: list[tuple[int, int, str]]) -> tuple[float, float]:
    """Give every box its place; returns the picture's width and height."""
    feeds: dict[int, list[int]] = {key: [] for key in boxes}
    for source, target, _ in arrows:
        feeds[target].append(source)
    # a leaf stands just above the first operation that reads it
    for key, box in boxes.items():
        readers = [boxes[t].level for s, t, _ in arrows if s == key]
        if box.leaf and readers:
            box.level = min(readers) - 1
    rows: dict[int, list[int]] = {}
    for key, box in boxes.items():
        rows.setdefault(box.level, []).append(key)
    widest = max(sum(boxes[k].width + _GAP for k in row) for row in rows.values()) + _GAP
    for level in sorted(rows):
        row = rows[level]

        def wanted(key: int) -> float:
            above = [boxes[s].x for s in feeds[key] if boxes[s].level < boxes[key].level]
            return sum(above) / len(above) if above else widest / 2

        row.sort(key=wanted)
        total = sum(boxes[k].width + _GAP for k in row) - _GAP
        left = (widest - total) / 2
        for key in row:
            boxes[key].x = left + boxes[key].width / 2
            left += boxes[key].width + _GAP
    return widest, (max(rows) + 1) * _ROW


def _svg(boxes: dict[int, _Box], arrows: list[tuple[int, int, str]]) -> str:
    width, height = _place(boxes, arrows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for source, target, shape in arrows:
        a, b = boxes[source], boxes[target]
        y1, y2 = a.level * _ROW + 12 + _HEIGHT, b.level * _ROW + 12
        lines.append(
            f'<line x1="{a.x:.1f}" y1="{y1}" x2="{b.x:.1f}" y2="{y2}" stroke="#555" '
            f'marker-end="url(#tip)"><title>{escape(shape)}</title></line>'
        )
    for box in boxes.values():
        left, top = box.x - box.width / 2, box.level * _ROW + 12
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
