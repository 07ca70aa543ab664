"""The benchmarks run seldom: that what they import is still there is seen each time."""

import ast
import importlib.util
import pathlib

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"


def list_imports(tree):
    """Yields the module, and the name that is taken from it, of each import from the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fer_ensemble":
            yield from ((node.module, alias.name) for alias in node.names)


def list_names(module):
    """Returns what a module defines or imports, without running it."""
    tree = ast.parse(pathlib.Path(importlib.util.find_spec(module).origin).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {
        a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names
    }


@pytest.mark.parametrize("path", sorted(BENCH.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path):
    for module, name in list_imports(ast.parse(path.read_text())):
        is_module = importlib.util.find_spec(f"{module}.{name}") if name not in list_names(module) else True
        assert is_module, f"{path.name}: from {module} import {name}"
