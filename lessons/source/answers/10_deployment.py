# %% [markdown]
# Answers to lesson 10 by someone who had not read its checks.

# %% variant={"of": "10_1_write_file", "wrong": "the length counts characters"}
def write_file(arrays, about):
    header, begin, chunks = {"__metadata__": dict(about)}, 0, []
    for name, array in arrays.items():
        raw = array.tobytes()
        dtype = next(word for word, kind in DTYPES.items() if kind == array.dtype)
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [begin, begin + len(raw)],
        }
        begin += len(raw)
        chunks.append(raw)
    text = json.dumps(header, ensure_ascii=False)
    return len(text).to_bytes(8, "little") + text.encode("utf-8") + b"".join(chunks)


# %% variant={"of": "10_1_write_file", "wrong": "a transposed array in the order of its memory"}
def write_file(arrays, about):
    header, begin, chunks = {"__metadata__": dict(about)}, 0, []
    for name, array in arrays.items():
        raw = array.tobytes(order="A")
        dtype = next(word for word, kind in DTYPES.items() if kind == array.dtype)
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [begin, begin + len(raw)],
        }
        begin += len(raw)
        chunks.append(raw)
    text = json.dumps(header).encode("utf-8")
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


# %% variant={"of": "10_1_write_file", "wrong": "the type told by its size alone"}
def write_file(arrays, about):
    header, begin, chunks = {"__metadata__": dict(about)}, 0, []
    for name, array in arrays.items():
        raw = array.tobytes()
        dtype = {4: "F32", 1: "U8"}[array.dtype.itemsize]
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [begin, begin + len(raw)],
        }
        begin += len(raw)
        chunks.append(raw)
    text = json.dumps(header).encode("utf-8")
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


# %% variant={"of": "10_1_write_file", "wrong": "the type told by kind and size, no unsigned"}
def write_file(arrays, about):
    header, begin, chunks = {"__metadata__": dict(about)}, 0, []
    for name, array in arrays.items():
        raw = array.tobytes()
        dtype = ("F" if array.dtype.kind == "f" else "I") + str(8 * array.dtype.itemsize)
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [begin, begin + len(raw)],
        }
        begin += len(raw)
        chunks.append(raw)
    text = json.dumps(header).encode("utf-8")
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


# %% variant={"of": "10_1_write_file", "wrong": "the header sorted by name, the data not"}
def write_file(arrays, about):
    header, begin, chunks = {"__metadata__": dict(about)}, 0, []
    for name, array in arrays.items():
        raw = array.tobytes()
        dtype = next(word for word, kind in DTYPES.items() if kind == array.dtype)
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [begin, begin + len(raw)],
        }
        begin += len(raw)
        chunks.append(raw)
    text = json.dumps(header, sort_keys=True).encode("utf-8")
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


# %% variant={"of": "10_1_write_file", "right": "sizes by cumsum, values written with struct"}
import struct


def write_file(arrays, about):
    ends = np.cumsum([0] + [array.nbytes for array in arrays.values()]).tolist()
    header = {"__metadata__": about}
    for i, (name, array) in enumerate(arrays.items()):
        word = [w for w in DTYPES if DTYPES[w] == array.dtype][0]
        header[name] = {"data_offsets": ends[i : i + 2], "shape": array.shape, "dtype": word}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    letters = {"F32": "f", "I32": "i", "I8": "b", "U8": "B"}
    file = struct.pack("<Q", len(text)) + text
    for name, array in arrays.items():
        values = array.ravel().tolist()
        file += struct.pack(f"<{len(values)}{letters[header[name]['dtype']]}", *values)
    return file


# %% variant={"of": "10_1_write_file", "right": "metadata last, one growing bytearray"}
def write_file(arrays, about):
    header, data = {}, bytearray()
    for name in arrays:
        begin = len(data)
        for number in arrays[name].flat:
            data += number.tobytes()
        for word in DTYPES:
            if DTYPES[word] == arrays[name].dtype:
                header[name] = {"dtype": word, "shape": [int(n) for n in arrays[name].shape]}
                header[name]["data_offsets"] = [begin, len(data)]
    header["__metadata__"] = about
    text = bytes(json.dumps(header, indent=1), "ascii")
    return bytes([len(text) >> 8 * i & 255 for i in range(8)]) + text + bytes(data)


# %% variant={"of": "10_2_read_file", "wrong": "a header that is a list stops it with another exception"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "shapes of floats"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except ValueError:
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "a file without arrays stops it"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, previous, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != previous:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {previous}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        previous = end
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "a file without arrays may say any length"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "metadata of any kind"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "metadata that hold numbers"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "an array without numbers is refused"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end <= begin or end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "a dtype that is a list stops it"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "three offsets, the third is not looked at"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) < 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets[:2]
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "the header decoded as Latin-1"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("latin-1"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "metadata is the first entry"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    first = next(iter(header), None)
    about = header.pop(first) if first == "__metadata__" else {}
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "wrong": "a header nested too deep stops it"}
def read_file(data):
    if len(data) < 8:
        raise ValueError(f"length: the file has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise ValueError(f"length: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"))
    except ValueError:
        raise ValueError("header: not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("header: not an object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ValueError("__metadata__: not strings")
    body, end, arrays = data[8 + size :], 0, {}
    for name, entry in header.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: not an object")
        dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype}")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape}")
        if not isinstance(offsets, list) or len(offsets) != 2:
            raise ValueError(f"{name}: data_offsets {offsets}")
        if not all(type(n) is int for n in offsets):
            raise ValueError(f"{name}: data_offsets {offsets}")
        if offsets[0] != end:
            raise ValueError(f"{name}: begins at {offsets[0]}, not at {end}")
        begin, end = offsets
        count = 1
        for n in shape:
            count *= n
        if end - begin != count * DTYPES[dtype].itemsize:
            raise ValueError(f"{name}: {end - begin} bytes for shape {shape}")
        if end > len(body):
            raise ValueError(f"{name}: ends behind the file")
        try:
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: shape {shape}") from None
    if end != len(body):
        raise ValueError(f"data: {len(body)} bytes, arrays end at {end}")
    return arrays, about


# %% variant={"of": "10_2_read_file", "right": "everything tried, whatever is raised becomes a refusal"}
def read_file(data):
    try:
        n = int.from_bytes(data[:8], "little")
        assert len(data) >= 8 + n
        header = json.loads(data[8 : 8 + n])
        about = header.pop("__metadata__", {})
        assert all(isinstance(word, str) for word in {**about}.values())
        rest, arrays = data[8 + n :], {}
        for name, entry in header.items():
            assert (
                json.dumps(entry["shape"]).strip("[]").replace(", ", "0").isdigit()
                or entry["shape"] == []
            )
            begin, end = entry["data_offsets"]
            assert f"{begin} {end}".replace(" ", "").isdigit()
            assert begin == len(data) - 8 - n - len(rest)
            kind = DTYPES[entry["dtype"]]
            count = 1
            for length in entry["shape"]:
                count *= length
            assert count * kind.itemsize == end - begin <= len(rest)
            values, rest = rest[: end - begin], rest[end - begin :]
            arrays[name] = np.ndarray(entry["shape"], kind, values).copy()
        assert not rest
    except Exception as error:
        raise ValueError(f"file is damaged: {type(error).__name__} {error}") from error
    return arrays, about


