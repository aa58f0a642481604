/** One training process of both stages, run by tests that kill it: `node child.mjs <task.json> <out folder>`. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { FeatureStore } from "../../dist/encoders/store.js"
import { modelSchema } from "../../dist/model/config.js"
import { contrastiveSchema } from "../../dist/objective/contrastive.js"
import { AlignGraphs, alignmentTask } from "../../dist/train/align.js"
import { saveWeights } from "../../dist/train/checkpoint.js"
import { scheduleSchema } from "../../dist/train/config.js"
import { ClassifierGraphs, classificationSchema, classificationTask } from "../../dist/train/finetune.js"
import { train } from "../../dist/train/loop.js"
import { networkOf } from "../../dist/train/networks.js"
import { fitStandardize } from "../../dist/train/standardize.js"
import { silent } from "../../dist/util/progress.js"

const [taskFile, out] = process.argv.slice(2)
const { root, spec, size, classes, prompts, textWidth, examples, texts } = JSON.parse(readFileSync(taskFile, "utf8"))
const store = await FeatureStore.open(root, spec)
const sets = { train: { store, examples: examples.slice(0, 24) }, val: { store, examples: examples.slice(24) } }
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
    key: name,
    checkpointPath: join(out, `${name}.checkpoint`),
    journalPath: join(out, `${name}.jsonl`),
    reporter: silent,
    threads: 1,
  })
  await saveWeights(join(out, `${name}.safetensors`), task.params, weights)
  return weights
}

const contrastive = contrastiveSchema.parse({})
const align = await AlignGraphs.compile({ size, prompts, textWidth, contrastive, width: null }, 8, 4, { threads: 1 })
const aligned = await stage(
  "align",
  alignmentTask(align, sets, { width: textWidth, embeddings }, standardize, async () => null),
)
const network = networkOf("full", prompts, modelSchema.parse({ headWidth: 8, blocks: 1 }))
const classifier = await ClassifierGraphs.compile({ size, classes, width: null, build: network }, 4, 0.1, {
  threads: 1,
})
const settings = classificationSchema.parse({ dropout: 0.1, mixup: 0.8 })
await stage("finetune", classificationTask("full", classifier, settings, sets, new Map([...standardize, ...aligned])))
await align.release()
await classifier.release()
await store.close()
