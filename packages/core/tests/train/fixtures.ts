/** Small sets of features with classes that can be told apart, and texts that go with them. */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Rng } from "@fourtier/tensor"
import { afterAll } from "vitest"
import type { Pool } from "../../src/model/pooling.ts"
import { type FeatureSet, type Labelled, MemoryFeatures, type RecordKey } from "../../src/train/features.ts"

/** A folder that is removed after the tests of the file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-train-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const SIZE = { T: 3, H: 2, W: 2, D: 16 }
export const CLASSES = 3
export const PROMPTS = ["A", "B"]
export const TEXT_WIDTH = 6

/** Axis lengths of one clip's features. */
export const RECORD = { T: 3, N: 4, D: 16 }

interface MadeUp {
  clips?: number
  views?: number
  noise?: number
  seed?: number
}

/** Clips whose class shows in how a few channels change over time; the rest is noise. `keep` gets every view's map [T,N,D]. */
export async function makeExamples(
  { clips = 36, views = 2, noise = 1, seed = 1 }: MadeUp,
  keep: (key: RecordKey, m: Float32Array) => void | Promise<void>,
): Promise<Labelled[]> {
  const { T, N, D } = RECORD
  const examples: Labelled[] = []
  for (let i = 0; i < clips; i++) {
    const label = i % CLASSES
    const hash = `clip-${seed}-${i}`
    for (let view = 0; view < views; view++) {
      const rng = Rng.fork(seed, i, view)
      const m = Float32Array.from({ length: T * N * D }, (_, at) => {
        const [d, t] = [at % D, Math.floor(at / (N * D))]
        return noise * rng.normal() + (d % CLASSES === label ? 2 * (t - 1) + 1 : 0)
      })
      await keep({ clip: hash, view }, m)
    }
    examples.push({ id: `id-${hash}`, hash, label, views: [...Array(views).keys()] })
  }
  return examples
}

/** The same, kept in memory. */
export async function makeFeatures(made: MadeUp = {}, pool: Pool = "mean"): Promise<FeatureSet> {
  const source = new MemoryFeatures(`made up ${JSON.stringify(made)} ${pool}`, RECORD, pool)
  const examples = await makeExamples(made, (key, m) => source.add(key, m))
  return { source, examples }
}

/** One text vector a clip and prompt, alike within a class. */
export function makeTexts(examples: readonly Labelled[], spread = 0.1): Map<string, Map<string, Float32Array>> {
  return new Map(
    PROMPTS.map((prompt) => [
      prompt,
      new Map(
        examples.map(({ id, label }) => {
          const rng = Rng.fork(prompt, id)
          const center = Rng.fork(prompt, label)
          return [id, Float32Array.from({ length: TEXT_WIDTH }, () => center.normal() + spread * rng.normal())]
        }),
      ),
    ]),
  )
}

/** Two halves of a set. */
export function halves({ source, examples }: FeatureSet): { train: FeatureSet; val: FeatureSet } {
  const middle = Math.floor((examples.length * 2) / 3)
  return {
    train: { source, examples: examples.slice(0, middle) },
    val: { source, examples: examples.slice(middle) },
  }
}

/** Largest difference of two arrays. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  let most = 0
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]))
  return most
}
