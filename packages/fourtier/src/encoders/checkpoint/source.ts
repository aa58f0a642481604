/**
 * Weights by the parameters' names, from whatever the setting `checkpoint` names.
 *
 *   setting ──┬── file, or hub id ──► a file on disk ──keys renamed──┐
 *             └── random[:seed] ──────────────────────────────────────┴──► WeightSource
 */

import { FourtierError, nonFinite, type Shape } from "@fourtier/tensor"
import { hashFile, hashJson, requireFile } from "@fourtier/tensor/node"
import type { EncoderNetwork } from "../family.ts"
import { CHECKPOINT, type CheckpointChoice, type OpenSource, randomSeed, randomSource } from "../weights.ts"
import { type Checkpoint, type CheckpointPart, openCheckpoint } from "./checkpoint.ts"
import { localCheckpoint } from "./hub.ts"
import { indexOfShard, isShardIndex, readShardIndex } from "./shards.ts"
import { spellingOf } from "./spelling.ts"

/** Where checkpoints hold a network's weights, and how its reference code names them. */
export type ParameterNames = Pick<EncoderNetwork, "parameterName" | "sections">

/** Weights that have been found, not read yet. */
export interface Weights {
  /** The seed of random weights; null: from a file. */
  readonly seed: string | null
  /** Where a file has several sets of weights: which one is taken. */
  readonly notes: readonly string[]
  /** What tells these weights from others: the hash of the files, and which part of them; or the seed. */
  identity(): Promise<string>
  /** Reads the weights' names and shapes. @throws FourtierError when the file holds no weights */
  open(names: ParameterNames): Promise<OpenSource>
}

/**
 * Finds the weights that a setting names; fetches them where it is a hub id.
 *
 * @param setting its path, for errors and notes: "encoder.checkpoint"
 * @param choice which part of the file
 * @param preferred sections that the network's files hold it in, see `FamilyDefinition.sections`
 * @throws FourtierError when there is no such file, or nothing tells which of its weights are meant
 */
export async function findWeights(
  checkpoint: string,
  setting: string,
  { section, prefix }: CheckpointChoice = {},
  preferred: readonly string[] = [],
): Promise<Weights> {
  const seed = randomSeed(checkpoint)
  if (seed !== null) {
    return { seed, notes: [], identity: async () => `random ${seed}`, open: async () => randomSource(seed) }
  }
  const path = await requireFile(await localCheckpoint(checkpoint), `set ${setting} to a ${CHECKPOINT}`)
  const index = indexOfShard(path)
  if (index !== null) {
    throw new FourtierError({
      where: path,
      what: "one of several files of a checkpoint",
      fix: `set ${setting} to their index, ${index}`,
    })
  }
  const part: CheckpointPart = {
    ...(section === null || section === undefined ? {} : { section }),
    ...(prefix === null || prefix === undefined ? {} : { prefix }),
  }
  const file = await openCheckpoint(path, { ...part, preferred })
  await file.close()
  return {
    seed,
    notes: notesOf(file, setting),
    async identity() {
      const hash = await hashOf(path)
      return Object.keys(part).length === 0 ? hash : hashJson({ hash, ...part })
    },
    open: (names) => checkpointSource(path, names, part),
  }
}

/** The hash of a file; of an index, with those of its files. */
async function hashOf(path: string): Promise<string> {
  if (!isShardIndex(path)) return hashFile(path)
  const { files } = await readShardIndex(path)
  const hashes: string[] = [await hashFile(path)]
  for (const file of files.keys()) hashes.push(await hashFile(file))
  return hashJson(hashes)
}

/** How many prefixes a note names. */
const NAMED = 8

function notesOf({ path, section, otherSections, prefix, otherPrefixes }: Checkpoint, setting: string): string[] {
  const other = (name: string) => setting.replace(/checkpoint$/, name)
  const notes: string[] = []
  if (otherSections.length > 0) {
    notes.push(`${path}: weights of ${section}; ${other("section")} takes others: ${otherSections.join(", ")}`)
  }
  if (otherPrefixes.length > 0) {
    const named = otherPrefixes.slice(0, NAMED).join(", ") + (otherPrefixes.length > NAMED ? ", …" : "")
    notes.push(`${path}: weights whose names begin with ${prefix}; ${other("prefix")} takes others: ${named}`)
  }
  return notes
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
    spelling(name) {
      const spelled = (owners.has(name) ? [owners.get(name)] : sources).map(
        (source) => source?.spelling?.(name) ?? name,
      )
      return spelled.find((inFile) => inFile !== name) ?? name
    },
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
 * @throws FourtierError when the file holds no weights, or two of its tensors are one parameter; reading throws where a
 * tensor has values that are no finite numbers
 */
export async function checkpointSource(
  path: string,
  { parameterName, sections = [] }: ParameterNames,
  part: CheckpointPart = {},
): Promise<OpenSource> {
  const file = await openCheckpoint(path, { ...part, preferred: sections })
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
          found: `${file.originals.get(other)} and ${file.originals.get(key)}`,
        })
      }
      keyOf.set(name, key)
    }
    const inFile = new Map([...keyOf].map(([name, key]) => [name, file.originals.get(key) ?? key]))
    return {
      where: file.section === "" ? path : `${path}, section ${file.section}`,
      spelling: spellingOf(inFile),
      shapes: new Map([...keyOf].map(([name, key]) => [name, file.shape(key)])),
      read: async (name) => finiteTensor(file, keyOf.get(name) ?? name),
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function finiteTensor(file: Checkpoint, key: string): Promise<Float32Array> {
  const values = await file.read(key)
  const found = nonFinite(values, file.shape(key))
  if (found === null) return values
  throw new FourtierError({
    where: `${file.path}, tensor ${file.originals.get(key) ?? key}`,
    what: "weights that are no finite numbers",
    found,
    fix: "take a checkpoint from before the training diverged, or fetch the file again",
  })
}
