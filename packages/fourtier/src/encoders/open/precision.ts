/**
 * Precision as a rewrite of an encoder's finished graph, so that every kind of encoder has the same choice. What it costs in
 * speed and in similarity of the features: `fourtier bench encoder`.
 */

import { FourtierError } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { type ModelProto, quantise, storeAsFloat16 } from "@fourtier/tensor/onnx"
import type { VisualEncoder } from "../encoder.ts"
import type { Precision } from "../precision.ts"

/** The encoder in another precision: its features are others, and so is its id. In float32 it is the encoder itself. */
export function atPrecision(encoder: VisualEncoder, precision: Precision): VisualEncoder {
  if (precision === "float32") return encoder
  return {
    ...encoder,
    name: `${encoder.name}, ${precision}`,
    id: hashJson({ encoder: encoder.id, precision }),
    // one frame has other ranges than a clip, and other roundings: rows of frames would not be those of the clip
    frameWise: undefined,
    model: async (batch) => rewritten(await encoder.model(batch), encoder.name, precision),
    ...(encoder.joint && { joint: { ...encoder.joint, encoder: atPrecision(encoder.joint.encoder, precision) } }),
  }
}

function rewritten(model: ModelProto, name: string, precision: Exclude<Precision, "float32">): ModelProto {
  if (precision === "float16") return storeAsFloat16(model)
  const { model: quantised, products } = quantise(model)
  if (products > 0) return quantised
  throw new FourtierError({
    where: "encoder.precision",
    what: `int8 changes nothing in the encoder ${name}`,
    expected: "products with constant matrices of 256×128 or more",
    found: "none: convolutions stay float32",
    fix: "set encoder.precision to float16 or float32",
  })
}
