"""A session's figures as Markdown, JSON and a picture: python report.py benchmarks.json FOLDER writes them anew."""
import json
import os
import statistics
import sys

from cases import MODELS, SHAPES, flops, resized

HERE = os.path.dirname(os.path.abspath(__file__))
TITLES = {"vit": "vit", "openvino": "OpenVINO", "openvino-streams": "OpenVINO, a stream a thread",
          "onnxruntime": "ONNX Runtime", "torch": "PyTorch", "torch-compiled": "PyTorch, compiled"}


def median(rounds, field):
    return statistics.median(r[field] for r in rounds)


def measured(case, name):
    """The rounds of an engine, or None where it has no figures."""
    rounds = case["engines"].get(name)
    return rounds if isinstance(rounds, list) and rounds else None


def best(case, prefix):
    """The engine whose name starts with `prefix` and whose median rate is the highest, or None."""
    names = [n for n in case["engines"] if n.startswith(prefix) and measured(case, n)]
    return max(names, key=lambda n: median(case["engines"][n], "images_per_second"), default=None)


def ratio(case, name, other):
    """Median over the rounds of the rate of `name` divided by that of `other`; None where one is missing."""
    a, b = measured(case, name), other and measured(case, other)
    if not a or not b:
        return None
    return statistics.median(x["images_per_second"] / y["images_per_second"] for x, y in zip(a, b))


def number(value, digits=3):
    """At least `digits` significant digits, no exponent."""
    if value is None:
        return "–"
    whole = len(str(int(abs(value))))
    return f"{value:.{max(0, digits - whole)}f}"


def times(value):
    return "–" if value is None else f"{value:.2f}"


def peak(raw, dtype, threads=None):
    """Measured peak of that type with so many threads, GF/s: the median of what `vit bench` found in all rounds."""
    values = [r["peak_gflops"] for c in raw["cases"] for name, rounds in c["engines"].items()
              if isinstance(rounds, list) and dtype in (c["dtype"], name)
              and (threads is None or c["section"] != "scaling" or name == str(threads))
              and (threads in (None, raw["threads"]) or c["section"] == "scaling")
              for r in rounds if "peak_gflops" in r]
    return statistics.median(values) if values else None


def table(header, rows):
    return "".join("| " + " | ".join(line) + " |\n" for line in [header, ["---"] * len(header)] + rows) + "\n"


def of(raw, section, **fields):
    return [c for c in raw["cases"] if c["section"] == section and all(c[k] == v for k, v in fields.items())]


def work(case, engine):
    """GFLOP of one image of a case, as that engine computes it: of published models, which read all tokens, as this
    program counts them."""
    if MODELS[case["model"]] not in SHAPES:
        rounds = case["engines"]["vit"]
        return rounds[0]["gflop"] if isinstance(rounds, list) else 0
    shape_of = resized(MODELS[case["model"]], case["option"], case["value"])
    return flops(shape_of, case["train"], not engine.startswith("vit")) / 1e9


def shape(case):
    return f"{MODELS[case['model']]}, batch {case['batch']}"


def wanted(case):
    with open(os.path.join(HERE, "wanted.json")) as file:
        return json.load(file).get(case["id"])


def against(case, prefix):
    """"1.10 (wanted 1.00)": this program against the best form of a peer."""
    return f"{times(ratio(case, 'vit', best(case, prefix)))} (wanted {times(wanted(case))})"


def summary(raw, section, prefix):
    dtypes = [d for d in ("fp32", "bf16", "int8") if of(raw, section, dtype=d)]
    shapes = list(dict.fromkeys(shape(c) for c in of(raw, section)))
    rows = []
    for name in shapes:
        cells = [[against(c, prefix) for c in of(raw, section, dtype=d) if shape(c) == name] for d in dtypes]
        rows.append([name] + [c[0] if c else "–" for c in cells])
    return table(["vit / best of " + TITLES[prefix]] + dtypes, rows)


def details(raw, section, dtype):
    top = peak(raw, dtype, raw["threads"])
    rows = []
    for case in of(raw, section, dtype=dtype):
        for name in case["engines"]:
            rounds = measured(case, name)
            if not rounds:
                rows.append([shape(case), TITLES[name]] + ["–"] * 6)
                continue
            rate = median(rounds, "images_per_second")
            all_rates = [r["images_per_second"] for r in rounds]
            speed = rate * work(case, name)
            rows.append([shape(case), TITLES[name], number(rate), f"{number(min(all_rates))}–{number(max(all_rates))}",
                         number(speed), "–" if top is None else f"{100 * speed / top:.0f} %",
                         f"{median(rounds, 'memory_mb'):.0f}",
                         "" if name == "vit" else times(ratio(case, "vit", name))])
    return table(["shape", "engine", "images/s", "lowest–highest", "GF/s", "of peak", "memory, MB", "vit / it"], rows)


def compared(raw, section, prefix, title, text):
    if not of(raw, section):
        return ""
    result = f"## {title}\n{text}\n\n" + summary(raw, section, prefix)
    for dtype in ("fp32", "bf16", "int8"):
        if of(raw, section, dtype=dtype):
            result += f"### {title}, {dtype}\n" + details(raw, section, dtype)
    return result


