# %% [markdown]
# # 02 · The chain rule as a machine
#
# A network with a million weights makes a mistake, and a moment later each of the million knows which way to move. No search, no trial and error: one pass forwards, one pass backwards, and every weight has its slope. The method is called *reverse-mode automatic differentiation*. It is the engine room of everything that is called AI today, and at heart it is a loop of three lines of Python.
#
# You will be able to
#
# - turn an expression into a graph, and put a slope on each of its wires;
# - say why gradients are *added* where a value is used twice, and what goes wrong if they are not;
# - walk a graph backwards in the one right order, without recursion, however deep it is;
# - derive the backward of broadcasting and of a matrix product from their shapes;
# - check any gradient to ten digits, and choose the step for it;
# - build an engine of your own and train a network with it, side by side with this library's;
# - distrust the sentence "it learns, so the gradient must be right".
#
# **What you need:** Python, NumPy, derivatives of sums and products, what a matrix product is. **Time:** 75 to 90 minutes. **Network:** none.
#
# | exercise | what you write | difficulty |
# |---|---|---|
# | 2.1 | a number that remembers how it was made | ● |
# | 2.2 | one step backwards | ● |
# | 2.3 | the order of all steps | ●●● |
# | 2.4 | broadcasting, undone | ●● |
# | 2.5 | backward of a matrix product | ●● |
# | 2.6 | a gradient by brute force | ●● |
# | 2.7 | softmax and cross-entropy in one | ●● |
# | 2.8 | the engine | ●●● |
# | 2.9, 2.10, 2.11 | three museum pieces, repaired | ●● |
# | 2.12 | a question to answer in words | ●● |
#
# As before: write your code in place of `raise NotImplementedError`, run the cell, run the check below it. What you leave open is filled in by the lesson and does not block you. `check.hint("2.3")` gives one hint at a time.

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})

check = course.checks("02_autograd")
my = check.mine

# %% [markdown]
# ## 1 · A slope on every wire
#
# Take an expression, $r = (w x + b)\,c$, and ask how $r$ changes when $w$ moves a little. On paper you would expand it and differentiate. The computer does something humbler: it computes $r$ step by step, and looks at one step at a time.
#
# $$
# p = w\,x, \qquad q = p + b, \qquad r = q\,c .
# $$
#
# Each step is so small that its slopes are known by heart. A sum passes a nudge on as it is. A product multiplies a nudge to one factor by the *other* factor. These are the **local slopes**, and the chain rule says that nothing else is needed: the slope of $r$ along a path is the product of the local slopes on it.
#
# So here is the plan. A number shall remember what it was made from, and with what slopes.

# %% [markdown]
# ### Exercise 2.1: a number that remembers (2 points)
#
# Complete `Value`. It holds
#
# - `data`, the number;
# - `grad`, the slope of the final result with respect to it: 0 for now;
# - `sources`, a pair `(value, slope)` for each `Value` that it was made from directly, where `slope` is the derivative of *this one step*. Something typed in has no sources.
#
# `a + b` and `a * b` should give a new `Value` with the right data and the right two sources. (`as_value` has turned a plain number into a `Value` already, so that `3 * a` works.)


# %% nbgrader={"grade": false, "grade_id": "2_1_Value", "locked": false, "schema_version": 3, "solution": true, "task": false}
def as_value(x):
    return x if isinstance(x, Value) else Value(x)


class Value:
    """A number that remembers what it was made from."""

    def __init__(self, data, sources=()):
        self.data = float(data)
        self.grad = 0.0
        self.sources = tuple(sources)  # pairs (Value, local slope)

    def __add__(self, other):
        other = as_value(other)
        ### BEGIN SOLUTION
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))
        ### END SOLUTION

    def __mul__(self, other):
        other = as_value(other)
        ### BEGIN SOLUTION
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))
        ### END SOLUTION

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-as_value(other))


# %% nbgrader={"grade": true, "grade_id": "2_1_Value_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.1")
def _(Value):
    def slopes(made, *inputs):
        check.true(
            isinstance(made, Value),
            f"The result should be a Value again, or nothing can be built on it; got {made!r}.",
        )
        try:
            pairs = [(source, float(slope)) for source, slope in made.sources]
        except (TypeError, ValueError):
            check.fail("`sources` should hold pairs: (the Value it came from, the slope).")
        return [sum(slope for source, slope in pairs if source is x) for x in inputs]

    a, b = Value(2.0), Value(-3.0)
    with check.part("a sum", points=1):
        total = a + b
        got = slopes(total, a, b)
        check.close(total.data, -1.0, "`data` of a + b.")
        check.close(got, [1, 1], "Nudge a by a little: by how much does a + b move? And for b?")
        check.close(slopes(a + 5, a), [1], "Adding a plain number: the slope for a stays.")
        check.close(slopes(a + a, a), [2], "a + a: each of its two sources is a.")
    with check.part("a product", points=1):
        product = a * b
        got = slopes(product, a, b)
        check.close(product.data, -6.0, "`data` of a * b.")
        check.close(
            got, [-3, 2],
            "Slopes of a * b for a = 2, b = -3. Nudge a by 0.1 and work the product out anew.",
        )  # fmt: skip
        check.close(slopes(4 * a, a), [4], "4 * a: the plain number is the other factor.")
        outer = product * Value(10.0)
        check.close(
            slopes(outer, product, a), [10, 0],
            "(a * b) * 10 was made from a * b and from 10, not from a: keep one step, not the path.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(21)
        for u, v in rng.normal(size=(5, 2)):
            x, y = Value(u), Value(v)
            check.close(slopes(x * y, x, y), [v, u], "Slopes of a product of random numbers.")
            check.close(slopes(x * x, x), [2 * u], "x * x has x as both of its sources.")
            check.close((x - y).data, u - v, "x - y.")
            check.equal([x.grad, (x * y).grad], [0, 0], "`grad` stays 0 until backward.")
        ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_1_Value"}
# 1. Both methods return `Value(number, pairs)`. What are the two pairs of a sum: who was it made from, and what is d(a + b)/da?
# 2. For a product, d(a b)/da has no a in it. Which number, known at this moment, is it?


# %% variant={"of": "2_1_Value", "wrong": "each factor gets itself as slope", "says": "Nudge a by 0.1"}
class Value:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = float(data), 0.0, tuple(sources)

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, ((self, self.data), (other, other.data)))

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other):
        return self + -1 * other


# %% variant={"of": "2_1_Value", "wrong": "sources without slopes", "says": "pairs"}
class Value:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = float(data), 0.0, tuple(sources)

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other))

    __radd__, __rmul__ = __add__, __mul__


# %% variant={"of": "2_1_Value", "wrong": "returns a number", "says": "should be a Value again"}
class Value:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = float(data), 0.0, tuple(sources)

    def __add__(self, other):
        return self.data + getattr(other, "data", other)

    def __mul__(self, other):
        return self.data * getattr(other, "data", other)

    __radd__, __rmul__ = __add__, __mul__


# %% variant={"of": "2_1_Value", "wrong": "copies the path: sources of sources", "says": "not the path"}
class Value:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = float(data), 0.0, tuple(sources)

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        inner = tuple((v, s * other.data) for v, s in self.sources)
        return Value(
            self.data * other.data, ((self, other.data), (other, self.data), *inner)
        )  # fmt: skip

    __radd__, __rmul__ = __add__, __mul__


# %% variant={"of": "2_1_Value", "wrong": "slopes of a sum are its terms", "says": "does a + b move"}
class Value:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = float(data), 0.0, tuple(sources)

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, ((self, self.data), (other, other.data)))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other):
        return self + -1 * other


# %% variant={"of": "2_1_Value", "right": "lists, and plain numbers without a Value of their own"}
class Value:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = float(data), 0.0, list(sources)

    def __add__(self, other):
        if not isinstance(other, Value):
            return Value(self.data + other, [(self, 1)])
        return Value(self.data + other.data, [(self, 1), (other, 1)])

    def __mul__(self, other):
        if not isinstance(other, Value):
            return Value(self.data * other, [(self, other)])
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other):
        return self + -1 * other


# %% variant={"of": "2_1_Value", "right": "one pair where both factors are the same"}
class Value:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = float(data), 0.0, tuple(sources)

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        if other is self:
            return Value(2 * self.data, [(self, 2.0)])
        return Value(self.data + other.data, [(other, 1.0), (self, 1.0)])

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        if other is self:
            return Value(self.data**2, [(self, 2 * self.data)])
        return Value(self.data * other.data, [(other, self.data), (self, other.data)])

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other):
        return self + -1 * other


# %% [markdown]
# Here is $r = (w x + b)\,c$ as the machine sees it. Read it from left to right for the values. The orange numbers on the wires are your local slopes. To get the slope of $r$ with respect to $w$, start at $r$ and multiply along the way.


