/**
 * Real processes that train together through the system's MPI: equal losses, one message when one of them is killed, and another
 * number of them that goes on. Runs the compiled code; needs mpirun (Debian: openmpi-bin or mpich) and koffi, else it is skipped.
 */

import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { loadWeights } from "@fourtier/core/node"
import { beforeAll, describe, expect, it } from "vitest"
import { difference, scratchFolder } from "../../../core/tests/train/fixtures.ts"
import { built, journalOf, startTrainer, writeTask } from "../experiment/training-task.ts"

const folder = scratchFolder()

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

let task = ""

function start(launcher: string | null, ranks: number, name: string) {
  const out = join(folder, name)
  mkdirSync(out, { recursive: true })
  const more = launcher === "mpirun.openmpi" ? ["--oversubscribe", "--bind-to", "none"] : []
  return { out, ...startTrainer(task, out, launcher ? [launcher, ...more, "-n", String(ranks)] : []) }
}

const journal = (out: string, stage: string): Record<string, number>[] =>
  journalOf(out, stage).map((line) => JSON.parse(line))

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
    task = await writeTask(folder, {
      schedule: { epochs: 5, batch: 10, learningRate: 0.005, warmupEpochs: 1, checkpointSeconds: 0 },
      contrastive: { mixup: 0.8 },
      classification: { dropout: 0.1, mixup: 0.8, repeats: 2 },
    })
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
