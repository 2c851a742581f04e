# %% [markdown]
# Answers to lesson 08 by someone who had not read its checks.

# %% variant={"of": "8_1_pack4", "wrong": "'or' where trits are negative"}
def pack4(trits, out):
    for b in range(len(out)):
        i = 4 * b
        out[b] = (trits[i] | trits[i + 1] << 2 | trits[i + 2] << 4 | trits[i + 3] << 6) + 85


# %% variant={"of": "8_1_pack4", "wrong": "'exclusive or' of the constant"}
def pack4(trits, out):
    for b in range(len(out)):
        i = 4 * b
        codes = trits[i] + (trits[i + 1] << 2) + (trits[i + 2] << 4) + (trits[i + 3] << 6)
        out[b] = codes ^ 0b01010101


# %% variant={"of": "8_1_pack4", "wrong": "the first trit highest, by Horner"}
def pack4(trits, out):
    for b in range(len(out)):
        code = trits[4 * b]
        for j in range(1, 4):
            code = code * 4 + trits[4 * b + j]
        out[b] = code + 85


# %% variant={"of": "8_1_pack4", "wrong": "trits a quarter of the array apart: right for one byte"}
def pack4(trits, out):
    n = len(out)
    for b in range(n):
        out[b] = (
            trits[b] + (trits[b + n] << 2) + (trits[b + 2 * n] << 4) + (trits[b + 3 * n] << 6) + 85
        )


# %% variant={"of": "8_1_pack4", "wrong": "the constant once for the whole array"}
def pack4(trits, out):
    one = 85
    for b in range(len(out)):
        i = 4 * b
        out[b] = trits[i] + (trits[i + 1] << 2) + (trits[i + 2] << 4) + (trits[i + 3] << 6) + one
        one = 0


# %% variant={"of": "8_1_pack4", "wrong": "adds into what stood in out"}
def pack4(trits, out):
    for b in range(len(out)):
        out[b] += 85
        for j in range(4):
            out[b] += trits[4 * b + j] << (2 * j)


# %% variant={"of": "8_1_pack4", "right": "by Horner, backwards"}
def pack4(trits, out):
    b = len(out) - 1
    while b >= 0:
        code = trits[4 * b + 3]
        for j in (2, 1, 0):
            code = (code << 2) + trits[4 * b + j]
        out[b] = 85 + code
        b -= 1


