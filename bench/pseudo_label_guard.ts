/**
 * How often pseudo-labels are accepted: answers about the clips themselves, and answers shuffled among them, over many draws of
 * classes and labelled clips.
 *
 *     npm run bench && node .fourtier/bench/pseudo_label_guard.js <draws> <data> [more data] [settings a.b=c]
 *
 * `<data>` as `fourtier run` takes it, with recorded answers beside it. Draws take 2, 6 and 12 classes (those that the data have) and
 * 1, 2 and 4 labels per class in turns. A good draw is one whose pseudo-labels, from the answers alone, are right for at least
 * 85 % of the clips. Writes bench/pseudo_label_guard.csv.
 */

import { join } from "node:path"
import { terminalReporter } from "@fourtier/core/node"
import { pseudoLabelsSchema } from "@fourtier/core/schemas"
import { clipRows, fitStandardize, promptWeights, relevance } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import { loadConfig } from "../packages/fourtier/src/config.ts"
import { drawLabelled, labelledOf } from "../packages/fourtier/src/experiment/examples.ts"
import { suggestClasses } from "../packages/fourtier/src/experiment/pseudo-labelled.ts"
import * as stages from "../packages/fourtier/src/stages.ts"
import { meanRow } from "../packages/fourtier/src/text/targets.ts"
import { BENCH, stop, Table } from "./harness.ts"

const [count, ...rest] = process.argv.slice(2)
const draws = Number(count)
const folders = rest.filter((word) => !word.includes("="))
if (!Number.isInteger(draws) || folders.length === 0) {
  stop("usage: node .fourtier/bench/pseudo_label_guard.js <draws> <data> [more data] [settings a.b=c]")
}
const { value: config } = await loadConfig({ set: rest.filter((word) => word.includes("=")) })
const context = { config, reporter: terminalReporter() }

/** Everything that a draw needs of one set of clips. */
async function load(folder: string) {
  const manifest = await stages.measure(folder, join(config.cache, "guard", "manifest.jsonl"), context)
  const { splits } = stages.plan(manifest, context)
  const [{ train }] = splits
  const prompts = stages.promptsOf(config)
  const answers = await stages.describeClips(
    folder,
    manifest.clips,
    new Set(train.map(({ id }) => id)),
    prompts,
    context,
  )
  const features = await stages.extract([{ ...splits[0], val: [], test: [] }], context)
  const ids = prompts.prompts.map(({ id }) => id)
  const text = await stages.embedTexts(answers, ids, manifest.classes, features.encoder, context)
  const examples = labelledOf(train, manifest.classes, features.train.views)
  const set = { source: features.train.store, examples }
  const standardize = await fitStandardize(set, config.model.width)
  const rows = await clipRows(set, standardize, features.encoder.size, config.model.width)
  await features.train.store.close()
  await features.test.store.close()
  return { classes: manifest.classes, set, text, rows, ids }
}

const sets = await Promise.all(folders.map(load))
const table = new Table(join(BENCH, "pseudo_label_guard.csv"), [
  ...["classes", "labels_per_class", "draws", "good_draws", "good_accepted", "bad_draws", "bad_accepted"],
  "shuffled_accepted",
])
const totals = { draws: 0, good: 0, goodAccepted: 0, shuffledAccepted: 0 }
const settings = [2, 6, 12].flatMap((classes) => [1, 2, 4].map((labels) => ({ classes, labels })))
for (const [place, { classes, labels }] of settings.entries()) {
  const own = sets.filter((set) => set.classes.length >= classes)
  const tally = { draws: 0, good: 0, goodAccepted: 0, bad: 0, badAccepted: 0, shuffledAccepted: 0 }
  for (let draw = place; draw < draws && own.length > 0; draw += settings.length) {
    const rng = Rng.fork("guard", draw)
    const { set, text, rows, ids, classes: all } = rng.pick(own)
    const kept = rng.shuffle([...all.keys()]).slice(0, classes)
    const examples = set.examples.flatMap((clip) =>
      kept.includes(clip.label) ? [{ ...clip, label: kept.indexOf(clip.label) }] : [],
    )
    const circle = rng.shuffle(examples.map(({ id }) => id))
    const told = (shuffled: boolean) =>
      new Map(
        [...text.table].map(([prompt, byClip]) => {
          const moved = circle.flatMap((id, i) => {
            const answer = byClip.get(shuffled ? circle[(i + 1) % circle.length] : id)
            return answer ? [[id, answer] as const] : []
          })
          return [prompt, new Map(moved)] as const
        }),
      )
    const judge = (shuffled: boolean) => {
      const own = { ...text, table: told(shuffled), names: kept.map((c) => text.names[c]) }
      const relevances = new Map(
        ids.map((id) => {
          const answers = [...(own.table.get(id)?.values() ?? [])].map((vector) => meanRow(vector, text.width))
          return [id, relevance(answers, own.names)] as const
        }),
      )
      const weights = promptWeights(relevances, new Map(ids.map((id) => [id, { skill: 1, z: 99 }])))
      const clips = {
        train: { source: set.source, examples },
        labelled: { source: set.source, examples: drawLabelled(examples, labels, draw) },
        known: new Map(examples.map(({ id, label }) => [id, label])),
      }
      const aligned = { language: { suffix: "", text: own }, promptWeights: weights, predicted: null }
      const figures = suggestClasses(clips, aligned, rows, pseudoLabelsSchema.parse(config.pseudoLabels ?? {}))?.figures
      return { accepted: figures?.evidence.accepted ?? false, right: figures ? figures.right / figures.known : 0 }
    }
    const real = judge(false)
    tally.draws++
    if (real.right >= 0.85) tally.good++
    else tally.bad++
    if (real.accepted && real.right >= 0.85) tally.goodAccepted++
    if (real.accepted && real.right < 0.85) tally.badAccepted++
    if (judge(true).accepted) tally.shuffledAccepted++
  }
  totals.draws += tally.draws
  totals.good += tally.good
  totals.goodAccepted += tally.goodAccepted
  totals.shuffledAccepted += tally.shuffledAccepted
  const { good, goodAccepted, bad, badAccepted, shuffledAccepted } = tally
  table.add([classes, labels, tally.draws, good, goodAccepted, bad, badAccepted, shuffledAccepted].map(String))
}
await table.write()
const share = (part: number, whole: number) => `${part} of ${whole} (${((100 * part) / whole).toFixed(1)} %)`
process.stdout.write(
  `good draws accepted: ${share(totals.goodAccepted, totals.good)}; shuffled answers accepted: ${share(totals.shuffledAccepted, totals.draws)}\n`,
)
