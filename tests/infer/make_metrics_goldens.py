#!/usr/bin/env python3
"""Writes metrics_golden.json: labels, logits and what scikit-learn says about them.

Run with scikit-learn and numpy installed: python tests/infer/make_metrics_goldens.py
"""
import json
import pathlib

import numpy as np
import sklearn
from sklearn import metrics

SEED = 7


def case(name, images, classes, present):
    rng = np.random.default_rng(SEED)
    labels = rng.integers(0, present, images)  # classes from `present` on have no picture
    logits = rng.normal(size=(images, classes)).astype(np.float32)
    logits[np.arange(images), labels] += 1.0
    logits[:, -1] -= 10.0  # and the last is never the answer
    predicted = logits.argmax(axis=1)
    every = list(range(classes))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=0)
    macro = metrics.precision_recall_fscore_support(labels, predicted, labels=every, average="macro", zero_division=0)
    return {
        "name": name,
        "classes": classes,
        "labels": labels.tolist(),
        "logits": [[float(np.format_float_positional(x, unique=True)) for x in row] for row in logits],
        "predicted": predicted.tolist(),
        "accuracy": metrics.accuracy_score(labels, predicted),
        "top2": metrics.top_k_accuracy_score(labels, logits, k=2, labels=every),
        "log_loss": metrics.log_loss(labels, softmax(logits), labels=every),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "macro": [float(x) for x in macro[:3]],
        "confusion": metrics.confusion_matrix(labels, predicted, labels=every).tolist(),
    }


def softmax(logits):
    e = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


golden = {
    "made_with": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, seed {SEED}",
    "cases": [case("six_classes_two_empty", 60, 6, 4), case("three_classes", 9, 3, 3), case("one_picture", 1, 3, 3)],
}
path = pathlib.Path(__file__).with_name("metrics_golden.json")
path.write_text(json.dumps(golden) + "\n")
