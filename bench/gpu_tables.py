"""The results of gpu.py as Markdown."""


def format_results(rows, skipped, device):
    """Returns the results as Markdown.

    Args:
        rows: List of dictionaries, the measurements.
        skipped: List of lines, what was not measured and why.
        device: `gpu` or `cpu`.
    """
    found = {}
    for row in rows:
        found.setdefault(row["kind"], []).append(row)
    lines = ["# Speed on a GPU", ""] if device == "gpu" else ["# A trial on the CPU, with tiny sizes", ""]
    for row in found.get("device", []):
        versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
        lines += [f"{row['device']}, {versions}", ""]
    peaks = {row["precision"]: row["teraflops"] for row in found.get("peak", [])}
    table = [
        [precision, f"{row['size']:,}", f"{row['teraflops']:.3g}"]
        for precision, row in zip(peaks, found.get("peak", []), strict=True)
    ]
    lines += format_table("Product of two square matrices", ["precision", "size", "TFLOP/s"], table)
    table = []
    for row in found.get("training", []):
        peak = peaks.get(row["precision"].removeprefix("mixed_"))
        share = f"{row['teraflops'] / peak:.1%}" if peak else ""
        values = [row[name] for name in ("model", "width", "batch_size", "precision", "steps_per_call")]
        table.append([*values, f"{row['images_per_second']:,.0f}", share, f"{row['warm_up_seconds']:.0f}"])
    columns = ["model", "width", "batch", "precision", "steps per call", "images/s", "share of the peak"]
    lines += format_table("Training", [*columns, "warm-up, s"], table)
    by_count = {}
    for row in found.get("worker", []):
        by_count.setdefault(row["workers"], []).append(row)
    table = [
        [
            workers,
            *(own[0][name] for name in ("model", "width")),
            f"{sum(row['images_per_second'] for row in own):,.0f}",
        ]
        for workers, own in by_count.items()
        if len(own) == workers
    ]
    lines += format_table("Workers on one GPU", ["workers", "model", "width", "images/s of all"], table)
    table = [
        [row["width"], f"{row['images']:,}", f"{row['seconds']:.2f}", f"{row['warm_up_seconds']:.0f}"]
        for row in found.get("prediction", [])
    ]
    lines += format_table("Prediction with 16 members", ["width", "images", "seconds", "warm-up, s"], table)
    for row in found.get("full run", []):
        end = "" if row["ended"] else ", then the time was over"
        lines += [
            f"Full run: {row['members']} members in {row['seconds']:.0f} s{end}; "
            f"a member trained {row['training_seconds_of_a_member']:.0f} s.",
            "",
        ]
    lines += [f"- not measured: {line}" for line in skipped]
    return "\n".join(lines).rstrip() + "\n"


def format_table(title, columns, rows):
    if not rows:
        return []
    cells = [columns, ["---"] * len(columns), *([str(value) for value in row] for row in rows)]
    return [f"## {title}", "", *(f"| {' | '.join(row)} |" for row in cells), ""]
