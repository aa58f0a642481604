/** A training that is killed again and again ends with the very bytes of one that was not. Runs the compiled code. */

import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it, describe as suite } from "vitest"
import { scratchFolder } from "../../../core/tests/train/fixtures.ts"
import { built, journalOf, startTrainer, writeTask } from "./training-task.ts"

const folder = scratchFolder()

suite.skipIf(!built)("kill -9", () => {
  it("changes neither weights nor journal of either stage", async () => {
    const task = await writeTask(folder, {
      schedule: { epochs: 30, batch: 8, learningRate: 0.01, warmupEpochs: 2, checkpointSeconds: 0.02 },
      contrastive: {},
      classification: { dropout: 0.1, mixup: 0.8 },
      microBatch: 4,
    })
    const [whole, broken] = ["whole", "broken"].map((name) => join(folder, name))
    for (const out of [whole, broken]) mkdirSync(out)
    expect(await startTrainer(task, whole).ended).toEqual({ code: 0, errors: "" })

    // two kills in each stage, the second after some more updates
    let kills = 0
    for (const [stage, steps] of [
      ["align", 10],
      ["align", 60],
      ["finetune", 10],
      ["finetune", 60],
    ] as const) {
      const { child, ended } = startTrainer(task, broken)
      while (journalOf(broken, stage).length < steps && child.exitCode === null) await sleep(2)
      if (child.kill("SIGKILL")) kills++
      await ended
    }
    expect(kills).toBeGreaterThan(2)
    expect(await startTrainer(task, broken).ended).toEqual({ code: 0, errors: "" })

    for (const stage of ["align", "finetune"]) {
      const read = (out: string, ending: string) => readFileSync(join(out, `${stage}.${ending}`))
      expect(read(broken, "safetensors").equals(read(whole, "safetensors")), `weights of ${stage}`).toBe(true)
      expect(read(broken, "jsonl").toString()).toBe(read(whole, "jsonl").toString())
    }
  }, 300_000)
})
