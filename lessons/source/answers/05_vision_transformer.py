# %% [markdown]
# Answers to lesson 05 by someone who had not read its checks.

# %% variant={"of": "5_1_patchify", "wrong": "no transpose: strips of rows"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or w % p:
        raise ValueError("p must divide height and width")
    return images.reshape(b, (h // p) * (w // p), p * p * c)


def unpatchify(patches, p, height, width):
    return patches.reshape(len(patches), height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "patches down the columns"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or w % p:
        raise ValueError("p must divide height and width")
    x = images.reshape(b, h // p, p, w // p, p, c).transpose(0, 3, 1, 2, 4, 5)
    return x.reshape(b, -1, p * p * c)


def unpatchify(patches, p, height, width):
    b = patches.shape[0]
    x = patches.reshape(b, width // p, height // p, p, p, -1).transpose(0, 2, 3, 1, 4, 5)
    return x.reshape(b, height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "pixels of a patch down the columns, both ways"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or w % p:
        raise ValueError("p must divide height and width")
    x = images.reshape(b, h // p, p, w // p, p, c).transpose(0, 1, 3, 4, 2, 5)
    return x.reshape(b, -1, p * p * c)


def unpatchify(patches, p, height, width):
    b = patches.shape[0]
    x = patches.reshape(b, height // p, width // p, p, p, -1).transpose(0, 1, 4, 2, 3, 5)
    return x.reshape(b, height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "channels apart"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or w % p:
        raise ValueError("p must divide height and width")
    x = images.reshape(b, h // p, p, w // p, p, c).transpose(0, 1, 3, 5, 2, 4)
    return x.reshape(b, -1, p * p * c)


def unpatchify(patches, p, height, width):
    b, t, k = patches.shape
    c = k // (p * p)
    x = patches.reshape(b, height // p, width // p, c, p, p).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(b, height, width, c)


# %% variant={"of": "5_1_patchify", "wrong": "only for square images: the grid from the root of T"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or w % p:
        raise ValueError("p must divide height and width")
    x = images.reshape(b, h // p, p, w // p, p, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, -1, p * p * c)


def unpatchify(patches, p, height, width):
    b, t, k = patches.shape
    g = int(np.sqrt(t))
    x = patches.reshape(b, g, g, p, p, k // (p * p)).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "three channels, always"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or w % p:
        raise ValueError("p must divide height and width")
    x = images.reshape(b, h // p, p, w // p, p, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, -1, p * p * c)


def unpatchify(patches, p, height, width):
    x = patches.reshape(-1, height // p, width // p, p, p, 3).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, height, width, 3)


# %% variant={"of": "5_1_patchify", "wrong": "only the number of pixels is looked at"}
def patchify(images, p):
    b, h, w, c = images.shape
    if (h * w) % (p * p):
        raise ValueError("p must divide height and width")
    rows = h // p
    cols = w // p
    x = images[:, : rows * p, : cols * p].reshape(b, rows, p, cols, p, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, rows * cols, p * p * c)


def unpatchify(patches, p, height, width):
    b = patches.shape[0]
    x = patches.reshape(b, height // p, width // p, p, p, -1).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "the height is checked twice"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or h % p:
        raise ValueError("p must divide height and width")
    rows, cols = h // p, w // p
    x = images[:, :, : cols * p].reshape(b, rows, p, cols, p, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, rows * cols, p * p * c)


def unpatchify(patches, p, height, width):
    b = patches.shape[0]
    x = patches.reshape(b, height // p, width // p, p, p, -1).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "images pasted into an array of float64 zeros, rows and columns swapped"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or w % p:
        raise ValueError("p must divide height and width")
    out = []
    for i in range(h // p):
        for j in range(w // p):
            out.append(images[:, i * p : (i + 1) * p, j * p : (j + 1) * p].reshape(b, -1))
    return np.stack(out, axis=1)


def unpatchify(patches, p, height, width):
    b, t, k = patches.shape
    out = np.zeros((b, height, width, k // (p * p)))
    for n in range(t):
        i, j = divmod(n, height // p)
        out[:, i * p : (i + 1) * p, j * p : (j + 1) * p] = patches[:, n].reshape(b, p, p, -1)
    return out


# %% variant={"of": "5_1_patchify", "right": "slices and loops"}
def patchify(images, p):
    b, h, w, c = images.shape
    if h % p or w % p:
        raise ValueError(f"p = {p} does not divide {h} x {w}")
    cut = [
        images[:, r : r + p, s : s + p, :].reshape(b, p * p * c)
        for r in range(0, h, p)
        for s in range(0, w, p)
    ]
    return np.stack(cut, axis=1)


def unpatchify(patches, p, height, width):
    b, t, k = patches.shape
    out = np.empty((b, height, width, k // p**2), patches.dtype)
    n = 0
    for r in range(0, height, p):
        for s in range(0, width, p):
            out[:, r : r + p, s : s + p, :] = patches[:, n].reshape(b, p, p, -1)
            n += 1
    return out


# %% variant={"of": "5_2_attention", "wrong": "no root"}
def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "the root of the number of tokens"}
def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(k.shape[-2])
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "the root of the width of the values"}
def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(v.shape[-1])
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "softmax over the tokens that ask"}
def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(axis=-2, keepdims=True))
    a = e / e.sum(axis=-2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "only for three axes"}
def attention(q, k, v):
    s = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(axis=2, keepdims=True))
    a = e / e.sum(axis=2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "the largest score of all is taken away"}
def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max())
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "scores clipped instead of shifted"}
def attention(q, k, v):
    s = np.clip(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), -80, 80)
    e = np.exp(s)
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "divided by d after the maximum, root forgotten"}
def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2) / q.shape[-1]
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "queries scaled in place"}
def attention(q, k, v):
    q /= np.sqrt(q.shape[-1])
    s = q @ k.swapaxes(-1, -2)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "right": "the root as a float64 array: the text asks for no type"}
def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(np.array([q.shape[-1]], float))
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_2_attention", "wrong": "shares come first"}
def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    a = e / e.sum(axis=-1, keepdims=True)
    return a, a @ v


# %% variant={"of": "5_2_attention", "right": "einsum and logaddexp"}
def attention(q, k, v):
    scores = np.einsum("...td,...sd->...ts", q, k) / q.shape[-1] ** 0.5
    shares = np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))
    return np.einsum("...ts,...se->...te", shares, v), shares


# %% variant={"of": "5_3_equivariant", "wrong": "exact equality"}
def equivariant(f, x, order):
    return bool((f(x[order]) == f(x)[order]).all())


def invariant(f, x, order):
    return bool((f(x[order]) == f(x)).all())


# %% variant={"of": "5_3_equivariant", "wrong": "shuffled back by the same order"}
def equivariant(f, x, order):
    return bool(np.allclose(f(x[order])[order], f(x), atol=1e-5))


def invariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x), atol=1e-5))


# %% variant={"of": "5_3_equivariant", "wrong": "sums compared"}
def equivariant(f, x, order):
    return bool(np.isclose(f(x[order]).sum(), f(x)[order].sum()))


def invariant(f, x, order):
    return bool(np.isclose(f(x[order]).sum(), f(x).sum()))


# %% variant={"of": "5_3_equivariant", "wrong": "sorted, then compared"}
def equivariant(f, x, order):
    return bool(np.allclose(np.sort(f(x[order]), axis=0), np.sort(f(x), axis=0), atol=1e-5))


def invariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x), atol=1e-5))


# %% variant={"of": "5_3_equivariant", "wrong": "a tolerance of a tenth"}
def equivariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x)[order], atol=0.1))


def invariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x), atol=0.1))


