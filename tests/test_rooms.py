"""The rooms of `fer_ensemble/`, read off their source: what each may import, and the types it gives."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "fer_ensemble"
# Ground floor first; those of one line do not know each other.
FLOORS = (
    ("base",),
    ("data",),
    ("models",),
    ("scoring",),
    ("members",),
    ("ensemble",),
    ("training",),
    ("evaluation",),
    ("faces",),
    ("classifier",),
    ("export",),
    ("report",),
    ("launch",),
    ("sweep",),
    ("serve",),
    ("commands",),
)
LEVELS = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
WITHOUT_KERAS = ("base", "data", "scoring", "faces", "classifier", "serve")
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path):
    """Yields each module that a file imports, by its full name, and whether it does so when imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node not in inner) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{name.name}", node not in inner) for name in node.names)


def room_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_a_room_imports_only_rooms_above_it_in_the_table(path):
    room = room_of(path)
    if room is None or path.name == "__main__.py":
        return
    for name, _ in imported(path):
        if name.startswith("fer_ensemble."):
            other = name.split(".")[1]
            if other != room and other in LEVELS:
                assert LEVELS[other] < LEVELS[room], f"{room} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_absl_stays_in_commands_and_tensorflow_out_of_the_imports(path):
    for name, at_import in imported(path):
        package = name.split(".")[0]
        if room_of(path) != "commands" and path.name != "__main__.py":
            assert package != "absl", f"imports {name}"
        assert not (package == "tensorflow" and at_import), f"imports {name}"
        if room_of(path) in WITHOUT_KERAS:
            assert package not in ("keras", "tensorflow"), f"imports {name}"


def test_every_room_has_its_place_in_the_table():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms - {"assets"} <= set(LEVELS)


def functions(body, public=True):
    """Yields the public functions and methods of a module, each with its arguments but `self`."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{name}", *rest) for name, *rest in methods(node, public))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and public and not is_private(node.name):
            yield node.name, node, arguments(node)


def methods(node, public):
    for name, function, given in functions(node.body, public and not node.name.startswith("_")):
        static = any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in function.decorator_list)
        yield name, function, given if static else given[1:]


def is_private(name):
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def arguments(function):
    given = function.args
    single = [one for one in (given.vararg, given.kwarg) if one]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *single]


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_everything_public_has_type_hints(path):
    for name, function, given in functions(ast.parse(path.read_text(encoding="utf-8")).body):
        without = [one.arg for one in given if one.annotation is None]
        assert not without, f"{name} lacks the types of {without}"
        returns = function.returns is not None or function.name in ("__init__", "__post_init__")
        assert returns, f"{name} lacks the type of what it returns"
