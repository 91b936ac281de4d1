"""Prints the table of the protocol, row by row with the test that holds it; fails if one does not exist.

protocol.tsv has one row a statement: chapter, statement, tests (FILE::NAME, separated by spaces; files
are relative to this directory). Tests of Python are functions called test_*; those of cmocka are what a
list of tests registers.
"""
import ast
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REGISTERED = re.compile(r"\b(?:cmocka_unit_test\w*|T|TEST)\(\s*(\w+)")


def tests_of(path):
    text = path.read_text()
    if path.suffix == ".py":
        return {node.name for node in ast.parse(text).body
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    return set(REGISTERED.findall(text))


def rows(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 3 or not all(c.strip() for c in cells):
            raise SystemExit(f"{path.name}:{number}: not three cells: {line!r}")
        yield number, *cells


def missing(tests, known):
    for test in tests.split():
        name, _, function = test.partition("::")
        path = HERE / name
        if path not in known:
            known[path] = tests_of(path) if path.is_file() else set()
        if function not in known[path]:
            yield test


def main():
    known, failures, count, last = {}, 0, 0, None
    for number, chapter, statement, tests in rows(HERE / "protocol.tsv"):
        if chapter != last:
            print(f"\n{chapter}")
            last = chapter
        absent = list(missing(tests, known))
        print(f"  {'MISSING' if absent else 'held'}  {statement}")
        for test in tests.split():
            print(f"           {test}{'  <- does not exist' if test in absent else ''}")
        failures += bool(absent)
        count += 1
    print(f"\n{count} statements, {failures} without their test")
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main())
