"""What scikit-learn says of predictions: reads cases as JSON from standard input, writes their metrics in the same order.

sklearn.test.ts compares its metrics with these. To record sklearn.json anew: RECORD=1 npx vitest run <that test>
"""

import json
import sys
import warnings

import numpy as np
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

warnings.filterwarnings("ignore")


def single_label(case):
    y, p = np.array(case["labels"]), np.array(case["probabilities"])
    said, classes = p.argmax(1), np.arange(p.shape[1])
    precision, recall, f1, support = m.precision_recall_fscore_support(y, said, labels=classes, zero_division=0)
    confidence, right = p.max(1), (said == y).astype(float)
    true, mean = calibration_curve(right, confidence, n_bins=15)
    count = np.bincount(np.searchsorted(np.linspace(0, 1, 16)[1:-1], confidence), minlength=15)
    found = {
        "top1": m.accuracy_score(y, said),
        "meanClass": m.balanced_accuracy_score(y, said),
        "macroF1": m.f1_score(y, said, average="macro"),
        "confusion": m.confusion_matrix(y, said, labels=classes).tolist(),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "calibrationError": float(np.sum(count[count > 0] * np.abs(true - mean)) / len(y)),
    }
    if len(classes) > 1:
        found["nll"] = m.log_loss(y, p, labels=classes)
    # among equal scores scikit-learn prefers the last class, argmax and fourtier the first: so classes in reverse order
    if len(classes) > 2:
        last = classes[-1]
        found["topK"] = [
            m.top_k_accuracy_score(last - y, p[:, ::-1], k=k, labels=classes) for k in range(1, len(classes))
        ]
    return found


def multi_label(case):
    scores = np.array(case["scores"])
    truth = np.zeros(scores.shape)
    for row, labels in enumerate(case["labels"]):
        truth[row, labels] = 1
    known = truth.any(0)
    each = [m.average_precision_score(truth[:, c], scores[:, c]) if known[c] else None for c in range(len(known))]
    return {"mean": m.average_precision_score(truth[:, known], scores[:, known], average="macro"), "classes": each}


cases = json.load(sys.stdin)
json.dump([multi_label(case) if "scores" in case else single_label(case) for case in cases], sys.stdout)