# %% variant={"of": "8_2_unpack5", "wrong": "base 3 in int8: overflows"}
def pack5(trits):
    q = 0
    for t in trits:
        q = 3 * q + (t + np.int8(1))
    return -(-256 * int(q) // 243)


def unpack5(data, out):
    for b in range(len(data)):
        v = data[b] * 3
        for j in range(5):
            out[5 * b + j] = (v >> 8) - 1
            if j < 4:
                v = (v & 255) * 3


# %% variant={"of": "8_2_unpack5", "wrong": "rounded down and one more: 1 for five times -1"}
def pack5(trits):
    q = 0
    for t in trits:
        q = 3 * q + int(t) + 1
    return 256 * q // 243 + 1


def unpack5(data, out):
    for b in range(len(data)):
        v = data[b] * 3
        for j in range(5):
            out[5 * b + j] = (v >> 8) - 1
            if j < 4:
                v = (v & 255) * 3


# %% variant={"of": "8_2_unpack5", "wrong": "rounded to the nearest"}
def pack5(trits):
    q = sum((int(t) + 1) * 3 ** (4 - j) for j, t in enumerate(trits))
    return round(256 * q / 243)


def unpack5(data, out):
    for b in range(len(data)):
        v = data[b] * 3
        for j in range(5):
            out[5 * b + j] = (v >> 8) - 1
            if j < 4:
                v = (v & 255) * 3


# %% variant={"of": "8_2_unpack5", "wrong": "adds 1 in the caller's trits"}
def pack5(trits):
    trits += 1
    q = 0
    for digit in trits.tolist():
        q = 3 * q + digit
    return (256 * q + 242) // 243


def unpack5(data, out):
    for b in range(len(data)):
        v = data[b] * 3
        for j in range(5):
            out[5 * b + j] = (v >> 8) - 1
            if j < 4:
                v = (v & 255) * 3


# %% variant={"of": "8_2_unpack5", "wrong": "the rest keeps seven bits"}
def pack5(trits):
    q = 0
    for t in trits:
        q = 3 * q + int(t) + 1
    return (256 * q + 242) // 243


def unpack5(data, out):
    for b in range(len(data)):
        v = data[b] * 3
        for j in range(5):
            out[5 * b + j] = (v >> 8) - 1
            if j < 4:
                v = (v & 127) * 3


# %% variant={"of": "8_2_unpack5", "wrong": "last digit first, both ways: they fit each other"}
def pack5(trits):
    q = 0
    for t in trits[::-1]:
        q = 3 * q + int(t) + 1
    return (256 * q + 242) // 243


def unpack5(data, out):
    for b in range(len(data)):
        v = data[b] * 3
        for j in range(5):
            out[5 * b + 4 - j] = (v >> 8) - 1
            if j < 4:
                v = (v & 255) * 3


# %% variant={"of": "8_2_unpack5", "wrong": "the byte of the bare number q: 0 to 242"}
def pack5(trits):
    q = 0
    for t in trits:
        q = 3 * q + int(t) + 1
    return q


def unpack5(data, out):
    for b in range(len(data)):
        v = ((data[b] * 1079) >> 10) * 3
        for j in range(5):
            out[5 * b + j] = (v >> 8) - 1
            if j < 4:
                v = (v & 255) * 3


# %% variant={"of": "8_2_unpack5", "wrong": "the last byte is left out"}
def pack5(trits):
    q = 0
    for t in trits:
        q = 3 * q + int(t) + 1
    return (256 * q + 242) // 243


def unpack5(data, out):
    for b in range(max(1, len(data) - 1)):
        v = data[b] * 3
        for j in range(5):
            out[5 * b + j] = (v >> 8) - 1
            if j < 4:
                v = (v & 255) * 3


# %% variant={"of": "8_2_unpack5", "right": "packed with floats; the rest by taking away what came off"}
def pack5(trits):
    f = sum((float(t) + 1) / 3 ** (j + 1) for j, t in enumerate(trits))
    return int(np.ceil(256 * f))


def unpack5(data, out):
    for b in range(len(data)):
        rest = data[b]
        for j in range(4):
            three = rest * 3
            out[5 * b + j] = (three >> 8) - 1
            rest = three & 0xFF
        out[5 * b + 4] = (rest * 3 >> 8) - 1


# %% variant={"of": "8_2_unpack5", "right": "packed by a search for the pattern"}
def pack5(trits):
    def digits(q):
        return [q // 3**j % 3 - 1 for j in (4, 3, 2, 1, 0)]

    q = next(q for q in range(243) if digits(q) == [int(t) for t in trits])
    return next(byte for byte in range(256) if 243 * byte >= 256 * q)


def unpack5(data, out):
    for b in range(len(data) - 1, -1, -1):
        v = data[b]
        for j in range(5):
            if j:
                v = v & 255
            v = v * 3
            out[5 * b + j] = -1 + (v >> 8)


# %% variant={"of": "8_3_count_dot", "wrong": "signs are not masked: -1 times 0 counts"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    both = differ = 0
    for i in range(len(w_nonzero)):
        both = both + popcount(w_nonzero[i] & x_nonzero[i])
        differ = differ + popcount(w_negative[i] ^ x_negative[i])
    return both - 2 * differ


# %% variant={"of": "8_3_count_dot", "wrong": "signs are masked by the weights only"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    both = differ = 0
    for i in range(len(w_nonzero)):
        nonzero = w_nonzero[i]
        both = both + popcount(nonzero & x_nonzero[i])
        differ = differ + popcount((w_negative[i] ^ x_negative[i]) & nonzero)
    return both - 2 * differ


# %% variant={"of": "8_3_count_dot", "wrong": "what differs is taken away once"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    both = differ = 0
    for i in range(len(w_nonzero)):
        nonzero = w_nonzero[i] & x_nonzero[i]
        both = both + popcount(nonzero)
        differ = differ + popcount((w_negative[i] ^ x_negative[i]) & nonzero)
    return both - differ


# %% variant={"of": "8_3_count_dot", "wrong": "the last word's counts only"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    for i in range(len(w_nonzero)):
        nonzero = w_nonzero[i] & x_nonzero[i]
        both = popcount(nonzero)
        differ = popcount((w_negative[i] ^ x_negative[i]) & nonzero)
    return both - 2 * differ


# %% variant={"of": "8_3_count_dot", "wrong": "counts are kept in a byte"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    both = differ = 0
    for i in range(len(w_nonzero)):
        nonzero = w_nonzero[i] & x_nonzero[i]
        both = both + popcount(nonzero)
        differ = differ + popcount((w_negative[i] ^ x_negative[i]) & nonzero)
    total = int(both - 2 * differ)
    return (total + 128) % 256 - 128


# %% variant={"of": "8_3_count_dot", "wrong": "equal signs are not counted: two -1 make nothing"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    plus = minus = 0
    for i in range(len(w_nonzero)):
        w, x = w_negative[i], x_negative[i]
        plus = plus + popcount((w_nonzero[i] ^ w) & (x_nonzero[i] ^ x))
        minus = minus + popcount((w ^ x) & w_nonzero[i] & x_nonzero[i])
    return plus - minus


# %% variant={"of": "8_3_count_dot", "right": "words in reverse, doubled by a sum"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    count = lost = 0
    for a, b, c, d in reversed(
        list(zip(w_nonzero, x_nonzero, w_negative, x_negative, strict=True))
    ):
        live = a & b
        count, lost = count + popcount(live), lost + popcount(live & (c ^ d))
    return count - (lost + lost)


# %% variant={"of": "8_4_table_of", "wrong": "the last trit fastest"}
def table_of(x):
    sums = [0]
    for i in range(3):
        v = x[i]
        sums = [s for old in sums for s in (old - v, old, old + v)]
    return sums


def look_up(tables, indices):
    total = 0
    for g in range(len(indices)):
        total = total + tables[g, indices[g]]
    return total


# %% variant={"of": "8_4_table_of", "wrong": "the second half mirrored without its sign"}
def table_of(x):
    a, b, c = x[0], x[1], x[2]
    plane = [-a - b, -b, a - b, -a, 0, a, b - a, b, a + b]
    low = [s - c for s in plane]
    return low + plane + low[::-1]


def look_up(tables, indices):
    total = 0
    for g in range(len(indices)):
        total = total + tables[g, indices[g]]
    return total


# %% variant={"of": "8_4_table_of", "wrong": "all groups in the first table"}
def table_of(x):
    sums = [0]
    for i in (2, 1, 0):
        v = x[i]
        sums = [s for old in sums for s in (old - v, old, old + v)]
    return sums


def look_up(tables, indices):
    table = tables[0]
    total = 0
    for g in range(len(indices)):
        total = total + table[indices[g]]
    return total


# %% variant={"of": "8_4_table_of", "wrong": "three groups, as in the picture"}
def table_of(x):
    sums = [0]
    for i in (2, 1, 0):
        v = x[i]
        sums = [s for old in sums for s in (old - v, old, old + v)]
    return sums


def look_up(tables, indices):
    total = 0
    for g in range(min(3, len(indices))):
        total = total + tables[g, indices[g]]
    return total


# %% variant={"of": "8_4_table_of", "wrong": "codes instead of trits: 0 to 2 times"}
def table_of(x):
    a, b, c = x[0], x[1], x[2]
    first = [0, a, a + a]
    second = first + [s + b for s in first] + [s + b + b for s in first]
    return second + [s + c for s in second] + [s + c + c for s in second]


def look_up(tables, indices):
    total = 0
    for g in range(len(indices)):
        total = total + tables[g, indices[g]]
    return total


# %% variant={"of": "8_4_table_of", "wrong": "the inputs are loaded for every entry"}
def table_of(x):
    first = [-x[0], 0, x[0]]
    second = [s - x[1] for s in first] + first + [s + x[1] for s in first]
    return [s - x[2] for s in second] + second + [s + x[2] for s in second]


def look_up(tables, indices):
    total = 0
    for g in range(len(indices)):
        total = total + tables[g, indices[g]]
    return total


# %% variant={"of": "8_4_table_of", "right": "half of it, and the rest by signs; a sum by halves"}
def table_of(x):
    a, b, c = x[0], x[1], x[2]
    both, apart = a + b, a - b
    upper = [a, b - a, b, both]
    upper += [c - both, c - b, apart + c, c - a, c, a + c, c - apart, b + c, both + c]
    return [-s for s in reversed(upper)] + [0] + upper


def look_up(tables, indices):
    def between(first, last):
        if last - first == 1:
            return tables[first, indices[first]]
        middle = (first + last) // 2
        return between(first, middle) + between(middle, last)

    return between(0, len(indices)) if len(indices) else 0


# %% variant={"of": "8_5_tiled", "wrong": "rows and columns of the tile swapped"}
def tiled(x, w, out, rows, columns):
    m, n, k = x.shape[0], w.shape[0], x.shape[1]
    rows, columns = columns, rows
    for i in range(0, m, rows):
        for j in range(0, n, columns):
            sums = [[0] * columns for _ in range(rows)]
            for p in range(k):
                xs = [x[i + r, p] for r in range(rows)]
                ws = [w[j + c, p] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        sums[r][c] = sums[r][c] + xs[r] * ws[c]
            for r in range(rows):
                for c in range(columns):
                    out[i + r, j + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "sums live on into the next tile of the row"}
def tiled(x, w, out, rows, columns):
    m, n, k = x.shape[0], w.shape[0], x.shape[1]
    for i in range(0, m, rows):
        sums = [[0] * columns for _ in range(rows)]
        for j in range(0, n, columns):
            for p in range(k):
                xs = [x[i + r, p] for r in range(rows)]
                ws = [w[j + c, p] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        sums[r][c] = sums[r][c] + xs[r] * ws[c]
            for r in range(rows):
                for c in range(columns):
                    out[i + r, j + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "all sums of a tile are one row"}
def tiled(x, w, out, rows, columns):
    m, n, k = x.shape[0], w.shape[0], x.shape[1]
    for i in range(0, m, rows):
        for j in range(0, n, columns):
            sums = [[0] * columns] * rows
            for p in range(k):
                xs = [x[i + r, p] for r in range(rows)]
                ws = [w[j + c, p] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        sums[r][c] = sums[r][c] + xs[r] * ws[c]
            for r in range(rows):
                for c in range(columns):
                    out[i + r, j + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "whole rows of K numbers in registers"}
def tiled(x, w, out, rows, columns):
    m, n, k = x.shape[0], w.shape[0], x.shape[1]
    for i in range(0, m, rows):
        for j in range(0, n, columns):
            xs = [[x[i + r, p] for p in range(k)] for r in range(rows)]
            ws = [[w[j + c, p] for p in range(k)] for c in range(columns)]
            for r in range(rows):
                for c in range(columns):
                    total = 0
                    for p in range(k):
                        total = total + xs[r][p] * ws[c][p]
                    out[i + r, j + c] = total


# %% variant={"of": "8_5_tiled", "wrong": "inputs are kept for all tiles of the row: too many registers"}
def tiled(x, w, out, rows, columns):
    m, n, k = x.shape[0], w.shape[0], x.shape[1]
    for i in range(0, m, rows):
        xs = [[x[i + r, p] for r in range(rows)] for p in range(k)]
        for j in range(0, n, columns):
            sums = [[0] * columns for _ in range(rows)]
            for p in range(k):
                ws = [w[j + c, p] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        sums[r][c] = sums[r][c] + xs[p][r] * ws[c]
            for r in range(rows):
                for c in range(columns):
                    out[i + r, j + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "as many tiles down as across"}
def tiled(x, w, out, rows, columns):
    m, k = x.shape
    for i in range(0, m, rows):
        for j in range(0, m // rows * columns, columns):
            sums = [[0] * columns for _ in range(rows)]
            for p in range(k):
                xs = [x[i + r, p] for r in range(rows)]
                ws = [w[j + c, p] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        sums[r][c] = sums[r][c] + xs[r] * ws[c]
            for r in range(rows):
                for c in range(columns):
                    out[i + r, j + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "the inner loop is as long as the tile is wide"}
def tiled(x, w, out, rows, columns):
    m, n = out.shape
    for i in range(0, m, rows):
        for j in range(0, n, columns):
            sums = [[0] * columns for _ in range(rows)]
            for p in range(min(columns, x.shape[1])):
                xs = [x[i + r, p] for r in range(rows)]
                ws = [w[j + c, p] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        sums[r][c] = sums[r][c] + xs[r] * ws[c]
            for r in range(rows):
                for c in range(columns):
                    out[i + r, j + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "right": "a dictionary of sums, columns of tiles first, K backwards"}
def tiled(x, w, out, rows, columns):
    from itertools import product

    m, n = out.shape
    corners = product(range(0, n, columns), range(0, m, rows))
    for j, i in corners:
        sums = dict.fromkeys(product(range(i, i + rows), range(j, j + columns)), 0)
        for p in reversed(range(x.shape[1])):
            column = {r: x[r, p] for r in range(i, i + rows)}
            for c in range(j, j + columns):
                weight = w[c, p]
                for r, value in column.items():
                    sums[r, c] += value * weight
        for place, total in sums.items():
            out[place] = total


# %% variant={"of": "8_6_best_tile", "wrong": "squares only"}
def best_tile(registers):
    side = int((registers + 1) ** 0.5) - 1
    return side, side


# %% variant={"of": "8_6_best_tile", "wrong": "the longest sides"}
def best_tile(registers):
    fits = [
        (r, c)
        for r in range(1, registers)
        for c in range(1, registers)
        if r * c + r + c <= registers
    ]
    return max(fits, key=lambda tile: tile[0] + tile[1])


# %% variant={"of": "8_6_best_tile", "wrong": "one register stays free"}
def best_tile(registers):
    fits = [
        (r, c)
        for r in range(1, registers)
        for c in range(1, registers)
        if r * c + r + c < max(registers, 4)
    ]
    return min(fits, key=lambda tile: 1 / tile[0] + 1 / tile[1])


# %% variant={"of": "8_6_best_tile", "wrong": "only sums take registers"}
def best_tile(registers):
    fits = [(r, c) for r in range(1, registers) for c in range(1, registers) if r * c <= registers]
    return min(fits, key=lambda tile: 1 / tile[0] + 1 / tile[1])


# %% variant={"of": "8_6_best_tile", "wrong": "no side above seven"}
def best_tile(registers):
    fits = [(r, c) for r in range(1, 8) for c in range(1, 8) if r * c + r + c <= registers]
    return min(fits, key=lambda tile: 1 / tile[0] + 1 / tile[1])


# %% variant={"of": "8_6_best_tile", "wrong": "the root, then as many columns as fit"}
def best_tile(registers):
    rows = max(1, round(registers**0.5) - 1)
    return rows, (registers - rows) // (rows + 1)


# %% variant={"of": "8_6_best_tile", "right": "by solving for columns"}
def best_tile(registers):
    best = None
    for rows in range(registers // 2, 0, -1):
        columns = (registers - rows) // (rows + 1)
        if columns and (
            best is None or (rows + columns) * best[0] * best[1] < sum(best) * rows * columns
        ):
            best = rows, columns
    return best


# %% variant={"of": "8_7_fair_times", "wrong": "program after program"}
def fair_times(programs, rounds, clock):
    seconds = {}
    for name, run in programs.items():
        run()
        times = []
        for _ in range(rounds):
            start = clock()
            run()
            times.append(clock() - start)
        seconds[name] = float(np.median(times))
    return seconds


# %% variant={"of": "8_7_fair_times", "wrong": "the mean"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: sum(t) / len(t) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "the fastest call"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: min(t) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "no warm-up, and a round too few"}
def fair_times(programs, rounds, clock):
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "only the first program is warmed up"}
def fair_times(programs, rounds, clock):
    next(iter(programs.values()))()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "the time since the round began"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        start = clock()
        for name, run in programs.items():
            run()
            times[name].append(clock() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "times unsorted: the one in the middle of the run"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: t[len(t) // 2] for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "milliseconds"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: 1000 * float(np.median(t)) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "calls of a round timed together, and divided"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = []
    for _ in range(rounds):
        start = clock()
        for run in programs.values():
            run()
        times.append((clock() - start) / len(programs))
    return dict.fromkeys(programs, float(np.median(times)))


# %% variant={"of": "8_7_fair_times", "right": "Python's median, and every other round backwards"}
def fair_times(programs, rounds, clock):
    from statistics import median

    names = list(programs)
    times = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names if turn % 2 else names[::-1]:
            start = clock()
            programs[name]()
            stop = clock()
            if turn:
                times[name].append(stop - start)
    return {name: median(times[name]) for name in programs}


# %% variant={"of": "8_7_fair_times", "right": "a table of all calls, sorted without its first row"}
def fair_times(programs, rounds, clock):
    table = np.zeros((rounds + 1, len(programs)))
    for turn in range(rounds + 1):
        for i, run in enumerate(programs.values()):
            table[turn, i] = -clock()
            run()
            table[turn, i] += clock()
    middle = np.sort(table[1:], axis=0)
    middle = (middle[(rounds - 1) // 2] + middle[rounds // 2]) / 2
    return dict(zip(programs, middle.tolist(), strict=True))


# %% variant={"of": "8_8_repaired", "wrong": "bool times int8 is summed in int8"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return plus.astype(np.int8) @ x - minus.astype(np.int8) @ x


def repaired_b(codes, x):
    return codes.astype(np.int32) @ x.astype(np.int32) - x.sum(dtype=np.int32)


# %% variant={"of": "8_8_repaired", "wrong": "trits first, but still 16 bits"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    return ((codes - 1).astype(np.int16) @ x.astype(np.int16)).astype(np.int32)


# %% variant={"of": "8_8_repaired", "wrong": "a wide sum of narrow products"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    sums = np.zeros(len(codes), np.int32)
    for k in range(len(x)):
        sums += codes[:, k] * x[k]
    return sums - x.sum(dtype=np.int32)


# %% variant={"of": "8_8_repaired", "wrong": "in floats"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = np.asarray(planes, np.float32)
    return (plus - minus) @ x.astype(np.float32)


def repaired_b(codes, x):
    return (codes.astype(np.float32) - 1) @ x.astype(np.float32)


# %% variant={"of": "8_8_repaired", "wrong": "B's fault is sought in the correction"}
def faults():
    return ("a", "swapped planes"), ("c", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    return codes.astype(np.int64) @ x.astype(np.int64) - x.sum(dtype=np.int64)


# %% variant={"of": "8_8_repaired", "wrong": "16 bits without a sign"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    sums = np.zeros(len(codes), np.uint16)
    for k in range(len(x)):
        sums += (codes[:, k] * x[k].astype(np.int16)).astype(np.uint16)
    return sums - x.sum(dtype=np.int32)


# %% variant={"of": "8_8_repaired", "wrong": "A's signs are turned for classes: the size of the result"}
def faults():
    return ("d", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return abs(np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1))


def repaired_b(codes, x):
    return codes.astype(np.int64) @ x.astype(np.int64) - x.sum(dtype=np.int64)


# %% variant={"of": "8_8_repaired", "right": "weight by weight in Python's whole numbers"}
def faults():
    return [("a", "swapped planes"), ("a", "overflow")]


def repaired_a(planes, x):
    rows = zip(planes[0].tolist(), planes[1].tolist(), strict=True)
    values = x.tolist()
    return np.array(
        [
            sum(v * (bool(p) - bool(m)) for p, m, v in zip(*row, values, strict=True))
            for row in rows
        ],
        dtype=np.int64,
    )


def repaired_b(codes, x):
    return np.einsum("nk,k->n", codes.astype(int) - 1, x.astype(int))


# %% variant={"of": "8_9_repaired_row", "wrong": "reads, and then ignores"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for byte in range(-(-k // 4)):
        four_codes = memory[codes_at + byte]
        for j in range(4):
            value = memory[x_at + 4 * byte + j]
            if 4 * byte + j < k:
                total += ((four_codes >> 2 * j & 3) - 1) * value
    return total


# %% variant={"of": "8_9_repaired_row", "wrong": "a byte of codes too many where k is a multiple of four"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for byte in range(k // 4 + 1):
        four_codes = memory[codes_at + byte]
        for j in range(min(4, k - 4 * byte)):
            total += ((four_codes >> 2 * j & 3) - 1) * memory[x_at + 4 * byte + j]
    return total


# %% variant={"of": "8_9_repaired_row", "wrong": "the rest of k is left out"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for byte in range(k // 4):
        four_codes = memory[codes_at + byte]
        for j in range(4):
            total += ((four_codes >> 2 * j & 3) - 1) * memory[x_at + 4 * byte + j]
    return total


# %% variant={"of": "8_9_repaired_row", "wrong": "corrects for what it has read beyond"}
def fault_of_row():
    return "g", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for byte in range(-(-k // 4)):
        four_codes = memory[codes_at + byte]
        for j in range(4):
            total += ((four_codes >> 2 * j & 3) - 1) * memory[x_at + 4 * byte + j]
    return total


# %% variant={"of": "8_9_repaired_row", "wrong": "one past the end"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for i in range(k + (k % 4 != 0)):
        total += ((memory[codes_at + i // 4] >> 2 * (i % 4) & 3) - 1) * memory[x_at + i]
    return total


# %% variant={"of": "8_9_repaired_row", "wrong": "inputs are taken to stand right behind the codes"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    x_at = codes_at + -(-k // 4)
    return sum(
        ((memory[codes_at + i // 4] >> 2 * (i % 4) & 3) - 1) * memory[x_at + i] for i in range(k)
    )


# %% variant={"of": "8_9_repaired_row", "wrong": "the whole of the memory is copied first"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    all_of_it = list(memory)
    return sum(
        ((all_of_it[codes_at + i // 4] >> 2 * (i % 4) & 3) - 1) * all_of_it[x_at + i]
        for i in range(k)
    )


# %% variant={"of": "8_9_repaired_row", "wrong": "a slice of whole fours"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    fours = -(-k // 4)
    values = memory[x_at : x_at + 4 * fours]
    codes = memory[codes_at : codes_at + fours]
    return sum(((codes[i // 4] >> 2 * (i % 4) & 3) - 1) * values[i] for i in range(k))


# %% variant={"of": "8_9_repaired_row", "right": "slices of just what belongs to it"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    values = memory[x_at : x_at + k]
    codes = memory[codes_at : codes_at + (k + 3) // 4]
    return sum(((codes[i // 4] >> 2 * (i % 4) & 3) - 1) * values[i] for i in range(k))


# %% variant={"of": "8_9_repaired_row", "right": "input by input, from the last"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    if k == 0:
        return 0
    code = memory[codes_at + (k - 1) // 4] // 4 ** ((k - 1) % 4) % 4
    return repaired_row(memory, x_at, codes_at, k - 1) + (code - 1) * memory[x_at + k - 1]


# %% variant={"of": "8_1_pack4", "wrong": "codes lie in the caller's trits at last"}
def pack4(trits, out):
    for b in range(len(out)):
        code = 85
        for j in range(4):
            trit = trits[4 * b + j]
            trits[4 * b + j] = 0
            code = code + (trit << 2 * j)
        out[b] = code


# %% variant={"of": "8_2_unpack5", "wrong": "a table of all bytes, where the machine does not see it"}
def pack5(trits):
    q = 0
    for t in trits:
        q = 3 * q + int(t) + 1
    return (256 * q + 242) // 243


def unpack5(data, out):
    table = {}
    for q in range(243):
        digits = [q // 3**j % 3 - 1 for j in (4, 3, 2, 1, 0)]
        table[pack5(digits)] = digits
    for b in range(len(data)):
        for j, trit in enumerate(table[data[b]]):
            out[5 * b + j] = trit


# %% variant={"of": "8_2_unpack5", "wrong": "digits by comparison: a third of 256 is 85"}
def pack5(trits):
    q = 0
    for t in trits:
        q = 3 * q + int(t) + 1
    return (256 * q + 242) // 243


def unpack5(data, out):
    for b in range(len(data)):
        v = data[b]
        for j in range(5):
            digit = 0 if v < 85 else 1 if v < 170 else 2
            out[5 * b + j] = digit - 1
            v = 3 * v - 256 * digit


# %% variant={"of": "8_4_table_of", "wrong": "sums in order of size: right for 1, 3, 9"}
def table_of(x):
    sums = [0]
    for i in (2, 1, 0):
        v = x[i]
        sums = [s for old in sums for s in (old - v, old, old + v)]
    return sorted(sums)


def look_up(tables, indices):
    total = 0
    for g in range(len(indices)):
        total = total + tables[g, indices[g]]
    return total


# %% variant={"of": "8_4_table_of", "wrong": "the first and the last input changed over"}
def table_of(x):
    c, b, a = x[0], x[1], x[2]
    sums = [0]
    for v in (c, b, a):
        sums = [s for old in sums for s in (old - v, old, old + v)]
    return sums


def look_up(tables, indices):
    return sum(tables[g, indices[g]] for g in range(len(indices)))


# %% variant={"of": "8_4_table_of", "right": "a sum of a generator"}
def table_of(x):
    sums = [0]
    for v in (x[2], x[1], x[0]):
        sums = [s for old in sums for s in (old - v, old, old + v)]
    return sums


def look_up(tables, indices):
    return sum(tables[g, i] for g, i in enumerate(indices))


# %% variant={"of": "8_6_best_tile", "wrong": "the most sums"}
def best_tile(registers):
    fits = [
        (r, c)
        for r in range(1, registers)
        for c in range(1, registers)
        if r * c + r + c <= registers
    ]
    return max(fits, key=lambda tile: tile[0] * tile[1])


# %% variant={"of": "8_6_best_tile", "wrong": "a square, or one column more"}
def best_tile(registers):
    rows = int((registers + 1) ** 0.5) - 1
    columns = rows + 1
    return (rows, columns) if rows * columns + rows + columns <= registers else (rows, rows)


# %% variant={"of": "8_6_best_tile", "wrong": "weights take no registers"}
def best_tile(registers):
    fits = [
        (r, c) for r in range(1, registers) for c in range(1, registers) if r * c + r <= registers
    ]
    return min(fits, key=lambda tile: 1 / tile[0] + 1 / tile[1])


# %% variant={"of": "8_6_best_tile", "wrong": "powers of two only"}
def best_tile(registers):
    sides = [2**i for i in range(10)]
    fits = [(r, c) for r in sides for c in sides if r * c + r + c <= registers]
    return min(fits, key=lambda tile: 1 / tile[0] + 1 / tile[1])


# %% variant={"of": "8_7_fair_times", "wrong": "the last call is left out, not the first"}
def fair_times(programs, rounds, clock):
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    for run in programs.values():
        run()
    return {name: float(np.median(t)) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "the mean without the longest and the shortest"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {
        name: float(np.mean(sorted(t)[1:-1])) if len(t) > 2 else float(np.mean(t))
        for name, t in times.items()
    }


# %% variant={"of": "8_7_fair_times", "wrong": "by another clock"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "all are scaled to the first: a ratio and no time"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    first = np.median(next(iter(times.values())))
    return {name: float(np.median(t) / first) for name, t in times.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "programs are taken out of the caller's dict"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    for name in times:
        programs[name] = float(np.median(times[name]))
    return programs


# %% variant={"of": "8_7_fair_times", "right": "the order by chance in each round"}
def fair_times(programs, rounds, clock):
    rng = np.random.default_rng(0)
    names = list(programs)
    times = np.empty((len(names), rounds + 1))
    for turn in range(rounds + 1):
        for i in rng.permutation(len(names)):
            start = clock()
            programs[names[i]]()
            times[i, turn] = clock() - start
    return dict(zip(names, np.quantile(times[:, 1:], 0.5, axis=1).tolist(), strict=True))


# %% variant={"of": "8_8_repaired", "wrong": "the sign of -128 turns in 8 bits"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, np.where(minus, -x, 0)).sum(axis=1)


def repaired_b(codes, x):
    return codes.astype(np.int64) @ x.astype(np.int64) - x.sum(dtype=np.int64)


# %% variant={"of": "8_8_repaired", "wrong": "the correction overflows in place of the sums"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    return codes.astype(np.int64) @ x.astype(np.int64) - x.sum(dtype=np.int16)


# %% variant={"of": "8_8_repaired", "wrong": "16 bits, emptied after 256 inputs: too late"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    total = np.zeros(len(codes), np.int32)
    for start in range(0, len(x), 256):
        few = slice(start, start + 256)
        total += codes[:, few].astype(np.int16) @ x[few].astype(np.int16)
    return total - x.sum(dtype=np.int32)


# %% variant={"of": "8_8_repaired", "wrong": "sums stop at the largest number of 16 bits"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    sums = codes.astype(np.int64) @ x.astype(np.int64) - x.sum(dtype=np.int64)
    return np.clip(sums, -(2**15), 2**15 - 1)


# %% variant={"of": "8_8_repaired", "wrong": "the caller's planes are changed over"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    planes[:] = planes[::-1].copy()
    minus, plus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    return codes.astype(np.int64) @ x.astype(np.int64) - x.sum(dtype=np.int64)


# %% variant={"of": "8_8_repaired", "right": "16 bits, emptied after 64 inputs"}
def faults():
    return ["a", "swapped planes"], ["a", "overflow"]


def repaired_a(planes, x):
    signed = planes[0].astype(np.int32) - planes[1].astype(np.int32)
    return np.dot(signed, x.astype(np.int32))


def repaired_b(codes, x):
    total = np.zeros(len(codes), np.int32)
    for start in range(0, len(x), 64):
        few = slice(start, start + 64)
        total += codes[:, few].astype(np.int16) @ x[few].astype(np.int16)
    return total - x.sum(dtype=np.int32)
