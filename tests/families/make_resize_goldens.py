"""resize_golden.json: tables of positions as torch.nn.functional.interpolate resizes them. Needs torch."""
import json
from pathlib import Path

import torch

SEED = 20251125


def case(rows, cols, out_rows, out_cols, kernel, antialias=False, align_corners=False, offset=0.0):
    generator = torch.Generator().manual_seed(SEED)
    table = (torch.randn(1, 2, rows, cols, generator=generator) * 64).round() / 64
    size = dict(size=(out_rows, out_cols))
    if offset:
        size = dict(scale_factor=((out_rows + offset) / rows, (out_cols + offset) / cols))
    out = torch.nn.functional.interpolate(table.double(), mode=kernel, antialias=antialias,
                                          align_corners=align_corners or None, **size)
    assert out.shape[-2:] == (out_rows, out_cols)
    flat = lambda t: [float(f"{v:.9g}") for v in t.permute(0, 2, 3, 1).flatten().tolist()]
    return dict(rows=rows, cols=cols, out_rows=out_rows, out_cols=out_cols, kernel=kernel, antialias=antialias,
                align_corners=align_corners, offset=offset, table=flat(table), out=flat(out))


cases = [
    case(5, 5, 3, 3, "bicubic", antialias=True),
    case(3, 3, 5, 5, "bicubic", antialias=True),
    case(4, 3, 2, 7, "bicubic", antialias=True),
    case(7, 7, 3, 3, "bicubic", offset=0.1),
    case(3, 3, 6, 6, "bicubic", offset=0.1),
    case(5, 5, 4, 4, "bicubic"),
    case(4, 4, 6, 6, "bicubic", align_corners=True),
    case(6, 6, 2, 2, "bicubic", align_corners=True),
    case(3, 3, 1, 1, "bicubic", align_corners=True),
    case(4, 4, 7, 7, "bilinear"),
    case(7, 5, 3, 4, "bilinear"),
    case(6, 6, 4, 4, "bilinear", antialias=True),
    case(1, 1, 3, 3, "bicubic"),
]
path = Path(__file__).with_name("resize_golden.json")
path.write_text(json.dumps(dict(torch=torch.__version__.split("+")[0], seed=SEED, cases=cases)) + "\n")