# %% variant={"of": "10_2_read_file", "right": "a list of rules, arrays filled number by number"}
import math
import struct


def demand(truth, words):
    if not truth:
        raise ValueError(words)


def whole(number):
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def array_of(name, entry, begin, data):
    demand(isinstance(entry, dict), f"{name} is no object")
    kind, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    demand(kind in list(DTYPES), f"{name}: dtype")
    demand(isinstance(shape, list) and all(map(whole, shape)), f"{name}: shape")
    demand(isinstance(offsets, list) and len(offsets) == 2, f"{name}: data_offsets")
    demand(all(map(whole, offsets)), f"{name}: data_offsets")
    demand(offsets[0] == begin, f"{name}: data_offsets begin")
    demand(offsets[1] <= len(data), f"{name}: data_offsets end")
    count = math.prod(shape)
    demand(offsets[1] - begin == count * DTYPES[kind].itemsize, f"{name}: shape")
    demand(len(shape) <= 64 and all(n < 2**31 for n in shape), f"{name}: shape")
    array = np.empty(count, DTYPES[kind])
    letter = {"F32": "f", "I32": "i", "I8": "b", "U8": "B"}[kind]
    array[:] = struct.unpack(f"<{count}{letter}", data[begin : offsets[1]])
    return array.reshape(shape)


def read_file(data):
    demand(len(data) >= 8, "too short")
    (n,) = struct.unpack("<Q", data[:8])
    demand(n <= len(data) - 8, "length")
    try:
        header = json.loads(str(data[8 : n + 8], "utf-8"))
    except RecursionError:
        raise ValueError("header: nested") from None
    demand(isinstance(header, dict), "header")
    about, arrays, begin = {}, {}, 0
    for name, entry in header.items():
        if name == "__metadata__":
            about = entry
            demand(isinstance(about, dict), "__metadata__")
            demand(all(type(word) is str for word in about.values()), "__metadata__")
        else:
            arrays[name] = array_of(name, entry, begin, data[n + 8 :])
            begin += arrays[name].nbytes
    demand(begin == len(data) - n - 8, "bytes left over")
    return arrays, about


# %% variant={"of": "10_3_fuzz", "wrong": "NaN equal, and -0.0 as well"}
def outcome(read, damaged, good):
    try:
        arrays, about = read(damaged)
    except ValueError:
        return "refused"
    except Exception:
        return "crashed"
    sound, sound_about = read(good)
    if about != sound_about or list(arrays) != list(sound):
        return "silent"
    for name, array in arrays.items():
        other = sound[name]
        if array.dtype != other.dtype or array.shape != other.shape:
            return "silent"
        if not np.array_equal(array, other, equal_nan=array.dtype.kind == "f"):
            return "silent"
    return "unharmed"


def fuzz(read, good):
    cuts = [outcome(read, good[:n], good) for n in range(len(good))]
    flips = []
    for i in range(len(good)):
        for bit in range(8):
            damaged = bytearray(good)
            damaged[i] ^= 1 << bit
            flips.append(outcome(read, bytes(damaged), good))
    return cuts, flips


# %% variant={"of": "10_3_fuzz", "wrong": "the order of names does not count"}
def outcome(read, damaged, good):
    try:
        arrays, about = read(damaged)
    except ValueError:
        return "refused"
    except Exception:
        return "crashed"
    sound, sound_about = read(good)
    if about != sound_about or set(arrays) != set(sound):
        return "silent"
    for name, array in arrays.items():
        other = sound[name]
        if array.dtype != other.dtype or array.shape != other.shape:
            return "silent"
        if array.tobytes() != other.tobytes():
            return "silent"
    return "unharmed"


def fuzz(read, good):
    cuts = [outcome(read, good[:n], good) for n in range(len(good))]
    flips = []
    for i in range(len(good)):
        for bit in range(8):
            damaged = bytearray(good)
            damaged[i] ^= 1 << bit
            flips.append(outcome(read, bytes(damaged), good))
    return cuts, flips


# %% variant={"of": "10_3_fuzz", "wrong": "only ValueError itself is a refusal"}
def outcome(read, damaged, good):
    try:
        arrays, about = read(damaged)
    except Exception as error:
        return "refused" if type(error) is ValueError else "crashed"
    sound, sound_about = read(good)
    if about != sound_about or list(arrays) != list(sound):
        return "silent"
    for name, array in arrays.items():
        other = sound[name]
        if array.dtype != other.dtype or array.shape != other.shape:
            return "silent"
        if array.tobytes() != other.tobytes():
            return "silent"
    return "unharmed"


def fuzz(read, good):
    cuts = [outcome(read, good[:n], good) for n in range(len(good))]
    flips = []
    for i in range(len(good)):
        for bit in range(8):
            damaged = bytearray(good)
            damaged[i] ^= 1 << bit
            flips.append(outcome(read, bytes(damaged), good))
    return cuts, flips


# %% variant={"of": "10_3_fuzz", "wrong": "damage adds up"}
def outcome(read, damaged, good):
    try:
        arrays, about = read(damaged)
    except ValueError:
        return "refused"
    except Exception:
        return "crashed"
    sound, sound_about = read(good)
    if about != sound_about or list(arrays) != list(sound):
        return "silent"
    for name, array in arrays.items():
        other = sound[name]
        if array.dtype != other.dtype or array.shape != other.shape:
            return "silent"
        if array.tobytes() != other.tobytes():
            return "silent"
    return "unharmed"


def fuzz(read, good):
    cuts = [outcome(read, good[:n], good) for n in range(len(good))]
    flips, damaged = [], bytearray(good)
    for i in range(len(good)):
        for bit in range(8):
            damaged[i] ^= 1 << bit
            flips.append(outcome(read, bytes(damaged), good))
    return cuts, flips


# %% variant={"of": "10_3_fuzz", "wrong": "names not compared"}
def outcome(read, damaged, good):
    try:
        arrays, about = read(damaged)
    except ValueError:
        return "refused"
    except Exception:
        return "crashed"
    sound, sound_about = read(good)
    if about != sound_about or len(arrays) != len(sound):
        return "silent"
    for array, other in zip(arrays.values(), sound.values()):
        if array.dtype != other.dtype or array.shape != other.shape:
            return "silent"
        if array.tobytes() != other.tobytes():
            return "silent"
    return "unharmed"


