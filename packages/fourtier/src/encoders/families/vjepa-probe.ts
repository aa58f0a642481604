/**
 * The attentive probe of V-JEPA 2 with the weights of a checkpoint: the very network that `@fourtier/core/model` defines and
 * trains as a baseline. https://github.com/facebookresearch/vjepa2, src/models/attentive_pooler.py.
 */

import { attentiveClassifier } from "@fourtier/core/model"
import { concat, type Shape, sizeOf, type Tensor } from "@fourtier/tensor"
import { type Param, Scope } from "@fourtier/tensor/nn"
import { headScale, transposed } from "../blocks.ts"
import type { SourceTensor, WeightBinder } from "../weight-binder.ts"
import type { VjepaConfig } from "./vjepa.ts"

/** Whether the network has a probe, and the checkpoint its weights. */
export function hasProbe(binder: WeightBinder, { num_classes }: VjepaConfig): boolean {
  const found = num_classes > 0 && binder.has("probe.linear.weight")
  if (!found) binder.skip((name) => name.startsWith("probe."))
  return found
}

/** Reads the tokens [B,L,C] of one level or clip, or of several one after another. */
export function probeOf(binder: WeightBinder, config: VjepaConfig) {
  headScale("probe_heads", config.embed_dim, config.probe_heads)
  const scope = new Scope("probe")
  return (tokens: readonly Tensor[]) => {
    const result = attentiveClassifier(scope, concat(tokens, 1), config.num_classes, {
      heads: config.probe_heads,
      blocks: config.probe_blocks,
      mlpRatio: config.probe_mlp_ratio,
      epsilon: config.probe_layer_norm_eps,
    })
    for (const param of scope.params) bindParam(binder, param)
    return result
  }
}

/** Binds a parameter of the trained network to the tensor or tensors of a checkpoint. */
function bindParam(binder: WeightBinder, { name, shape }: Param): void {
  const official = name.replace(/\.scale$/, ".weight").replace(".attn.out.", ".attn.proj.")
  const isMatrix = shape.length === 2
  const stored: Shape = isMatrix ? [shape[1], shape[0]] : shape
  const sources = sourcesOf(binder, official, stored)
  binder.derive(name, sources, shape, (...parts) => {
    const whole = new Float32Array(sizeOf(shape))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return isMatrix ? transposed(whole, stored[0], stored[1]) : whole
  })
}

/** A tensor, or where the checkpoint has the parts of a packed one apart, those in order. */
function sourcesOf(binder: WeightBinder, name: string, shape: Shape): SourceTensor[] {
  const packed = /^(.*\.)(qkv|kv)(\.[a-z]+)$/.exec(name)
  if (packed === null || binder.has(name)) return [{ name, shape }]
  const [, before, parts, after] = packed
  if (!binder.has(`${before}${parts[0]}${after}`) && !binder.has(`${before}k${after}`)) return [{ name, shape }]
  const own = [shape[0] / parts.length, ...shape.slice(1)]
  return [...parts].map((part) => ({ name: `${before}${part}${after}`, shape: own }))
}
