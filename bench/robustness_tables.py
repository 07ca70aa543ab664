"""Writes the tables of docs/robustness.md from what `fer-ensemble evaluate --robustness` left in folders.

python bench/robustness_tables.py evaluation/shipped evaluation/fer_package
"""

import json
import pathlib
import sys


def main(folders):
    found = [
        tuple(
            json.loads((pathlib.Path(folder) / name).read_text(encoding="utf-8"))
            for name in ("evaluation.json", "robustness.json")
        )
        for folder in folders
    ]
    names = [robustness["network"]["name"] for _, robustness in found]
    print(f"Accuracy, %, mean over five strengths; {found[0][1]['faces']}, {found[0][1]['images']:,} faces:\n")
    _print_table(["", *names], _accuracy_rows([robustness for _, robustness in found]))
    print("\nBy strength, over all corruptions:\n")
    header = [
        "strength",
        *(f"{name}: {what}" for name in names for what in ("right", "unsure", "sure and right", "ECE")),
    ]
    _print_table(header, _strength_rows([robustness for _, robustness in found]))
    print("\nWithout a face, share of sure answers, %:\n")
    kinds = [one["kind"] for one in found[0][0]["faceless"]["kinds"]]
    rows = []
    for index, kind in enumerate(kinds):
        rows.append([kind, *(_percent(scores["faceless"]["kinds"][index]["sure"]) for scores, _ in found)])
    rows.append(["all", *(_percent(scores["faceless"]["sure"]) for scores, _ in found)])
    rows.append(["AURC, faces", *(_percent(scores["risk"]["aurc"]) for scores, _ in found)])
    rows.append(["AURC, with the crops", *(_percent(scores["faceless"]["risk"]["aurc"]) for scores, _ in found)])
    _print_table(["", *names], rows)


def _accuracy_rows(found):
    rows = [["as they are", *(_percent(1 - one["clean"]["error"]) for one in found)]]
    for name, corruption in found[0]["corruptions"].items():
        rows.append([corruption["title"], *(_percent(1 - one["corruptions"][name]["error"]) for one in found)])
    rows.append(["**all**", *(f"**{_percent(1 - one['mean_error'])}**" for one in found)])
    rows.append(["relative drop", *(_percent(one["relative_drop"]) for one in found)])
    rows.append(["mean corruption error", *(_percent(one["mean_corruption_error"]) for one in found)])
    return rows


def _strength_rows(found):
    rows = []
    for strength in range(6):
        cells = []
        for one in found:
            values = one["by_strength"][strength]
            sure = None if values["sure_error"] is None else 1 - values["sure_error"]
            cells += [1 - values["error"], values["unsure"], sure, values["ece"]]
        rows.append([str(strength), *map(_percent, cells)])
    return rows


def _percent(value):
    return "-" if value is None else f"{100 * value:.1f}"


def _print_table(header, rows):
    print(f"| {' | '.join(header)} |\n|{' --- |' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
