/** Gradients through whole layers: values used in several places, trained convolutions, attention, losses. */

import * as t from "@fourtier/tensor"
import { conv3x3, depthwise3x3 } from "@fourtier/tensor/nn"
import { expect, test } from "vitest"
import { type Build, gradientError, i64, positive, smooth } from "./check.ts"

/** Relative to the largest derivative: rounding of a deep graph in f32 adds up. */
const BOUND = 2e-3

const composites: Record<string, [build: Build, ...feds: Parameters<typeof gradientError>[1]]> = {
  "a value used three times": [(x) => t.mul(t.mul(x, t.exp(x)), t.add(x, 1)), smooth(2, 2)],
  attention: [
    (q, k, v) => t.matmul(t.softmax(t.mul(t.matmul(q, k, { transposeB: true }), 0.5)), v),
    smooth(1, 2, 3, 4),
    smooth(1, 2, 3, 4),
    smooth(1, 2, 3, 4),
  ],
  "pre-norm feed-forward": [
    (x, s, b, w1, w2) => t.add(x, t.matmul(t.gelu(t.matmul(t.layerNorm(x, s, b), w1)), w2)),
    smooth(2, 3, 4),
    positive(4),
    smooth(4),
    smooth(4, 6),
    smooth(6, 4),
  ],
  "cross-entropy": [
    (x, labels) => t.neg(t.takeAlong(t.logSoftmax(x), labels, 1)),
    smooth(3, 4),
    i64([3, 1], [2, 0, 3]),
  ],
  "cosine similarity": [
    (a, b) => {
      const unit = (x: t.Tensor) => t.div(x, t.sqrt(t.sum(t.mul(x, x), -1, true)))
      return t.matmul(unit(a), unit(b), { transposeB: true })
    },
    positive(3, 4),
    smooth(2, 4),
  ],
  conv3x3: [conv3x3, smooth(1, 2, 3, 4, 2), smooth(3, 3, 2, 3), smooth(3)],
  "conv3x3 on one place": [conv3x3, smooth(2, 1, 1, 1, 2), smooth(3, 3, 2, 2), smooth(2)],
  depthwise3x3: [depthwise3x3, smooth(1, 2, 3, 4, 2), smooth(3, 3, 2), smooth(2)],
}

for (const [name, [build, ...feds]] of Object.entries(composites)) {
  for (const order of [1, 2] as const) {
    test(`${name} order ${order}`, async () => {
      expect(await gradientError(build, feds, order)).toBeLessThan(BOUND)
    })
  }
}