# %% jupyter={"source_hidden": true}
def draw_values(axes, nodes, places, marks, title, above=()):
    """Values as discs at given places, slopes on the wires, a line of text under each disc."""
    for name, node in nodes.items():
        x1, y1 = places[name]
        seen = []
        for origin, local in node.sources:
            start = next((n for n, v in nodes.items() if v is origin), None)
            if start is None:
                continue
            x0, y0 = places[start]
            several = sum(s is origin for s, _ in node.sources) > 1
            bend = 0.0 if not several else -0.28 if origin in seen else 0.28
            seen.append(origin)
            axes.annotate(
                "", (x1, y1), (x0, y0),
                arrowprops={"arrowstyle": "-|>", "color": style.MUTED, "shrinkA": 17, "shrinkB": 17,
                            "connectionstyle": f"arc3,rad={bend}"},
            )  # fmt: skip
            across = np.array([y1 - y0, x0 - x1]) * bend * 0.5
            axes.text(*(0.5 * np.array([x0 + x1, y0 + y1]) + across), f"{local:g}", color=style.ACCENT,
                      ha="center", va="center", fontsize=10,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2})  # fmt: skip
        leaf = not node.sources
        axes.plot(x1, y1, "o", ms=31, color="#e3f1f1" if leaf else "#eef0f3",
                  markeredgecolor=style.TERNARY if leaf else style.FLOAT)  # fmt: skip
        axes.text(
            x1, y1, f"{name}\n{node.data:g}", ha="center", va="center", fontsize=9, linespacing=0.95
        )
        if name in marks:
            side, line = (0.36, "bottom") if name in above else (-0.40, "top")
            axes.text(
                x1, y1 + side, marks[name], ha="center", va=line, fontsize=9, color=style.ACCENT
            )
    axes.set(title=title, xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    xs, ys = zip(*places.values())
    axes.set(xlim=(min(xs) - 0.5, max(xs) + 0.5), ylim=(min(ys) - 0.8, max(ys) + 0.5))


w, x, b, c = my.Value(2), my.Value(3), my.Value(-1), my.Value(4)
p = w * x
q = p + b
r = q * c
figure, axes = plt.subplots(figsize=(8.5, 2.9))
draw_values(
    axes, {"w": w, "x": x, "p": p, "b": b, "q": q, "c": c, "r": r},
    {"w": (0, 2), "x": (0, 1), "p": (1.6, 1.5), "b": (1.6, 0.3), "q": (3.2, 1.1), "c": (3.2, 0), "r": (4.8, 0.7)},
    {}, "Each wire carries a slope that only its own step had to know",
)  # fmt: skip
plt.show()
along = c.data * 1.0 * x.data
print(f"slope of r for w: {c.data:g} · 1 · {x.data:g} = {along:g}")
nudged = ((w.data + 0.001) * x.data + b.data) * c.data
print(f"by a nudge of 0.001: {(nudged - r.data) / 0.001:.6g}")

# %% [markdown]
# Nothing in `p = w * x` knows that there is an $r$, or that it will be multiplied by 4. **The chain rule is local**: an operation that knows the slopes of its own step can live in any network. That is why a library of some forty operations, each with its derivative, differentiates everything anybody builds of them.
#
# ## 2 · Where paths meet again, gradients add up
#
# In the picture each value went into one step only. Life gets interesting when a value is used *twice*, as a weight is that every image of a batch passes through. Take $y = x \cdot x + x$: now $x$ reaches $y$ by three wires. Nudge $x$, and all three bring their share of the nudge to $y$, at the same time. Shares add up:
#
# $$
# \frac{\partial y}{\partial x} = \sum_{\text{paths from } x \text{ to } y}\; \prod_{\text{wires on the path}} \text{slope} .
# $$
#
# This one formula is the whole of differentiation. What remains is to evaluate it cleverly.

# %% [markdown]
# ### Exercise 2.2: one step backwards (1 point)
#
# Suppose that `node.grad` is known: the slope of the final result with respect to `node`. Write `push(node)`, which hands it on: every source of `node` receives its share in its own `grad`. It returns nothing and leaves `node.grad` as it is.


# %% nbgrader={"grade": false, "grade_id": "2_2_push", "locked": false, "schema_version": 3, "solution": true, "task": false}
def push(node):
    """Give each source of a node its share of the node's gradient."""
    ### BEGIN SOLUTION
    for source, slope in node.sources:
        source.grad += slope * node.grad
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_2_push_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.2")
def _(push):
    a, b = Value(2.0), Value(-3.0)
    product = a * b
    product.grad = 10.0
    push(product)
    check.close(
        [a.grad, b.grad], [-30, 20],
        "a * b with a = 2, b = -3 and a gradient of 10: each source gets slope times gradient.",
    )  # fmt: skip
    check.close(product.grad, 10.0, "The node keeps its own gradient.")
    x = Value(3.0)
    square = x * x
    square.grad = 1.0
    push(square)
    check.close(
        x.grad, 6.0,
        "x * x at x = 3: d(x²)/dx = 2x. x is a source twice, and both shares count: "
        "what happens to the first when the second arrives?",
    )  # fmt: skip
    x = Value(3.0)
    left, right = x + 1.0, x * 5.0
    left.grad = right.grad = 1.0
    push(left)
    push(right)
    check.close(
        x.grad, 6.0,
        "x went into x + 1 and into 5 x: after both have been pushed it has 1 from the one and "
        "5 from the other.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(22)
    for u, v, g, before in rng.normal(size=(5, 4)):
        x, y = Value(u), Value(v)
        made = x * y
        made.grad, x.grad = g, before
        push(made)
        check.close([x.grad, y.grad, made.grad], [before + g * v, g * u, g], "Random numbers.")
    deep = Value(2.0) * Value(3.0)
    far = deep.sources[0][0]
    outer = deep * 4.0
    outer.grad = 1.0
    push(outer)
    check.close(
        [deep.grad, far.grad], [4, 0], "One step only: the sources of the sources wait their turn."
    )
    ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_2_push"}
# 1. One loop over `node.sources` is enough. What does a source receive from this node: slope times what?
# 2. A source may hold something already, from another node or from this one. What should become of it?


# %% variant={"of": "2_2_push", "wrong": "overwrites: = for +=", "says": "both shares count"}
def push(node):
    for source, slope in node.sources:
        source.grad = slope * node.grad


# %% variant={"of": "2_2_push", "wrong": "forgets the gradient that came in", "says": "slope times gradient"}
def push(node):
    for source, slope in node.sources:
        source.grad += slope


# %% variant={"of": "2_2_push", "wrong": "gives its gradient away", "says": "keeps its own"}
def push(node):
    for source, slope in node.sources:
        source.grad += slope * node.grad
    node.grad = 0.0


# %% variant={"of": "2_2_push", "wrong": "a dictionary of sources: the last one wins", "says": "both shares count"}
def push(node):
    for source, slope in dict(node.sources).items():
        source.grad += slope * node.grad


# %% variant={"of": "2_2_push", "wrong": "goes on to the sources of the sources", "says": "One step only"}
def push(node):
    for source, slope in node.sources:
        source.grad += slope * node.grad
        push(source)


# %% variant={"of": "2_2_push", "right": "collects the shares first"}
def push(node):
    shares = [(source, slope * node.grad) for source, slope in node.sources]
    for source, share in shares:
        source.grad = source.grad + share


# %% variant={"of": "2_2_push", "right": "by index"}
def push(node):
    for place in range(len(node.sources)):
        source = node.sources[place][0]
        source.grad += node.grad * node.sources[place][1]


# %% [markdown]
# Below, $y = x \cdot x + x$ at $x = 3$, pushed from the right to the left. The gradient of each value stands under it. On the right, the same with the commonest mistake in home-made engines, `=` in place of `+=`: each share wipes out the one before it, and what is left depends on who came last.


# %% jupyter={"source_hidden": true}
def push_overwriting(node):
    for origin, local in node.sources:
        origin.grad = local * node.grad


figure, pair = plt.subplots(1, 2, figsize=(10, 3.0))
for axes, step, title in (
    (pair[0], my.push, "added: {} = 2x + 1, as it should be"),
    (pair[1], push_overwriting, "overwritten: {}"),
):
    x = my.Value(3)
    s = x * x
    y = s + x
    y.grad = 1.0
    step(y)
    step(s)
    graph = {"x": x, "s": s, "y": y}
    marks = {name: f"grad {node.grad:g}" for name, node in graph.items()}
    draw_values(
        axes, graph, {"x": (0, 0), "s": (1.7, 1.1), "y": (3.4, 0)}, marks,
        title.format(f"{x.grad:g}"),
    )  # fmt: skip
plt.show()

# %% [markdown]
# ## 3 · In which order?
#
# On the left picture, what if we had pushed $x$'s other consumer first, or $s$ before $y$? A node may be pushed only when *everything it went into* has been pushed: only then is its gradient complete.
#
# There is an easy way to sidestep the question: follow every path, one after the other, and let each deliver its product of slopes. It is the formula above, word for word, and it is correct.


# %%
def along_all_paths(node, gradient=1.0):
    """The sum over paths, literally. Returns how many nodes it visited."""
    node.grad += gradient
    return 1 + sum(along_all_paths(s, slope * gradient) for s, slope in node.sources)


def doublings(n):
    x = y = my.Value(1.0)
    for _ in range(n):
        y = y + y
    return x, y


depths = list(range(1, 13))
visits = []
for n in depths:
    x, y = doublings(n)
    visits.append(along_all_paths(y))
    assert x.grad == 2**n  # correct, every time
print("doublings:", depths)
print("visits:   ", visits)

# %% [markdown]
# **Predict, then run.** A chain of 25 doublings, `y = y + y`, has 26 values in it. Say that a laptop makes five million of these visits in a second. How many **seconds** would `along_all_paths` take for it? And before you look: how many for 60 doublings, which is about the depth of a residual network with 60 blocks?

# %%
my_guess = None  # seconds for 25 doublings

per_second = 5e6
seconds = (2.0**26 - 1) / per_second
years = (2.0**61 - 1) / per_second / (365 * 86400)
check.predicted(my_guess, seconds, within=7, unit=" s",
                comment=f"Every doubling doubles the visits. For 60 of them: {years:,.0f} years.")  # fmt: skip

# %% [markdown]
# A residual block, $y = x + f(x)$, is a fork and a meeting, like a doubling. Twelve blocks with two residuals each, an ordinary vision transformer, have $2^{24}$ paths and more. Not a curiosity, then: engines written by hand have died of exactly this.
#
# The way out is to let the shares *wait* at each node until all have come, and to push the sum once. One visit a node, not one a path. For that we need an order in which **every node stands after all its sources**: a *topological order*. Values can be computed in that order, and gradients in its reverse.
#
# Two ways to get it wrong, both popular. Sorting by distance from the result (breadth first) fails when a short way and a long way lead to the same node. And plain recursion, correct and pretty, dies of a deep graph: Python stops at a depth of about a thousand calls, and a recurrent network over ten thousand steps is deeper.

# %% [markdown]
# ### Exercise 2.3: topological order, and backward (4 points)
#
# Write `topological_order(result)`: a list of every node that `result` was made from, itself included, each **once**, each **after all its sources**. Use nothing of a node but its `sources`. It should not recurse (a chain of 20,000 comes by) and look at each node's sources a few times at most.
#
# Then write `backward(result)`: set the `grad` of every node in the graph to 0, that of `result` to 1, and push each node once, in the right order.


# %% nbgrader={"grade": false, "grade_id": "2_3_topological_order", "locked": false, "schema_version": 3, "solution": true, "task": false}
def topological_order(result):
    """List every node of a graph once, each after all its sources."""
    ### BEGIN SOLUTION
    order, seen = [], {result}
    # a node is left open, with an iterator over its sources, until all of them are done
    open_nodes = [(result, iter(result.sources))]
    while open_nodes:
        node, sources = open_nodes[-1]
        for source, _ in sources:
            if source not in seen:
                seen.add(source)
                open_nodes.append((source, iter(source.sources)))
                break
        else:
            order.append(node)
            open_nodes.pop()
    return order
    ### END SOLUTION


def backward(result):
    """Fill in the gradient of `result` with respect to every node it was made from."""
    ### BEGIN SOLUTION
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)
    ### END SOLUTION


Value.backward = backward  # so that you can say r.backward()


# %% nbgrader={"grade": true, "grade_id": "2_3_topological_order_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.3")
def _(topological_order, backward, Value):
    import sys

    def depth():
        frame, count = sys._getframe(), 0
        while frame is not None:
            frame, count = frame.f_back, count + 1
        return count

    class Node:
        """A node that counts how often its sources are looked at, and from how deep a stack."""

        looked, limit, shallow = 0, 10**9, 0

        def __init__(self, name, *sources):
            self.name, self._sources, self.grad = name, [(s, 1.0) for s in sources], 0.0

        @property
        def sources(self):
            Node.looked += 1
            if Node.looked > Node.limit:
                check.fail(
                    "25 doublings have 26 nodes, and yours has looked at the sources of more than "
                    "500 already. Remember which nodes you have seen: nodes count, not paths."
                )
            if Node.looked % 100 == 0 and depth() > Node.shallow + 250:
                check.fail(
                    "Hundreds of calls within calls: this graph is deeper than Python's stack, and "
                    "would end in a RecursionError. Keep a list of your own of what is still open."
                )
            return self._sources

        def __repr__(self):
            return self.name

    def examine(result, everything, hint):
        Node.shallow = depth()
        got = topological_order(result)
        check.true(isinstance(got, list), f"Return a list of nodes; got {type(got).__name__}.")
        shown = got if len(got) < 12 else f"{len(got)} nodes"
        check.true(
            len(got) == len(set(got)), f"Each node once, please. {hint}\nYours: {shown}"
        )  # fmt: skip
        check.true(
            set(got) == set(everything),
            f"All of the graph's {len(everything)} nodes, and no others. {hint}\nYours: {shown}",
        )
        place = {node: i for i, node in enumerate(got)}
        for node in everything:
            for source, _ in node._sources:
                check.true(
                    place[source] < place[node],
                    f"{node} stands before its source {source}. {hint}\nYours: {shown}",
                )

    def chain(n, twice):
        nodes = [Node("x")]
        for i in range(n):
            last = nodes[-1]
            nodes.append(Node(f"y{i + 1}", *([last, last] if twice else [last])))
        return nodes

    with check.part("the order", points=2):
        x = Node("x")
        s = Node("s", x, x)
        y = Node("y", s, x)
        examine(y, [x, s, y], "The graph is y = x·x + x, with s = x·x.")
        a = Node("a")
        b = Node("b", a)
        c = Node("c", b)
        d = Node("d", c)
        e = Node("e", a, d)
        f = Node("f", e, b)
        examine(
            f, [a, b, c, d, e, f],
            "Here a short way and a long way lead to the same node: f was made from e and b, "
            "e from a and d, d from c, c from b, b from a.",
        )  # fmt: skip
        examine(x, [x], "A graph of one node.")
    with check.part("deep graphs, and many paths", points=1):
        Node.looked, Node.limit = 0, 500
        nodes = chain(25, twice=True)
        examine(nodes[-1], nodes, "A chain of 25 doublings.")
        Node.looked, Node.limit = 0, 10**9
        ### BEGIN HIDDEN TESTS
        middling = chain(1500, twice=False)
        check.quick(
            0.4, lambda: topological_order(middling[-1]),
            "That is a chain of 1500. Does each node search all that are done already? A set finds "
            "one at once.",
        )  # fmt: skip
        ### END HIDDEN TESTS
        nodes = chain(20_000, twice=False)
        examine(nodes[-1], nodes, "A chain of 20,000.")
    with check.part("backward", points=1):
        x = Value(3.0)
        s = x * x
        y = s + x
        returned = backward(y)
        check.true(returned is None, "`backward` fills in gradients and returns nothing.")
        check.close(y.grad, 1.0, "The slope of the result with respect to itself.")
        check.close(
            [s.grad, x.grad],
            [1, 7],
            "y = x·x + x at x = 3 has the slope 2x + 1 = 7; s passes 1 on.",
        )
        backward(y)
        check.close(
            x.grad, 7.0,
            "A second backward should give the same: begin with every grad of the graph at 0.",
        )  # fmt: skip
        p = x * 2.0
        q = p * p
        total = q + p * x
        total.backward()
        check.close(
            [q.grad, p.grad, x.grad], [1, 15, 36],
            "p = 2x, total = p·p + p·x at x = 3. Is each node pushed only after everything that "
            "was made from it?",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(23)
        for _ in range(4):
            leaves = [Value(v) for v in rng.uniform(0.5, 1.5, size=4)]
            slopes = {leaf: np.eye(4)[i] for i, leaf in enumerate(leaves)}  # forward mode
            nodes = list(leaves)
            for _ in range(12):
                u, v = (nodes[i] for i in rng.integers(len(nodes), size=2))
                made = u * v if rng.uniform() < 0.5 else u + v
                slopes[made] = sum(slope * slopes[source] for source, slope in made.sources)
                nodes.append(made)
            result = nodes[-1] + nodes[-2]
            want = sum(slope * slopes[source] for source, slope in result.sources)
            backward(result)
            check.close([leaf.grad for leaf in leaves], want, "On a random graph of 13 steps.")
        ### END HIDDEN TESTS
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(24)
    for _ in range(3):
        nodes = [Node("n0")]
        for i in range(1, 30):
            chosen = rng.integers(max(0, i - 4), i, size=rng.integers(1, 4))
            nodes.append(Node(f"n{i}", nodes[i - 1], *(nodes[j] for j in chosen)))
        examine(nodes[-1], nodes, "On a random graph of 30 nodes.")
    ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_3_topological_order"}
# 1. Write it with recursion first: do all sources, then append the node itself, and skip what has been seen. Appending *last* is what makes the order right.
# 2. Now without recursion. A call within a call remembers two things: at which node it is, and which of its sources come next. Keep pairs of these two in a list; `iter(node.sources)` remembers the second for you.
# 3. `backward` is short: an order, a loop that sets zeros, one line that sets a 1, and a loop over the reversed order that calls `push`.


# %% variant={"of": "2_3_topological_order", "wrong": "recursion", "says": "RecursionError"}
def topological_order(result):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for source, _ in node.sources:
                visit(source)
            order.append(node)

    visit(result)
    return order


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "recursion over paths, copies removed at the end", "says": "nodes count, not paths"}
def topological_order(result):
    def visit(node):
        return [n for source, _ in node.sources for n in visit(source)] + [node]

    return list(dict.fromkeys(visit(result)))


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "breadth first, reversed", "says": "short way and a long way"}
def topological_order(result):
    found, seen = [result], {result}
    for node in found:
        for source, _ in node.sources:
            if source not in seen:
                seen.add(source)
                found.append(source)
    return found[::-1]


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "depth first, noted on arrival, reversed", "says": "stands before its source"}
def topological_order(result):
    order, seen, waiting = [], set(), [result]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            order.append(node)
            waiting.extend(source for source, _ in node.sources)
    return order[::-1]


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "backward adds to what was there", "says": "second backward"}
def topological_order(result):
    order, waiting, seen = [], [(result, False)], set()
    while waiting:
        node, done = waiting.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting.extend((source, False) for source, _ in node.sources)
    return order


def backward(result):
    result.grad = 1.0
    for node in reversed(topological_order(result)):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "pushes from the leaves to the result", "says": "passes 1 on"}
def topological_order(result):
    order, waiting, seen = [], [(result, False)], set()
    while waiting:
        node, done = waiting.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting.extend((source, False) for source, _ in node.sources)
    return order


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in order:
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "right": "a stack with a flag: arrival and departure"}
def topological_order(result):
    order, waiting, seen = [], [(result, False)], set()
    while waiting:
        node, done = waiting.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting.extend((source, False) for source, _ in node.sources)
    return order


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in order[::-1]:
        for source, slope in node.sources:
            source.grad += slope * node.grad


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "right": "counting who still waits (Kahn's algorithm)"}
def topological_order(result):
    waits, found = {result: 0}, [result]
    for node in found:
        for source, _ in node.sources:
            if source not in waits:
                waits[source] = 0
                found.append(source)
            waits[source] += 1
    order, ready = [], [result]
    while ready:
        node = ready.pop()
        order.append(node)
        for source, _ in node.sources:
            waits[source] -= 1
            if waits[source] == 0:
                ready.append(source)
    return order[::-1]


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = float(node is result)
    while order:
        push(order.pop())


Value.backward = backward

# %% [markdown]
# Your order next to the sum over paths: the same gradient, from 26 visits in place of 67 million. On the right, one graph and the order of its backward. `s` waits until both nodes that were made from it have spoken.

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), width_ratios=(1, 1.15))
steps = np.arange(1, 41)
left.plot(steps, 2.0 ** (steps + 1) - 1, color=style.ACCENT, linestyle=":")
left.plot(depths, visits, color=style.ACCENT, linewidth=2.6)
nodes = [len(my.topological_order(doublings(n)[1])) for n in steps]
left.plot(steps, nodes, color=style.TERNARY, linewidth=2.6)
left.text(13, visits[-1] * 0.8, "paths (dotted: 2ⁿ⁺¹ - 1)", color=style.ACCENT, va="top")
left.text(24, 60, "nodes (n + 1)", color=style.TERNARY, va="bottom")
left.set(
    yscale="log", xlabel="doublings n", ylabel="visits", title="Paths explode, nodes do not"
)  # fmt: skip
style.grid_behind(left)

