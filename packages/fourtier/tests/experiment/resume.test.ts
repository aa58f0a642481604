/** A training that is killed again and again ends with the very bytes of one that was not. Runs the compiled code. */

import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, expect, it, describe as suite } from "vitest"
import {
  CLASSES,
  makeExamples,
  makeTexts,
  PROMPTS,
  RECORD,
  SIZE,
  scratchFolder,
  TEXT_WIDTH,
} from "../../../core/tests/train/fixtures.ts"
import { FeatureStore, type StoreSpec } from "../../src/features/store.ts"

const folder = scratchFolder()
const built = existsSync(join(import.meta.dirname, "../../dist/features/store.js"))
const SPEC: StoreSpec = { sampling: "made up", transform: "none", encoder: "numbers", size: RECORD, pool: "mean" }
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
})

function start(task: string, out: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "child.mjs"), task, out])
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

const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0)

suite.skipIf(!built)("kill -9", () => {
  it("changes neither weights nor journal of either stage", async () => {
    const root = join(folder, "features")
    const store = await FeatureStore.open(root, SPEC)
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
    const about = { root, spec: SPEC, size: SIZE, classes: CLASSES, prompts: PROMPTS, textWidth: TEXT_WIDTH }
    writeFileSync(task, JSON.stringify({ ...about, examples, texts }))
    const [whole, broken] = ["whole", "broken"].map((name) => join(folder, name))
    for (const out of [whole, broken]) mkdirSync(out)
    expect(await start(task, whole).ended).toEqual({ code: 0, errors: "" })

    // two kills in each stage, the second after some more updates
    let kills = 0
    for (const [stage, steps] of [
      ["align", 10],
      ["align", 60],
      ["finetune", 10],
      ["finetune", 60],
    ] as const) {
      const { child, ended } = start(task, broken)
      while (linesOf(join(broken, `${stage}.jsonl`)) < steps && child.exitCode === null) await sleep(2)
      if (child.kill("SIGKILL")) kills++
      await ended
    }
    expect(kills).toBeGreaterThan(2)
    expect(await start(task, broken).ended).toEqual({ code: 0, errors: "" })

    for (const stage of ["align", "finetune"]) {
      const read = (out: string, ending: string) => readFileSync(join(out, `${stage}.${ending}`))
      expect(read(broken, "safetensors").equals(read(whole, "safetensors")), `weights of ${stage}`).toBe(true)
      expect(read(broken, "jsonl").toString()).toBe(read(whole, "jsonl").toString())
    }
  }, 300_000)
})
