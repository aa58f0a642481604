/**
 * Which clips have ever been test clips, of any data set and any split: kept in the cache, by content, so that none of them is sent to
 * a model later without a word.
 */

import { appendFile, mkdir, readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { notWritten } from "@fourtier/tensor/node"
import { z } from "zod"
import { withMutex } from "../util/lock.ts"
import type { Clip } from "./manifest.ts"
import type { Split } from "./splits.ts"

const lineSchema = z.object({
  data: z.string(),
  split: z.string(),
  /** ISO 8601, UTC. */
  time: z.string(),
  /** First digits of the clips' hashes. */
  clips: z.array(z.string()),
})

/** Digits of a hash that tell a clip. */
const DIGITS = 16

const fileIn = (folder: string) => join(folder, "tested.jsonl")

/** Clips that have been test clips. */
export interface Tested {
  has(clip: Pick<Clip, "hash">): boolean
}

/**
 * Reads which clips have been test clips.
 * @param folder `tests` of the cache
 *
 * @example
 * ```ts
 * import { readManifest, readTested } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const tested = await readTested("cache/tests")
 * manifest.clips.filter((clip) => tested.has(clip))
 * ```
 */
export async function readTested(folder: string): Promise<Tested> {
  const known = new Set<string>()
  for (const line of (await readFile(fileIn(folder), "utf8").catch(() => "")).split("\n")) {
    for (const clip of parse(line)?.clips ?? []) known.add(clip)
  }
  return { has: ({ hash }) => known.has(hash.slice(0, DIGITS)) }
}

/**
 * Notes the test clips of splits. Folds are no matter: each of their clips trains as well.
 *
 * @throws FourtierError where the file cannot be written
 *
 * @example
 * ```ts
 * import { noteTested, readManifest, resolveSplits } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * await noteTested("cache/tests", "clips", resolveSplits(manifest))
 * ```
 */
export async function noteTested(folder: string, data: string, splits: readonly Split[]): Promise<void> {
  const tested = await readTested(folder)
  const lines = splits.flatMap(({ name, fold, test }) => {
    const clips = fold
      ? []
      : [...new Set(test.filter((clip) => !tested.has(clip)).map(({ hash }) => hash.slice(0, DIGITS)))]
    return clips.length === 0 ? [] : [{ data: resolve(data), split: name, time: new Date().toISOString(), clips }]
  })
  if (lines.length === 0) return
  try {
    await mkdir(folder, { recursive: true })
    // lines that several machines append at once would overwrite each other
    await withMutex(`${fileIn(folder)}.lock`, () =>
      appendFile(fileIn(folder), lines.map((line) => `${JSON.stringify(line)}\n`).join("")),
    )
  } catch (error) {
    throw notWritten(fileIn(folder), error, "which clips are test clips")
  }
}

function parse(line: string): z.infer<typeof lineSchema> | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}