# %% variant={"of": "5_3_equivariant", "wrong": "features shuffled, not tokens"}
def equivariant(f, x, order):
    return bool(np.allclose(f(x[..., order]), f(x)[..., order], atol=1e-5))


def invariant(f, x, order):
    return bool(np.allclose(f(x[..., order]), f(x), atol=1e-5))


# %% variant={"of": "5_3_equivariant", "wrong": "shuffles the caller's tokens in place"}
def equivariant(f, x, order):
    after = f(x)[order]
    x[...] = x[order]
    return bool(np.allclose(f(x), after, atol=1e-5))


def invariant(f, x, order):
    after = f(x)
    x[...] = x[order]
    return bool(np.allclose(f(x), after, atol=1e-5))


# %% variant={"of": "5_3_equivariant", "wrong": "invariant is not equivariant"}
def equivariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x)[order], atol=1e-5))


def invariant(f, x, order):
    return not equivariant(f, x, order)


# %% variant={"of": "5_3_equivariant", "wrong": "sign lost: the largest difference, not its size"}
def equivariant(f, x, order):
    return bool((f(x[order]) - f(x)[order]).max() < 1e-5)


def invariant(f, x, order):
    return bool((f(x[order]) - f(x)).max() < 1e-5)


# %% variant={"of": "5_3_equivariant", "wrong": "the mean difference, in which errors cancel"}
def equivariant(f, x, order):
    return bool(abs(np.mean(f(x[order]) - f(x)[order])) < 1e-5)


