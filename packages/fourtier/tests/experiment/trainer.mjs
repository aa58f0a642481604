/**
 * One process of a training of both stages, alone or started by mpirun: `node trainer.mjs <task.json> <out folder>`. The first one keeps
 * checkpoints and losses, and writes the weights; each leaves its process number in the folder.
 */

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { FileJournal, fileCheckpoints, saveWeights } from "@fourtier/core/node"
import { classificationSchema, contrastiveSchema, modelSchema, scheduleSchema } from "@fourtier/core/schemas"
import {
  AlignGraphs,
  alignmentTask,
  ClassifierGraphs,
  classificationTask,
  fitStandardize,
  microBatchOf,
  train,
} from "@fourtier/core/train"
import { launchOf, Ranks } from "fourtier"
import { dismiss, follow, networkOf, shareProbabilities, shareStage1, shareStage2 } from "fourtier/experiment"
import { FeatureStore } from "fourtier/features"

const [taskFile, out] = process.argv.slice(2)
const launch = launchOf()
const ranks = launch ? await Ranks.join(launch) : null
writeFileSync(join(out, `pid-${ranks?.rank ?? 0}`), String(process.pid))
if (ranks && ranks.rank > 0) {
  process.exitCode = await follow(ranks)
  ranks.leave()
} else {
  await lead()
  if (ranks) await dismiss(ranks, 0)
  ranks?.leave()
}

async function lead() {
  const { root, spec, size, classes, prompts, textWidth, examples, texts, settings } = JSON.parse(
    readFileSync(taskFile),
  )
  const store = await FeatureStore.open(root, spec)
  const sets = {
    train: { source: store, examples: examples.slice(0, 24) },
    val: { source: store, examples: examples.slice(24) },
  }
  const standardize = await fitStandardize(sets.train, null)
  const embeddings = new Map(
    Object.entries(texts).map(([prompt, byClip]) => [
      prompt,
      new Map(Object.entries(byClip).map(([clip, vector]) => [clip, Float32Array.from(vector)])),
    ]),
  )
  const schedule = scheduleSchema.parse(settings.schedule)
  const { batch } = schedule
  const runtime = { threads: 1 }
  const team = { ranks, provider: "cpu", threads: 1 }
  const rows = (count) =>
    microBatchOf({ rows: count, microBatch: settings.microBatch ?? count, ranks: ranks?.size ?? 1 })

  async function stage(name, task, share) {
    if (ranks) await share()
    const { weights } = await train(task, {
      schedule,
      seed: 5,
      checkpoints: fileCheckpoints(join(out, `${name}.checkpoint`), name),
      journal: new FileJournal(join(out, `${name}.jsonl`)),
      reporter: silent,
      runtime,
      collective: ranks ?? undefined,
    })
    await saveWeights(join(out, `${name}.safetensors`), task.params, weights)
    return weights
  }

  const contrastive = contrastiveSchema.parse(settings.contrastive)
  const about = { size, prompts, textWidth, contrastive, width: null, processors: modelSchema.parse({}) }
  const align = await AlignGraphs.compile(about, batch, rows(batch), runtime)
  const target = { width: textWidth, embeddings }
  const aligned = await stage(
    "align",
    alignmentTask(align, sets, target, standardize, async () => null),
    () =>
      shareStage1(team, { graphs: align, schedule, seed: 5, train: sets.train, texts: target, frozen: standardize }),
  )
  const model = modelSchema.parse({ headWidth: 8, blocks: 1 })
  const network = { method: "full", prompts, model, space: null, size, classes, width: null, pool: "mean" }
  const training = { ...classificationSchema.parse(settings.classification), ...schedule }
  const count = training.repeats * batch
  const recipe = { network, rows: rows(count), dropout: training.dropout, partners: rows(count) < count }
  const graphs = await ClassifierGraphs.compile(
    networkOf(network),
    recipe.rows,
    recipe.dropout,
    runtime,
    recipe.partners,
  )
  const frozen = new Map([...standardize, ...aligned])
  const task = classificationTask("full", graphs, training, sets, frozen, batch)
  const job = { name: "full", recipe, graphs, unit: batch, training, seed: 5, ...sets, frozen }
  const weights = new Map([...frozen, ...(await stage("finetune", task, () => shareStage2(team, job)))])
  if (ranks) {
    const found = await shareProbabilities(team, recipe, graphs, sets.val, weights, "probabilities")
    writeFileSync(join(out, "probabilities.json"), JSON.stringify(found.map((row) => [...row])))
  }
  await align.release()
  await graphs.release()
  await store.close()
}