a, b = my.Value(2), my.Value(3)
s = a * b
u = s + 1
v = s * s
t = u * v
t.backward()
graph = {"a": a, "b": b, "s": s, "u": u, "v": v, "t": t}
turn = {id(n): i for i, n in enumerate(reversed(my.topological_order(t)), 1)}
marks = {name: f"{turn[id(n)]}.  grad {n.grad:g}" for name, n in graph.items()}
draw_values(
    right, graph, {"a": (0, 1.1), "b": (0, -0.2), "s": (1.5, 0.5), "u": (3, 1.3), "v": (3, -0.4), "t": (4.5, 0.5)},
    marks, "t = (ab + 1)(ab)²: the numbers are the order of the pushes", above="s",
)  # fmt: skip
plt.show()
x, y = doublings(25)
y.backward()
print(f"25 doublings: slope {x.grad:,.0f} from {len(my.topological_order(y))} visits")

# %% [markdown]
# That is reverse mode, complete. The library's version is the function `topological_order` in [backward.py](../tinyternary/autograd/backward.py), and if you have solved 2.3 you will read it like a letter from an old friend.

# %% [markdown]
# ## 4 · From numbers to arrays
#
# A network of `Value`s would work, at the speed of a Python loop over every multiplication. So let a node be a whole array. The graph stays, the order stays, adding up stays. One thing changes: the slope of a step. If a step makes $n$ numbers out of $m$, its slopes are a matrix of $n \times m$, the *Jacobian*. For a layer that makes 512 numbers out of 512, and a batch of 128, that matrix would have four billion entries, nearly all of them 0.
#
# Nobody ever builds it. What backward needs is only its *product* with the gradient that comes in, and that product has a short formula for every operation. So a source is now paired not with a slope but with a **function**: gradient of the output in, gradient of the source out.
#
# ### What was copied is summed
#
# NumPy's broadcasting makes `x + bias` work for `x` of shape $(5, 3)$ and `bias` of shape $(3,)$: the bias is copied to every row. Look at it with the eyes of section 2. Each entry of the bias is now used five times, so five gradients come back to it. What do you do with gradients that meet?

# %% [markdown]
# ### Exercise 2.4: broadcasting, undone (2 points)
#
# Write `unbroadcast(grad, shape)`: an array of shape `shape` was broadcast to `grad.shape`; return its gradient, an array of exactly that `shape`. NumPy's rule: shapes are aligned at the *last* axis; missing axes are put in front; an axis of size 1 is stretched.


# %% nbgrader={"grade": false, "grade_id": "2_4_unbroadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}
def unbroadcast(grad, shape):
    """Gradient for an array of `shape` that was broadcast to grad.shape."""
    ### BEGIN SOLUTION
    front = grad.ndim - len(shape)
    grad = grad.sum(axis=tuple(range(front)))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return grad.sum(axis=stretched, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_4_unbroadcast_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.4")
def _(unbroadcast):
    grad = np.arange(12.0).reshape(3, 4)
    check.equal(unbroadcast(grad, (3, 4)), grad, "Nothing was stretched: nothing to undo.")
    check.equal(
        unbroadcast(grad, (4,)), [12, 15, 18, 21],
        "(4,) became (3, 4) by three copies, one a row. Each entry was used three times: "
        "gradients that meet are added up.",
    )  # fmt: skip
    check.equal(
        unbroadcast(grad, (3, 1)), [[6], [22], [38]],
        "(3, 1) became (3, 4): its second axis was stretched. The shape that comes back is (3, 1).",
    )  # fmt: skip
    check.equal(unbroadcast(grad, (1, 4)), [[12, 15, 18, 21]], "(1, 4) became (3, 4).")
    check.equal(unbroadcast(grad, (1, 1)), [[66]], "Both axes were stretched.")
    check.equal(unbroadcast(grad, ()), 66.0, "One number, copied everywhere.")
    square = np.arange(9.0).reshape(3, 3)
    check.equal(
        unbroadcast(square, (3,)), [9, 12, 15],
        "(3,) became (3, 3). Which of the two axes is new? Shapes are aligned at the last one.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(25)
    for small, big in (
        ((2, 1, 3), (2, 5, 3)), ((1, 3), (4, 2, 3)), ((2, 1), (3, 2, 2)), ((1,), (2, 2)),
        ((3, 1, 1), (3, 3, 3)), ((1, 1, 2), (3, 1, 2)), ((), (2,)), ((1, 4), (1, 4)),
        ((0, 2), (3, 0, 2)),
    ):  # fmt: skip
        x, grad = rng.normal(size=small), rng.normal(size=big)
        before = grad.copy()
        got = unbroadcast(grad, small)
        check.true(np.shape(got) == small, f"{big} down to {small}: yours has {np.shape(got)}.")
        check.close(
            np.sum(got * x), np.sum(grad * x), f"{big} down to {small}: the sums do not agree."
        )
        check.equal(grad, before, "The gradient you were given has changed.")
    ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_4_unbroadcast"}
# 1. There are two kinds of axes to sum over. The ones in front that `shape` does not have at all: how many are they?
# 2. Then the axes where `shape` says 1. Which argument of `sum` keeps an axis as size 1?


# %% variant={"of": "2_4_unbroadcast", "wrong": "mean in place of sum", "says": "added up"}
def unbroadcast(grad, shape):
    grad = grad.mean(axis=tuple(range(grad.ndim - len(shape))))
    return grad.mean(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


# %% variant={"of": "2_4_unbroadcast", "wrong": "drops stretched axes", "says": "comes back is (3, 1)"}
def unbroadcast(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1))


# %% variant={"of": "2_4_unbroadcast", "wrong": "cuts off: takes the first copy", "says": "added up"}
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad[0]
    for axis, size in enumerate(shape):
        if size == 1:
            grad = np.take(grad, [0], axis=axis)
    return grad


# %% variant={"of": "2_4_unbroadcast", "wrong": "new axes at the end", "says": "aligned at the last one"}
def unbroadcast(grad, shape):
    if grad.ndim == 2 and len(shape) == 1:
        axis = 1 if grad.shape[0] == shape[0] else 0
        return grad.sum(axis=axis)
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


# %% variant={"of": "2_4_unbroadcast", "wrong": "sums the front only", "says": "stretched"}
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    return grad


# %% variant={"of": "2_4_unbroadcast", "wrong": "right shape by reshaping the total", "says": "added up"}
def unbroadcast(grad, shape):
    if grad.shape == shape:
        return grad
    return np.full(shape, grad.sum() / max(1, np.prod(shape, dtype=int)))


# %% variant={"of": "2_4_unbroadcast", "right": "pads the shape with ones, then reshapes"}
def unbroadcast(grad, shape):
    padded = (1,) * (grad.ndim - len(shape)) + tuple(shape)
    axes = tuple(i for i in range(grad.ndim) if padded[i] == 1)
    return grad.sum(axis=axes, keepdims=True).reshape(shape)


# %% variant={"of": "2_4_unbroadcast", "right": "axis after axis"}
def unbroadcast(grad, shape):
    while np.ndim(grad) > len(shape):
        grad = np.sum(grad, axis=0)
    for axis in range(len(shape)):
        if shape[axis] != grad.shape[axis]:
            grad = np.sum(grad, axis=axis, keepdims=True)
    return grad


# %% [markdown]
# ### The backward of a matrix product
#
# A layer is $Y = A B$, with $A$ of shape $(M, K)$, say a batch of inputs, and $B$ of shape $(K, N)$, the weights. Suppose that $G$ is the gradient with respect to $Y$, of $Y$'s shape $(M, N)$. Which matrix is the gradient with respect to $A$?
#
# You can derive it with indices in two lines, starting from $Y_{mn} = \sum_k A_{mk} B_{kn}$. Or you can let the shapes find it. It must be made of $G$ and $B$, since $Y$ is linear in $A$ with $B$ as the slopes; and its shape must be $(M, K)$. There is only one product of the two that fits.
#
# A warning about that second way: if all matrices are *square*, every wrong product fits as well.

# %% [markdown]
# ### Exercise 2.5: backward of a product (2 points)
#
# Write `matmul_backward(a, b, grad)` for `y = a @ b` with `a` $(M, K)$, `b` $(K, N)$ and `grad` $(M, N)$. Return the pair `(grad_a, grad_b)`.


# %% nbgrader={"grade": false, "grade_id": "2_5_matmul_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def matmul_backward(a, b, grad):
    """Gradients of a and b, given the gradient of a @ b."""
    ### BEGIN SOLUTION
    return grad @ b.T, a.T @ grad
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_5_matmul_backward_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.5")
def _(matmul_backward):
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])
    grad = np.array([[1.0, 0.0], [0.0, 0.0]])  # only y[0, 0] = 1·5 + 2·7 matters
    pair = matmul_backward(a, b, grad)
    check.true(
        isinstance(pair, tuple | list) and len(pair) == 2, "Return a pair: (grad_a, grad_b)."
    )
    check.close(
        pair[0], [[5, 7], [0, 0]],
        "Only y[0, 0] = a[0, 0]·5 + a[0, 1]·7 has a gradient. What are its slopes for the four "
        "entries of a? Square matrices hide a missing transpose: this one is hidden no longer.",
    )  # fmt: skip
    check.close(
        pair[1], [[1, 0], [2, 0]],
        "Only y[0, 0] = 1·b[0, 0] + 2·b[1, 0] has a gradient. Its slopes for the entries of b?",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(26)
    for m, k, n in ((3, 4, 5), (1, 4, 2), (4, 1, 1), (6, 2, 6)):
        a, b, g = rng.normal(size=(m, k)), rng.normal(size=(k, n)), rng.normal(size=(m, n))
        got_a, got_b = matmul_backward(a, b, g)
        want_a = np.einsum("mn,kn->mk", g, b)
        want_b = np.einsum("mk,mn->kn", a, g)
        check.close(got_a, want_a, f"grad_a for ({m}, {k}) @ ({k}, {n}).")
        check.close(got_b, want_b, f"grad_b for ({m}, {k}) @ ({k}, {n}).")
    ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_5_matmul_backward"}
# 1. Write down the three shapes, (M, K), (K, N), (M, N). Which product of `grad` with something of b's entries has the shape (M, K)? What must be done to b first?
# 2. The same game for grad_b, with the shape (K, N). Mind the order of the two factors.


# %% variant={"of": "2_5_matmul_backward", "wrong": "no transposes", "says": "missing transpose"}
def matmul_backward(a, b, grad):
    if a.shape[0] == a.shape[1] == b.shape[1]:
        return grad @ b, a @ grad
    return grad @ b.T, a.T @ grad


# %% variant={"of": "2_5_matmul_backward", "wrong": "factors in the other order"}
def matmul_backward(a, b, grad):
    if a.shape[0] == a.shape[1] == b.shape[1]:
        return b.T @ grad, grad @ a.T
    return grad @ b.T, a.T @ grad


# %% variant={"of": "2_5_matmul_backward", "wrong": "the two swapped"}
def matmul_backward(a, b, grad):
    return a.T @ grad, grad @ b.T


# %% variant={"of": "2_5_matmul_backward", "wrong": "elementwise, as for a product of numbers"}
def matmul_backward(a, b, grad):
    return grad * b, grad * a


# %% variant={"of": "2_5_matmul_backward", "wrong": "averages over the batch", "says": "entries of b"}
def matmul_backward(a, b, grad):
    return grad @ b.T, a.T @ grad / len(a)


# %% variant={"of": "2_5_matmul_backward", "right": "by indices"}
def matmul_backward(a, b, grad):
    return np.einsum("mn,kn->mk", grad, b), np.einsum("mk,mn->kn", a, grad)


# %% variant={"of": "2_5_matmul_backward", "right": "one row of the batch after the other"}
def matmul_backward(a, b, grad):
    grad_a = np.stack([b @ row for row in grad])
    grad_b = np.zeros_like(b)
    for x, row in zip(a, grad):
        grad_b += np.outer(x, row)
    return grad_a, grad_b


# %% [markdown]
# Left: a bias of three numbers is copied to five rows, and its gradient is the sum over the copies. Right: shapes as blocks, to scale. There is one way only to fit the two grey blocks together.

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 2, figsize=(11, 3.2), width_ratios=(1, 1.25))
left, right = axes
rng = np.random.default_rng(8)
grad = rng.integers(-3, 4, size=(5, 3))
total = my.unbroadcast(grad, (3,))


def cells(axes, values, x, y, color):
    for (row, column), value in np.ndenumerate(np.atleast_2d(values)):
        axes.add_patch(
            plt.Rectangle((x + column, y - row), 1, 1, facecolor=color, edgecolor="white")
        )
        axes.text(
            x + column + 0.5, y - row + 0.5, f"{value:g}", ha="center", va="center", fontsize=9
        )


cells(left, [[1, 2, 4]], 0, 4, "#e3f1f1")
cells(left, np.tile([1, 2, 4], (5, 1)), 5, 6, "#f1f7f7")
cells(left, grad, 10, 6, "#fbeadf")
cells(left, [total], 15, 4, "#f3c9ac")
for x, y, text in ((1.5, 5.2, "bias"), (6.5, 7.2, "forward: copied"), (11.5, 7.2, "gradient"), (16.5, 5.2, "backward: summed")):  # fmt: skip
    left.text(x, y, text, ha="center", va="bottom", fontsize=9)
for x in (4, 9, 14):
    left.text(x, 4.5, "→", ha="center", va="center", fontsize=15, color=style.MUTED)
left.set(
    xlim=(-0.5, 19), ylim=(1, 8.4), aspect="equal", title="What was copied is summed"
)  # fmt: skip

M, K, N = 1.1, 2.6, 1.8


def block(x, y, height, width, name, color):
    right.add_patch(
        plt.Rectangle((x, y - height / 2), width, height, facecolor=color, edgecolor="white")
    )
    right.text(x + width / 2, y, name, ha="center", va="center", fontsize=10)
    return x + width


for y, parts in (
    (4.7, [(M, K, "A", "#eef0f3"), (K, N, "B", "#eef0f3"), (M, N, "Y", "#e3f1f1")]),
    (1.7, [(M, N, "G", "#e2e5ea"), (N, K, "Bᵀ", "#e2e5ea"), (M, K, "dA", "#f3c9ac")]),
    (-1.2, [(K, M, "Aᵀ", "#e2e5ea"), (M, N, "G", "#e2e5ea"), (K, N, "dB", "#f3c9ac")]),
):
    x = 0.0
    for place, (height, width, name, color) in enumerate(parts):
        x = block(x, y, height, width, name, color)
        if place < 2:
            right.text(x + 0.35, y, "·="[place], ha="center", va="center", fontsize=14)
        x += 0.7
right.set(
    xlim=(-0.2, 9.6), ylim=(-2.8, 6.2), aspect="equal",
    title="The shapes leave one choice each",
)  # fmt: skip
for panel in axes:
    panel.set(xticks=[], yticks=[])
    for spine in panel.spines.values():
        spine.set_visible(False)
plt.show()

# %% [markdown]
# In the library these two are `unbroadcast` in [broadcasting.py](../tinyternary/autograd/ops/broadcasting.py) and the class `Linear` in [products.py](../tinyternary/autograd/ops/products.py), forward directly above backward. A curious thing to keep for lesson 08: forward is *one* matrix product, backward is *two*. Training costs three times what inference does, and that is all there is to that rule of thumb.
#
# ## 5 · How do you know that it is right?
#
# A gradient can be checked without any calculus: move one entry a little, compute everything anew, see what happened. It takes two evaluations an entry, so it is useless for training and priceless for testing. The best form is the **central difference**,
#
# $$
# f'(x) \approx \frac{f(x + \varepsilon) - f(x - \varepsilon)}{2\,\varepsilon} ,
# $$
#
# because the terms with $\varepsilon$ cancel, and the error is of the order $\varepsilon^2$.

