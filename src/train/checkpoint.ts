/**
 * Checkpoints: everything that training needs to go on as if it had never stopped, in one safetensors file, replaced
 * atomically. Random numbers are functions of seed and step, so the step is the only cursor.
 */

import { existsSync } from "node:fs"
import { rm } from "node:fs/promises"
import { z } from "zod"
import { Safetensors, writeSafetensors } from "../tensor/io/safetensors.ts"
import type { Weights } from "../tensor/nn/params.ts"
import type { AdamW } from "../tensor/optim/adamw.ts"
import { FourtierError } from "../util/errors.ts"

const cursorSchema = z.object({
  /** Updates done. */
  step: z.int().min(0),
  /** Hash of everything that decides the outcome: settings, data, seed. */
  key: z.string(),
  finished: z.boolean(),
  /** The best validation so far, and how many came after it. */
  best: z.object({ score: z.number(), step: z.int(), stale: z.int() }).nullable(),
})

export type Cursor = z.infer<typeof cursorSchema>

export interface Restored extends Cursor {
  /** Weights of the best validation. */
  bestWeights: Weights | null
}

/** Writes cursor, weights, moments and the best weights. */
export async function saveCheckpoint(
  path: string,
  cursor: Cursor,
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

/**
 * Restores an optimiser from a checkpoint of the same training. Returns null when there is none, or one of another training
 * (other settings, data or seed): it is left to be replaced.
 */
export async function restoreCheckpoint(path: string, key: string, optimizer: AdamW): Promise<Restored | null> {
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
    return { ...cursor, bestWeights: cursor.best ? await read("best") : null }
  } finally {
    await file.close()
  }
}

function parseCursor(path: string, text: string): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new FourtierError(
      { where: path, what: "not a checkpoint of a training", found: text || "no cursor", fix: "delete the file" },
      { cause: error },
    )
  }
}

export async function removeCheckpoint(path: string): Promise<void> {
  await rm(path, { force: true })
}

/** Finished weights, by parameter name. */
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