def fuzz(read, good):
    cuts = [outcome(read, good[:n], good) for n in range(len(good))]
    flips = []
    for i in range(len(good)):
        for bit in range(8):
            damaged = bytearray(good)
            damaged[i] ^= 1 << bit
            flips.append(outcome(read, bytes(damaged), good))
    return cuts, flips


# %% variant={"of": "10_3_fuzz", "wrong": "an array left out is not noticed"}
def outcome(read, damaged, good):
    try:
        arrays, about = read(damaged)
    except ValueError:
        return "refused"
    except Exception:
        return "crashed"
    sound, sound_about = read(good)
    if about != sound_about or any(name not in sound for name in arrays):
        return "silent"
    for name, array in arrays.items():
        other = sound[name]
        if array.dtype != other.dtype or array.shape != other.shape:
            return "silent"
        if array.tobytes() != other.tobytes():
            return "silent"
    return "unharmed"


def fuzz(read, good):
    cuts = [outcome(read, good[:n], good) for n in range(len(good))]
    flips = []
    for i in range(len(good)):
        for bit in range(8):
            damaged = bytearray(good)
            damaged[i] ^= 1 << bit
            flips.append(outcome(read, bytes(damaged), good))
    return cuts, flips


# %% variant={"of": "10_3_fuzz", "wrong": "bits set, not flipped"}
def outcome(read, damaged, good):
    try:
        arrays, about = read(damaged)
    except ValueError:
        return "refused"
    except Exception:
        return "crashed"
    sound, sound_about = read(good)
    if about != sound_about or list(arrays) != list(sound):
        return "silent"
    for name, array in arrays.items():
        other = sound[name]
        if array.dtype != other.dtype or array.shape != other.shape:
            return "silent"
        if array.tobytes() != other.tobytes():
            return "silent"
    return "unharmed"


def fuzz(read, good):
    cuts = [outcome(read, good[:n], good) for n in range(len(good))]
    flips = []
    for i in range(len(good)):
        for bit in range(8):
            damaged = bytearray(good)
            damaged[i] |= 1 << bit
            flips.append(outcome(read, bytes(damaged), good))
    return cuts, flips


# %% variant={"of": "10_3_fuzz", "right": "a fingerprint of what was read, the file as one big number"}
def fingerprint(read, data):
    try:
        arrays, about = read(data)
    except ValueError:
        return "refused"
    except BaseException:
        return "crashed"
    return [(n, a.dtype, a.shape, bytes(a.ravel().view("u1"))) for n, a in arrays.items()], dict(
        about
    )


def outcome(read, damaged, good):
    found = fingerprint(read, damaged)
    if isinstance(found, str):
        return found
    return ("silent", "unharmed")[found == fingerprint(read, good)]