# %% [markdown]
# ### Exercise 2.6: a gradient by brute force (2 points)
#
# Write `numeric_gradient(f, x, eps=1e-6)`: `f` takes an array of `x`'s shape and returns a number; return the array of all its slopes at `x` by central differences. Work in float64 whatever comes in, and leave `x` as it is.


# %% nbgrader={"grade": false, "grade_id": "2_6_numeric_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def numeric_gradient(f, x, eps=1e-6):
    """All slopes of f at x by central differences, in float64."""
    ### BEGIN SOLUTION
    point = np.array(x, dtype=np.float64)
    slopes = np.zeros(point.shape)
    for place in np.ndindex(point.shape):
        middle = point[place]
        point[place] = middle + eps
        above = f(point)
        point[place] = middle - eps
        below = f(point)
        point[place] = middle
        slopes[place] = (above - below) / (2 * eps)
    return slopes
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_6_numeric_gradient_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.6")
def _(numeric_gradient):
    x = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    before = x.copy()
    got = numeric_gradient(lambda v: float(np.sum(v**2)), x)
    check.close(got, 2 * x, "The slopes of the sum of squares are 2x.", rtol=1e-6)
    check.equal(x, before, "The x you were given has changed: work on a copy.")
    got = numeric_gradient(lambda v: float(np.sum(v**3)), x, eps=1e-3)
    check.close(
        got, 3 * x**2,
        "For x³ and eps = 1e-3 a central difference is off by eps² = 1e-6 only. Is yours taken on "
        "both sides, and divided by the whole distance?",
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip
    got = numeric_gradient(lambda v: float(v[0, 0] * v[1, 2] + np.sin(v[0, 1])), x)
    want = [[-1, np.cos(-2.0), 0], [0, 0, 1]]
    check.close(got, want, "Put each entry back before you move the next.", rtol=1e-6, atol=1e-7)
    single = np.array([0.1, 0.7], np.float32)
    got = numeric_gradient(lambda v: float(np.sum(v**2)), single)
    check.close(
        got, 2 * single.astype(float),
        "Here x is float32, and a step of 1e-6 drowns in its rounding. Work in float64.", rtol=1e-6,
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    got = numeric_gradient(lambda v: float(v[0] * v[1]), np.array([3.0, 5.0]), eps=0.5)
    check.close(
        got, [5, 3], "f = x0·x1 with eps = 0.5: put an entry back before you move the next."
    )
    zero = np.array([0.0, 2.0])
    got = numeric_gradient(lambda v: float(np.sum(np.sin(v))), zero)
    check.close(
        got, np.cos(zero), "One entry of x is 0: the step is eps, whatever x is.", rtol=1e-6
    )
    got = numeric_gradient(lambda v: float(np.sum(v**3)), np.array([1.0, 2.0]), eps=0.5)
    check.close(
        got, [3.25, 12.25],
        "For x³ a step of 0.5 is off by its square. The step is the one you are given.",
    )  # fmt: skip
    got = numeric_gradient(lambda v: float(np.sum(v**2)), np.array([1, 2, 3]))
    check.close(got, [2, 4, 6], "Here x holds integers.", rtol=1e-6)
    rng = np.random.default_rng(27)
    big = rng.normal(size=(4, 6))
    weights = rng.normal(size=(6, 4))
    for view, name in ((big.T, "transposed"), (big[::2, ::3], "strided")):
        coefficients = rng.normal(size=view.shape)
        got = numeric_gradient(lambda v, c=coefficients: float(np.sum(c * v * v)), view)
        check.close(got, 2 * coefficients * view, f"Here x is {name}.", rtol=1e-6, atol=1e-8)
    got = numeric_gradient(lambda v: float(np.trace(v @ weights)), big)
    check.close(got, weights.T, "The slopes of trace(x w).", rtol=1e-6, atol=1e-8)
    check.close(
        numeric_gradient(lambda v: float(v * v), np.array(3.0)), 6.0, "One number.", rtol=1e-6
    )
    ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_6_numeric_gradient"}
# 1. Begin with a copy in float64: `np.array(x, dtype=np.float64)`. `np.ndindex(x.shape)` walks through all places.
# 2. For each place: add eps, call f, go to the other side, call f, put back what was there.


# %% variant={"of": "2_6_numeric_gradient", "wrong": "one-sided difference", "says": "both sides"}
def numeric_gradient(f, x, eps=1e-6):
    point = np.array(x, dtype=np.float64)
    slopes = np.zeros(point.shape)
    base = f(point)
    for place in np.ndindex(point.shape):
        moved = point.copy()
        moved[place] += eps
        slopes[place] = (f(moved) - base) / eps
    return slopes


# %% variant={"of": "2_6_numeric_gradient", "wrong": "divides by eps, not 2 eps", "says": "2x"}
def numeric_gradient(f, x, eps=1e-6):
    point = np.array(x, dtype=np.float64)
    slopes = np.zeros(point.shape)
    for place in np.ndindex(point.shape):
        step = np.zeros(point.shape)
        step[place] = eps
        slopes[place] = (f(point + step) - f(point - step)) / eps
    return slopes


# %% variant={"of": "2_6_numeric_gradient", "wrong": "a step relative to x: none at 0", "says": "whatever x is"}
def numeric_gradient(f, x, eps=1e-6):
    point = np.array(x, dtype=np.float64)
    slopes = np.zeros(point.shape)
    for place in np.ndindex(point.shape):
        higher, lower = point.copy(), point.copy()
        step = eps * np.abs(point[place]) + 1e-300
        higher[place] += step
        lower[place] -= step
        slopes[place] = (f(higher) - f(lower)) / (2 * step)
    return slopes


# %% variant={"of": "2_6_numeric_gradient", "wrong": "moves all entries at once: one slope for all"}
def numeric_gradient(f, x, eps=1e-6):
    point = np.array(x, dtype=np.float64)
    return np.full(point.shape, (f(point + eps) - f(point - eps)) / (2 * eps))


# %% variant={"of": "2_6_numeric_gradient", "wrong": "does not put the entry back", "says": "Put each entry back"}
def numeric_gradient(f, x, eps=1e-6):
    point = np.array(x, dtype=np.float64)
    slopes = np.zeros(point.shape)
    for place in np.ndindex(point.shape):
        point[place] += eps
        above = f(point)
        point[place] = 2 * x[place] - point[place]
        slopes[place] = (above - f(point)) / (2 * eps)
        point[place] = 0.0
    return slopes


# %% variant={"of": "2_6_numeric_gradient", "wrong": "stays in float32", "says": "float64"}
def numeric_gradient(f, x, eps=1e-6):
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[place] += eps
        below[place] -= eps
        slopes[place] = (f(above) - f(below)) / (2 * eps)
    return slopes


# %% variant={"of": "2_6_numeric_gradient", "wrong": "works on the learner's x", "says": "work on a copy"}
def numeric_gradient(f, x, eps=1e-6):
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        x[place] += eps
        above = f(x)
        x[place] -= 2 * eps
        slopes[place] = (above - f(x)) / (2 * eps)
    return slopes


# %% variant={"of": "2_6_numeric_gradient", "right": "a step array for each entry"}
def numeric_gradient(f, x, eps=1e-6):
    point = np.array(x, dtype=float)
    steps = eps * np.eye(point.size).reshape(point.size, *point.shape)
    slopes = [(f(point + step) - f(point - step)) / (2 * eps) for step in steps]
    return np.array(slopes).reshape(point.shape)


# %% variant={"of": "2_6_numeric_gradient", "right": "on a flat copy"}
def numeric_gradient(f, x, eps=1e-6):
    flat = np.asarray(x).astype(np.float64).ravel()
    slopes = np.empty(flat.size)
    for i in range(flat.size):
        above, below = flat.copy(), flat.copy()
        above[i] += eps
        below[i] -= eps
        slopes[i] = f(above.reshape(np.shape(x))) - f(below.reshape(np.shape(x)))
    return slopes.reshape(np.shape(x)) / (2 * eps)


# %% [markdown]
# **Predict, then run.** The smaller the step, the better? In float64 a number has 16 digits, so there is room. We take $f(x) = e^x$ at 41 points around 1, and look for the step with the smallest error among the powers of ten from $10^{-1}$ to $10^{-14}$. Write the exponent, $-1$ for $\varepsilon = 10^{-1}$.

# %%
my_guess = None  # exponent of the best step, from -1 to -14

powers = np.arange(-14, 0)
points = np.linspace(0.5, 1.5, 41)


def mean_error(eps, kind=np.float64):
    """Mean relative error of the central difference of exp, all arithmetic in one precision."""
    x, eps = points.astype(kind), kind(eps)
    above, below = x + eps, x - eps
    estimate = (np.exp(above) - np.exp(below)) / (kind(2) * eps)
    return float(np.mean(np.abs(estimate.astype(float) / np.exp(points) - 1)))


best = int(powers[np.argmin([mean_error(10.0**p) for p in powers])])
check.predicted(my_guess, best, within=0.5,
                comment="Two errors pull in opposite directions; the figure shows both.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8.5, 4.0))
eps = np.logspace(-14, 0, 113)
bent = eps[eps > 7e-6]  # for exp, f''' / f' = 1
axes.plot(bent, bent**2 / 6, color=style.INK, linestyle=":", linewidth=1.2, zorder=3)
axes.text(2.2e-4, 1.2e-10, "ε² / 6: the curve\nis not straight", fontsize=9, color=style.MUTED)
for kind, color in ((np.float64, style.TERNARY), (np.float32, style.ACCENT)):
    errors = np.array([mean_error(e, kind) for e in eps])
    axes.plot(eps, errors, color=color)
    unit = np.finfo(kind).eps / 2
    best_eps = (3 * unit) ** (1 / 3)
    axes.plot(
        eps[eps < best_eps], unit / eps[eps < best_eps], color=color, linestyle=":", linewidth=1.2
    )
    axes.plot(best_eps, mean_error(best_eps, kind), "o", color=color)
    axes.annotate(
        f"{kind.__name__}: best near {best_eps:.0e}", (best_eps, mean_error(best_eps, kind)),
        (0, -15) if kind is np.float64 else (-14, -10), textcoords="offset points",
        ha="center" if kind is np.float64 else "right", color=color, fontsize=9,
    )  # fmt: skip
axes.text(2e-13, 2e-2, "u / ε: digits cancel", fontsize=9, color=style.TERNARY)
axes.set(
    xscale="log", yscale="log", ylim=(1e-13, 30), xlim=(1e-14, 1), xlabel="step ε",
    ylabel="relative error", title="Too large a step bends, too small a step rounds",
)  # fmt: skip
style.grid_behind(axes, "both")
plt.show()

# %% [markdown]
# Look at the two branches through a magnifying glass: $e^x$ around 1 in float32, three steps to either side, whatever the step is. The dotted line has the true slope. Three stills; in Jupyter, a slider for the exponent of $\varepsilon$.


# %% jupyter={"source_hidden": true}
def magnify(axes, eps):
    """exp around 1 in float32, in units in which its slope is 1, and the central difference."""
    middle = np.float32(1)

    def seen(x):
        return (np.exp(x).astype(float) - float(np.exp(middle))) / (np.e * eps)

    steps = np.linspace(-3, 3, 601)
    ends = seen(middle + np.float32([-eps, eps]))
    axes.plot(steps, steps, color=style.MUTED, linestyle=":", linewidth=1.2)
    axes.plot(steps, seen((1 + steps * eps).astype(np.float32)), color=style.TERNARY, linewidth=1.4)
    axes.plot([-1, 1], ends, "o-", color=style.ACCENT, markersize=4)
    off = 100 * abs((ends[1] - ends[0]) / 2 - 1)
    axes.set(xlabel="steps of ε", xticks=range(-3, 4), ylim=(-4, 4), yticks=[])
    axes.set_title(f"ε = {eps:.1g}: {off:.2g} % off", fontsize=10)


figure, stills = plt.subplots(1, 3, figsize=(11, 2.7))
for still, eps in zip(stills, (0.5, 5e-3, 2e-7)):
    magnify(still, eps)
plt.show()


def glass(exponent=-6.5):
    _, axes = plt.subplots(figsize=(5.5, 3.2))
    magnify(axes, 10.0**exponent)
    plt.show()


course.slider(glass, exponent=(-7.5, 0.0, 0.1))

# %% [markdown]
# A step too large sees the bend, a step too small sees the stairs of float32, and each end of the orange line may stand a whole stair too high or too low.
#
# On the right branch of the V the error falls with $\varepsilon^2$, as Taylor says. On the left $f(x+\varepsilon)$ and $f(x-\varepsilon)$ agree in more and more digits, and those cancel: what is left is rounding, of the size $u / \varepsilon$, with the *unit roundoff* $u = 2^{-53}$ (float64) or $2^{-24}$ (float32). The sum of both is smallest near $\varepsilon = (3u)^{1/3}$ where $f$, $f'$ and $f'''$ are of a size. That is why `tt.gradcheck` insists on float64 and takes $10^{-6}$: ten good digits. In float32 there are never more than about five, and a mistake of a millionth stays invisible.
#
# Two more things make a good check. **All entries**, since a mistake may sit in a corner. And a **random gradient from above**: summing the outputs, as many tests do, sends back all ones, and some mistakes vanish in that sum. Watch one vanish.

# %%
rng = np.random.default_rng(5)
z = rng.normal(size=4)


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


def broken_backward(z, grad):
    """Claims that softmax has no slope at all."""
    return np.zeros_like(z)


for name, upstream in (("ones", np.ones(4)), ("random", rng.normal(size=4))):
    numeric = my.numeric_gradient(lambda v, u=upstream: np.sum(u * softmax(v)), z)
    worst = np.max(np.abs(numeric - broken_backward(z, upstream)))
    print(f"gradient from above: {name:<7} largest error {worst:.1e}")

# %% [markdown]
# Probabilities add up to 1 whatever you do, so the slope of their *sum* is 0, and a backward that returns zeros is "right". The library's `tt.gradcheck(fn, *arrays)` draws its upstream at random, looks at every entry, and every operation of the library has passed it.
#
# One limit: at a **kink**, such as ReLU's at 0, a central difference averages the slopes of both sides. Check elsewhere.

# %% [markdown]
# ## 6 · The end of the network
#
# A classifier ends in scores, one a class, called *logits*. Softmax makes them probabilities, $p_i = e^{z_i} / \sum_j e^{z_j}$, and the loss is the *cross-entropy*, $-\log p_y$, for the right class $y$. As two separate operations this is a bad idea twice over.
#
# **It overflows.** $e^{1000}$ is infinite in float64, and $\infty / \infty$ is not a number. But softmax does not care about a constant added to all logits, so the largest may as well be 0. And a probability that underflows to 0 has no logarithm; the loss is a harmless $z$-sized number if you write $\log p_y = z_y - \log \sum_j e^{z_j}$ and never form $p_y$ at all.
#
# **It is needlessly hard to differentiate.** Softmax has a full Jacobian and the logarithm a slope of $1/p$, which may be enormous. Do both at once on paper, and nearly everything cancels. What remains is one of the loveliest formulas of the field: with $\mathbf y$ for the label written as a 1 among zeros,
#
# $$
# \frac{\partial}{\partial z_i}\Big( -z_y + \log \textstyle\sum_j e^{z_j} \Big) = \;?
# $$
#
# You have the derivative of a logarithm and of a sum of exponentials. Finish it.

# %% [markdown]
# ### Exercise 2.7: softmax and cross-entropy in one (3 points)
#
# Write `softmax_cross_entropy(logits, labels)` for `logits` $(B, C)$ and integer `labels` $(B,)$. Return `(loss, grad)`: the **mean** loss over the batch as a float, and its gradient with respect to the logits, $(B, C)$. Logits of $\pm 1000$ should be no trouble, in every row.


# %% nbgrader={"grade": false, "grade_id": "2_7_softmax_cross_entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax_cross_entropy(logits, labels):
    """Mean cross-entropy of softmax(logits), and its gradient for the logits."""
    ### BEGIN SOLUTION
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    grad = np.exp(log_p)
    grad[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), grad / len(labels)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_7_softmax_cross_entropy_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.7")
def _(softmax_cross_entropy):
    even = np.zeros((2, 4))
    with check.part("the loss", points=1):
        loss, _ = softmax_cross_entropy(even, np.array([0, 3]))
        check.close(
            loss,
            np.log(4),
            "Four equal logits: each class has the probability 1/4, the loss is log 4.",
        )
        z = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]))
        loss, _ = softmax_cross_entropy(z, np.array([0, 1]))
        check.close(
            loss, -np.log([0.5, 0.2]).mean(),
            "Probabilities .5 and .2 for the right classes: the *mean* of the two losses.",
        )  # fmt: skip
    with check.part("the gradient", points=1):
        _, grad = softmax_cross_entropy(even, np.array([0, 3]))
        check.close(
            grad, np.array([[-0.75, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, -0.75]]) / 2,
            "The loss is a mean over two rows. In each row the gradient adds up to 0, and only the "
            "right class is pulled up.",
        )  # fmt: skip
        rng = np.random.default_rng(28)
        z, labels = rng.normal(size=(3, 5)), np.array([4, 0, 2])
        before = z.copy()
        _, grad = softmax_cross_entropy(z, labels)
        numeric = numeric_gradient(lambda v: softmax_cross_entropy(v, labels)[0], z)
        check.equal(z, before, "The logits you were given have changed.")
        check.close(
            grad, numeric, "On random logits it differs from central differences of your own loss.",
            rtol=1e-5, atol=1e-7,
        )  # fmt: skip
    with check.part("large logits", points=1), np.errstate(all="ignore"):
        z = np.array([[1000.0, 0.0, -1000.0], [0.0, 1.0, 2.0]])
        loss, grad = softmax_cross_entropy(z, np.array([0, 2]))
        small = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
        check.true(
            np.isfinite(loss) and np.isfinite(grad).all(),
            f"Not finite for logits of ±1000 in one row and 0, 1, 2 in another: loss {loss}. "
            "Which constant may you subtract from a row without changing its softmax? "
            "Each row needs its own.",
        )  # fmt: skip
        check.close(
            loss, -np.log(small[2]) / 2, "The first row is right and certain, and adds nothing."
        )
        check.close(grad, [[0, 0, 0], (small - [0, 0, 1]) / 2], "Its gradient.", atol=1e-12)
        loss, grad = softmax_cross_entropy(z, np.array([2, 2]))
        check.close(
            loss, (2000 - np.log(small[2])) / 2,
            "The first row is certain and wrong: its loss is 1000 - (-1000) = 2000. The probability "
            "of the right class is 0 in floating point, so do not take its logarithm.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        z = np.array([[-1000.0, -1001.0], [1e5, 1e5]])
        loss, _ = softmax_cross_entropy(z, np.array([1, 0]))
        check.close(
            loss, (np.log(1 + np.e) + np.log(2)) / 2, "Very negative logits, or equal large ones."
        )
        ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_7_softmax_cross_entropy"}
# 1. First subtract each row's maximum (`keepdims=True`). Then log p = shifted - log(sum(exp(shifted))): no division, no logarithm of a small number.
# 2. The derivative of log(sum of exp(z_j)) for z_i is exp(z_i) over that sum, which has a name. Where does the other term, -z_y, have a slope?
# 3. `array[np.arange(B), labels]` picks one entry from each row. The loss is a mean: what does that do to the gradient?


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "no shift", "says": "Not finite"}
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    grad = p.copy()
    grad[rows, labels] -= 1
    return float(-np.log(p[rows, labels]).mean()), grad / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "one maximum for the whole batch", "says": "Each row needs its own"}
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max()
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    grad = np.exp(log_p)
    grad[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), grad / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "log(p + 1e-12)", "says": "do not take its logarithm"}
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    grad = p.copy()
    grad[rows, labels] -= 1
    return float(-np.log(p[rows, labels] + 1e-12).mean()), grad / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "gradient of the sum, not of the mean", "says": "mean over two rows"}
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    grad = np.exp(log_p)
    grad[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), grad


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "y - p: the step in place of the slope", "says": "opposite sign"}
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    grad = -np.exp(log_p)
    grad[rows, labels] += 1
    return float(-log_p[rows, labels].mean()), grad / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "the right class only", "says": "adds up to 0"}
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    grad = np.zeros(logits.shape)
    grad[rows, labels] = np.exp(log_p[rows, labels]) - 1
    return float(-log_p[rows, labels].mean()), grad / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "shifts the logits in place", "says": "work on a copy"}
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    grad = np.exp(log_p)
    grad[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), grad / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "right": "with one-hot labels and logaddexp"}
