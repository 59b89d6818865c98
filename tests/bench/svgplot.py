# SPDX-License-Identifier: BSD-2-Clause
"""A small line plot as SVG: logarithmic x, linear y from 0, one line for each series."""

import math

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLORS = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e"]


def nice_step(top):
    """A step of 1, 2 or 5 times a power of ten, that gives four to ten marks up to top."""
    power = 10 ** math.floor(math.log10(top))
    for part in (0.1, 0.2, 0.5, 1):
        if top / (part * power) <= 8:
            return part * power
    return power


def plot(title, x_label, y_label, series):
    """series: name -> list of (x, y), x > 0. Returns the SVG's text."""
    xs = sorted({x for points in series.values() for x, _ in points})
    top = max(y for points in series.values() for _, y in points) * 1.05
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    span = math.log(xs[-1] / xs[0]) or 1

    def place(x, y):
        return (LEFT + width * math.log(x / xs[0]) / span, TOP + height * (1 - y / top))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(LEFT, 22, title, size=15),
           text(LEFT + width / 2, HEIGHT - 12, x_label, anchor="middle"),
           f'<g transform="rotate(-90 16 {TOP + height / 2:.0f})">'
           + text(16, TOP + height / 2, y_label, anchor="middle") + "</g>"]
    step = nice_step(top)
    for mark in range(int(top / step) + 1):
        _, y = place(xs[0], mark * step)
        out += [line(LEFT, y, LEFT + width, y, "#dddddd"),
                text(LEFT - 6, y + 4, f"{mark * step:,g}", anchor="end")]
    for x in xs:
        at, _ = place(x, 0)
        out += [line(at, TOP + height, at, TOP + height + 5, "black"),
                text(at, TOP + height + 20, f"{x:g}", anchor="middle")]
    for color, (name, points) in zip(COLORS, series.items()):
        spots = [place(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        out.append(f'<polyline points="{path}" fill="none" stroke="{color}" '
                   'stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'
                for x, y in spots]
    out += legend(series)
    return "\n".join(out + ["</svg>"]) + "\n"


def legend(series):
    for row, (color, name) in enumerate(zip(COLORS, series)):
        y = TOP + 10 + row * 20
        yield line(WIDTH - RIGHT + 10, y, WIDTH - RIGHT + 30, y, color, width=2)
        yield text(WIDTH - RIGHT + 36, y + 4, name)


def line(x1, y1, x2, y2, color, width=1):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{color}" stroke-width="{width}"/>')


def text(x, y, content, anchor="start", size=12):
    content = content.replace("&", "&amp;").replace("<", "&lt;")
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'font-size="{size}">{content}</text>')
