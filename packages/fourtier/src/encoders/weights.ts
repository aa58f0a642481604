/** Where a network's weights come from: a checkpoint file, or random numbers. */

import { FourtierError, Rng, type Shape, sizeOf } from "@fourtier/tensor"
import { openCheckpoint } from "./checkpoint/checkpoint.ts"
import { type Dimensions, officialName } from "./families.ts"
import type { WeightSource } from "./weight-binder.ts"

/** What may name weights, for help texts and errors. */
export const CHECKPOINT = "file of weights, hub id hf:owner/name, or random[:seed]"

export interface OpenSource extends WeightSource {
  close(): Promise<void>
}

/**
 * A checkpoint file under its official names.
 *
 * @throws FourtierError when the file is none, or two of its tensors have one official name
 */
export async function checkpointSource(path: string, config: Dimensions): Promise<OpenSource> {
  return namedSource(path, (key, keys) => officialName(config, key, keys))
}

/** The same under names of the caller's; keys without a name are left out. */
export async function namedSource(
  path: string,
  nameOf: (key: string, keys: ReadonlySet<string>) => string | null,
): Promise<OpenSource> {
  const file = await openCheckpoint(path)
  try {
    const keys = new Set(file.keys)
    const keyOf = new Map<string, string>()
    for (const key of keys) {
      const name = nameOf(key, keys)
      if (name === null) continue
      const other = keyOf.get(name)
      if (other !== undefined) {
        throw new FourtierError({ where: path, what: `two tensors are ${name}`, found: `${other} and ${key}` })
      }
      keyOf.set(name, key)
    }
    return {
      where: path,
      shapes: new Map([...keyOf].map(([name, key]) => [name, file.shape(key)])),
      read: async (name) => file.read(keyOf.get(name) ?? name),
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
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

/** The seed of `random` (0) or `random:<seed>`; null for anything else, a file. */
export function randomSeed(checkpoint: string): string | null {
  const match = /^random(?::(.+))?$/.exec(checkpoint)
  return match ? (match[1] ?? "0") : null
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