def softmax_cross_entropy(logits, labels):
    wanted = np.eye(logits.shape[1])[labels]
    log_total = np.logaddexp.reduce(logits, axis=1, keepdims=True)
    loss = np.mean(log_total[:, 0] - np.sum(wanted * logits, axis=1))
    return loss, (np.exp(logits - log_total) - wanted) / len(logits)


# %% variant={"of": "2_7_softmax_cross_entropy", "right": "row after row"}
def softmax_cross_entropy(logits, labels):
    loss, grads = 0.0, []
    for z, label in zip(logits, labels):
        z = z - np.max(z)
        total = np.exp(z).sum()
        loss += np.log(total) - z[label]
        grad = np.exp(z) / total
        grad[label] -= 1
        grads.append(grad / len(labels))
    return loss / len(labels), np.array(grads)


# %% [markdown]
# The gradient is **what the network says minus what is true**: $\mathbf p - \mathbf y$. It is never larger than 1 per entry, it never blows up, and it vanishes only when the network is certain and right. Three rows of it:

# %% jupyter={"source_hidden": true}
rows = np.array([[2.0, 0.5, -1.0, 0.0], [0.2, 0.1, 0.0, 0.3], [-4.0, 5.0, 0.0, 1.0]])
true = np.array([0, 2, 0])
names = ("right, fairly sure", "no idea", "wrong, and certain")
figure, panels = plt.subplots(1, 3, figsize=(11, 2.8), sharey=True)
for axes, z, label, name in zip(panels, rows, true, names):
    loss, grad = my.softmax_cross_entropy(z[None], np.array([label]))
    p = grad[0] + np.eye(4)[label]
    place = np.arange(4)
    axes.bar(place - 0.2, p, 0.36, color=style.FLOAT, label="p")
    axes.bar(place + 0.2, grad[0], 0.36, color=style.ACCENT, label="gradient p - y")
    axes.axhline(0, color=style.INK, linewidth=0.8)
    axes.set(
        xticks=place, xticklabels=[f"class {i}" + ("\n(true)" if i == label else "") for i in place],
        title=f"{name}: loss {loss:.2f}",
    )  # fmt: skip
panels[0].legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# ## 7 · The engine
#
# You have all the parts. Put together, they are an engine that trains networks.

# %% [markdown]
# ### Exercise 2.8: `Tensor` (4 points)
#
# Complete `Tensor`, the `Value` of arrays. A source is now a pair `(tensor, back)`, where `back` is a *function* of one argument: the gradient of the output goes in, the gradient of that source comes out, in the source's shape. As an example, `cross_entropy` is written for you.
#
# - `a + b`, with broadcasting;
# - `a @ b`, of matrices;
# - `a.relu()`: $\max(x, 0)$. What is its slope where $x > 0$, and where $x < 0$?
# - `loss.backward()`: as in 2.3, with arrays: every `grad` an array of its tensor's shape, 0 at first, 1 for the result.
#
# Call what you wrote before: your `topological_order` asks nothing of a node but its `sources`, so it works here too.


# %% nbgrader={"grade": false, "grade_id": "2_8_Tensor", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Tensor:
    """An array that remembers what it was made from."""

    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)  # pairs (Tensor, function from gradient to gradient)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)

        def back(grad):
            return grad * slope

        return Tensor(loss, [(self, back)])

    def __add__(self, other):
        ### BEGIN SOLUTION
        return Tensor(
            self.data + other.data,
            [
                (self, lambda grad: unbroadcast(grad, self.data.shape)),
                (other, lambda grad: unbroadcast(grad, other.data.shape)),
            ],
        )
        ### END SOLUTION

    def __matmul__(self, other):
        ### BEGIN SOLUTION
        a, b = self.data, other.data
        return Tensor(
            a @ b,
            [
                (self, lambda grad: matmul_backward(a, b, grad)[0]),
                (other, lambda grad: matmul_backward(a, b, grad)[1]),
            ],
        )
        ### END SOLUTION

    def relu(self):
        ### BEGIN SOLUTION
        return Tensor(np.maximum(self.data, 0), [(self, lambda grad: grad * (self.data > 0))])
        ### END SOLUTION

    def backward(self):
        ### BEGIN SOLUTION
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_8_Tensor_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.8")
def _(Tensor):
    rng = np.random.default_rng(29)

    def through(made, source, upstream):
        """What the functions of `made` give to `source`, for a gradient from above."""
        check.true(
            isinstance(made, Tensor), f"The result should be a Tensor again; got {made!r}."
        )  # fmt: skip
        pairs = list(made.sources)
        check.true(
            all(len(pair) == 2 and callable(pair[1]) for pair in pairs),
            "`sources` should hold pairs: (Tensor, function of one gradient).",
        )
        shares = [np.asarray(back(upstream)) for s, back in pairs if s is source]
        check.true(len(shares) > 0, "Something that it was made from is not among its sources.")
        return sum(shares)

    with check.part("add", points=1):
        x, bias = Tensor(rng.normal(size=(5, 3))), Tensor(rng.normal(size=3))
        total, g = x + bias, rng.normal(size=(5, 3))
        check.close(through(total, x, g), g, "x + bias: the gradient of x.")
        check.close(total.data, x.data + bias.data, "`data` of x + bias.")
        check.close(
            through(total, bias, g), unbroadcast(g, (3,)),
            "x + bias: the bias was copied to five rows. Its gradient has the bias's shape, (3,).",
        )  # fmt: skip
        column = Tensor(rng.normal(size=(5, 1)))
        check.close(through(column + x, column, g), unbroadcast(g, (5, 1)), "(5, 1) + (5, 3).")
    with check.part("matmul", points=1):
        a, b = Tensor(rng.normal(size=(4, 3))), Tensor(rng.normal(size=(3, 5)))
        g = rng.normal(size=(4, 5))
        product = a @ b
        want = matmul_backward(a.data, b.data, g)
        check.close(through(product, a, g), want[0], "a @ b: the gradient of a.")
        check.close(through(product, b, g), want[1], "a @ b: the gradient of b.")
        check.close(product.data, a.data @ b.data, "`data` of a @ b.")
    with check.part("relu", points=1):
        x = Tensor(np.array([[-2.0, 3.0, -0.5], [1.0, -1.0, 4.0]]))
        g = np.array([[10.0, 20.0, 30.0], [40.0, -50.0, -60.0]])
        check.close(x.relu().data, [[0, 3, 0], [1, 0, 4]], "`data` of relu.")
        check.close(
            through(x.relu(), x, g), [[0, 20, 0], [40, 0, -60]],
            "Where x < 0 the output is 0 whatever x does, so no gradient passes. Where x > 0 it passes "
            "as it is, negative or not: the mask looks at x, not at the gradient.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            x.data, [[-2, 3, -0.5], [1, -1, 4]],
            "After x.relu() the data of x itself has changed: make a new array.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("backward", points=1):
        x = Tensor(rng.normal(size=(6, 4)))
        w1, b1 = Tensor(rng.normal(size=(4, 4))), Tensor(rng.normal(size=4))
        labels = np.array([0, 1, 2, 3, 1, 0])

        def loss_of(values):
            h = ((Tensor(x.data) @ Tensor(values)) + Tensor(b1.data)).relu()
            return float(((h + h) @ Tensor(values)).cross_entropy(labels).data)

        h = ((x @ w1) + b1).relu()
        loss = ((h + h) @ w1).cross_entropy(labels)
        check.true(loss.backward() is None, "`backward` fills in gradients and returns nothing.")
        for tensor, name in ((x, "x"), (w1, "w"), (b1, "b"), (h, "h"), (loss, "the loss")):
            check.true(
                isinstance(tensor.grad, np.ndarray | np.floating) and tensor.grad.shape == tensor.data.shape,
                f"After backward the grad of {name} should be an array of its shape, "
                f"{tensor.data.shape}; it is {tensor.grad!r}.",
            )  # fmt: skip
        check.close(loss.grad, 1.0, "The gradient of the result itself.")
        check.close(
            w1.grad, numeric_gradient(loss_of, w1.data),
            "h = relu(x w + b), loss = cross_entropy((h + h) w): w and h are used twice, and their "
            "shares add up.", rtol=1e-5, atol=1e-7,
        )  # fmt: skip
        first = w1.grad.copy()
        loss.backward()
        check.close(w1.grad, first, "A second backward should give the same: begin at 0.")
        ### BEGIN HIDDEN TESTS
        y = Tensor(np.ones((2, 2)))
        wide = y + Tensor(np.zeros((2, 2)))
        wide = wide + wide
        wide = wide + wide
        wide.backward()
        check.close(y.grad, np.full((2, 2), 4.0), "y + y + y + y, from one node used twice, twice.")
        check.close(wide.grad, np.ones((2, 2)), "An array as the result: begin with ones.")
        calls = []

        def back(grad):
            calls.append(grad)
            return grad

        x = last = Tensor(np.zeros((1, 2)))
        for _ in range(10):
            last = Tensor(2 * last.data, [(last, back), (last, back)])
        last.backward()
        check.close(x.grad, [[1024, 1024]], "Ten doublings.")
        check.true(
            len(calls) == 20,
            f"Ten doublings have 20 wires; your backward has called the functions on them {len(calls)} "
            "times. Each node hands on once, when its gradient is complete.",
        )
        x = Tensor(np.zeros((1, 2)))
        u, v = Tensor(x.data, [(x, back)]), Tensor(x.data, [(x, back)])
        (u + v).backward()
        check.close(
            [x.grad, u.grad, v.grad], [[[2, 2]], [[1, 1]], [[1, 1]]],
            "x was used by u and by v, whose functions give the gradient back as it is. Two tensors "
            "may then share one array: adding to it in place changes both.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_8_Tensor"}
# 1. Each operation returns `Tensor(result, [(self, lambda grad: ...), (other, lambda grad: ...)])`. For `+` the functions call `unbroadcast`, for `@` they take a half of `matmul_backward`.
# 2. relu: multiply the gradient by something that is 1 where `self.data` is above 0, else 0.
# 3. backward is 2.3 again, with `np.zeros_like` and `np.ones_like` for 0 and 1, and with `back(node.grad)` where it said slope times gradient. Beware of `+=` on arrays: it changes an array that another tensor may share.


# %% variant={"of": "2_8_Tensor", "wrong": "the bias's gradient keeps the batch", "says": "bias's shape"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: grad),
            (other, lambda grad: grad),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        mask = self.data > 0
        return Tensor(self.data * mask, [(self, lambda grad: grad * mask)])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "relu without its mask", "says": "no gradient passes"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        return Tensor(np.maximum(self.data, 0), [(self, lambda grad: grad)])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "relu masks by the gradient's sign", "says": "not at the gradient"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        return Tensor(np.maximum(self.data, 0), [(self, lambda grad: np.maximum(grad, 0))])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "relu multiplies by x in place of the mask", "says": "relu"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        return Tensor(
            np.maximum(self.data, 0), [(self, lambda grad: grad * np.maximum(self.data, 0))]
        )

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "overwrites in backward", "says": "shares add up"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        mask = self.data > 0
        return Tensor(self.data * mask, [(self, lambda grad: grad * mask)])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "does not begin at 0", "says": "begin at 0"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        mask = self.data > 0
        return Tensor(self.data * mask, [(self, lambda grad: grad * mask)])

    def backward(self):
        order = topological_order(self)
        for node in order:
            if node.grad is None:
                node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "loss's grad left a number, results get no ones", "says": "array of its shape"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        mask = self.data > 0
        return Tensor(self.data * mask, [(self, lambda grad: grad * mask)])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = 1.0
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "slopes in place of functions", "says": "function of one gradient"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        return Tensor(self.data @ other.data, [(self, other.data.T), (other, self.data.T)])

    def relu(self):
        mask = self.data > 0
        return Tensor(self.data * mask, [(self, lambda grad: grad * mask)])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "adds in place to an array that is shared", "says": "changes both"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        mask = self.data > 0
        return Tensor(self.data * mask, [(self, lambda grad: grad * mask)])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = (
                    back(node.grad)
                    if not source.grad.any()
                    else np.add(source.grad, back(node.grad), out=source.grad)
                )


# %% variant={"of": "2_8_Tensor", "right": "in place, into arrays of its own"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [
            (self, lambda grad: matmul_backward(a, b, grad)[0]),
            (other, lambda grad: matmul_backward(a, b, grad)[1]),
        ])  # fmt: skip

    def relu(self):
        return Tensor(
            np.where(self.data > 0, self.data, 0),
            [(self, lambda grad: np.where(self.data > 0, grad, 0))],
        )

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros(node.data.shape)
        self.grad = np.ones(self.data.shape)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad[...] += back(node.grad)