def fuzz(read, good):
    number = int.from_bytes(good, "little")
    cuts, flips = [], []
    for n in range(8 * len(good)):
        if n % 8 == 0:
            cuts.append(outcome(read, good[: n // 8], good))
        wreck = (number ^ (1 << n)).to_bytes(len(good), "little")
        flips.append(outcome(read, wreck, good))
    return cuts, flips


# %% variant={"of": "10_3_fuzz", "right": "bits by NumPy, memory as int8"}
def outcome(read, damaged, good):
    expected, words = read(good)
    try:
        arrays, about = read(damaged)
    except Exception as error:
        return "refused" if isinstance(error, ValueError) else "crashed"
    same = about == words and [*arrays] == [*expected]
    same = same and all(
        arrays[n].dtype == expected[n].dtype
        and arrays[n].shape == expected[n].shape
        and np.array_equal(
            np.frombuffer(arrays[n].tobytes(), "i1"), np.frombuffer(expected[n].tobytes(), "i1")
        )
        for n in expected
    )
    return "unharmed" if same else "silent"


def fuzz(read, good):
    bits = np.unpackbits(np.frombuffer(good, np.uint8), bitorder="little")
    flips = []
    for i in range(bits.size):
        bits[i] ^= 1
        flips.append(outcome(read, np.packbits(bits, bitorder="little").tobytes(), good))
        bits[i] ^= 1
    return [outcome(read, good[:n], good) for n, _ in enumerate(good)], flips


# %% variant={"of": "10_4_seal", "wrong": "checksum of the arrays and their names"}
def digest(arrays, about):
    return sha256(write_file(arrays, {})).hexdigest()


def seal(arrays, about):
    about = {**about, "version": "1"}
    return write_file(arrays, {**about, "checksum": digest(arrays, about)})


def unseal(data):
    arrays, about = read_file(data)
    if about.get("version") != "1":
        raise ValueError("version: this reader knows version 1")
    checksum = about.pop("checksum", None)
    if checksum != digest(arrays, about):
        raise ValueError("checksum: not what was written")
    del about["version"]
    return arrays, about


# %% variant={"of": "10_4_seal", "wrong": "the checksum looked at first"}
def digest(arrays, about):
    return sha256(write_file(arrays, about)).hexdigest()


def seal(arrays, about):
    about = {**about, "version": "1"}
    return write_file(arrays, {**about, "checksum": digest(arrays, about)})


def unseal(data):
    arrays, about = read_file(data)
    checksum = about.pop("checksum", None)
    if checksum != digest(arrays, about):
        raise ValueError("checksum: not what was written")
    if about.pop("version", None) != "1":
        raise ValueError("version: this reader knows version 1")
    return arrays, about


# %% variant={"of": "10_4_seal", "wrong": "a file without a checksum is let through"}
def digest(arrays, about):
    return sha256(write_file(arrays, about)).hexdigest()


def seal(arrays, about):
    about = {**about, "version": "1"}
    return write_file(arrays, {**about, "checksum": digest(arrays, about)})


def unseal(data):
    arrays, about = read_file(data)
    if about.get("version") != "1":
        raise ValueError("version: this reader knows version 1")
    checksum = about.pop("checksum", None)
    if checksum is not None and checksum != digest(arrays, about):
        raise ValueError("checksum: not what was written")
    del about["version"]
    return arrays, about


# %% variant={"of": "10_4_seal", "wrong": "the version read as a number"}
def digest(arrays, about):
    return sha256(write_file(arrays, about)).hexdigest()


def seal(arrays, about):
    about = {**about, "version": "1"}
    return write_file(arrays, {**about, "checksum": digest(arrays, about)})


def unseal(data):
    arrays, about = read_file(data)
    if int(about.get("version", 0)) != 1:
        raise ValueError("version: this reader knows version 1")
    checksum = about.pop("checksum", None)
    if checksum != digest(arrays, about):
        raise ValueError("checksum: not what was written")
    del about["version"]
    return arrays, about


# %% variant={"of": "10_4_seal", "wrong": "later versions only"}
def digest(arrays, about):
    return sha256(write_file(arrays, about)).hexdigest()


def seal(arrays, about):
    about = {**about, "version": "1"}
    return write_file(arrays, {**about, "checksum": digest(arrays, about)})


def unseal(data):
    arrays, about = read_file(data)
    if about.get("version", "9") > "1":
        raise ValueError("version: this reader knows version 1")
    checksum = about.pop("checksum", None)
    if checksum != digest(arrays, about):
        raise ValueError("checksum: not what was written")
    del about["version"]
    return arrays, about


# %% variant={"of": "10_4_seal", "wrong": "version left out of the checksum"}
def digest(arrays, about):
    return sha256(write_file(arrays, about)).hexdigest()


def seal(arrays, about):
    return write_file(arrays, {**about, "version": "1", "checksum": digest(arrays, about)})


def unseal(data):
    arrays, about = read_file(data)
    if about.get("version") != "1":
        raise ValueError("version: this reader knows version 1")
    checksum = about.pop("checksum", None)
    del about["version"]
    if checksum != digest(arrays, about):
        raise ValueError("checksum: not what was written")
    return arrays, about


# %% variant={"of": "10_4_seal", "wrong": "only the first digits compared"}
def digest(arrays, about):
    return sha256(write_file(arrays, about)).hexdigest()


def seal(arrays, about):
    about = {**about, "version": "1"}
    return write_file(arrays, {**about, "checksum": digest(arrays, about)})


def unseal(data):
    arrays, about = read_file(data)
    if about.get("version") != "1":
        raise ValueError("version: this reader knows version 1")
    checksum = about.pop("checksum", None)
    if not digest(arrays, about).startswith(checksum or "-"):
        raise ValueError("checksum: not what was written")
    del about["version"]
    return arrays, about


# %% variant={"of": "10_4_seal", "right": "version first in the metadata, a loop that copies what is not an addition"}
def seal(arrays, about):
    words = {"version": "1"}
    words.update(about)
    words["checksum"] = sha256(write_file(arrays, words)).hexdigest()
    return write_file(arrays, words)


def unseal(data):
    arrays, words = read_file(data)
    if "version" not in words:
        raise ValueError("no version")
    if words["version"] != "1":
        raise ValueError("a file of version " + words["version"])
    signed, about = {}, {}
    for key, value in words.items():
        if key != "checksum":
            signed[key] = value
            if key != "version":
                about[key] = value
    if words.get("checksum", "") != sha256(write_file(arrays, signed)).hexdigest():
        raise ValueError("wrong checksum")
    return arrays, about


# %% variant={"of": "10_4_seal", "right": "sealed again, and the two files compared"}
def seal(arrays, about):
    h = sha256()
    h.update(write_file(arrays, dict(about, version="1")))
    return write_file(arrays, dict(about, version="1", checksum=h.digest().hex()))


def unseal(data):
    arrays, about = read_file(data)
    version, checksum = about.pop("version", None), about.pop("checksum", None)
    if version != "1":
        raise ValueError(f"version {version} is unknown")
    if read_file(seal(arrays, about))[1]["checksum"] != checksum:
        raise ValueError("the checksum does not agree")
    return arrays, about


# %% variant={"of": "10_5_trits_of", "wrong": "padding of zero bits"}
def trits_of(packed, columns):
    if packed.shape[1] != -(-columns // 4):
        raise ValueError(f"{columns} trits do not take {packed.shape[1]} bytes")
    codes = (packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    codes = codes.reshape(len(packed), 4 * packed.shape[1])
    if np.any(codes == 3):
        raise ValueError("code 11")
    if np.any(codes[:, columns:] != 0):
        raise ValueError("padding is not 01")
    return codes[:, :columns].astype(np.int8) - np.int8(1)


# %% variant={"of": "10_5_trits_of", "wrong": "only the byte FF is refused"}
def trits_of(packed, columns):
    if packed.shape[1] != -(-columns // 4):
        raise ValueError(f"{columns} trits do not take {packed.shape[1]} bytes")
    codes = (packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    codes = codes.reshape(len(packed), 4 * packed.shape[1])
    if np.any(packed == 255):
        raise ValueError("code 11")
    if np.any(codes[:, columns:] != 1):
        raise ValueError("padding is not 01")
    return codes[:, :columns].astype(np.int8) - np.int8(1)


# %% variant={"of": "10_5_trits_of", "wrong": "only the padding of the last row"}
def trits_of(packed, columns):
    if packed.shape[1] != -(-columns // 4):
        raise ValueError(f"{columns} trits do not take {packed.shape[1]} bytes")
    codes = (packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    codes = codes.reshape(len(packed), 4 * packed.shape[1])
    if np.any(codes == 3):
        raise ValueError("code 11")
    if np.any(codes[-1:, columns:] != 1):
        raise ValueError("padding is not 01")
    return codes[:, :columns].astype(np.int8) - np.int8(1)


# %% variant={"of": "10_5_trits_of", "wrong": "only the last trit's padding"}
def trits_of(packed, columns):
    if packed.shape[1] != -(-columns // 4):
        raise ValueError(f"{columns} trits do not take {packed.shape[1]} bytes")
    codes = (packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    codes = codes.reshape(len(packed), 4 * packed.shape[1])
    if np.any(codes == 3):
        raise ValueError("code 11")
    if columns % 4 and np.any(codes[:, -1:] != 1):
        raise ValueError("padding is not 01")
    return codes[:, :columns].astype(np.int8) - np.int8(1)


# %% variant={"of": "10_5_trits_of", "wrong": "a matrix without rows is refused"}
def trits_of(packed, columns):
    if packed.shape[1] != -(-columns // 4):
        raise ValueError(f"{columns} trits do not take {packed.shape[1]} bytes")
    codes = (packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    codes = codes.reshape(len(packed), 4 * packed.shape[1])
    if codes.max() == 3:
        raise ValueError("code 11")
    if np.any(codes[:, columns:] != 1):
        raise ValueError("padding is not 01")
    return codes[:, :columns].astype(np.int8) - np.int8(1)


# %% variant={"of": "10_5_trits_of", "wrong": "11 becomes 0"}
def trits_of(packed, columns):
    if packed.shape[1] != -(-columns // 4):
        raise ValueError(f"{columns} trits do not take {packed.shape[1]} bytes")
    codes = (packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    codes = codes.reshape(len(packed), 4 * packed.shape[1])
    codes[codes == 3] = 1
    if np.any(codes[:, columns:] != 1):
        raise ValueError("padding is not 01")
    return codes[:, :columns].astype(np.int8) - np.int8(1)


# %% variant={"of": "10_5_trits_of", "wrong": "the packed bytes are shifted in place"}
def trits_of(packed, columns):
    if packed.shape[1] != -(-columns // 4):
        raise ValueError(f"{columns} trits do not take {packed.shape[1]} bytes")
    fields = []
    for _ in range(4):
        fields.append(packed & 3)
        packed >>= 2
    codes = np.stack(fields, axis=2)
    codes = codes.reshape(len(packed), 4 * packed.shape[1])
    if np.any(codes == 3):
        raise ValueError("code 11")
    if np.any(codes[:, columns:] != 1):
        raise ValueError("padding is not 01")
    return codes[:, :columns].astype(np.int8) - np.int8(1)


# %% variant={"of": "10_5_trits_of", "right": "a table of 256 bytes, 11 found by two bits at once"}
TABLE = np.array([[(byte >> s & 3) - 1 for s in (0, 2, 4, 6)] for byte in range(256)], np.int8)


def trits_of(packed, columns):
    rows, width = packed.shape
    if not 0 <= 4 * width - columns < 4:
        raise ValueError("number of bytes")
    if (packed & packed >> 1 & 0b01010101).any():
        raise ValueError("11")
    trits = np.hstack([TABLE[packed[:, b]] for b in range(width)] or [np.zeros((rows, 0), np.int8)])
    if abs(trits[:, columns:]).sum():
        raise ValueError("padding")
    return np.ascontiguousarray(trits[:, :columns])


# %% variant={"of": "10_5_trits_of", "right": "digits to base 4, code by code"}
def trits_of(packed, columns):
    if (
        len(packed[0]) != (columns + 3) // 4
        if len(packed)
        else packed.shape[1] != (columns + 3) // 4
    ):
        raise ValueError("bytes")
    trits = np.empty((packed.shape[0], columns), np.int8)
    for row in range(packed.shape[0]):
        for byte in range(packed.shape[1]):
            rest = int(packed[row, byte])
            for column in range(4 * byte, 4 * byte + 4):
                rest, code = divmod(rest, 4)
                if code == 3 or (column >= columns and code != 1):
                    raise ValueError(f"row {row}, column {column}: code {code}")
                if column < columns:
                    trits[row, column] = code - 1
    return trits


# %% variant={"of": "10_6_prepare", "wrong": "six digits of each number"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(f"{m:.6f}") for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": json.dumps(list(class_names)),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return json.loads(about["classes"])


# %% variant={"of": "10_6_prepare", "wrong": "mean in float16"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(np.float16(m)) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": json.dumps(list(class_names)),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return json.loads(about["classes"])


# %% variant={"of": "10_6_prepare", "wrong": "names joined by commas"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(m) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": ",".join(class_names),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return about["classes"].split(",")


# %% variant={"of": "10_6_prepare", "wrong": "names joined by lines"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(m) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": "\\n".join(class_names),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return about["classes"].split("\\n")


# %% variant={"of": "10_6_prepare", "wrong": "no mean in the file: 0.5"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(m) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": json.dumps(list(class_names)),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about.get("mean", "[0.5, 0.5, 0.5]")), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return json.loads(about["classes"])


# %% variant={"of": "10_6_prepare", "wrong": "no std in the file: 1"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(m) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": json.dumps(list(class_names)),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about.get("std", "1.0")), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return json.loads(about["classes"])


# %% variant={"of": "10_6_prepare", "wrong": "one channel is broadcast to three"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(m) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": json.dumps(list(class_names)),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:3] != (size, size) or images.shape[3] not in (1, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return json.loads(about["classes"])


# %% variant={"of": "10_6_prepare", "wrong": "any integers"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(m) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": json.dumps(list(class_names)),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype.kind not in "iu" or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return json.loads(about["classes"])


# %% variant={"of": "10_6_prepare", "wrong": "height and width change places"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(m) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": json.dumps(list(class_names)),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.transpose((x - mean) / std, (0, 3, 2, 1))


def class_names_of(about):
    return json.loads(about["classes"])


# %% variant={"of": "10_6_prepare", "wrong": "numbers of the notebook, not of the file"}
def about_of(size, mean, std, class_names):
    return {
        "size": str(int(size)),
        "mean": json.dumps([float(m) for m in mean]),
        "std": json.dumps([float(s) for s in std]),
        "classes": json.dumps(list(class_names)),
    }


def prepare(images, about):
    try:
        size = int(about["size"])
        mean = np.array(json.loads(about["mean"]), np.float32)
        std = np.array(json.loads(about["std"]), np.float32)
    except (KeyError, TypeError, ValueError):
        raise ValueError("metadata do not say how to prepare") from None
    mean = np.array([0.5] * len(mean), np.float32)
    if mean.ndim != 1 or mean.shape != std.shape:
        raise ValueError("mean and std")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError("images are not bytes (B, H, W, C)")
    if images.shape[1:] != (size, size, len(mean)):
        raise ValueError(f"images are {images.shape[1:]}")
    x = images.astype(np.float32) / 255
    return np.moveaxis((x - mean) / std, 3, 1)


def class_names_of(about):
    return json.loads(about["classes"])


# %% variant={"of": "10_6_prepare", "right": "floats as hexadecimal, names as bytes in hexadecimal"}
def about_of(size, mean, std, class_names):
    about = {f"class {i}": name.encode("utf-8").hex() for i, name in enumerate(class_names)}
    about["pixels"] = f"{size} {size}"
    for i in range(len(mean)):
        about[f"channel {i}"] = float(mean[i]).hex() + " " + float(std[i]).hex()
    return about


def prepare(images, about):
    if "pixels" not in about or "channel 0" not in about:
        raise ValueError("no preparation in the metadata")
    channels = [key for key in about if key.startswith("channel ")]
    height, width = map(int, about["pixels"].split())
    if (
        np.ndim(images) != 4
        or images.dtype != "uint8"
        or images.shape[1:] != (height, width, len(channels))
    ):
        raise ValueError("these images are not what the network was trained for")
    x = np.empty((len(images), len(channels), height, width), np.float32)
    for c in range(len(channels)):
        if f"channel {c}" not in about:
            raise ValueError("a channel is missing")
        m, s = (float.fromhex(word) for word in about[f"channel {c}"].split())
        x[:, c] = (np.float32(1 / 255) * images[..., c] - m) / s
    return x


def class_names_of(about):
    count = sum(key.startswith("class ") for key in about)
    return [bytes.fromhex(about[f"class {i}"]).decode("utf-8") for i in range(count)]


# %% variant={"of": "10_6_prepare", "right": "one JSON object under one key, a table of 256 inputs for each channel"}
def about_of(size, mean, std, class_names):
    channels = [[float(m), float(s)] for m, s in zip(mean, std)]
    return {
        "input": json.dumps([int(size), channels]),
        "output": json.dumps([str(n) for n in class_names]),
    }


def prepare(images, about):
    if "input" not in about:
        raise ValueError("input: not in the metadata")
    size, channels = json.loads(about["input"])
    if type(images) is not np.ndarray or images.dtype != np.uint8:
        raise ValueError("images: not bytes")
    if images.ndim != 4 or images.shape[1:] != (size, size, len(channels)):
        raise ValueError("images: shape")
    levels = np.arange(256) / 255
    planes = [
        ((levels - m) / s).astype(np.float32)[images[:, :, :, c]]
        for c, (m, s) in enumerate(channels)
    ]
    return np.stack(planes, axis=1)


def class_names_of(about):
    return json.loads(about["output"])


# %% variant={"of": "10_7_packed_linear", "wrong": "sums in int16"}
def packed_linear(x, packed, alpha, gain, bias):
    trits = trits_of(packed, x.shape[1])
    codes, scale = absmax(rms_norm(x, gain))
    sums = (codes.astype(np.int16) @ trits.T.astype(np.int16)).astype(np.int32)
    return sums, (sums * scale * alpha + bias).astype(np.float32)


# %% variant={"of": "10_7_packed_linear", "wrong": "gain after the quantiser"}
def packed_linear(x, packed, alpha, gain, bias):
    trits = trits_of(packed, x.shape[1])
    codes, scale = absmax(rms_norm(x, 1.0))
    sums = np.rint(codes * gain).astype(np.int32) @ trits.T.astype(np.int32)
    return sums, (sums * scale * alpha + bias).astype(np.float32)


# %% variant={"of": "10_7_packed_linear", "wrong": "output from floats that were never rounded"}
def packed_linear(x, packed, alpha, gain, bias):
    trits = trits_of(packed, x.shape[1])
    codes, scale = absmax(rms_norm(x, gain))
    sums = codes.astype(np.int32) @ trits.T.astype(np.int32)
    return sums, (alpha * (rms_norm(x, gain) @ trits.T) + bias).astype(np.float32)


# %% variant={"of": "10_7_packed_linear", "wrong": "one scale for all tokens"}
def packed_linear(x, packed, alpha, gain, bias):
    trits = trits_of(packed, x.shape[1])
    codes, scale = absmax(rms_norm(x, gain))
    sums = codes.astype(np.int32) @ trits.T.astype(np.int32)
    return sums, (sums * scale.max() * alpha + bias).astype(np.float32)


# %% variant={"of": "10_7_packed_linear", "wrong": "columns from the bytes"}
def packed_linear(x, packed, alpha, gain, bias):
    trits = trits_of(packed, 4 * packed.shape[1])
    codes, scale = absmax(rms_norm(x, gain))
    sums = codes.astype(np.int32) @ trits.T.astype(np.int32)
    return sums, (sums * scale * alpha + bias).astype(np.float32)


# %% variant={"of": "10_7_packed_linear", "wrong": "codes read without a look at them"}
def packed_linear(x, packed, alpha, gain, bias):
    trits = ((packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3).reshape(len(packed), -1)[
        :, : x.shape[1]
    ].astype(np.int8) - 1
    codes, scale = absmax(rms_norm(x, gain))
    sums = codes.astype(np.int32) @ trits.T.astype(np.int32)
    return sums, (sums * scale * alpha + bias).astype(np.float32)


# %% variant={"of": "10_7_packed_linear", "right": "sums in doubles, which are exact"}
def packed_linear(x, packed, alpha, gain, bias):
    codes, scale = absmax(rms_norm(x, gain))
    sums = np.einsum("mk,nk->mn", codes.astype(float), trits_of(packed, len(gain)).astype(float))
    sums = np.rint(sums).astype("i4")
    return sums, np.float32(alpha * scale * sums + bias[None])


# %% variant={"of": "10_7_packed_linear", "right": "what a +1 adds less what a -1 takes, row by row"}
def packed_linear(x, packed, alpha, gain, bias):
    trits = trits_of(packed, x.shape[1])
    codes, scale = absmax(rms_norm(x, gain))
    sums = np.zeros((len(x), len(trits)), np.int32)
    for n, row in enumerate(trits):
        sums[:, n] += codes[:, row == 1].sum(axis=1, dtype=np.int32)
        sums[:, n] -= codes[:, row == -1].sum(axis=1, dtype=np.int32)
    out = np.empty(sums.shape, np.float32)
    for m in range(len(x)):
        out[m] = sums[m] * (scale[m, 0] * alpha) + bias
    return sums, out


# %% variant={"of": "10_8_percentile", "wrong": "rank in floats, where 7 per cent of 100 is more than 7"}
def percentile(samples, percent):
    ordered = np.sort(samples)
    rank = int(np.ceil(percent / 100 * len(ordered)))
    return ordered[rank - 1]


def bootstrap(samples, percent, draws, rng):
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(samples), len(samples))
        found.append(percentile(np.asarray(samples)[chosen], percent))
    low, high = np.quantile(found, [0.025, 0.975])
    return low, high


# %% variant={"of": "10_8_percentile", "wrong": "NumPy's inverted distribution, in floats"}
def percentile(samples, percent):
    ordered = np.sort(samples)
    return np.quantile(ordered, percent / 100, method="inverted_cdf")


def bootstrap(samples, percent, draws, rng):
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(samples), len(samples))
        found.append(percentile(np.asarray(samples)[chosen], percent))
    low, high = np.quantile(found, [0.025, 0.975])
    return low, high


# %% variant={"of": "10_8_percentile", "wrong": "NumPy's nearest"}
def percentile(samples, percent):
    return np.percentile(samples, percent, method="nearest")


def bootstrap(samples, percent, draws, rng):
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(samples), len(samples))
        found.append(percentile(np.asarray(samples)[chosen], percent))
    low, high = np.quantile(found, [0.025, 0.975])
    return low, high


# %% variant={"of": "10_8_percentile", "wrong": "as many as draws"}
def percentile(samples, percent):
    ordered = np.sort(samples)
    rank = -(-percent * len(ordered) // 100)
    return ordered[rank - 1]


def bootstrap(samples, percent, draws, rng):
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(samples), draws)
        found.append(percentile(np.asarray(samples)[chosen], percent))
    low, high = np.quantile(found, [0.025, 0.975])
    return low, high


# %% variant={"of": "10_8_percentile", "wrong": "mean and two standard deviations"}
def percentile(samples, percent):
    ordered = np.sort(samples)
    rank = -(-percent * len(ordered) // 100)
    return ordered[rank - 1]


def bootstrap(samples, percent, draws, rng):
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(samples), len(samples))
        found.append(percentile(np.asarray(samples)[chosen], percent))
    low, high = np.mean(found) - 1.96 * np.std(found), np.mean(found) + 1.96 * np.std(found)
    return low, high


# %% variant={"of": "10_8_percentile", "wrong": "never the last sample"}
def percentile(samples, percent):
    ordered = np.sort(samples)
    rank = -(-percent * len(ordered) // 100)
    return ordered[rank - 1]


def bootstrap(samples, percent, draws, rng):
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(samples) - 1, len(samples))
        found.append(percentile(np.asarray(samples)[chosen], percent))
    low, high = np.quantile(found, [0.025, 0.975])
    return low, high


# %% variant={"of": "10_8_percentile", "wrong": "smallest and largest of the draws"}
def percentile(samples, percent):
    ordered = np.sort(samples)
    rank = -(-percent * len(ordered) // 100)
    return ordered[rank - 1]


def bootstrap(samples, percent, draws, rng):
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(samples), len(samples))
        found.append(percentile(np.asarray(samples)[chosen], percent))
    low, high = min(found), max(found)
    return low, high


# %% variant={"of": "10_8_percentile", "wrong": "each draw the same"}
def percentile(samples, percent):
    ordered = np.sort(samples)
    rank = -(-percent * len(ordered) // 100)
    return ordered[rank - 1]


def bootstrap(samples, percent, draws, rng):
    found = []
    chosen = rng.integers(0, len(samples), len(samples))
    for _ in range(draws):
        found.append(percentile(np.asarray(samples)[chosen], percent))
    low, high = np.quantile(found, [0.025, 0.975])
    return low, high


# %% variant={"of": "10_8_percentile", "right": "counts who is not larger, resamples as multinomial counts"}
def percentile(samples, percent):
    best = max(samples)
    for s in samples:
        if 100 * sum(1 for other in samples if other <= s) >= percent * len(samples) and s < best:
            best = s
    return best


def bootstrap(samples, percent, draws, rng):
    ordered, n = np.sort(samples), len(samples)
    found = np.empty(draws)
    for i in range(draws):
        counts = rng.multinomial(n, np.full(n, 1 / n)).cumsum()
        found[i] = ordered[np.argmax(100 * counts >= percent * n)]
    return tuple(np.quantile(found, (0.025, 0.975)))


# %% variant={"of": "10_8_percentile", "right": "partition, all resamples at once"}
def percentile(samples, percent):
    k = (percent * len(samples) + 99) // 100 - 1
    return float(np.partition(np.array(samples, float), k)[k])


def bootstrap(samples, percent, draws, rng):
    n = len(samples)
    k = (percent * n + 99) // 100 - 1
    resampled = np.sort(rng.choice(samples, size=(draws, n), replace=True), axis=1)[:, k]
    return float(np.quantile(resampled, 0.025)), float(np.quantile(resampled, 0.975))


# %% variant={"of": "10_8_percentile", "right": "a uniform number times n, one percentile at a time"}
def percentile(samples, percent):
    from fractions import Fraction

    ordered = sorted(samples)
    for rank, sample in enumerate(ordered, 1):
        if Fraction(rank, len(ordered)) >= Fraction(percent, 100):
            return sample


def bootstrap(samples, percent, draws, rng):
    found = [
        percentile([samples[int(u * len(samples))] for u in rng.random(len(samples))], percent)
        for _ in range(draws)
    ]
    return np.quantile(found, 0.025), np.quantile(found, 0.975)


# %% variant={"of": "10_9_repaired_board", "wrong": "p50 of p50, p95 of p95"}
def fault_of_board():
    return "a"


def repaired_board(minutes):
    return float(percentile([percentile(m, 50) for m in minutes], 50)), float(
        percentile([percentile(m, 95) for m in minutes], 95)
    )


# %% variant={"of": "10_9_repaired_board", "wrong": "averages of the minutes' percentiles, weighted"}
def fault_of_board():
    return "a"


def repaired_board(minutes):
    return (
        *(
            float(
                np.average([percentile(m, p) for m in minutes], weights=[len(m) for m in minutes])
            )
            for p in (50, 95)
        ),
    )


# %% variant={"of": "10_9_repaired_board", "wrong": "means, each as often as its minute has requests"}
def fault_of_board():
    return "a"


def repaired_board(minutes):
    requests = np.concatenate([np.full(len(m), np.mean(m)) for m in minutes])
    return float(percentile(requests, 50)), float(percentile(requests, 95))


# %% variant={"of": "10_9_repaired_board", "wrong": "minutes of one length only"}
def fault_of_board():
    return "a"


def repaired_board(minutes):
    requests = np.array(minutes).ravel()
    return float(percentile(requests, 50)), float(percentile(requests, 95))


# %% variant={"of": "10_9_repaired_board", "wrong": "the slowest of each minute left out"}
def fault_of_board():
    return "a"


def repaired_board(minutes):
    requests = np.concatenate([np.sort(m)[:-1] for m in minutes])
    return float(percentile(requests, 50)), float(percentile(requests, 95))


# %% variant={"of": "10_9_repaired_board", "right": "a heap of the slow ones, minute by minute"}
import heapq


def fault_of_board():
    return "abcd"[0]


def repaired_board(minutes):
    heap = [float(ms) for minute in minutes for ms in minute]
    n = len(heap)
    slow = heapq.nlargest(n - (95 * n + 99) // 100 + 1, heap)[-1]
    usual = heapq.nsmallest((n + 1) // 2, heap)[-1]
    return usual, slow


# %% variant={"of": "10_10_repaired_promise", "wrong": "started again for the warm ones"}
def repaired_promise(start, image, clock):
    begin = clock()
    run = start()
    run(image)
    first = clock() - begin
    waits, run = [], start()
    for _ in range(200):
        begin = clock()
        run(image)
        waits.append(clock() - begin)
    return first, float(np.quantile(waits, 0.95))


# %% variant={"of": "10_10_repaired_promise", "wrong": "start and answer apart"}
def repaired_promise(start, image, clock):
    run = start()
    begin = clock()
    run(image)
    first = clock() - begin
    begin = clock()
    start()
    first += clock() - begin
    waits = []
    for _ in range(200):
        begin = clock()
        run(image)
        waits.append(clock() - begin)
    return first, float(np.quantile(waits, 0.95))


# %% variant={"of": "10_10_repaired_promise", "wrong": "one watch for all 200, divided"}
def repaired_promise(start, image, clock):
    begin = clock()
    run = start()
    run(image)
    first = clock() - begin
    begin = clock()
    for _ in range(200):
        run(image)
    waits = [(clock() - begin) / 200] * 200
    return first, float(np.quantile(waits, 0.95))


# %% variant={"of": "10_10_repaired_promise", "wrong": "time of its own watch"}
def repaired_promise(start, image, clock):
    begin = clock()
    run = start()
    run(image)
    first = clock() - begin
    import time

    clock = time.perf_counter
    waits = []
    for _ in range(200):
        begin = clock()
        run(image)
        waits.append(clock() - begin)
    return first, float(np.quantile(waits, 0.95))


# %% variant={"of": "10_10_repaired_promise", "wrong": "waits pile up"}
def repaired_promise(start, image, clock):
    begin = clock()
    run = start()
    run(image)
    first = clock() - begin
    waits = []
    begin = clock()
    for _ in range(200):
        run(image)
        waits.append(clock() - begin)
    return first, float(np.quantile(waits, 0.95))


# %% variant={"of": "10_10_repaired_promise", "wrong": "the p95 of all 201"}
def repaired_promise(start, image, clock):
    begin = clock()
    run = start()
    run(image)
    first = clock() - begin
    waits = [first]
    for _ in range(200):
        begin = clock()
        run(image)
        waits.append(clock() - begin)
    return first, float(np.quantile(waits, 0.95))


# %% variant={"of": "10_10_repaired_promise", "right": "nearest rank, and times read once between two calls"}
def repaired_promise(start, image, clock):
    times = [clock()]
    run = start()
    for _ in range(201):
        run(image)
        times.append(clock())
    first, *later = np.diff(times)
    return float(first), float(percentile(later, 95))


# %% variant={"of": "10_10_repaired_promise", "right": "warmed up between the first answer and the 200, as in the exhibit"}
def repaired_promise(start, image, clock):
    began = clock()
    run = start()
    run(image)
    first = clock() - began
    for _ in range(20):
        run(image)

    def once():
        began = clock()
        run(image)
        return clock() - began

    return first, sorted(once() for _ in range(200))[189]


# %% variant={"of": "10_11_repaired_export", "wrong": "padding repeats the last trit"}
def repaired_export(latents):
    exported = {}
    for name, latent in latents.items():
        alpha = np.abs(latent).mean()
        trits = np.clip(np.round(latent / alpha), -1, 1)
        codes = (trits + 1).astype(np.uint8)
        codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)), mode="edge")
        packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
        exported[name + ".codes"] = packed
        exported[name + ".scale"] = np.float32(alpha).reshape(())
    return exported


# %% variant={"of": "10_11_repaired_export", "wrong": "padding in front"}
def repaired_export(latents):
    exported = {}
    for name, latent in latents.items():
        alpha = np.abs(latent).mean()
        trits = np.clip(np.round(latent / alpha), -1, 1)
        codes = (trits + 1).astype(np.uint8)
        codes = np.pad(codes, ((0, 0), (-codes.shape[1] % 4, 0)), constant_values=1)
        packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
        exported[name + ".codes"] = packed
        exported[name + ".scale"] = np.float32(alpha).reshape(())
    return exported


# %% variant={"of": "10_11_repaired_export", "wrong": "no clip"}
def repaired_export(latents):
    exported = {}
    for name, latent in latents.items():
        alpha = np.abs(latent).mean()
        trits = np.round(latent / alpha)
        codes = (trits + 1).astype(np.uint8)
        codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)), constant_values=1)
        packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
        exported[name + ".codes"] = packed
        exported[name + ".scale"] = np.float32(alpha).reshape(())
    return exported


# %% variant={"of": "10_11_repaired_export", "wrong": "a scale for each row"}
def repaired_export(latents):
    exported = {}
    for name, latent in latents.items():
        alpha = np.abs(latent).mean(axis=1, keepdims=True)
        trits = np.clip(np.round(latent / alpha), -1, 1)
        codes = (trits + 1).astype(np.uint8)
        codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)), constant_values=1)
        packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
        exported[name + ".codes"] = packed
        exported[name + ".scale"] = np.float32(alpha)[0, 0]
    return exported


# %% variant={"of": "10_11_repaired_export", "wrong": "one scale for all matrices"}
def repaired_export(latents):
    exported = {}
    alpha = np.mean([np.abs(w).mean() for w in latents.values()])
    for name, latent in latents.items():
        trits = np.clip(np.round(latent / alpha), -1, 1)
        codes = (trits + 1).astype(np.uint8)
        codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)), constant_values=1)
        packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
        exported[name + ".codes"] = packed
        exported[name + ".scale"] = np.float32(alpha).reshape(())
    return exported


# %% variant={"of": "10_11_repaired_export", "wrong": "latents divided in place"}
def repaired_export(latents):
    exported = {}
    for name, latent in latents.items():
        alpha = np.abs(latent).mean()
        latent /= alpha
        trits = np.clip(np.round(latent), -1, 1)
        codes = (trits + 1).astype(np.uint8)
        codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)), constant_values=1)
        packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
        exported[name + ".codes"] = packed
        exported[name + ".scale"] = np.float32(alpha).reshape(())
    return exported


# %% variant={"of": "10_11_repaired_export", "wrong": "code 11 for -1"}
def repaired_export(latents):
    exported = {}
    for name, latent in latents.items():
        alpha = np.abs(latent).mean()
        trits = np.clip(np.round(latent / alpha), -1, 1)
        codes = trits.astype(np.int8).view(np.uint8) & 3
        codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)), constant_values=0)
        packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
        exported[name + ".codes"] = packed
        exported[name + ".scale"] = np.float32(alpha).reshape(())
    return exported