def invariant(f, x, order):
    return bool(abs(np.mean(f(x[order]) - f(x))) < 1e-5)


# %% variant={"of": "5_3_equivariant", "right": "undone with argsort, relative norm"}
def equivariant(f, x, order):
    back = np.argsort(order)
    a, b = np.asarray(f(x[order]))[back], np.asarray(f(x))
    return bool(np.linalg.norm(a - b) <= 1e-4 * (1e-6 + np.linalg.norm(b)))


def invariant(f, x, order):
    a, b = np.asarray(f(x[order])), np.asarray(f(x))
    return bool(np.linalg.norm(a - b) <= 1e-4 * (1e-6 + np.linalg.norm(b)))


# %% variant={"of": "5_4_positions", "wrong": "row first"}
def positions(grid, width):
    m = width // 4
    omega = 10000.0 ** (-np.arange(m) / m)
    table = []
    for r in range(grid):
        for c in range(grid):
            table.append(
                np.concatenate(
                    [np.sin(r * omega), np.cos(r * omega), np.sin(c * omega), np.cos(c * omega)]
                )
            )
    return np.array(table)


# %% variant={"of": "5_4_positions", "wrong": "sines and cosines by turns, as in the first transformer"}
def positions(grid, width):
    m = width // 4
    omega = 10000.0 ** (-np.arange(m) / m)
    out = np.zeros((grid, grid, width))
    n = np.arange(grid)[:, None] * omega
    out[:, :, 0 : width // 2 : 2] = np.sin(n)[None]
    out[:, :, 1 : width // 2 : 2] = np.cos(n)[None]
    out[:, :, width // 2 :: 2] = np.sin(n)[:, None]
    out[:, :, width // 2 + 1 :: 2] = np.cos(n)[:, None]
    return out.reshape(grid * grid, width)


# %% variant={"of": "5_4_positions", "wrong": "M is half the width"}
def positions(grid, width):
    m = width // 4
    omega = 10000.0 ** (-np.arange(m) / (width // 2))
    n = np.arange(grid)[:, None] * omega
    half = np.concatenate([np.sin(n), np.cos(n)], axis=1)
    return np.array([np.concatenate([half[c], half[r]]) for r in range(grid) for c in range(grid)])


# %% variant={"of": "5_4_positions", "wrong": "frequencies end at 1/10000: divided by M - 1"}
def positions(grid, width):
    m = width // 4
    omega = 10000.0 ** (-np.arange(m) / max(m - 1, 1))
    n = np.arange(grid)[:, None] * omega
    half = np.concatenate([np.sin(n), np.cos(n)], axis=1)
    return np.array([np.concatenate([half[c], half[r]]) for r in range(grid) for c in range(grid)])


# %% variant={"of": "5_4_positions", "wrong": "places counted from 1"}
def positions(grid, width):
    m = width // 4
    omega = 10000.0 ** (-np.arange(m) / m)
    n = np.arange(1, grid + 1)[:, None] * omega
    half = np.concatenate([np.sin(n), np.cos(n)], axis=1)
    return np.array([np.concatenate([half[c], half[r]]) for r in range(grid) for c in range(grid)])


# %% variant={"of": "5_4_positions", "wrong": "columns run slowest"}
def positions(grid, width):
    m = width // 4
    omega = 10000.0 ** (-np.arange(m) / m)
    n = np.arange(grid)[:, None] * omega
    half = np.concatenate([np.sin(n), np.cos(n)], axis=1)
    return np.array([np.concatenate([half[c], half[r]]) for c in range(grid) for r in range(grid)])


# %% variant={"of": "5_4_positions", "wrong": "a table with three axes"}
def positions(grid, width):
    m = width // 4
    omega = 10000.0 ** (-np.arange(m) / m)
    n = np.arange(grid)[:, None] * omega
    half = np.concatenate([np.sin(n), np.cos(n)], axis=1)
    return np.array(
        [[np.concatenate([half[c], half[r]]) for c in range(grid)] for r in range(grid)]
    )


# %% variant={"of": "5_4_positions", "wrong": "the place scaled to 0 ... 1"}
def positions(grid, width):
    m = width // 4
    omega = 10000.0 ** (-np.arange(m) / m)
    n = np.linspace(0, 1, grid)[:, None] * omega
    half = np.concatenate([np.sin(n), np.cos(n)], axis=1)
    return np.array([np.concatenate([half[c], half[r]]) for r in range(grid) for c in range(grid)])


# %% variant={"of": "5_4_positions", "right": "one complex exponential, divmod for the place"}
def positions(grid, width):
    quarter = width // 4
    table = np.empty((grid * grid, width))
    for n in range(grid * grid):
        r, c = divmod(n, grid)
        for m in range(quarter):
            omega = np.exp(-np.log(10000) * m / quarter)
            u, w = np.exp(1j * c * omega), np.exp(1j * r * omega)
            table[n, m], table[n, quarter + m] = u.imag, u.real
            table[n, 2 * quarter + m], table[n, 3 * quarter + m] = w.imag, w.real
    return table


# %% variant={"of": "5_5_split_heads", "wrong": "reshape alone"}
def split_heads(x, heads):
    b, t, w = x.shape
    return x.reshape(b, heads, t, w // heads)


def merge_heads(x):
    b, h, t, d = x.shape
    return x.reshape(b, t, h * d)


# %% variant={"of": "5_5_split_heads", "wrong": "heads take every H-th entry"}
def split_heads(x, heads):
    b, t, w = x.shape
    return x.reshape(b, t, w // heads, heads).transpose(0, 3, 1, 2)


def merge_heads(x):
    b, h, t, d = x.shape
    return x.transpose(0, 2, 3, 1).reshape(b, t, h * d)


# %% variant={"of": "5_5_split_heads", "wrong": "split right, merged by reshape alone"}
def split_heads(x, heads):
    b, t, w = x.shape
    return x.reshape(b, t, heads, w // heads).transpose(0, 2, 1, 3)


def merge_heads(x):
    b, h, t, d = x.shape
    return x.reshape(b, t, h * d)


# %% variant={"of": "5_5_split_heads", "wrong": "d for heads: right only where they are equal"}
def split_heads(x, heads):
    b, t, w = x.shape
    return x.reshape(b, t, w // heads, heads).transpose(0, 2, 1, 3)


def merge_heads(x):
    b, h, t, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, t, h * d)


# %% variant={"of": "5_5_split_heads", "wrong": "the batch is lost where it is 1"}
def split_heads(x, heads):
    b, t, w = x.shape
    return x.reshape(b, t, heads, w // heads).transpose(0, 2, 1, 3).squeeze()


def merge_heads(x):
    b, h, t, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, t, h * d)


# %% variant={"of": "5_5_split_heads", "wrong": "tokens split, not the width"}
def split_heads(x, heads):
    return np.stack(np.split(x, heads, axis=1), axis=1)


def merge_heads(x):
    return np.concatenate(list(x.transpose(1, 0, 2, 3)), axis=1)


# %% variant={"of": "5_5_split_heads", "right": "split, stack, concatenate"}
def split_heads(x, heads):
    return np.stack(np.split(x, heads, axis=-1), axis=1)


def merge_heads(x):
    return np.concatenate([x[:, i] for i in range(x.shape[1])], axis=-1)


# %% variant={"of": "5_6_self_attention", "wrong": "key and value heads dealt in turn (tile for repeat)"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    k, v = (np.tile(a, (1, heads // kv_heads, 1, 1)) for a in (k, v))
    return merge_heads(attention(q, k, v)[0])


# %% variant={"of": "5_6_self_attention", "wrong": "kv_heads is ignored"}
def self_attention(qkv, heads, kv_heads):
    q, k, v = np.split(qkv, 3, axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, heads), split_heads(v, heads)
    return merge_heads(attention(q, k, v)[0])


# %% variant={"of": "5_6_self_attention", "wrong": "broadcasting only: good for one or all"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    if kv_heads != heads:
        k, v = k[:, :1], v[:, :1]
    return merge_heads(attention(q, k, v)[0])


# %% variant={"of": "5_6_self_attention", "wrong": "keys and values of a head side by side"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q = split_heads(qkv[..., : heads * d], heads)
    kv = split_heads(qkv[..., heads * d :], 2 * kv_heads)
    k, v = kv[:, 0::2], kv[:, 1::2]
    k, v = (np.repeat(a, heads // kv_heads, axis=1) for a in (k, v))
    return merge_heads(attention(q, k, v)[0])


# %% variant={"of": "5_6_self_attention", "wrong": "values and keys swapped"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, v, k = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    k, v = (np.repeat(a, heads // kv_heads, axis=1) for a in (k, v))
    return merge_heads(attention(q, k, v)[0])


# %% variant={"of": "5_6_self_attention", "wrong": "one wide head: split after attention"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    k, v = (np.concatenate([a] * (heads // kv_heads), axis=-1) for a in (k, v))
    return attention(q, k, v)[0]


# %% variant={"of": "5_6_self_attention", "wrong": "shared keys are averaged over their group of queries"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    b, _, t, _ = q.shape
    q = q.reshape(b, kv_heads, heads // kv_heads, t, d).mean(axis=2)
    mixed = attention(q, k, v)[0]
    return merge_heads(np.repeat(mixed, heads // kv_heads, axis=1))


# %% variant={"of": "5_6_self_attention", "wrong": "merged without the transpose"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    k, v = (np.repeat(a, heads // kv_heads, axis=1) for a in (k, v))
    mixed = attention(q, k, v)[0]
    return mixed.reshape(len(qkv), qkv.shape[1], heads * d)


# %% variant={"of": "5_6_self_attention", "right": "head by head"}
def self_attention(qkv, heads, kv_heads):
    b, t, width = qkv.shape
    d = width // (heads + 2 * kv_heads)
    results = []
    for h in range(heads):
        g = h // (heads // kv_heads)
        q = qkv[:, :, h * d : (h + 1) * d]
        k = qkv[:, :, (heads + g) * d : (heads + g + 1) * d]
        v = qkv[:, :, (heads + kv_heads + g) * d : (heads + kv_heads + g + 1) * d]
        results.append(attention(q, k, v)[0])
    return np.concatenate(results, axis=-1)


# %% variant={"of": "5_6_self_attention", "right": "a fifth axis of groups, no copies of keys"}
def self_attention(qkv, heads, kv_heads):
    b, t, width = qkv.shape
    d = width // (heads + 2 * kv_heads)
    x = qkv.reshape(b, t, heads + 2 * kv_heads, d).transpose(0, 2, 1, 3)
    q = x[:, :heads].reshape(b, kv_heads, heads // kv_heads, t, d)
    k, v = x[:, heads : heads + kv_heads, None], x[:, heads + kv_heads :, None]
    mixed, _ = attention(q, k, v)
    return mixed.reshape(b, heads, t, d).transpose(0, 2, 1, 3).reshape(b, t, heads * d)


# %% variant={"of": "5_7_block", "wrong": "ddof 1"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    var = x.var(axis=-1, keepdims=True, ddof=1)
    return (x - mean) / np.sqrt(var + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "eps outside the root"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / (x.std(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "eps is not handed through: always 1e-6"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "norm over tokens and entries"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=(-2, -1), keepdims=True)
    var = x.var(axis=(-2, -1), keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "the MLP reads the block's input, as in parallel blocks"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    z = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    z = gelu(z @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    a = y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    return x + a + z @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "post-norm"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = self_attention(x @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = layer_norm(
        x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"], p["norm1.weight"], p["norm1.bias"]
    )
    y = gelu(x @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return layer_norm(
        x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"], p["norm2.weight"], p["norm2.bias"]
    )


# %% variant={"of": "5_7_block", "wrong": "the residual starts from the normalised tokens"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    x = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(x @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    x = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(x @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "tokens changed in place"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x += y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    x += y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]
    return x


# %% variant={"of": "5_7_block", "wrong": "the tanh approximation of GELU"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"]
    y = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "GELU after the second layer too"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + gelu(y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"])


# %% variant={"of": "5_7_block", "wrong": "always multi-head, kv_heads ignored"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "the projection's weight not transposed: it is square, nothing warns"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"] + p["attn.proj.bias"]
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "wrong": "norm1 used twice"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = self_attention(y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"], heads, kv_heads)
    x = x + y @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    return x + y @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "right": "einsum, the norm by centred squares"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.sum(axis=-1, keepdims=True) / x.shape[-1]
    var = np.einsum("...d,...d->...", centred, centred)[..., None] / x.shape[-1]
    return weight * (centred * (var + eps) ** -0.5) + bias


def block(x, p, heads, kv_heads):
    def linear(name, z):
        return np.einsum("btk,nk->btn", z, p[name + ".weight"]) + p[name + ".bias"]

    def norm(name, z):
        return layer_norm(z, p[name + ".weight"], p[name + ".bias"])

    stream = x + linear(
        "attn.proj", self_attention(linear("attn.qkv", norm("norm1", x)), heads, kv_heads)
    )
    return stream + linear("mlp.fc2", gelu(linear("mlp.fc1", norm("norm2", stream))))


# %% variant={"of": "5_8_count", "wrong": "one of the two products of attention"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden) + tokens * tokens * width
    )
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "every token goes through the head"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + tokens * width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    )
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "multi-head only"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    qkv = 3 * width
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    )
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "attention's products times the heads"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden)
        + 2 * heads * tokens * tokens * width
    )
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "attention's products shrink with the shared heads"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden)
        + 2 * tokens * tokens * kv_heads * d
    )
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "operations, not MACs"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    )
    return params, 2 * macs


# %% variant={"of": "5_8_count", "wrong": "no positions"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    )
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "a token for the class besides"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    t = tokens + 1
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + t * width + width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (t * (width * qkv + width * width + 2 * width * hidden) + 2 * t * t * width)
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "hidden is taken for four times the width"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    hidden = 4 * width
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    )
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "the integers come as floats"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width / heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    )
    return params, macs


# %% variant={"of": "5_8_count", "wrong": "the bias of queries, keys and values forgotten"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    qkv = (heads + 2 * kv_heads) * d
    params = patch * width + width + tokens * width
    per = (
        4 * width
        + width * qkv
        + width * width
        + width
        + width * hidden
        + hidden
        + hidden * width
        + width
    )
    params += depth * per + 2 * width + width * classes + classes
    macs = tokens * patch * width + width * classes
    macs += depth * (
        tokens * (width * qkv + width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    )
    return params, macs


# %% variant={"of": "5_8_count", "right": "a list of products and a list of arrays"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    layers = [(tokens, patch, width)]
    arrays = [tokens * width, 2 * width]
    macs = 0
    for _ in range(depth):
        layers += [(tokens, width, (heads + 2 * kv_heads) * d), (tokens, heads * d, width)]
        layers += [(tokens, width, hidden), (tokens, hidden, width)]
        arrays += [2 * width, 2 * width]
        for _ in range(heads):
            macs += tokens * d * tokens + tokens * tokens * d
    layers.append((1, width, classes))
    for rows, inputs, outputs in layers:
        macs += rows * inputs * outputs
        arrays.append((inputs + 1) * outputs)
    return sum(arrays), macs


# %% variant={"of": "5_9_unfold", "wrong": "the exhibit as it stands"}
def unfold(images, p):
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // p, p, w // p, p).transpose(0, 2, 3, 1, 4, 5)
    return x.reshape(b, (h // p) * (w // p), c * p * p)


# %% variant={"of": "5_9_unfold", "wrong": "channels last within a patch"}
def unfold(images, p):
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // p, p, w // p, p).transpose(0, 2, 4, 3, 5, 1)
    return x.reshape(b, (h // p) * (w // p), c * p * p)


# %% variant={"of": "5_9_unfold", "wrong": "columns before rows within a patch"}
def unfold(images, p):
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // p, p, w // p, p).transpose(0, 2, 4, 1, 5, 3)
    return x.reshape(b, (h // p) * (w // p), c * p * p)


# %% variant={"of": "5_9_unfold", "wrong": "patches down the columns"}
def unfold(images, p):
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // p, p, w // p, p).transpose(0, 4, 2, 1, 3, 5)
    return x.reshape(b, (h // p) * (w // p), c * p * p)


# %% variant={"of": "5_9_unfold", "wrong": "handed to patchify with the axes named, not moved"}
def unfold(images, p):
    return patchify(
        images.reshape(images.shape[0], images.shape[2], images.shape[3], images.shape[1]), p
    )


# %% variant={"of": "5_9_unfold", "wrong": "only square images: rows and columns of the grid swapped"}
def unfold(images, p):
    b, c, h, w = images.shape
    x = images.reshape(b, c, w // p, p, h // p, p).transpose(0, 2, 4, 1, 3, 5)
    return x.reshape(b, (h // p) * (w // p), c * p * p)


# %% variant={"of": "5_9_unfold", "right": "channel by channel through patchify"}
def unfold(images, p):
    parts = [patchify(images[:, c, :, :, None], p) for c in range(images.shape[1])]
    return np.concatenate(parts, axis=-1)


# %% variant={"of": "5_10_masked_attention", "wrong": "only the softmax's axis of the sum is mended"}
def masked_attention(q, k, v, seen):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    s = np.where(seen[:, None, :], s, -1e9)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    a = e / e.sum(axis=2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_10_masked_attention", "wrong": "masked after the softmax: rows do not add up to 1"}
def masked_attention(q, k, v, seen):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(axis=2, keepdims=True))
    a = e / e.sum(axis=2, keepdims=True) * seen[:, None, :]
    return a @ v, a


# %% variant={"of": "5_10_masked_attention", "wrong": "those who ask are masked, not those who are asked"}
def masked_attention(q, k, v, seen):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    s = np.where(seen[:, :, None], s, -1e9)
    e = np.exp(s - s.max(axis=2, keepdims=True))
    a = e / e.sum(axis=2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_10_masked_attention", "wrong": "the mask the wrong way round"}
def masked_attention(q, k, v, seen):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    s = np.where(seen[:, None, :], -np.inf, s)
    e = np.exp(s - s.max(axis=2, keepdims=True))
    a = e / e.sum(axis=2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_10_masked_attention", "wrong": "scores times the mask: a score of 0 is not no share"}
def masked_attention(q, k, v, seen):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]) * seen[:, None, :]
    e = np.exp(s - s.max(axis=2, keepdims=True))
    a = e / e.sum(axis=2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_10_masked_attention", "wrong": "a penalty of 20, not enough for large scores"}
def masked_attention(q, k, v, seen):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]) - 20 * ~seen[:, None, :]
    e = np.exp(s - s.max(axis=2, keepdims=True))
    a = e / e.sum(axis=2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_10_masked_attention", "wrong": "powers set to 0 after the largest score of all, rubbish included, was taken away"}
def masked_attention(q, k, v, seen):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(axis=2, keepdims=True)) * seen[:, None, :]
    a = e / e.sum(axis=2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_10_masked_attention", "wrong": "values zeroed in place of shares"}
def masked_attention(q, k, v, seen):
    mixed, a = attention(q, k, v * seen[:, :, None])
    return mixed, a


# %% variant={"of": "5_10_masked_attention", "wrong": "the first image's mask for all"}
def masked_attention(q, k, v, seen):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    s = np.where(seen[0], s, -np.inf)
    e = np.exp(s - s.max(axis=2, keepdims=True))
    a = e / e.sum(axis=2, keepdims=True)
    return a @ v, a


# %% variant={"of": "5_10_masked_attention", "wrong": "rubbish assumed to stand at the end"}
def masked_attention(q, k, v, seen):
    mixed, shares = np.zeros(v.shape), np.zeros(q.shape[:2] + (k.shape[1],))
    for i, n in enumerate(seen.sum(axis=1)):
        mixed[i], shares[i, :, :n] = attention(q[i], k[i, :n], v[i, :n])
    return mixed, shares


# %% variant={"of": "5_10_masked_attention", "right": "image by image, real tokens picked out"}
def masked_attention(q, k, v, seen):
    b, t, _ = q.shape
    mixed, shares = np.zeros(v.shape, v.dtype), np.zeros((b, t, t), q.dtype)
    for i in range(b):
        real = np.flatnonzero(seen[i])
        mixed[i], found = attention(q[i], k[i, real], v[i, real])
        shares[i][:, real] = found
    return mixed, shares
