/** The records of batches in progress, one small file each beside the cache: what an interrupted run resumes from. */

import { randomUUID } from "node:crypto"
import { mkdir, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { readJson, writeFileAtomic } from "@fourtier/tensor/node"
import { z } from "zod"
import type { Prompt } from "./prompts.ts"
import type { DescribedClip } from "./provider.ts"

const clipSchema = z.object({
  id: z.string(),
  path: z.string(),
  relative: z.string(),
  hash: z.string(),
  label: z.string().nullable(),
  split: z.string().nullable(),
  start: z.number().nullable(),
  end: z.number().nullable(),
  frames: z.number(),
  fps: z.number(),
  width: z.number(),
  height: z.number(),
})

const itemSchema = z.object({
  id: z.string(),
  clip: clipSchema,
  prompt: z.object({ id: z.string(), text: z.string() }),
  /** Attempts so far. */
  tries: z.number(),
})

const stateSchema = z.object({
  tag: z.string(),
  signature: z.string(),
  fileId: z.string().nullable(),
  batchId: z.string().nullable(),
  items: z.array(itemSchema),
})

export type Item = z.infer<typeof itemSchema>
export type State = z.infer<typeof stateSchema>

/** A question that has not been put yet. */
export function newItem(clip: DescribedClip, prompt: Prompt): Item {
  return { id: randomUUID(), clip: clipSchema.parse(clip), prompt, tries: 0 }
}

/** Tags of the batches in progress beside a cache, whatever run and data they belong to. */
export async function openBatches(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length))
}

/** How many batches in progress hold questions about clips of these contents. */
export async function countBatchesAbout(folder: string, hashes: ReadonlySet<string>): Promise<number> {
  const states = new BatchStates(folder)
  let count = 0
  for (const tag of await openBatches(folder)) {
    const { items } = await states.load(tag)
    if (items.some(({ clip }) => hashes.has(clip.hash))) count++
  }
  return count
}

export class BatchStates {
  readonly #folder: string

  /** @param folder made when the first record is written */
  constructor(folder: string) {
    this.#folder = folder
  }

  file(tag: string): string {
    return join(this.#folder, `${tag}.json`)
  }

  /** @throws FourtierError when the file holds no such record */
  async load(tag: string): Promise<State> {
    const file = this.file(tag)
    const parsed = stateSchema.safeParse(await readJson(file))
    if (parsed.success) return parsed.data
    throw new FourtierError({
      where: file,
      what: "not the record of a batch",
      found: z.prettifyError(parsed.error),
      fix: "delete the file; its questions are then asked again",
    })
  }

  async save(state: State): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    await writeFileAtomic(this.file(state.tag), `${JSON.stringify(state)}\n`)
  }

  async forget(state: State): Promise<void> {
    await rm(this.file(state.tag), { force: true })
  }
}
