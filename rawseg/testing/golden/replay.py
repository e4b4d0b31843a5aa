"""Call a function with the golden vectors of an operation: python replay.py mymodule:my_conv2d --op conv2d."""

import argparse
import hashlib
import importlib
import inspect
import io
import json
import pathlib
import sys

import numpy as np


def read(value, stored):
    """Return an option as a function takes it: arrays are looked up, and lists become tuples."""
    if isinstance(value, dict):
        return stored[value["npz"]][()]
    return tuple(read(one, stored) for one in value) if isinstance(value, list) else value


def compare(results, entries, stored):
    """Raise an error unless every result has its dtype, its shape, and elements as exact as rounding allows."""
    for got, entry in zip(map(np.asarray, results), entries, strict=True):
        kind, expected = f"{got.dtype} {list(got.shape)}", f"{entry['dtype']} {entry['shape']}"
        if kind != expected:
            raise AssertionError(f"{entry['of']}: {kind}, expected {expected}")
        exact, bound = stored[entry["npz"]].astype(np.float64)
        for at in map(tuple, np.argwhere(~np.isclose(got, exact, rtol=0, atol=bound, equal_nan=True)).tolist()):
            raise AssertionError(f"{entry['of']} at {at}: {got[at]}, exactly {exact[at]}, may be off by {bound[at]:.2g}")


def replay(case, stored, function, backward):
    """Return "passed", "left out" where the function does not take these arguments, or what is wrong."""
    given = {one["name"]: stored[one["npz"]].copy() if one["npz"] else None for one in case["arrays"]}
    arrays = [given[one["name"]] for one in case["arrays"] if not one["by_name"]]
    options = {one["name"]: given[one["name"]] for one in case["arrays"] if one["by_name"] and one["npz"]}
    options |= {name: read(value, stored) for name, value in case["options"].items()}
    try:
        inspect.signature(function).bind(*arrays, **options)
    except TypeError:
        return "left out"
    try:
        outputs = function(*arrays, **options)
        if case["kind"] == "bad input":
            return f"accepted, expected an error about {case['argument']}"
        compare(outputs if isinstance(outputs, (tuple, list)) else [outputs], case["outputs"], stored)
        compare([given[entry["of"]] for entry in case.get("written", [])], case.get("written", []), stored)
        if backward and "gradients" in case:
            directions = [stored[one["npz"]] for one in case["directions"]]  # the gradients of the outputs
            found = backward(tuple(directions) if len(directions) > 1 else directions[0], *arrays, **options)
            found = zip(found if isinstance(found, (tuple, list)) else [found], case["arrays"])
            compare([one for one, array in found if array["gradient"]], case["gradients"], stored)
    except Exception as error:
        return "passed" if case["kind"] == "bad input" else f"{type(error).__name__}: {error}"
    return "passed"


def main():
    """Replay all cases of an operation, and tell how many passed and what is wrong with the first that did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("function", help="module:name; its gradients are name_backward(grad_output, *arrays, **options)")
    parser.add_argument("--op", required=True, help="the operation that it is meant to be")
    asked, folder, counts, failures = parser.parse_args(), pathlib.Path(__file__).parent, {}, []
    try:
        index, packed = json.loads((folder / "cases.json").read_text()), (folder / f"{asked.op}.npz").read_bytes()
        assert hashlib.sha256(packed).hexdigest() == index["sha256"][f"{asked.op}.npz"], "not as it was written"
        cases, stored = index["cases"], dict(np.load(io.BytesIO(packed)))
    except Exception as error:
        sys.exit(f"replay: no {asked.op} in {folder}, or a damaged file: {error}")
    sys.path.insert(0, "")
    library, name = importlib.import_module(asked.function.partition(":")[0]), asked.function.partition(":")[2]
    for case in (case for case in cases if case["op"] == asked.op):
        said = replay(case, stored, getattr(library, name), getattr(library, f"{name}_backward", None))
        state = said if said in ("passed", "left out") else "may differ" if case["own"] or case["extra"] else "failed"
        counts[case["kind"], state] = counts.get((case["kind"], state), 0) + 1
        if state == "failed":
            failures.append(f"case {case['number']}: {case['what']} ({case['row']})\n  {case['call']}\n  {said}")
    print(*(f"{kind}: {count} {state}" for (kind, state), count in counts.items()), sep="\n")
    if all(state == "left out" for _, state in counts):
        sys.exit(f"replay: {name} takes the arguments of no case")
    sys.exit(f"\nfirst of {len(failures)} failures: {failures[0]}" if failures else 0)


if __name__ == "__main__":
    main()
