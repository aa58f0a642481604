/** Shape rules of softmax, layer norm and batch norm. */

import { normalizeAxis, sameShape, shapeError } from "../../shape.ts"
import type { NormalizationOps } from "../attributes.ts"
import { commonDtype, FLOAT, type ShapeRule, type ShapeRules } from "./rule.ts"

function alongAxis<K extends "softmax" | "logSoftmax">(op: K): ShapeRule<K> {
  return ([x], { axis }) => {
    normalizeAxis(op, axis, x.shape.length)
    return { shape: x.shape, dtype: commonDtype(op, [x], FLOAT) }
  }
}

export const normalization: ShapeRules<NormalizationOps> = {
  softmax: alongAxis("softmax"),
  logSoftmax: alongAxis("logSoftmax"),

  layerNorm: ([x, scale, bias], { out }) => {
    const width = x.shape[x.shape.length - 1]
    if (!sameShape(scale.shape, [width]) || !sameShape(bias.shape, [width])) {
      throw shapeError("layerNorm", [x.shape, scale.shape, bias.shape], "x [..,D], scale [D] and bias [D]")
    }
    const dtype = commonDtype("layerNorm", [x, scale, bias], FLOAT)
    return { shape: out === "value" ? x.shape : [...x.shape.slice(0, -1), 1], dtype }
  },

  batchNorm: ([x, ...vectors]) => {
    if (!vectors.every((v) => sameShape(v.shape, [x.shape[1]]))) {
      const shapes = [x, ...vectors].map(({ shape }) => shape)
      throw shapeError("batchNorm", shapes, "x [B,C,..], then scale, bias, mean and variance [C]")
    }
    return { shape: x.shape, dtype: commonDtype("batchNorm", [x, ...vectors], FLOAT) }
  },
}
