/** Checkpoints and finished weights in safetensors files, replaced atomically. */

import { existsSync } from "node:fs"
import { rm } from "node:fs/promises"
import { FourtierError } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { Safetensors, writeSafetensors } from "@fourtier/tensor/node"
import type { AdamW } from "@fourtier/tensor/optim"
import { z } from "zod"
import type { Checkpoints, Restored } from "../train/checkpoint.ts"

const cursorSchema = z.object({
  /** Updates done. */
  step: z.int().min(0),
  /** Hash of everything that decides the outcome: settings, data, seed. */
  key: z.string(),
  finished: z.boolean(),
  /** The best validation so far, and how many came after it. */
  best: z.object({ score: z.number(), step: z.int(), stale: z.int() }).nullable(),
})

type KeyedCursor = z.infer<typeof cursorSchema>

/**
 * The checkpoint of one training in one file.
 * @param key hash of everything that decides the outcome: a file of another training (other settings, data or seed) is left to be
 * replaced
 *
 * @example
 * ```ts
 * import { fileCheckpoints } from "@fourtier/core/node"
 * import { hashJson } from "@fourtier/tensor/node"
 *
 * const checkpoints = fileCheckpoints("runs/mine/checkpoint.safetensors", hashJson({ seed: 0, epochs: 50 }))
 * ```
 */
export function fileCheckpoints(path: string, key: string): Checkpoints {
  return {
    restore: (optimizer) => restoreCheckpoint(path, key, optimizer),
    save: (cursor, optimizer, bestWeights) => saveCheckpoint(path, { ...cursor, key }, optimizer, bestWeights),
  }
}

async function saveCheckpoint(
  path: string,
  cursor: KeyedCursor,
  optimizer: AdamW,
  bestWeights: Weights | null,
): Promise<void> {
  const state = optimizer.state()
  const entries = optimizer.parameters.flatMap(({ name, shape }) => {
    const entry = (kind: string, data: Float32Array | undefined) =>
      data === undefined ? [] : [{ name: `${kind}/${name}`, type: "f32" as const, shape, data }]
    return [
      ...entry("weight", optimizer.parameter(name)),
      ...entry("first", state.firstMoments.get(name)),
      ...entry("second", state.secondMoments.get(name)),
      ...entry("best", bestWeights?.get(name)),
    ]
  })
  await writeSafetensors(path, entries, { cursor: JSON.stringify(cursor) })
}

async function restoreCheckpoint(path: string, key: string, optimizer: AdamW): Promise<Restored | null> {
  if (!existsSync(path)) return null
  const file = await Safetensors.open(path)
  try {
    const cursor = parseCursor(path, file.metadata.cursor ?? "")
    if (cursor.key !== key) return null
    const read = async (kind: string): Promise<Weights> => {
      const weights: Weights = new Map()
      for (const { name } of optimizer.parameters) weights.set(name, await file.readFloat32(`${kind}/${name}`))
      return weights
    }
    for (const [name, values] of await read("weight")) optimizer.parameter(name).set(values)
    optimizer.load({ step: cursor.step, firstMoments: await read("first"), secondMoments: await read("second") })
    const { key: _, ...restored } = cursor
    return { ...restored, bestWeights: cursor.best ? await read("best") : null }
  } finally {
    await file.close()
  }
}

function parseCursor(path: string, text: string): KeyedCursor {
  try {
    return cursorSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new FourtierError(
      { where: path, what: "not a checkpoint of a training", found: text || "no cursor", fix: "delete the file" },
      { cause: error },
    )
  }
}

/**
 * Deletes a checkpoint, if there is one.
 *
 * @example
 * ```ts
 * import { removeCheckpoint } from "@fourtier/core/node"
 *
 * await removeCheckpoint("runs/mine/checkpoint.safetensors")
 * ```
 */
export async function removeCheckpoint(path: string): Promise<void> {
  await rm(path, { force: true })
}

/**
 * Writes finished weights, by parameter name, as safetensors.
 *
 * @example
 * ```ts
 * import { saveWeights } from "@fourtier/core/node"
 *
 * const weights = new Map([["classifier.bias", Float32Array.of(0, 0)]])
 * await saveWeights("runs/mine/weights.safetensors", [{ name: "classifier.bias", shape: [2] }], weights)
 * ```
 */
export async function saveWeights(
  path: string,
  params: readonly { name: string; shape: readonly number[] }[],
  weights: Weights,
  metadata: Record<string, string> = {},
): Promise<void> {
  const entries = params.map(({ name, shape }) => ({
    name,
    type: "f32" as const,
    shape,
    data: weights.get(name) ?? new Float32Array(),
  }))
  await writeSafetensors(path, entries, metadata)
}

/**
 * Reads what `saveWeights` wrote.
 * @throws FourtierError when the file is missing or damaged
 *
 * @example
 * ```ts
 * import { loadWeights } from "@fourtier/core/node"
 *
 * const { weights } = await loadWeights("runs/mine/weights.safetensors")
 * weights.get("classifier.bias")
 * ```
 */
export async function loadWeights(
  path: string,
): Promise<{ weights: Weights; metadata: Readonly<Record<string, string>> }> {
  const file = await Safetensors.open(path)
  try {
    const weights: Weights = new Map()
    for (const name of file.keys) weights.set(name, await file.readFloat32(name))
    return { weights, metadata: file.metadata }
  } finally {
    await file.close()
  }
}