# %% variant={"of": "10_11_repaired_export", "wrong": "ties of half a scale become 1"}
def repaired_export(latents):
    exported = {}
    for name, latent in latents.items():
        alpha = np.abs(latent).mean()
        trits = (latent >= alpha / 2) * 1 - (latent <= -alpha / 2) * 1
        codes = (trits + 1).astype(np.uint8)
        codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)), constant_values=1)
        packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
        exported[name + ".codes"] = packed
        exported[name + ".scale"] = np.float32(alpha).reshape(())
    return exported


# %% variant={"of": "10_11_repaired_export", "right": "by thresholds, a byte a sum of powers of four"}
def repaired_export(latents):
    exported = {}
    for name, latent in latents.items():
        n, k = latent.shape
        alpha = np.abs(latent).sum() / (n * k)
        codes = np.ones((n, -(-k // 4) * 4), int)
        codes[:, :k] += (latent > alpha / 2).astype(int) - (latent < -alpha / 2)
        packed = codes.reshape(n, -1, 4) @ [1, 4, 16, 64]
        exported[f"{name}.codes"] = packed.astype(np.uint8)
        exported[f"{name}.scale"] = np.array(alpha, np.float32)
    return exported


# %% variant={"of": "10_11_repaired_export", "right": "bits of the signs, packed by NumPy"}
def repaired_export(latents):
    exported = {}
    for name in latents:
        w = np.asarray(latents[name])
        alpha = np.mean(np.abs(w))
        t = np.rint(np.clip(w / alpha, -1, 1))
        bits = np.stack([t == 0, t > 0], axis=2)
        bits = bits.reshape(len(w), -1)
        missing = -w.shape[1] % 4
        bits = np.hstack([bits] + [np.array([[True, False]] * len(w))] * missing)
        exported |= {
            name + ".codes": np.packbits(bits, axis=1, bitorder="little"),
            name + ".scale": np.asarray(np.float32(alpha)),
        }
    return exported
