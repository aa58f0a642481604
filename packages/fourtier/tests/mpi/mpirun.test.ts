/**
 * Real processes that train together through the system's MPI: equal losses, one message when one of them is killed, and another
 * number of them that goes on. Runs the compiled code; needs mpirun (Debian: openmpi-bin or mpich) and koffi, else it is skipped.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { loadWeights } from "@fourtier/core/node"
import { afterEach, beforeAll, describe, expect, it } from "vitest"
import {
  CLASSES,
  difference,
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
const built = existsSync(join(import.meta.dirname, "../../dist/mpi/ranks.js"))
const SPEC: StoreSpec = { sampling: "made up", transform: "none", encoder: "numbers", size: RECORD, pool: "mean" }

/** Programs that start processes; Debian has both kinds side by side under these names. */
const launchers = ["mpirun.openmpi", "mpirun.mpich"].filter((name) => spawnSync(name, ["--version"]).status === 0)
if (launchers.length === 0 && spawnSync("mpirun", ["--version"]).status === 0) launchers.push("mpirun")
const ready = built && launchers.length > 0 && isInstalled("koffi")
if (!ready) console.log("mpirun, koffi or the compiled code is missing: training in several processes is not tested")

function isInstalled(name: string): boolean {
  try {
    return createRequire(import.meta.url).resolve(name) !== ""
  } catch {
    return false
  }
}

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
})

let task = ""

function start(launcher: string | null, ranks: number, name: string) {
  const out = join(folder, name)
  mkdirSync(out, { recursive: true })
  const program = [join(import.meta.dirname, "rank.mjs"), task, out]
  const more = launcher === "mpirun.openmpi" ? ["--oversubscribe", "--bind-to", "none"] : []
  const [command, args] = launcher
    ? [launcher, [...more, "-n", String(ranks), process.execPath, ...program]]
    : [process.execPath, program]
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
  return { out, child, ended }
}

const journal = (out: string, stage: string): Record<string, number>[] => {
  const path = join(out, `${stage}.jsonl`)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, "utf8").trim().split("\n")
  return lines.flatMap((line) => (line.endsWith("}") ? [JSON.parse(line)] : []))
}

async function expectAlike(out: string, whole: string): Promise<void> {
  for (const stage of ["align", "finetune"]) {
    const [found, wanted] = [journal(out, stage), journal(whole, stage)]
    expect(found).toHaveLength(wanted.length)
    for (const [i, line] of wanted.entries()) expect(found[i].loss, `${stage}, line ${i}`).toBeCloseTo(line.loss, 4)
    const path = (of: string) => join(of, `${stage}.safetensors`)
    const { weights } = await loadWeights(path(whole))
    const own = (await loadWeights(path(out))).weights
    for (const [name, values] of weights) expect(difference(own.get(name) ?? [], values), name).toBeLessThan(1e-3)
  }
}

describe.skipIf(!ready)("processes that mpirun has started", () => {
  let whole = ""
  beforeAll(async () => {
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
    task = join(folder, "task.json")
    const about = { root, spec: SPEC, size: SIZE, classes: CLASSES, prompts: PROMPTS, textWidth: TEXT_WIDTH }
    writeFileSync(task, JSON.stringify({ ...about, examples, texts, epochs: 5 }))
    const one = start(null, 1, "whole")
    expect(await one.ended).toEqual({ code: 0, errors: "" })
    whole = one.out
  })

  it.each(launchers)("%s: two have the losses and weights of one", async (launcher) => {
    const { out, ended } = start(launcher, 2, `${launcher}-2`)
    expect(await ended).toEqual({ code: 0, errors: "" })
    await expectAlike(out, whole)
    const rows: number[][] = JSON.parse(readFileSync(join(out, "probabilities.json"), "utf8"))
    expect(rows).toHaveLength(12)
    for (const row of rows) expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5)
  })

  it.each(launchers.slice(0, 1))("%s: one that is killed ends all, and four go on", async (launcher) => {
    const { out, child, ended } = start(launcher, 2, `${launcher}-killed`)
    while (journal(out, "finetune").length < 4 && child.exitCode === null) await sleep(5)
    process.kill(Number(readFileSync(join(out, "pid-1"), "utf8")), "SIGKILL")
    const { code, errors } = await ended
    expect(code).not.toBe(0)
    expect(errors).not.toContain("    at ")
    const done = journal(out, "finetune").length
    const again = start(launcher, 4, `${launcher}-killed`)
    expect((await again.ended).code).toBe(0)
    expect(done).toBeLessThan(journal(out, "finetune").length)
    await expectAlike(out, whole)
  })
})