def start(raw):
    rows = [[MODELS[c["model"]]] + [number(median(measured(c, d), "ms")) if measured(c, d) else "–"
                                    for d in ("fp32", "bf16")] for c in of(raw, "start")]
    if not rows:
        return ""
    return ("## From process start to the printed label\n`vit classify MODEL PICTURE`, model and picture in the file "
            "cache; ms, median over the rounds of medians of ten starts.\n\n"
            + table(["model", "fp32", "bf16"], rows))


def scaling(raw):
    cases = of(raw, "scaling")
    if not cases:
        return ""
    counts = list(cases[0]["engines"])
    rows = []
    for case in cases:
        row = [shape(case), "training" if case["train"] else "inference", case["dtype"]]
        for n in counts:
            rounds = measured(case, n)
            if not rounds:
                row.append("–")
                continue
            share = work(case, "vit") * statistics.median(r["images_per_second"] / r["peak_gflops"] for r in rounds)
            row.append(f"{number(median(rounds, 'images_per_second'))} ({100 * share:.0f} %)")
        rows.append(row + [times(ratio(case, n, counts[0])) for n in counts[1:]])
    header = ["shape", "", "dtype"] + [f"images/s, {n} thread{'s' if n != '1' else ''} (of peak)" for n in counts]
    return ("## Scaling\nThis program in throughput mode; the peak is that of so many threads at once.\n\n"
            + table(header + [f"{n} / {counts[0]}" for n in counts[1:]], rows))


def not_measured(raw):
    lines = [f"- {c['id']}, {TITLES.get(name, name)}: {why}\n" for c in raw["cases"]
             for name, why in c["engines"].items() if isinstance(why, str)]
    return "## Not measured\n" + "".join(lines) if lines else ""


def setting(raw):
    lines = raw["machine"] + [f"{raw['threads']} threads, {raw['rounds']} rounds of {raw['seconds']:g} s an engine"]
    peaks = {d: peak(raw, d, raw["threads"]) for d in ("fp32", "bf16", "int8")}
    lines.append("measured peaks, all threads: " + ", ".join(f"{d} {number(p)} GF/s" for d, p in peaks.items()))
    lines.append("peers: " + ", ".join(f"{name} {version}" for name, version in raw["peers"].items()))
    lines.append(f"command: `{raw['command']}`")
    return "".join(f"- {line}\n" for line in lines)


def less_work(raw):
    """"vit_tiny9_patch4_32 9.2 %, ...": what is saved of each model's forward pass."""
    names = dict.fromkeys(MODELS[c["model"]] for c in raw["cases"] if MODELS[c["model"]] in SHAPES)
    shares = {name: 1 - flops(SHAPES[name], all_tokens=False) / flops(SHAPES[name]) for name in names}
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())


def markdown(raw, picture):
    text = f"""# Benchmarks
Written by `bench/peers/run`, figures and all; the rounds themselves are in benchmarks.json.

{setting(raw)}
The engines run in turn (A B A B), one process each. A rate is that of the median step; tables hold the median over the
rounds, and a ratio is the median of the rounds' ratios. The peak is that of multiply-adds of the same type in registers,
measured in the same session. Memory is the peak of the process. Weights are random, inputs noise that lies in memory:
patch rows for this program, pixels for the others. An empty cell (–) is explained at the end.

GF/s count what an engine computes, by the formulas of docs/architecture.md. Of the last block this program computes
only what the class token needs, the others compute all of it. The same images/s are fewer GF/s here, therefore:
{less_work(raw)}.
What compares engines is the ratio of images/s.

"""
    text += compared(raw, "inference", "openvino", "Inference",
                     "OpenVINO's int8 is by nncf, calibrated on noise; PyTorch runs eagerly, in bf16 with bf16 weights; "
                     "ONNX Runtime runs\nthe exported graph with its standard optimisations.")
    text += compared(raw, "published", "openvino", "Published models",
                     "The peers run timm's modules, exported: rotary positions, gated feed-forwards and registers.")
    text += compared(raw, "training", "torch", "Training",
                     "A step is forward, backward, clipping and AdamW; PyTorch's bf16 is autocast.")
    text += start(raw) + scaling(raw)
    if picture:
        text += (f"## Cost curves\nOne size of {MODELS['ti16']} changed at a time, {raw['threads']} threads; the dotted "
                 f"line grows as the operations do.\n\n![Time and memory]({picture})\n\n")
    return text + not_measured(raw)


def write_json(raw, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as out:
        json.dump(raw, out, indent=1)
        out.write("\n")
    os.replace(path + ".new", path)


def write_all(raw, folder):
    write_json(raw, os.path.join(folder, "benchmarks.json"))
    picture = None
    if of(raw, "curve"):
        import curves
        picture = "images/cost-curves.png"
        os.makedirs(os.path.join(folder, "images"), exist_ok=True)
        curves.draw(of(raw, "curve"), os.path.join(folder, picture))
    with open(os.path.join(folder, "benchmarks.md"), "w") as out:
        out.write(markdown(raw, picture).rstrip() + "\n")


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        write_all(json.load(file), sys.argv[2])
