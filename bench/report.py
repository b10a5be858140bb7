"""What a run found, for people: the table of ratios next to the figures to reach, and every sample behind them."""

import figures


def number(value, unit=""):
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{' ' + unit if unit and unit != '×' else unit}"


def verdicts(result):
    """A line a figure: text, measured, to reach, to beat, verdict. A run of some groups only tells of what it measured."""
    lines = []
    for figure in figures.ALL:
        value = result["figures"].get(figure.key)
        if value is None and result["part"]:
            continue
        sign = "≤" if figure.at_most else "≥"
        goals = [f"{sign} {number(goal, figure.unit)}" for goal in (figure.reach, figure.beat)]
        lines.append((figure.text, number(value, figure.unit), *goals, figure.verdict(value)))
    return lines


def sample_lines(result):
    """A line a sample: group, what, target, and its medians."""
    lines = []
    for sample in result["samples"]:
        rate = number(sample["rate"], sample.get("unit", "/s"))
        spread = f"{number(sample['lowest'])}–{number(sample['highest'])}" if "lowest" in sample else ""
        times = [number(sample.get(key)) for key in ("p50_us", "p99_us", "cpu_us")]
        odd = f"{sample['refused']:.0f} REFUSED" if sample.get("refused") else ""
        lines.append((sample["group"], sample["name"], sample["target"], rate, spread, *times, odd))
    return lines


def about(result):
    machine, versions = result["machine"], result["versions"]
    return [
        f"{result['mode']} run of {result['at']}: {result['rounds']} rounds of {result['seconds_a_sample']} s a sample, medians; "
        f"took {result['took_seconds']} s; load average {result['load_before']:.1f} before it, {result['load_after']:.1f} at its end",
        f"{machine['cores']} cores ({machine['cpu']}), Linux {machine['kernel']}; servers on core {machine['server_core']}, clients on core {machine['client_core']}",
        ", ".join(f"{name} {version.split(' ', 1)[-1] if name in ('rollbook',) else version}" for name, version in versions.items()),
    ]


FIGURE_HEAD = ("figure", "measured", "to reach", "then", "")
SAMPLE_HEAD = ("group", "what", "target", "rate", "lowest–highest", "p50 µs", "p99 µs", "CPU µs", "")


def text(result):
    parts = ["\n".join(about(result)), aligned(FIGURE_HEAD, verdicts(result)), aligned(SAMPLE_HEAD, sample_lines(result)), "\n".join(result["notes"])]
    return "\n\n".join(part for part in parts if part)


def markdown(result):
    parts = [*about(result), piped(FIGURE_HEAD, verdicts(result)), piped(SAMPLE_HEAD, sample_lines(result)), *result["notes"]]
    return "\n\n".join(parts) + "\n"


def aligned(head, lines):
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in [head, *lines])


def piped(head, lines):
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])
