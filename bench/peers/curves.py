"""Cost curves: time an image and peak memory against tokens, batch, depth and width."""
import statistics

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: E402

from cases import MODELS, flops, resized  # noqa: E402

# Okabe and Ito's colours, which colour-blind readers tell apart; markers and lines differ too.
STYLES = {"fp32": dict(color="#0072B2", marker="o"), "bf16": dict(color="#D55E00", marker="s", linestyle="--")}
AXES = [("image-size", "tokens (pictures of 224 to 1024 pixels)"), ("batch", "batch"), ("depth", "depth (blocks)"),
        ("width", "width")]


def tokens(image_size):
    return (image_size // 16) ** 2 + 1


def plain(value, _):
    return f"{value:g}" if value < 10000 else f"{value:.0f}"


def points(cases, dtype, field):
    """(value, median over the rounds) of the cases that were measured."""
    found = [(c, c["engines"].get(dtype)) for c in cases]
    return [(tokens(c["value"]) if c["option"] == "image-size" else c["value"], statistics.median(map(field(c), rounds)))
            for c, rounds in found if isinstance(rounds, list) and rounds]


def panel(axes, cases, field):
    for dtype, style in STYLES.items():
        line = points(cases, dtype, field)
        if line:
            axes.plot(*zip(*line), label=dtype, markersize=5, **style)
    values = sorted({x for dtype in STYLES for x, _ in points(cases, dtype, field)})
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.yaxis.set_major_formatter(FuncFormatter(plain))
    axes.tick_params(labelsize=9)
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def work_line(axes, cases):
    """The operations an image, scaled to start at the first fp32 time."""
    time = points(cases, "fp32", lambda c: lambda r: r["ms"] / c["batch"])
    work = points(cases, "fp32", lambda c: lambda r: flops(resized(MODELS[c["model"]], c["option"], c["value"]),
                                                           all_tokens=False))
    if time:
        axes.plot([x for x, _ in work], [w * time[0][1] / work[0][1] for _, w in work], color="#555555", linestyle=":",
                  label="operations", zorder=1)


def draw(cases, path):
    figure, rows = plt.subplots(2, len(AXES), figsize=(14, 6.4), sharey="row", layout="constrained")
    for column, (option, title) in enumerate(AXES):
        chosen = sorted((c for c in cases if c["option"] == option), key=lambda c: c["value"])
        work_line(rows[0][column], chosen)
        panel(rows[0][column], chosen, lambda c: lambda r: r["ms"] / c["batch"])
        panel(rows[1][column], chosen, lambda c: lambda r: r["memory_mb"])
        rows[1][column].set_xlabel(title)
        rows[0][column].tick_params(labelbottom=False)
    rows[0][0].set_ylabel("time an image (ms)")
    rows[1][0].set_ylabel("peak memory of the process (MB)")
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
