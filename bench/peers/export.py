"""A model as the peers read it: python export.py MODEL FILE.onnx, or FILE.onnx FILE.xml for OpenVINO's int8.

int8 is post-training quantisation by nncf, calibrated on noise: right for speed, of no use for accuracy.
"""
import sys


def export(name, path):
    import torch
    from cases import side
    from model import make_model
    torch.manual_seed(0)
    model = make_model(name, export=True).eval()
    torch.onnx.export(model, torch.randn(2, 3, side(name), side(name)), path, opset_version=17, input_names=["x"],
                      output_names=["y"], dynamic_axes={"x": {0: "b"}, "y": {0: "b"}}, dynamo=False)


def quantize(onnx_path, path):
    import nncf
    import numpy as np
    import openvino
    model = openvino.Core().read_model(onnx_path)
    side = model.input(0).partial_shape[2].get_length()
    noise = np.random.default_rng(1)
    pictures = [noise.standard_normal((1, 3, side, side), dtype=np.float32) for _ in range(8)]
    openvino.save_model(nncf.quantize(model, nncf.Dataset(pictures), model_type=nncf.ModelType.TRANSFORMER,
                                      subset_size=len(pictures)), path)


if __name__ == "__main__":
    source, target = sys.argv[1:]
    (quantize if target.endswith(".xml") else export)(source, target)
