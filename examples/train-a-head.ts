/** Trains both stages on made-up features, in Node or in a page. Prints the accuracy beside that of the baseline and chance. */

import { silent } from "@fourtier/core"
import { type Method, methodNamed } from "@fourtier/core/model"
import { classificationSchema, contrastiveSchema, modelSchema, scheduleSchema } from "@fourtier/core/schemas"
import * as core from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"

const [size, classes, prompts, textWidth, batch] = [{ T: 2, H: 2, W: 2, D: 8 }, 4, ["A", "B"], 6, 16]
const options = { schedule: scheduleSchema.parse({ epochs: 15, batch, learningRate: 3e-3 }), seed: 0, reporter: silent }
const model = modelSchema.parse({ blocks: 1, headWidth: 4, classifierPooling: "rows" })

/** n clips, a map m [T,N,D] each: noise, and a little more in the channels of the class. */
function madeUpClips(name: string, n: number): core.FeatureSet {
  const source = new core.MemoryFeatures(name, { T: size.T, N: size.H * size.W, D: size.D })
  const examples = Array.from({ length: n }, (_, i): core.Labelled => {
    const [rng, label, id] = [Rng.fork(name, i), i % classes, `${i}`]
    const value = (_: unknown, at: number) => 1.5 * rng.normal() + (at % classes === label ? 1 : 0)
    source.add({ clip: id, view: 0 }, Float32Array.from({ length: 64 }, value))
    return { id, hash: id, views: [0], label }
  })
  return { source, examples }
}

/** Embeddings of the clips' answers to a prompt, near those of their class. */
function madeUpAnswers(prompt: string, examples: readonly core.Labelled[]): Map<string, Float32Array> {
  const near = (a: Rng, b: Rng) => Float32Array.from({ length: textWidth }, () => a.normal() + 0.3 * b.normal())
  return new Map(examples.map(({ id, label }) => [id, near(Rng.fork(prompt, label), Rng.fork(prompt, "clip", id))]))
}

/** Share of the test clips that a method trained on the others recognises. */
async function accuracyOf(method: Method, train: core.FeatureSet, test: core.FeatureSet): Promise<number> {
  const data = { train, val: { ...train, examples: [] } }
  const frozen = await core.fitStandardize(train, null)
  if (methodNamed(method).aligned) {
    const embeddings = new Map(prompts.map((prompt) => [prompt, madeUpAnswers(prompt, train.examples)]))
    const spec = { size, prompts, textWidth, contrastive: contrastiveSchema.parse({}), width: null, processors: model }
    const stage1 = await core.AlignGraphs.compile(spec, batch, batch)
    const task = core.alignmentTask(stage1, data, { width: textWidth, embeddings }, frozen, async () => null)
    for (const [name, values] of (await core.train(task, options)).weights) frozen.set(name, values)
    await stage1.release()
  }
  const build = methodNamed(method).build({ prompts, model, space: null })
  const stage2 = await core.ClassifierGraphs.compile({ size, classes, width: null, pool: "mean", build }, batch, 0)
  const task = core.classificationTask(method, stage2, classificationSchema.parse({}), data, frozen)
  const weights = new Map([...frozen, ...(await core.train(task, options)).weights])
  const rows = await core.clipProbabilities(stage2, test, weights)
  await stage2.release()
  return rows.filter((row, i) => row.indexOf(Math.max(...row)) === test.examples[i].label).length / rows.length
}

export async function main(): Promise<Record<string, number>> {
  const clips = [madeUpClips("train", 64), madeUpClips("test", 80)] as const
  return { full: await accuracyOf("full", ...clips), baseline: await accuracyOf("baseline", ...clips), chance: 0.25 }
}

if (process.argv[1] === import.meta.filename) console.log(await main())
