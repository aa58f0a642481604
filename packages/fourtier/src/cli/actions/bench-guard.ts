/** `fourtier bench guard`: how often pseudo-labels are accepted, with the clips' own answers and with shuffled ones. */

import { join } from "node:path"
import { terminalReporter } from "@fourtier/core/node"
import { pseudoLabelsSchema } from "@fourtier/core/schemas"
import { clipRows, fitStandardize, type Labelled, promptWeights, relevance } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import { drawLabelled, labelledOf } from "../../experiment/examples.ts"
import { suggestClasses } from "../../experiment/pseudo-labelled.ts"
import { promptsOf } from "../../requirements.ts"
import type { StageContext } from "../../stages/index.ts"
import * as stages from "../../stages/index.ts"
import { type EmbeddedTexts, meanRow } from "../../text/targets.ts"
import { cacheFolders } from "../../util/cache-folders.ts"
import { type Column, terminalTable } from "../../util/table.ts"
import { interruptible } from "../interrupt.ts"
import { readConfig } from "./read-config.ts"

/** Accuracy from which pseudo-labels are worth using. */
const GOOD = 0.85
const CLASSES = [2, 6, 12]
const LABELS = [1, 2, 4]

interface Described {
  classes: readonly string[]
  examples: readonly Labelled[]
  text: EmbeddedTexts
  rows: ReadonlyMap<string, Float32Array>
  prompts: readonly string[]
  config: StageContext["config"]
}

/** Draws classes and labelled clips many times, and prints how often pseudo-labels were accepted. */
export async function benchGuard(data: readonly string[], options: { draws: number }): Promise<void> {
  const { value: config } = await readConfig(options)
  const table = await interruptible(async (signal) => {
    const sets: Described[] = []
    for (const folder of data) sets.push(await load(folder, { config, reporter: terminalReporter(), signal }))
    return tabulate(sets, options.draws, signal)
  })
  process.stdout.write(`${table}\n`)
}

async function load(data: string, context: StageContext): Promise<Described> {
  const { config } = context
  const manifest = await stages.measure(data, join(cacheFolders(config.cache).root, "guard", "manifest.jsonl"), context)
  const { splits } = await stages.plan(data, manifest, context)
  const [{ train }] = splits
  const { prompts } = promptsOf(config)
  const ids = prompts.map(({ id }) => id)
  const training = new Set(train.map(({ id }) => id))
  const answers = await stages.describeClips(data, manifest.clips, training, promptsOf(config), context)
  const features = await stages.extract(
    [{ ...splits[0], val: [], test: [] }],
    stages.contextFor(manifest.clips, context),
  )
  try {
    const text = await stages.embedTexts(answers, ids, manifest.classes, features.encoder, context)
    const { store, views } = features.train
    const examples = labelledOf(train, manifest.classes, views)
    const set = { source: store, examples }
    const standardize = await fitStandardize(set, config.model.width)
    const rows = await clipRows(set, standardize, features.encoder.size, config.model.width)
    return { classes: manifest.classes, examples, text, rows, prompts: ids, config }
  } finally {
    await stages.closeFeatures(features)
  }
}

async function tabulate(sets: readonly Described[], draws: number, signal: AbortSignal): Promise<string> {
  const columns = [
    ...["classes", "labels", "draws", "good\ndraws", "of them\naccepted", "other\ndraws", "of them\naccepted"],
    "shuffled\naccepted",
  ]
  const settings = CLASSES.flatMap((classes) => LABELS.map((labels) => ({ classes, labels })))
  const rows: string[][] = []
  for (const [place, { classes, labels }] of settings.entries()) {
    const own = sets.filter((set) => set.classes.length >= classes)
    if (own.length === 0) continue
    const tally = { draws: 0, good: 0, goodAccepted: 0, otherAccepted: 0, shuffledAccepted: 0 }
    for (let draw = place; draw < draws; draw += settings.length) {
      signal.throwIfAborted()
      const [real, shuffled] = await judge(own, classes, labels, draw)
      const good = real.right >= GOOD
      tally.draws++
      if (good) tally.good++
      if (real.accepted && good) tally.goodAccepted++
      if (real.accepted && !good) tally.otherAccepted++
      if (shuffled.accepted) tally.shuffledAccepted++
    }
    const { good, goodAccepted, otherAccepted, shuffledAccepted } = tally
    const counts = [tally.draws, good, goodAccepted, tally.draws - good, otherAccepted, shuffledAccepted]
    rows.push([classes, labels, ...counts].map(String))
  }
  return terminalTable(
    columns.map((title): Column => ({ title, align: "right" })),
    rows,
  )
}

/** Whether pseudo-labels of one draw are accepted and what share of them is right: own answers, then shuffled ones. */
async function judge(sets: readonly Described[], classes: number, labels: number, draw: number) {
  const rng = Rng.fork("guard", draw)
  const { examples: all, text, rows, prompts, config, classes: names } = rng.pick(sets)
  const kept = rng.shuffle([...names.keys()]).slice(0, classes)
  const examples = all.flatMap((clip) =>
    kept.includes(clip.label) ? [{ ...clip, label: kept.indexOf(clip.label) }] : [],
  )
  const circle = rng.shuffle(examples.map(({ id }) => id))
  // features are in `rows`: nothing is read from a store
  const source = { id: "", size: { T: 0, N: 0, D: 0 }, read: () => Promise.reject(new Error("internal error")) }
  const clips = {
    train: { source, examples },
    labelled: { source, examples: drawLabelled(examples, labels, draw) },
    known: new Map(examples.map(({ id, label }) => [id, label])),
  }
  const judged = async (step: number) => {
    const table = new Map(
      [...text.table].map(([prompt, byClip]) => {
        const told = circle.flatMap((id, i) => {
          const answer = byClip.get(circle[(i + step) % circle.length])
          return answer ? [[id, answer] as const] : []
        })
        return [prompt, new Map(told)] as const
      }),
    )
    const own = { ...text, table, names: kept.map((c) => text.names[c]) }
    const relevances = new Map(
      prompts.map((prompt) => {
        const answers = [...(table.get(prompt)?.values() ?? [])].map((vector) => meanRow(vector, text.width))
        return [prompt, relevance(answers, own.names)] as const
      }),
    )
    const found = new Map(prompts.map((prompt) => [prompt, { skill: 1, z: Number.POSITIVE_INFINITY }]))
    const aligned = {
      language: { suffix: "", text: own },
      relevances,
      promptWeights: promptWeights(relevances, found),
      predicted: null,
      means: new Map(),
    }
    const settings = config.pseudoLabels ?? pseudoLabelsSchema.parse({})
    const figures = (await suggestClasses(clips, aligned, async () => rows, settings))?.figures
    return { accepted: figures?.evidence.accepted ?? false, right: figures ? figures.right / figures.known : 0 }
  }
  return [await judged(0), await judged(1)]
}
