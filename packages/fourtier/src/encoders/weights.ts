/** Where a network's weights come from, as a setting names it, and random ones. */

import { Rng, type Shape, sizeOf } from "@fourtier/tensor"
import { z } from "zod"
import type { WeightSource } from "./weight-binder.ts"

/** What may name weights, for help texts and errors. */
export const CHECKPOINT = "file of weights, hub id hf:owner/name, or random[:seed]"

/** Settings beside a checkpoint: which of the weights in it are meant. */
export const checkpointChoice = {
  section: z
    .string()
    .nullable()
    .default(null)
    .describe("part of a PyTorch file that holds the weights, such as model_ema; null: docs/checkpoints.md says which"),
  prefix: z
    .string()
    .nullable()
    .default(null)
    .describe(
      "only tensors whose names begin with this, without it; null: what wrappers put before all names is dropped",
    ),
}

/** See `checkpointChoice`. */
export interface CheckpointChoice {
  readonly section?: string | null
  readonly prefix?: string | null
}

/** Weights that can be read until they are closed. */
export interface OpenSource extends WeightSource {
  close(): Promise<void>
}

/** The seed of `random` (0) or `random:<seed>`; null for anything else, a file. */
export function randomSeed(checkpoint: string): string | null {
  const match = /^random(?::(.+))?$/.exec(checkpoint)
  return match ? (match[1] ?? "0") : null
}

/** Random weights for tests and benchmarks: equal for equal seeds. Norms start as identities, matrices keep variance. */
export function randomSource(seed: number | string): OpenSource {
  return {
    where: `random weights, seed ${seed}`,
    shapes: null,
    async read(name, shape) {
      return randomWeight(name, shape, Rng.fork(seed, name))
    },
    async close() {},
  }
}

function randomWeight(name: string, shape: Shape, rng: Rng): Float32Array {
  const values = new Float32Array(sizeOf(shape))
  if (/running_var$|(?:^|[./])scale$|gamma$/.test(name)) return values.fill(1)
  if (shape.length <= 1) return values.fill(/\bweight$/.test(name) ? 1 : 0)
  const fanIn = sizeOf(shape) / Math.max(shape[0], 1)
  const bound = Math.sqrt(3 / fanIn)
  for (let i = 0; i < values.length; i++) values[i] = rng.uniform(-bound, bound)
  return values
}
