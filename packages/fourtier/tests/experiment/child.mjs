/** One training process of both stages, run by tests that kill it: `node child.mjs <task.json> <out folder>`. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { methodNamed } from "@fourtier/core/model"
import { FileJournal, fileCheckpoints, saveWeights } from "@fourtier/core/node"
import { classificationSchema, contrastiveSchema, modelSchema, scheduleSchema } from "@fourtier/core/schemas"
import {
  AlignGraphs,
  alignmentTask,
  ClassifierGraphs,
  classificationTask,
  fitStandardize,
  train,
} from "@fourtier/core/train"
import { FeatureStore } from "fourtier/features"

const [taskFile, out] = process.argv.slice(2)
const { root, spec, size, classes, prompts, textWidth, examples, texts } = JSON.parse(readFileSync(taskFile, "utf8"))
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
const schedule = scheduleSchema.parse({
  epochs: 30,
  batch: 8,
  learningRate: 0.01,
  warmupEpochs: 2,
  checkpointSeconds: 0.02,
})

async function stage(name, task) {
  const { weights } = await train(task, {
    schedule,
    seed: 5,
    checkpoints: fileCheckpoints(join(out, `${name}.checkpoint`), name),
    journal: new FileJournal(join(out, `${name}.jsonl`)),
    reporter: silent,
    runtime: { threads: 1 },
  })
  await saveWeights(join(out, `${name}.safetensors`), task.params, weights)
  return weights
}

const contrastive = contrastiveSchema.parse({})
const align = await AlignGraphs.compile(
  { size, prompts, textWidth, contrastive, width: null, processors: modelSchema.parse({}) },
  8,
  4,
  { threads: 1 },
)
const aligned = await stage(
  "align",
  alignmentTask(align, sets, { width: textWidth, embeddings }, standardize, async () => null),
)
const model = modelSchema.parse({ headWidth: 8, blocks: 1 })
const build = methodNamed("full").build({ prompts, model, space: null })
const network = { size, classes, width: null, pool: "mean", build }
const classifier = await ClassifierGraphs.compile(network, 4, 0.1, { threads: 1 }, true)
const settings = classificationSchema.parse({ dropout: 0.1, mixup: 0.8 })
await stage("finetune", classificationTask("full", classifier, settings, sets, new Map([...standardize, ...aligned])))
await align.release()
await classifier.release()
await store.close()