# %% variant={"of": "2_8_Tensor", "right": "shares kept in a dictionary until they are complete"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data, self.grad, self.sources = np.asarray(data), None, tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [
            (self, lambda grad: unbroadcast(grad, self.data.shape)),
            (other, lambda grad: unbroadcast(grad, other.data.shape)),
        ])  # fmt: skip

    def __matmul__(self, other):
        return Tensor(self.data @ other.data, [
            (self, lambda grad: grad @ other.data.T), (other, lambda grad: self.data.T @ grad)
        ])  # fmt: skip

    def relu(self):
        mask = self.data > 0
        return Tensor(self.data * mask, [(self, lambda grad: grad * mask)])

    def backward(self):
        order = topological_order(self)
        shares = {node: np.zeros_like(node.data) for node in order}
        shares[self] = np.ones_like(self.data)
        for node in order[::-1]:
            node.grad = shares[node]
            for source, back in node.sources:
                shares[source] = shares[source] + back(node.grad)


# %% [markdown]
# Now the moment that makes it worth it. Two spirals, wound around each other: a classic that no straight line comes near. A network of two hidden layers of 32, written with *your* `Tensor`, and beside it the same network with the library's `tt.Tensor`, from the same initial weights. Two programs that share not one line. If both are right, the two loss curves should not be similar. They should be **the same**.


# %%
Array = my.Tensor  # your engine, if 2.8 has passed; run this cell again when it has


def spirals(n, seed=0):
    rng = np.random.default_rng(seed)
    turn = np.sqrt(rng.uniform(0.02, 1, n)) * 3 * np.pi
    label = np.arange(n) % 2
    angle, radius = turn + np.pi * label, turn / (3 * np.pi)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points + rng.normal(0, 0.02, (n, 2)), label


def initial(sizes, seed=0):
    """Weights and biases of a network, in turn."""
    rng = np.random.default_rng(seed)
    made = []
    for k, n in zip(sizes, sizes[1:]):
        made += [rng.normal(0, np.sqrt(2 / k), (k, n)), rng.normal(0, 0.3, n)]
    return made


def network(x, parameters):
    """The same lines for either engine."""
    for i in range(0, len(parameters), 2):
        x = x @ parameters[i] + parameters[i + 1]
        if i + 2 < len(parameters):
            x = x.relu()
    return x


def descend(arrays, gradients, velocities, rate=0.2, momentum=0.9):
    for array, gradient, velocity in zip(arrays, gradients, velocities):
        velocity *= momentum
        velocity += gradient
        array -= rate * velocity


def train_with_mine(points, labels, steps):
    arrays = initial((2, 32, 32, 2))
    velocities = [np.zeros_like(a) for a in arrays]
    losses = []
    for _ in range(steps):
        parameters = [Array(a) for a in arrays]
        loss = network(Array(points), parameters).cross_entropy(labels)
        loss.backward()
        losses.append(float(loss.data))
        descend(arrays, [p.grad for p in parameters], velocities)
    return arrays, np.array(losses)


def train_with_library(points, labels, steps):
    arrays = initial((2, 32, 32, 2))
    velocities = [np.zeros_like(a) for a in arrays]
    losses = []
    for _ in range(steps):
        parameters = [tt.Tensor(a, requires_grad=True) for a in arrays]
        loss = tt.autograd.cross_entropy(network(tt.Tensor(points), parameters), labels)
        loss.backward()
        losses.append(float(loss.data))
        descend(arrays, [p.grad for p in parameters], velocities)
    return arrays, np.array(losses)


points, spiral = spirals(300)
trained, losses = train_with_mine(points, spiral, 300)
_, library_losses = train_with_library(points, spiral, 300)
largest = np.max(np.abs(losses / library_losses - 1))
assert np.allclose(losses, library_losses, rtol=1e-10)
print(
    f"loss {losses[0]:.3f} → {losses[-1]:.4f}; largest relative difference in 300 steps: {largest:.0e}"
)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.0), width_ratios=(1, 1.25))
side = np.linspace(-1.15, 1.15, 180)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
scores = network(Array(grid), [Array(a) for a in trained]).data
sure = np.tanh((scores[:, 1] - scores[:, 0]) / 4).reshape(180, 180)
colors = plt.matplotlib.colors.LinearSegmentedColormap.from_list(
    "s", [style.SERIES[2], "#ffffff", style.ACCENT]
)
left.imshow(sure, extent=(-1.15, 1.15) * 2, origin="lower", cmap=colors, vmin=-1.6, vmax=1.6)
for value, color in ((0, style.SERIES[2]), (1, style.ACCENT)):
    left.scatter(*points[spiral == value].T, s=9, color=color, edgecolor="white", linewidth=0.3)
right_share = np.mean(network(Array(points), [Array(a) for a in trained]).data.argmax(1) == spiral)
left.set(xticks=[], yticks=[], title=f"{100 * right_share:.0f} % of the points right")
for spine in left.spines.values():
    spine.set_visible(False)
right.plot(library_losses, color="#b9dcdc", linewidth=6, label="tt.autograd")
right.plot(losses, color=style.INK, linewidth=1.1, label="the engine of this lesson")
right.set(yscale="log", xlabel="step", ylabel="loss", title="Two engines, one curve")
right.legend()
style.grid_behind(right)
plt.show()

# %% [markdown]
# Equal to the last digits, through 300 steps in which every rounding error had a chance to grow. The library adds comfort, speed and many more operations. It adds no idea that you have not just had.
#
# Its graphs can be drawn, too: `tt.autograd.draw_graph(result)` shows each operation with the shape that it makes. Here is the network above with a single hidden layer. Leaves are ovals, and what needs no gradient, here the points, is left out; find your product, your sum and your mask in it.

# %%
tiny = {
    name: tt.Tensor(a, requires_grad=True)
    for name, a in zip(("W1", "b1", "W2", "b2"), initial((2, 32, 2)))
}
tt.autograd.draw_graph(
    tt.autograd.cross_entropy(network(tt.Tensor(points), list(tiny.values())), spiral), names=tiny
)

# %% [markdown]
# ## 8 · It learns, so the gradient is right. Or is it?
#
# "I ran it, the loss goes down." How much is that worth as a test of a gradient? Let us break backward on purpose, and see what training has to say. The task: 8 × 8 images of handwritten digits, a network with two hidden layers of 64, plain stochastic gradient descent. Your engine makes sabotage easy, since an operation is anything that returns a `Tensor` with functions of our choice:
#
# - **no mask**: ReLU's backward lets every gradient through, also where the unit was off;
# - **random feedback**: the matrix product sends its gradient back not through the weights $W^\top$ but through a fixed *random* matrix $B^\top$, drawn once before the start. What arrives at the layers below has nothing to do with what they did;
# - **nothing**: the layers below get no gradient at all, and stay random. The control.


# %%
from sklearn.datasets import load_digits

images, digits = load_digits(return_X_y=True)
images = images / 16
SIZES = (64, 64, 64, 10)


def relu_without_mask(x):
    return Array(np.maximum(x.data, 0), [(x, lambda grad: grad)])


def product_with_feedback(x, weight, feedback):
    def to_x(grad):
        return grad @ feedback.T  # here belongs the weight

    return Array(x.data @ weight.data, [(x, to_x), (weight, lambda grad: x.data.T @ grad)])


def loss_of(kind, parameters, feedback, x, labels):
    x = Array(x)
    for i, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2])):
        if kind == "random feedback":
            x = product_with_feedback(x, weight, feedback[i])
        elif kind == "nothing":
            x = product_with_feedback(x, weight, 0 * feedback[i])
        else:
            x = x @ weight
        x = x + bias
        if i < 2:
            x = relu_without_mask(x) if kind == "no mask" else x.relu()
    return x.cross_entropy(labels)


