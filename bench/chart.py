"""Pictures as SVG. A plotting library would be the benchmark's only Python dependency, and a hundred times its size, for bars and lines."""

import html
import math

import figures

WIDTH, BAR, LEFT, RIGHT = 1000, 22, 500, 110
COLOURS = {"beaten": "#1a7f37", "met": "#4c9be8", "falls short": "#d1552c"}
LINES = ["#1f6feb", "#d1552c", "#1a7f37", "#8250df", "#9a6700", "#57606a"]


def pictures(result):
    """File name and content of each picture that a result has the data for."""
    if not result["part"]:
        yield "figures", figure_bars(result)
    for plot in dict.fromkeys(point["plot"] for point in result["series"]):
        yield plot.split(",")[0].replace(" ", "-"), line_plot(plot, [point for point in result["series"] if point["plot"] == plot])


def svg(height, parts, title):
    style = '<style>text{font:12px sans-serif;fill:#24292f}.m{text-anchor:middle}.e{text-anchor:end}</style><rect width="100%" height="100%" fill="#fff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">'
    return "\n".join([head, f"<title>{html.escape(title)}</title>", style, *parts, "</svg>"]) + "\n"


def text(x, y, words, kind=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{html.escape(words)}</text>'


def line(x1, y1, x2, y2, colour="#d0d7de"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def figure_bars(result):
    """How far each figure is: 1 is what is to be reached, on a logarithmic scale; the mark is what comes after."""
    from report import number

    low, high = 0.05, 20
    place = lambda value: LEFT + (WIDTH - LEFT - RIGHT) * math.log(min(max(value, low), high) / low) / math.log(high / low)
    better = lambda figure, value: figure.reach / value if figure.at_most else value / figure.reach
    bottom = 40 + BAR * len(figures.ALL)
    parts = [line(place(tick), 30, place(tick), bottom, "#24292f" if tick == 1 else "#d0d7de") for tick in (0.1, 1, 10)]
    parts += [text(place(tick), 22, f"{tick:g} ×" if tick != 1 else "to reach", "m") for tick in (0.1, 1, 10)]
    for row, figure in enumerate(figures.ALL):
        top, value = 34 + row * BAR, result["figures"].get(figure.key)
        words = figure.text if len(figure.text) <= 74 else figure.text[:73] + "…"
        parts.append(text(LEFT - 8, top + 15, words, "e"))
        if value:
            end = place(better(figure, value))
            parts.append(f'<rect x="{LEFT}" y="{top + 3}" width="{max(end - LEFT, 1):.1f}" height="{BAR - 6}" fill="{COLOURS[figure.verdict(value)]}"/>')
        mark = place(better(figure, figure.beat))
        parts.append(line(mark, top + 1, mark, top + BAR - 1, "#24292f"))
        parts.append(text(WIDTH - RIGHT + 8, top + 15, number(value, figure.unit) if value is not None else "not measured"))
    return svg(bottom + 12, parts, "Measured, as a multiple of the figure to reach")


def exact(ten):
    return f"{10**ten:,}" if ten >= 0 else f"{10.0**ten:g}"


def line_plot(title, points):
    """Both axes logarithmic: what grows with the work is a slope, what does not is flat."""
    left, top, wide, tall = 90, 40, WIDTH - 300, 300
    xs, ys = [point["x"] for point in points], [max(point["y"], 1e-9) for point in points]
    decades = lambda values: range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) - 1e-9) + 1)
    x_decades, y_decades = decades(xs), decades(ys)
    scale = lambda value, tens: (math.log10(value) - tens[0]) / max(1, tens[-1] - tens[0])
    at = lambda x, y: (left + wide * scale(x, x_decades), top + tall * (1 - scale(max(y, 1e-9), y_decades)))
    parts = [text(left, 20, title)]
    for ten in x_decades:
        x, y = at(10.0**ten, 10.0 ** y_decades[0])
        parts += [line(x, top, x, y), text(x, y + 18, exact(ten), "m")]
    for ten in y_decades:
        x, y = at(10.0 ** x_decades[0], 10.0**ten)
        parts += [line(x, y, left + wide, y), text(x - 6, y + 4, exact(ten), "e")]
    for ix, name in enumerate(dict.fromkeys(point["line"] for point in points)):
        here = sorted((point["x"], point["y"]) for point in points if point["line"] == name)
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in here))
        colour = LINES[ix % len(LINES)]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (at(*point) for point in here)]
        parts += [f'<rect x="{left + wide + 16}" y="{top + ix * 20}" width="12" height="12" fill="{colour}"/>', text(left + wide + 34, top + 11 + ix * 20, name)]
    return svg(top + tall + 40, parts, title)
