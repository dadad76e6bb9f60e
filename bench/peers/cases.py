"""What a session measures: a list of cases, each of which is measured by some engines in turn."""
import dataclasses

MODELS = {"ti16": "vit_tiny_patch16_224", "b16": "vit_base_patch16_224", "cifar": "vit_tiny9_patch4_32",
          "dinov3": "vit_small_patch16_dinov3", "eva02": "eva02_tiny_patch14_224"}
# image, patch, width, depth, heads, classes
SHAPES = {
    "vit_tiny_patch16_224": (224, 16, 192, 12, 3, 1000),
    "vit_base_patch16_224": (224, 16, 768, 12, 12, 1000),
    "vit_tiny9_patch4_32": (32, 4, 192, 9, 3, 10),
}
# Side of the picture of those that timm makes for the peers.
PUBLISHED = {"vit_small_patch16_dinov3": 256, "eva02_tiny_patch14_224": 224}
INFERENCE = [("ti16", 1), ("ti16", 16), ("b16", 1), ("b16", 8), ("cifar", 1), ("cifar", 128)]
TRAINING = [("cifar", 128), ("ti16", 32)]
SCALING = [("ti16", 16), ("b16", 8), ("cifar", 128)]
# Cost curves of vit_tiny_patch16_224 with one size changed: option of `vit bench`, its values.
CURVES = [("image-size", [224, 304, 416, 576, 768, 1024]), ("batch", [1, 2, 4, 8, 16, 32, 64]),
          ("depth", [3, 6, 12, 18, 24]), ("width", [192, 384, 576, 768, 1024])]


def side(name):
    return PUBLISHED.get(name) or SHAPES[name][0]


def resized(name, option, value):
    """A shape with one size changed, as `vit bench` does it."""
    image, patch, d, depth, heads, classes = SHAPES[name]
    if option == "width":
        return image, patch, value, depth, value // (d // heads), classes
    return (value if option == "image-size" else image, patch, d, value if option == "depth" else depth, heads, classes)


def flops(shape, train=False, all_tokens=True):
    """Floating-point operations of one image, forward or in a training step, as docs/architecture.md has them.
    `all_tokens`: the last block computes all of them, as the peers do; this program computes the class token alone."""
    image, patch, d, depth, _, classes = shape
    patches = (image // patch) ** 2
    n = patches + 1
    last = n if all_tokens else 1
    embedding = 2 * patches * 3 * patch**2 * d
    linear = (depth - 1) * 24 * n * d * d + 2 * (2 * n + 10 * last) * d * d
    attention = (depth - 1) * 4 * n * n * d + 4 * last * n * d
    head = 2 * d * classes
    if train:
        return 2 * embedding + 3 * linear + 3.5 * attention + 3 * head
    return embedding + linear + attention + head


@dataclasses.dataclass
class Case:
    section: str  # inference, published, training, start, scaling, curve
    model: str  # a key of MODELS
    dtype: str = ""  # empty where the engines differ in it
    batch: int = 1
    option: str = ""  # of a curve
    value: int = 0
    train: bool = False
    engines: list = dataclasses.field(default_factory=list)  # [(name in the tables, Engine)]

    @property
    def id(self):
        parts = [self.section, self.dtype, self.model, f"{self.option} {self.value}" if self.option else "",
                 "train" if self.section == "scaling" and self.train else "", f"b{self.batch}"]
        return " ".join(p for p in parts if p)


@dataclasses.dataclass
class Engine:
    program: str  # vit, vit-start, or an engine of engine.py
    dtype: str
    threads: int
    options: list = dataclasses.field(default_factory=list)  # of `vit bench`


def inference(threads):
    for dtype in ("fp32", "bf16", "int8"):
        for model, batch in INFERENCE:
            programs = ["vit", "openvino"]
            if batch > 1 and threads > 1:
                programs.append("openvino-streams")
            if dtype == "fp32":
                programs.append("onnxruntime")
            if dtype != "int8":
                programs.append("torch")
            yield Case("inference", model, dtype, batch, engines=[(p, Engine(p, dtype, threads)) for p in programs])


def published(threads):
    for dtype in ("fp32", "bf16"):
        for model in ("dinov3", "eva02"):
            for batch in (1, 16):
                programs = ["vit", "openvino"] + (["openvino-streams"] if batch > 1 and threads > 1 else [])
                yield Case("published", model, dtype, batch, engines=[(p, Engine(p, dtype, threads)) for p in programs])


def training(threads):
    for dtype in ("fp32", "bf16"):
        for model, batch in TRAINING:
            yield Case("training", model, dtype, batch, train=True,
                       engines=[(p, Engine(p, dtype, threads)) for p in ("vit", "torch", "torch-compiled")])


def start(threads):
    yield Case("start", "ti16", engines=[(d, Engine("vit-start", d, threads)) for d in ("fp32", "bf16")])


def scaling(threads):
    counts = sorted({n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n < threads} | {threads})
    for train, shapes in ((False, SCALING), (True, TRAINING[:1])):
        for dtype in ("fp32", "bf16"):
            for model, batch in shapes:
                mode = [] if train else ["--mode", "throughput"]
                yield Case("scaling", model, dtype, batch, train=train,
                           engines=[(str(n), Engine("vit", dtype, n, mode)) for n in counts])


def curves(threads):
    for option, values in CURVES:
        for value in values:
            batch = value if option == "batch" else 1
            options = [] if option == "batch" else ["--" + option, str(value)]
            yield Case("curve", "ti16", batch=batch, option=option, value=value,
                       engines=[(d, Engine("vit", d, threads, options)) for d in ("fp32", "bf16")])


def all_cases(threads):
    for section in (inference, published, training, start, scaling, curves):
        yield from section(threads)
