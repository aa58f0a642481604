/** What a family's graph takes and gives, and the pieces of configuration that families share. */

import { constant, div, FourtierError, type Shape, sub, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import type { Activation } from "./blocks.ts"
import type { Normalisation } from "./presets.ts"

/** A network as a graph: its outputs, and its hidden states by name. */
export interface EncoderGraph {
  outputs: Record<string, Tensor>
  intermediates: Record<string, Tensor>
}

/** Inputs by name, those that are given. */
export type Inputs = ReadonlyMap<string, Tensor>

/** What numbers of another kind mean, and what to do about them. */
const KINDS = {
  f32: {
    expected: "floating-point numbers, normalised as for the reference code",
    fix: "normalise the values, and save them as float32: a picture's bytes are no input of the network",
  },
  i64: { expected: "whole numbers", fix: "save token ids and masks as int64" },
} as const

/**
 * The input `name`.
 *
 * @param dtype of its numbers: pictures and features are f32, token ids and masks i64
 * @throws FourtierError where it is not given, has not the axes that `axes` names, or holds numbers of another kind
 */
export function inputNamed(inputs: Inputs, name: string, axes: string, dtype: keyof typeof KINDS = "f32"): Tensor {
  const found = inputs.get(name)
  const rank = axes.split(",").length
  if (found && found.rank === rank && found.dtype === dtype) return found
  if (found && found.rank === rank) {
    throw new FourtierError({
      where: `input ${name}`,
      what: "numbers of another kind",
      expected: KINDS[dtype].expected,
      found: dtype === "f32" ? "whole numbers" : "floating-point numbers",
      fix: KINDS[dtype].fix,
    })
  }
  throw new FourtierError({
    where: `input ${name}`,
    what: found ? "wrong number of axes" : "not given",
    expected: `[${axes}]`,
    found: found ? `[${found.shape.join(",")}]` : [...inputs.keys()].join(", ") || "no input",
  })
}

/** Checks the lengths of an input's axes; -1 stands for any. @throws FourtierError where one differs */
export function checkInput(
  name: string,
  { shape }: { shape: Shape },
  expected: Shape,
  axes: string,
  fix?: string,
): void {
  if (shape.length === expected.length && expected.every((length, at) => length === -1 || length === shape[at])) return
  throw new FourtierError({
    where: `input ${name}`,
    what: "its size differs from the configuration's",
    expected: `[${axes}] of [${expected.map((length) => (length === -1 ? "any" : length)).join(",")}]`,
    found: `[${shape.join(",")}]`,
    ...(fix === undefined ? {} : { fix }),
  })
}

/** Ids of texts [K,L], null where none are given. */
export function textIds(inputs: Inputs): Tensor | null {
  return inputs.has("text_tokens") ? inputNamed(inputs, "text_tokens", "text,position", "i64") : null
}

/** The fix for frames of another size. */
export const RESIZE_FIX =
  "set the configuration's sizes to those of the input: position tables of another size are interpolated"

/** Frames [..,3] of RGB from 0 to 255, minus the mean, over the standard deviation. */
export function normalise(frames: Tensor, { mean, std }: Normalisation): Tensor {
  const vector = (values: readonly number[]) =>
    constant(
      Float32Array.from(values, (value) => value * 255),
      [3],
    )
  return div(sub(frames, vector(mean)), vector(std))
}

export const count = z.int().positive()

/** An activation by the name that configurations use, as in `quick_gelu x*sigmoid(1.702x)` or `gelu (erf)`. */
export const activation = z.string().transform((text, context): Activation => {
  if (/^quick/i.test(text)) return "quick_gelu"
  if (/^gelu.*tanh/i.test(text)) return "gelu_tanh"
  if (/^gelu/i.test(text)) return "gelu"
  if (/^relu/i.test(text)) return "relu"
  context.addIssue({ code: "custom", message: "expected gelu, gelu (tanh), quick_gelu or relu" })
  return z.NEVER
})

export const CLIP_EPSILON = 1e-5
export const VIT_EPSILON = 1e-6
