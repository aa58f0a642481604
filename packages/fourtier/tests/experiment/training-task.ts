/** A little training of both stages as real processes, for tests that kill them and start them anew: `trainer.mjs` beside it. */

import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach } from "vitest"
import {
  CLASSES,
  makeExamples,
  makeTexts,
  PROMPTS,
  RECORD,
  SIZE,
  TEXT_WIDTH,
} from "../../../core/tests/train/fixtures.ts"
import { FeatureStore, type StoreSpec } from "../../src/features/store.ts"

const TRAINER = join(import.meta.dirname, "trainer.mjs")

/** Whether the code that the processes run is compiled. */
export const built = existsSync(join(import.meta.dirname, "../../dist/mpi/ranks.js"))

export interface TaskSettings {
  /** Of both stages. */
  schedule: Record<string, number>
  contrastive: Record<string, number>
  classification: Record<string, number>
  microBatch?: number
}

/** Writes clips and settings of a training. @returns the file that `startTrainer` takes */
export async function writeTask(folder: string, settings: TaskSettings): Promise<string> {
  const root = join(folder, "features")
  const spec: StoreSpec = { sampling: "made up", transform: "none", encoder: "numbers", size: RECORD, pool: "mean" }
  const store = await FeatureStore.open(root, spec)
  const writer = await store.writer()
  const examples = await makeExamples({}, (key, m) => writer.append(key, m, 0))
  await writer.close()
  await store.close()
  const texts = Object.fromEntries(
    [...makeTexts(examples)].map(([prompt, byClip]) => [
      prompt,
      Object.fromEntries([...byClip].map(([clip, vector]) => [clip, [...vector]])),
    ]),
  )
  const task = join(folder, "task.json")
  const about = { root, spec, size: SIZE, classes: CLASSES, prompts: PROMPTS, textWidth: TEXT_WIDTH }
  writeFileSync(task, JSON.stringify({ ...about, examples, texts, settings }))
  return task
}

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
})

/**
 * Starts the training.
 * @param launcher a program that starts it several times, and its arguments; none: one process
 */
export function startTrainer(task: string, out: string, launcher: readonly string[] = []) {
  const [command, ...args] = [...launcher, process.execPath, TRAINER, task, out]
  const root = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" }
  const child = spawn(command, args, { env: { ...process.env, ...root } })
  children.push(child)
  let errors = ""
  child.stderr.on("data", (chunk) => {
    errors += chunk
  })
  const ended = new Promise<{ code: number | null; errors: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, errors }))
  })
  return { child, ended }
}

/** Whole lines of a stage's journal. */
export function journalOf(out: string, stage: string): string[] {
  const path = join(out, `${stage}.jsonl`)
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : []
}