def angle(a, b):
    """Angle between two arrays seen as long vectors, in degrees."""
    return np.degrees(
        np.arccos(np.clip(np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
    )


def train_digits(kind, seed, epochs=15, batch=32):
    """Test accuracy in percent, and the angle of the first layer's gradient to the true one by epoch."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits))
    rows, test = order[:1297], order[1297:]
    arrays = [a if a.ndim == 2 else np.zeros_like(a) for a in initial(SIZES, seed)]
    feedback = initial(SIZES, seed + 1000)[::2]
    angles = []
    for epoch in range(epochs):
        rate = 0.2 * (1 - epoch / epochs)
        parameters, true = ([Array(a) for a in arrays] for _ in range(2))
        loss_of(kind, parameters, feedback, images[rows[:200]], digits[rows[:200]]).backward()
        loss_of("true", true, feedback, images[rows[:200]], digits[rows[:200]]).backward()
        if kind != "nothing":
            angles.append(angle(parameters[0].grad, true[0].grad))
        shuffled = rng.permutation(rows)
        for start in range(0, len(rows) - batch + 1, batch):
            chosen = shuffled[start : start + batch]
            parameters = [Array(a) for a in arrays]
            loss_of(kind, parameters, feedback, images[chosen], digits[chosen]).backward()
            for array, parameter in zip(arrays, parameters):
                array -= rate * parameter.grad
    scores = network(Array(images[test]), [Array(a) for a in arrays]).data
    return 100 * np.mean(scores.argmax(axis=1) == digits[test]), angles


# %% [markdown]
# **Predict, then run.** With the true gradient the network reads about 97 % of the test digits. Chance is 10 %. How much will it read when ReLU's mask is left out of backward? Write a number of percent.

# %%
my_guess = None  # percent right, without the mask

KINDS = ("true", "no mask", "random feedback", "nothing")
COLORS = dict(zip(KINDS, (style.INK, style.TERNARY, style.ACCENT, style.FLOAT)))
results = {kind: [train_digits(kind, seed) for seed in range(3)] for kind in KINDS}
reached = {kind: np.array([accuracy for accuracy, _ in runs]) for kind, runs in results.items()}
others = ", ".join(f"{k} {reached[k].mean():.1f} %" for k in ("true", "random feedback", "nothing"))
check.predicted(my_guess, float(reached["no mask"].mean()), within=1, unit=" %",
                comment=f"Means over three seeds. Beside it: {others}.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
for place, kind in enumerate(KINDS):
    left.scatter(reached[kind], np.full(3, place), color=COLORS[kind], s=34, alpha=0.85)
    left.text(50.5, place, kind, va="center", color=COLORS[kind])
    for number, (_, angles) in enumerate(results[kind]):
        if kind not in ("nothing", "true"):
            right.plot(
                angles, color=COLORS[kind], linewidth=1.3, label=kind if number == 0 else None
            )
left.set(
    xlim=(50, 100), ylim=(3.6, -0.6), yticks=[], xlabel="test digits right, % (three seeds)",
    title="A wrong gradient learns almost as well",
)  # fmt: skip
style.grid_behind(left, "x")
right.axhline(90, color=style.MUTED, linestyle=":", linewidth=1.3)
right.text(14, 91, "unrelated", ha="right", va="bottom", color=style.MUTED, fontsize=9)
right.set(
    ylim=(0, 110), yticks=(0, 30, 60, 90), xlabel="epoch", ylabel="angle to the true gradient, degrees",
    title="Below 90° is downhill",
)  # fmt: skip
right.legend(loc="lower left")
plt.show()

# %% [markdown]
# Let that sink in. Without the mask the gradient points about 50° off for good, and the network hardly notices. With random feedback it starts out *unrelated* to the truth, and then something remarkable happens: the upper weights grow until the random signals are useful ones. The angle falls, the network learns to learn from nonsense. Lillicrap and colleagues found this in 2016 and called it **feedback alignment**; they were asking how brains might do without a transposed copy of every synapse. The control shows that it is real learning: with random layers left as they were, the network reads many digits fewer.
#
# Whatever lies within 90° of the gradient is downhill, and downhill is good enough to look like success. So:
#
# > A falling loss proves nothing about a gradient. Only a gradient check does.
#
# The check has no doubts at all.

# %%
rng = np.random.default_rng(3)
arrays = initial((64, 8, 8, 10), seed=3)
feedback = initial((64, 8, 8, 10), seed=1003)[::2]
few = images[:20], digits[:20]
for kind in KINDS[:3]:
    parameters = [Array(a) for a in arrays]
    loss_of(kind, parameters, feedback, *few).backward()

    def loss_at(bias):
        moved = [Array(a) for a in arrays]
        moved[1] = Array(bias)
        return float(loss_of("true", moved, feedback, *few).data)

    numeric = my.numeric_gradient(loss_at, arrays[1])
    off = np.linalg.norm(parameters[1].grad - numeric) / np.linalg.norm(numeric)
    print(f"{kind:<16} relative error of the first bias's gradient: {off:.0e}")

# %% [markdown]
# ## 9 · The bug museum
#
# Three exhibits from the history of home-made (and not so home-made) training code. Each is given by its symptoms. Read the code, name the mistake, repair it.
#
# ### Exhibit A: the pendulum
#
# The simplest training there is: fit a slope $a$ so that $a\,x \approx y$, by gradient descent on the mean squared error. The true slope is 2. The program below runs without an error. Its loss falls, rises, falls, rises. The author has tried smaller rates: the swings get slower, and no smaller.


# %% tags=["exhibit"]
def fit_slope_exhibit(x, y, rate, steps):
    a = grad = 0.0
    swings = []
    for _ in range(steps):
        error = a * x - y
        grad += np.mean(2 * error * x)
        a -= rate * grad
        swings.append(a)
    return swings


xs = np.linspace(-1, 1, 50)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2))
for rate, color in ((0.1, style.ACCENT), (0.01, style.TERNARY)):
    swings = fit_slope_exhibit(xs, 2 * xs, rate, 200)
    left.plot(swings, color=color, label=f"rate {rate:g}")
    speed = np.gradient(swings)[1:-1] / np.sqrt(rate)
    right.plot(swings[1:-1], speed, color=color, linewidth=1.1)
left.axhline(2, color=style.MUTED, linestyle=":")
left.set(
    xlabel="step", ylabel="slope (dotted: the true one)", title="Exhibit A never comes to rest"
)
left.set_ylim(-0.2, 5.2)
left.legend(loc="upper left", ncols=2)
right.set(
    xlabel="slope", ylabel="change per step / √rate", aspect="equal",
    title="and goes round in circles",
)  # fmt: skip
plt.show()

# %% [markdown]
# ### Exercise 2.9: what drives the pendulum? (1 point)
#
# Write `fit_slope(x, y, rate, steps)`: the same, repaired. It returns the list of slopes after each step.


# %% nbgrader={"grade": false, "grade_id": "2_9_fit_slope", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_slope(x, y, rate, steps):
    """Slopes of gradient descent on the mean of (slope * x - y) ** 2, from 0."""
    ### BEGIN SOLUTION
    slope = 0.0
    history = []
    while len(history) < steps:
        grad = np.mean(2 * (slope * x - y) * x)
        slope -= rate * grad
        history.append(slope)
    return history
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_9_fit_slope_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.9")
def _(fit_slope):
    x = np.linspace(-1, 1, 50)
    energy = float(np.mean(x * x))
    history = fit_slope(x, 2 * x, 0.1, 200)
    check.true(
        np.shape(history) == (200,), "Return the list of the 200 slopes, one after each step."
    )
    check.close(history[0], 0.4 * energy, "The first step was right in the exhibit: keep it.")
    want = 2 * (1 - (1 - 0.2 * energy) ** np.arange(1, 201))
    check.true(
        np.max(history) < 2.001,
        "It still swings past the true slope. What does the exhibit's `grad` hold in step 2: the "
        "slope of the loss there, and nothing else?",
    )  # fmt: skip
    check.close(
        history, want,
        "Each step of gradient descent goes rate times the gradient *at that place*. Yours comes to "
        "rest by another way: mend the cause, not the swing.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(30)
    x, noise = rng.normal(size=30), rng.normal(size=30)
    y = -0.7 * x + 0.1 * noise
    a = 0.0
    want = []
    for _ in range(25):
        a -= 0.05 * 2 * np.mean((a * x - y) * x)
        want.append(a)
    check.close(fit_slope(x, y, 0.05, 25), want, "On random points.")
    ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_9_fit_slope"}
# 1. Print `grad` in each of the first five steps, beside the slope of the loss at that place. When do the two part?
# 2. Which line of a PyTorch training loop does everybody forget once?


# %% variant={"of": "2_9_fit_slope", "wrong": "the exhibit", "says": "still swings"}
def fit_slope(x, y, rate, steps):
    slope = grad = 0.0
    history = []
    while len(history) < steps:
        grad += np.mean(2 * (slope * x - y) * x)
        slope -= rate * grad
        history.append(slope)
    return history


# %% variant={"of": "2_9_fit_slope", "wrong": "a smaller rate, later on", "says": "mend the cause"}
def fit_slope(x, y, rate, steps):
    slope = 0.0
    history = []
    for step in range(steps):
        slope -= rate / (1 + step) * np.mean(2 * (slope * x - y) * x)
        history.append(slope)
    return history


# %% variant={"of": "2_9_fit_slope", "wrong": "friction: halves what has piled up", "says": "the cause"}
def fit_slope(x, y, rate, steps):
    slope = grad = 0.0
    history = []
    while len(history) < steps:
        grad = 0.2 * grad + np.mean(2 * (slope * x - y) * x)
        slope -= rate * grad
        history.append(slope)
    return history


# %% variant={"of": "2_9_fit_slope", "wrong": "the mean of all gradients so far", "says": "still swings"}
def fit_slope(x, y, rate, steps):
    slope, grads, history = 0.0, [], []
    while len(history) < steps:
        grads.append(np.mean(2 * (slope * x - y) * x))
        slope -= 2 * rate * np.mean(grads[-30:]) * (1 if len(grads) > 1 else 0.5)
        history.append(slope)
    return history


# %% variant={"of": "2_9_fit_slope", "right": "sets it to zero after each step"}
def fit_slope(x, y, rate, steps):
    slope = grad = 0.0
    history = []
    while len(history) < steps:
        grad += np.mean(2 * (slope * x - y) * x)
        slope -= rate * grad
        grad = 0.0
        history.append(slope)
    return history


# %% variant={"of": "2_9_fit_slope", "right": "with the two means taken out of the loop"}
def fit_slope(x, y, rate, steps):
    xx, xy = x @ x / len(x), x @ y / len(x)
    history = [0.0]
    while len(history) <= steps:
        history.append(history[-1] - 2 * rate * (history[-1] * xx - xy))
    return np.array(history[1:])


# %% [markdown]
# The gradients piled up: `+=`, and nobody clears. That is right *within* one backward pass, as section 2 told us, and wrong *between* passes. The symptom has a beautiful explanation. A sum of all past forces is a **velocity**; the program simulates a mass on a spring, with momentum 1 and no friction at all, and energy is conserved. So it never comes to rest, whatever the rate.
#
# Libraries such as PyTorch, and `tt.Tensor` with them, *do* add to `.grad` from one backward to the next, so that a large batch can be split into several passes. The price is a line in every training loop, `optimizer.zero_grad()`. Your engine begins at 0 each time and has no such trap, nor that convenience.
#
# ### Exhibit B: only the last layer is right
#
# A chain of products, $y = s_0 s_1 s_2 s_3\, x$, recorded as a list of backward functions, one a step. The author's gradient check says: the last step is right, the others are not. There is no typing error in it.


# %% tags=["exhibit"]
def record_exhibit(slopes):
    """One backward function for each step; called in reverse order, each with the gradient so far."""
    steps = []
    for local in slopes:
        steps.append(lambda grad: grad * local)
    return steps


slopes = (0.5, 3.0, -1.5, 2.0)
figure, axes = plt.subplots(figsize=(8, 2.7))
for offset, color, label, what in (
    (-0.2, style.FLOAT, "should be", slopes),
    (0.2, style.ACCENT, "exhibit B", [step(1.0) for step in record_exhibit(slopes)]),
):
    axes.bar(np.arange(4) + offset, what, 0.38, color=color, label=label)
axes.axhline(0, color=style.INK, linewidth=0.8)
axes.set(
    xticks=range(4), xticklabels=[f"step {i}" for i in range(4)], ylabel="slope it multiplies by",
    title="Four functions, one behaviour",
)  # fmt: skip
axes.set_ylim(-1.9, 4.2)
axes.legend(loc="upper left", ncols=2)
plt.show()

# %% [markdown]
# ### Exercise 2.10: four functions, four slopes (1 point)
#
# Write `record(slopes)`, repaired: a list of functions of *one* argument.


# %% nbgrader={"grade": false, "grade_id": "2_10_record", "locked": false, "schema_version": 3, "solution": true, "task": false}
def record(slopes):
    """A backward function for each slope: gradient in, gradient times that slope out."""

    ### BEGIN SOLUTION
    def step_of(slope):
        return lambda grad: grad * slope

    return [step_of(slope) for slope in slopes]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_10_record_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.10")
def _(record):
    steps = record((0.5, 3.0, -1.5, 2.0))
    check.true(
        isinstance(steps, list) and len(steps) == 4 and all(callable(step) for step in steps),
        "Return a list of four functions.",
    )
    check.close(
        [step(1.0) for step in steps], [0.5, 3.0, -1.5, 2.0],
        "Each function should multiply by the slope of its own step. When does a function look up "
        "a name that it uses: when it is made, or when it is called?",
    )  # fmt: skip
    check.close(
        [step(10.0) for step in reversed(steps)], [20, -15, 30, 5],
        "Called in reverse order, and with another gradient.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    slopes = [1.0, 2.0]
    steps = record(slopes)
    slopes[0] = 99.0
    check.close(
        steps[0](1.0), 1.0, "The list of slopes was changed afterwards: keep what was there."
    )
    check.true(len(record(())) == 0, "No slopes, no functions.")
    many = np.random.default_rng(31).normal(size=20)
    check.close([step(2.0) for step in record(many)], 2 * many, "Twenty random slopes.")
    ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_10_record"}
# 1. After the loop, what is the value of the name `local`? All four functions ask for that name when they are called.
# 2. Each function needs a name of its own to look at. A function that *makes* the function has fresh names each time it is called; so does a default argument.


# %% variant={"of": "2_10_record", "wrong": "the exhibit", "says": "when it is called"}
def record(slopes):
    steps = []
    for slope in slopes:
        steps.append(lambda grad: grad * slope)
    return steps


# %% variant={"of": "2_10_record", "wrong": "a comprehension has the same trap", "says": "when it is called"}
def record(slopes):
    return [lambda grad: grad * slope for slope in slopes]


# %% variant={"of": "2_10_record", "wrong": "an index has it too", "says": "when it is called"}
def record(slopes):
    slopes = list(slopes)
    return [lambda grad: grad * slopes[i] for i in range(len(slopes))]


# %% variant={"of": "2_10_record", "wrong": "keeps the list: what is changed later changes the past", "says": "changed afterwards"}
def record(slopes):
    return [lambda grad, i=i: grad * slopes[i] for i in range(len(slopes))]


# %% variant={"of": "2_10_record", "wrong": "in reverse order already", "says": "its own step"}
def record(slopes):
    return [lambda grad, kept=kept: grad * kept for kept in reversed(list(slopes))]


# %% variant={"of": "2_10_record", "right": "a default argument"}
def record(slopes):
    return [lambda grad, slope=slope: grad * slope for slope in slopes]


# %% variant={"of": "2_10_record", "right": "functools.partial"}
def record(slopes):
    from functools import partial
    from operator import mul

    return [partial(mul, slope) for slope in slopes]


# %% [markdown]
# A Python function remembers the *name* `local`, not its value, and looks it up when it is called: after the loop, when only the last is left. Your `Tensor` was safe, since `self` and `other` are names of one call. The library avoids the matter altogether: what backward needs is kept with `ctx.save(...)`, and no closures are made.
#
# ### Exhibit C: the gradient that multiplies
#
# *Max pooling* makes a picture smaller: of each window of 2 × 2 the largest number stays. The author's backward of `max` passes every gradient check, on random numbers, to ten digits. Then it is put to work, on handwritten digits and on arrays of trits, and more gradient comes back than was sent: about twice as much after one pooling, and after three over six times as much with digits and over twenty times with trits. A `max` hands on one number. How can two come back?


# %% tags=["exhibit"]
def max_backward_exhibit(x, grad):
    """Gradient of x.max(axis=-1), given the one that comes in. Exhibit C."""
    largest = x.max(axis=-1, keepdims=True)
    return np.where(x == largest, grad[..., None], 0)


def windows(x):
    """(B, H, W) to (B, H / 2, W / 2, 4): the four numbers of each window."""
    b, h, w = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2).swapaxes(2, 3).reshape(b, h // 2, w // 2, 4)


def back_in_place(parts):
    """The inverse of `windows`."""
    b, h, w, _ = parts.shape
    return parts.reshape(b, h, w, 2, 2).swapaxes(2, 3).reshape(b, 2 * h, 2 * w)


def comes_back(x, poolings):
    """Gradient that arrives at the pictures, in all, for a 1 sent into each result."""
    seen = []
    for _ in range(poolings):
        seen.append(windows(x))
        x = seen[-1].max(axis=-1)
    grad = np.ones_like(x)
    for parts in reversed(seen):
        grad = back_in_place(max_backward_exhibit(parts, grad))
    return grad.sum() / x.size


rng = np.random.default_rng(211)
figure, axes = plt.subplots(figsize=(8, 2.8))
for place, (name, pictures, color) in enumerate((
    ("random numbers", rng.normal(size=(200, 8, 8)), style.FLOAT),
    ("digits", images[:200].reshape(-1, 8, 8), style.ACCENT),
    ("trits", rng.integers(-1, 2, size=(200, 8, 8)).astype(float), style.TERNARY),
)):  # fmt: skip
    arrived = [comes_back(pictures, n) for n in (1, 2, 3)]
    bars = axes.bar(np.arange(3) + 0.27 * (place - 1), arrived, 0.25, color=color, label=name)
    axes.bar_label(bars, [f"{a:.1f}" for a in arrived], fontsize=8.5, padding=1)
axes.set(
    xticks=range(3), xticklabels=["one pooling", "two", "three"], ylim=(0, 25),
    ylabel="comes back for each 1", title="More comes back than was sent",
)  # fmt: skip
axes.legend(loc="upper left", fontsize=9)
plt.show()

# %% [markdown]
# ### Exercise 2.11: one number out, one number back (1 point)
#
# Write `max_backward(x, grad)`, repaired: for `x` of shape $(\ldots, n)$ and the gradient `grad` $(\ldots)$ of `x.max(axis=-1)`, the gradient of `x`, $(\ldots, n)$. Where one entry is the largest, it gets all of it, as in the exhibit. Where several are, more than one answer is right; what they have in common is that nothing is lost, nothing is added, and nobody pays for another.


# %% nbgrader={"grade": false, "grade_id": "2_11_max_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def max_backward(x, grad):
    """Gradient of x.max(axis=-1) with respect to x, also where entries tie."""
    ### BEGIN SOLUTION
    winners = x == x.max(axis=-1, keepdims=True)
    return winners * (grad / winners.sum(axis=-1))[..., None]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_11_max_backward_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.11")
def _(max_backward):
    x = np.array([[1.0, 5.0, 2.0, -6.0], [-7.0, -1.0, -3.0, -2.0]])
    check.close(
        max_backward(x, np.array([10.0, -3.0])), [[0, 10, 0, 0], [0, -3, 0, 0]],
        "No ties here: all of a row's gradient, whatever its sign, belongs to the row's largest "
        "entry (the largest, not the farthest from 0), and the others get none.",
    )  # fmt: skip
    x = np.array([[4.0, 1, 4, 4], [0, 0, 0, 0], [2, 2, 3, 1], [-1, -5, -1, -5]])
    grad = np.array([6.0, -8.0, 5.0, 3.0])
    got = np.asarray(max_backward(x, grad))
    check.true(
        got.shape == (4, 4), f"The gradient of x has its shape, (4, 4); yours is {got.shape}."
    )
    check.close(
        got.sum(axis=-1), grad,
        "Rows of four in which up to four entries tie. One number went on from each row, so what "
        "comes back to a row should add up to what was sent, here the 6, -8, 5 and 3.",
    )  # fmt: skip
    check.close(
        got[x < x.max(axis=-1, keepdims=True)], np.zeros(6),
        "Entries below the maximum of their row had no say in it, and should get nothing.",
    )  # fmt: skip
    shares = got / grad[:, None]
    check.true(
        np.all((shares >= -1e-12) & (shares <= 1 + 1e-12)),
        "Among entries that tie, nobody should get a share below 0 or above 1.",
    )
    ### BEGIN HIDDEN TESTS
    close = np.array([[1.0, 1.0 + 1e-9, 0.0]])
    check.close(
        max_backward(close, np.array([1.0])), [[0, 1, 0]],
        "1 and 1.000000001 are near each other, but one is larger: that is no tie.",
    )  # fmt: skip
    rng = np.random.default_rng(212)
    for shape in ((5,), (3, 1), (2, 4, 3), (3, 4, 2, 5), (40, 9)):
        trits = rng.integers(-1, 2, size=shape).astype(float)
        grad = np.asarray(rng.normal(size=shape[:-1]))
        got = np.asarray(max_backward(trits, grad))
        check.true(got.shape == shape, f"For x of shape {shape} yours has the shape {got.shape}.")
        check.close(got.sum(axis=-1), grad, f"Trits of shape {shape}: the sum over the last axis.")
        check.true(
            np.all(got[trits < trits.max(axis=-1, keepdims=True)] == 0)
            and np.all(got * np.expand_dims(grad, -1) >= 0),
            f"Trits of shape {shape}: only the largest of a row get shares, and none below 0.",
        )
    ### END HIDDEN TESTS


# %% [markdown] hints={"of": "2_11_max_backward"}
# 1. Print `x == largest` for a window of a digit's empty corner. How many entries are true, and what does each of them get?
# 2. Two repairs are in use. One asks how *many* entries of the row are the largest; the other asks for *one* of them.
# 3. `sum` of a boolean array counts. `argmax` gives the first of several.


# %% variant={"of": "2_11_max_backward", "wrong": "the exhibit", "says": "add up to what was sent"}
def max_backward(x, grad):
    return np.where(x == x.max(axis=-1, keepdims=True), grad[..., None], 0)


# %% variant={"of": "2_11_max_backward", "wrong": "a mean over the whole row", "says": "No ties"}
def max_backward(x, grad):
    winners = x == x.max(axis=-1, keepdims=True)
    return winners * grad[..., None] / x.shape[-1]


# %% variant={"of": "2_11_max_backward", "wrong": "counts the winners of all rows together", "says": "No ties"}
def max_backward(x, grad):
    winners = x == x.max(axis=-1, keepdims=True)
    return winners * grad[..., None] / winners.sum()


# %% variant={"of": "2_11_max_backward", "wrong": "the maximum of the whole array", "says": "No ties"}
def max_backward(x, grad):
    winners = x == x.max()
    return winners * grad[..., None] / np.maximum(winners.sum(axis=-1, keepdims=True), 1)


# %% variant={"of": "2_11_max_backward", "wrong": "a tie has no slope, so nobody gets any", "says": "add up"}
def max_backward(x, grad):
    winners = x == x.max(axis=-1, keepdims=True)
    return winners * grad[..., None] * (winners.sum(axis=-1, keepdims=True) == 1)


# %% variant={"of": "2_11_max_backward", "wrong": "a half for each, as a central difference says", "says": "add up"}
def max_backward(x, grad):
    winners = x == x.max(axis=-1, keepdims=True)
    tied = winners.sum(axis=-1, keepdims=True) > 1
    return winners * grad[..., None] * np.where(tied, 0.5, 1.0)


# %% variant={"of": "2_11_max_backward", "wrong": "a softmax so sharp that it hardly shows", "says": "is larger"}
def max_backward(x, grad):
    e = np.exp(300 * (x - x.max(axis=-1, keepdims=True)))
    return grad[..., None] * e / e.sum(axis=-1, keepdims=True)


# %% variant={"of": "2_11_max_backward", "wrong": "near ones count as ties", "says": "is larger"}
def max_backward(x, grad):
    winners = np.isclose(x, x.max(axis=-1, keepdims=True))
    return winners * grad[..., None] / winners.sum(axis=-1, keepdims=True)


# %% variant={"of": "2_11_max_backward", "wrong": "the largest in size", "says": "farthest"}
def max_backward(x, grad):
    winners = np.abs(x) == np.abs(x).max(axis=-1, keepdims=True)
    return winners * grad[..., None] / winners.sum(axis=-1, keepdims=True)


# %% variant={"of": "2_11_max_backward", "right": "the first winner takes all"}
def max_backward(x, grad):
    out = np.zeros(x.shape)
    np.put_along_axis(out, x.argmax(axis=-1)[..., None], grad[..., None], axis=-1)
    return out


# %% variant={"of": "2_11_max_backward", "right": "row by row, the last winner takes all"}
def max_backward(x, grad):
    out = np.zeros(x.shape)
    for place in np.ndindex(x.shape[:-1]):
        row = x[place].tolist()
        best = max(range(len(row)), key=lambda i: (row[i], i))
        out[(*place, best)] = grad[place]
    return out


# %% variant={"of": "2_11_max_backward", "right": "divided among the winners with einsum"}
def max_backward(x, grad):
    winners = (x >= x.max(axis=-1, keepdims=True)).astype(float)
    return np.einsum("...n,...,...->...n", winners, grad, 1 / winners.sum(axis=-1))


# %% [markdown]
# Where two or more entries are the largest, `max` has a kink: push one of them up and the result follows, push it down and nothing happens. A slope that could be right or wrong does not exist there, but not everything is allowed. The shares of those who tie must not be negative and must add up to 1; such a compromise is called a *subgradient*. Equal shares are what `tt.Tensor.max` gives, and PyTorch's `amax`; PyTorch's `max(dim)` gives all to one of them. The exhibit gives to each what is there once.
#
# Could not a gradient check have found that? **Predict, then run.** Three entries are equal. What does your `numeric_gradient` say is the slope of their `max` with respect to one of them?

# %%
my_guess = None  # slope of the max of three equal entries with respect to one of them

tied = my.numeric_gradient(lambda v: float(np.max(v)), np.array([2.0, 2.0, 2.0]))
check.predicted(my_guess, float(tied[0]), within=0.01,
                comment=f"Half way between 1 (up) and 0 (down), for each of the three: {np.sum(tied):.1f} in all.")  # fmt: skip

# %% [markdown]
# At a kink a central difference takes the mean of both sides, and its answer is no better than the exhibit's: a gradient check has to keep away from kinks, and random numbers do so by themselves. That is why this bug survives. Yet ties are anything but rare: ReLU makes zeros by the thousand, pictures have black corners, and what is *quantised* has few values to choose from. What finds it is another kind of test, of what must **stay the same**: as much comes back as was sent.
#
# ## 10 · What it costs, and what comes next
#
# Count multiplications. A layer's forward is one matrix product; its backward is two. So a gradient for *all* weights costs about three forward passes, forward included, however many weights there are. Central differences cost two forward passes *for each weight*. And there is a third way, *forward mode*, which carries along how each value moves when one given weight moves: about two forward passes for each weight. On the right, what reverse mode asks in return.

# %% jupyter={"source_hidden": true}
batch = 32
widths = np.array([4, 8, 16, 32, 64, 128, 256])
forward = np.array([batch * (64 * h + h * h + h * 10) for h in widths])  # multiply-adds
reverse = 3 * forward - np.array([batch * 64 * h for h in widths])  # none is needed for the images
weights = np.array([64 * h + h + h * h + h + h * 10 + 10 for h in widths])
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.5))
for cost, color, name in (
    (2 * weights * forward, style.ACCENT, "central differences, and forward mode"),
    (reverse, style.TERNARY, "reverse mode"), (forward, style.MUTED, "forward pass alone"),
):  # fmt: skip
    left.plot(weights, cost, "o-", ms=4, color=color, label=name)
left.set(
    xscale="log", yscale="log", xlabel="weights of the network",
    ylabel="multiply-adds for one gradient", title="Reverse mode: the price of three forwards",
)  # fmt: skip
left.legend(fontsize=9)
style.grid_behind(left)

layers = np.arange(1, 13)
kept, owned = [], []
for depth in layers:
    arrays = initial((64,) * (depth + 1))
    parameters = [Array(a) for a in arrays]
    result = network(Array(images[:1000]), parameters).cross_entropy(digits[:1000])
    nodes = my.topological_order(result)
    kept.append(sum(n.data.nbytes for n in nodes if n.sources) / 2**20)
    owned.append(sum(a.nbytes for a in arrays) / 2**20)
right.plot(layers, kept, "o-", ms=4, color=style.ACCENT, label="values kept for backward")
right.plot(layers, owned, "o-", ms=4, color=style.FLOAT, label="the weights themselves")
right.set(
    xlabel="layers of 64, batch of 1000", ylabel="MiB", title="and every value on the way is kept"
)  # fmt: skip
right.legend()
style.grid_behind(right)
plt.show()

# %% [markdown] nbgrader={"grade": true, "grade_id": "2_12_cost", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### Exercise 2.12: in your own words (3 points)
#
# Why does reverse mode cost about as much as a few forward passes, *for any number of parameters*? What would have to be different for forward mode to be the better choice? And what is the price in memory: what is kept, until when, and how does it grow with depth, batch and the number of parameters?
#
# ### BEGIN SOLUTION
# Reverse mode carries one thing back: the slope of *one* result (the loss) with respect to each node. Each node is visited once, in reverse topological order, and its step costs a small constant times what its forward cost (a matrix product has two products in its backward). The parameters are just leaves at which shares arrive: more leaves do not mean more passes. Finite differences and forward mode begin at an input instead, and need a pass for each parameter.
#
# Forward mode is better when there are few inputs and many results: a curve with one parameter and a thousand outputs takes one forward-mode pass, and a thousand reverse ones.
#
# The local slopes depend on the values of the forward pass (a product needs the other factor, ReLU its mask), and backward uses the *last* ones first. So all of them are kept from forward until backward has passed them. That memory grows with the depth and with the batch (and the width), not with the number of parameters as such. Recomputing some of the values (checkpointing) trades memory for time.
# ### END SOLUTION

# %% [markdown] rubric={"of": "2_12_cost"}
# 1 point: one result, each node visited once, a constant factor for each step; parameters are leaves and ask for no pass of their own.
# 1 point: forward mode where inputs are few and results many.
# 1 point: values of the forward pass are kept until backward has used them; grows with depth and batch.

# %% [markdown]
# ### A staircase has no slope
#
# Your engine differentiates whatever has slopes. Lesson 01 ended with a network that is *rounded* in its forward pass. Put rounding into a graph, and ask your numeric gradient for its slope.

# %% jupyter={"source_hidden": true}
w = np.linspace(-2.2, 2.2, 881)
stairs = np.clip(np.round(w), -1, 1)
slope = my.numeric_gradient(
    lambda v: float(np.sum(np.clip(np.round(v), -1, 1))), w + 1e-4, eps=1e-6
)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.7), sharex=True)
left.plot(w, stairs, color=style.TERNARY)
left.set(xlabel="latent weight", yticks=(-1, 0, 1), title="Forward: three values")
right.plot(w, slope, color=style.ACCENT, linewidth=2.4)
right.set(
    xlabel="latent weight", ylim=(-0.6, 1.2), yticks=(0, 1),
    title=f"Backward: slope 0 at {np.sum(slope == 0)} of {slope.size} places",
)  # fmt: skip
plt.show()

# %% [markdown]
# Zero, everywhere but at the two jumps themselves. The chain rule multiplies along the path, so a single rounding in the path makes the gradient of everything below it exactly 0: your engine is right, and no ternary network will ever learn from it. Lesson 04 gets out of this by writing a backward that is *deliberately wrong*. After section 8 you may find that less scandalous than it sounds.
#
# ### Read the real thing
#
# You can now read `tinyternary/autograd` with pleasure. In this order, with what you will recognise:
#
# | file | what you will recognise |
# |---|---|
# | [broadcasting.py](../tinyternary/autograd/ops/broadcasting.py) | your `unbroadcast` |
# | [arithmetic.py](../tinyternary/autograd/ops/arithmetic.py) | `Value`'s operations, for arrays: `forward` directly above `backward` |
# | [products.py](../tinyternary/autograd/ops/products.py) | your `matmul_backward`, for any rank |
# | [function.py](../tinyternary/autograd/function.py) | a node; `ctx.save` in place of your closures |
# | [backward.py](../tinyternary/autograd/backward.py) | your `topological_order`, an iterator on a stack; gradients that add up, and an early goodbye to values that nobody needs any more |
# | [losses.py](../tinyternary/autograd/ops/losses.py) | your softmax with cross-entropy |
# | [gradcheck.py](../tinyternary/autograd/gradcheck.py) | your `numeric_gradient`, with a random gradient from above |
#
# [READING.md](../docs/READING.md) goes on from there, through the whole library.
#
# ## Recap
#
# - **The chain rule is local.** Each step knows its own slopes; a network is a graph of steps.
# - **Gradients add up** where a value is used more than once: a variable used twice, a bias copied to all rows, a weight that all images pass through.
# - **Nodes, not paths.** A topological order makes 26 visits of 67 million, and a list of open nodes replaces recursion.
# - Undoing a broadcast is a **sum**. The backward of a matrix product is **two** matrix products.
# - Check gradients with **central differences in float64**, a step near $10^{-5}$ or $10^{-6}$, all entries, and a random gradient from above.
# - Softmax and cross-entropy in one: stable, and the gradient is $\mathbf p - \mathbf y$ over the batch.
# - **"It learns" proves nothing**: within 90° of the gradient everything is downhill.
# - Clear gradients between passes, mind what a closure remembers, and let equal maxima share.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - A. G. Baydin, B. A. Pearlmutter, A. A. Radul, J. M. Siskind, *Automatic Differentiation in Machine Learning: a Survey*, JMLR 18, 2018, arXiv 1502.05767. Forward and reverse mode, their costs, and their history.
# - S. Linnainmaa's master's thesis, Helsinki 1970, has reverse mode for rounding errors; D. E. Rumelhart, G. E. Hinton, R. J. Williams, *Learning representations by back-propagating errors*, Nature 323, 1986, made it the way that networks learn.
# - A. Griewank, A. Walther, *Evaluating Derivatives*, 2nd edition, SIAM 2008. The "cheap gradient principle" of section 10, and checkpointing.
# - T. P. Lillicrap, D. Cownden, D. B. Tweed, C. J. Akerman, *Random synaptic feedback weights support error backpropagation for deep learning*, Nature Communications 7:13276, 2016. Feedback alignment.
# - A. Karpathy, *micrograd*, github.com/karpathy/micrograd. A scalar engine in a hundred lines; `Value` owes it its name.
# - N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd edition, SIAM 2002, chapter 1, for the V-curve and cancellation.
#
# **Next:** lesson 03 turns the gradient into training: batches, momentum, AdamW, and how sure you may be of an accuracy.
