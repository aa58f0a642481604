/**
 * Weights by the parameters' names, from whatever the setting `checkpoint` names.
 *
 *   setting ──┬── file, or hub id ──► a file on disk ──keys renamed──┐
 *             └── random[:seed] ──────────────────────────────────────┴──► WeightSource
 */

import { FourtierError, type Shape } from "@fourtier/tensor"
import { hashFile, requireFile } from "@fourtier/tensor/node"
import type { EncoderNetwork } from "../family.ts"
import { CHECKPOINT, type OpenSource, randomSeed, randomSource } from "../weights.ts"
import { openCheckpoint } from "./checkpoint.ts"
import { localCheckpoint } from "./hub.ts"

/** Where checkpoints hold a network's weights, and how its reference code names them. */
export type ParameterNames = Pick<EncoderNetwork, "parameterName" | "sections">

/** Weights that have been found, not read yet. */
export interface Weights {
  /** The seed of random weights; null: from a file. */
  readonly seed: string | null
  /** What tells these weights from others: the file's hash, or the seed. */
  identity(): Promise<string>
  /** Reads the weights' names and shapes. @throws FourtierError when the file holds no weights */
  open(names: ParameterNames): Promise<OpenSource>
}

/**
 * Finds the weights that a setting names; fetches them where it is a hub id.
 *
 * @param setting its path, for the error: "encoder.checkpoint"
 * @throws FourtierError when there is no such file
 */
export async function findWeights(checkpoint: string, setting: string): Promise<Weights> {
  const seed = randomSeed(checkpoint)
  if (seed !== null) {
    return { seed, identity: async () => `random ${seed}`, open: async () => randomSource(seed) }
  }
  const path = await requireFile(await localCheckpoint(checkpoint), `set ${setting} to a ${CHECKPOINT}`)
  return { seed, identity: () => hashFile(path), open: (names) => checkpointSource(path, names) }
}

/**
 * Several sources as one: a network whose parts lie in files of their own.
 *
 * @throws FourtierError when two of them have the same parameter, or one of several is random and so has all
 */
export function joinSources(sources: readonly OpenSource[]): OpenSource {
  if (sources.length === 1) return sources[0]
  const where = sources.map((source) => source.where).join(", ")
  const owners = new Map<string, OpenSource>()
  const shapes = new Map<string, Shape>()
  for (const source of sources) {
    if (source.shapes === null) throw new FourtierError({ where, what: "random weights cannot be joined with others" })
    for (const [name, shape] of source.shapes) {
      const other = owners.get(name)
      if (other) {
        const found = `${other.where} and ${source.where}`
        throw new FourtierError({ where, what: `two files have the parameter ${name}`, found })
      }
      owners.set(name, source)
      shapes.set(name, shape)
    }
  }
  return {
    where,
    shapes,
    read(name, shape) {
      const owner = owners.get(name)
      if (!owner) throw new FourtierError({ where, what: `no tensor named ${name}` })
      return owner.read(name, shape)
    },
    async close() {
      await Promise.all(sources.map((source) => source.close()))
    },
  }
}

/**
 * The weights of a checkpoint file by the network's names of its parameters; entries without a name are left out.
 *
 * @throws FourtierError when the file holds no weights, or two of its tensors are one parameter
 */
export async function checkpointSource(
  path: string,
  { parameterName, sections = [] }: ParameterNames,
): Promise<OpenSource> {
  const file = await openCheckpoint(path, { preferred: sections })
  try {
    const keys = new Set(file.keys)
    const keyOf = new Map<string, string>()
    for (const key of keys) {
      const name = parameterName(key, keys)
      if (name === null) continue
      const other = keyOf.get(name)
      if (other !== undefined) {
        throw new FourtierError({
          where: path,
          what: `two tensors are the parameter ${name}`,
          found: `${other} and ${key}`,
        })
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
