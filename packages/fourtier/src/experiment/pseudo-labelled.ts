/** Training clips without a usable label, with the classes that the answers about them suggest, and how well those fit. */

import { join } from "node:path"
import { csvLine, plural } from "@fourtier/core"
import type { PseudoLabelsConfig } from "@fourtier/core/schemas"
import {
  type ClipTexts,
  clipRows,
  type Example,
  evidenceFor,
  type FeatureSet,
  type PseudoLabelsInput,
  pseudoLabel,
  type RowsOf,
  type Taught,
} from "@fourtier/core/train"
import type { SessionOptions } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { type EmbeddedTexts, meanRow, type TextEmbeddingTable } from "../text/targets.ts"
import { unanswered } from "./examples.ts"
import { formatFigures, type PseudoLabelFigures } from "./pseudo-label-figures.ts"
import type { Aligned } from "./stage1.ts"
import { suggestionCandidates, suggestLabels } from "./suggest.ts"
import { safeName, type Trial } from "./trial.ts"

/** Clips whose label is asked for, at most. */
const SUGGESTIONS = 20

/**
 * The clips that stage 2 of an aligned method learns from: labelled ones and, with the classes that the answers suggest, those
 * without a label. Writes the suggestions down as `pseudo-labels.csv`. Null where there are none, or they are not to be trusted.
 *
 * @example
 * ```ts
 * import { type Aligned, addPseudoLabels, type Trial } from "fourtier/experiment"
 *
 * // Clips that stage 2 learns from.
 * const clipsOf = async (trial: Trial, aligned: Aligned) => (await addPseudoLabels(trial, aligned)) ?? trial.data.labelled
 * ```
 */
export async function addPseudoLabels(trial: Trial, aligned: Aligned): Promise<FeatureSet<Taught> | null> {
  const { pseudoLabels, classes, reporter, size, model, runtime } = trial.experiment.settings
  const { train, labelled } = trial.data
  const { language } = aligned
  if (!pseudoLabels || labelled.examples.length === train.examples.length) return null
  if (![...language.text.table.values()].some((byClip) => byClip.size > 0)) return null
  if (!language.suffix) tellUnanswered(trial, language.text.table)
  const standardize = await trial.standardize()
  const rowsOf: RowsOf = (ids) => {
    const wanted = new Set(ids)
    const some = { source: train.source, examples: train.examples.filter(({ id }) => wanted.has(id)) }
    return clipRows(some, standardize, size, model.width, runtime)
  }
  const found = await suggestClasses(trial.data, aligned, rowsOf, pseudoLabels, runtime)
  if (!found) return null
  const { figures, probabilities, examples } = found
  trial.result.pseudoLabels.push(figures)
  reporter.say(`pseudo-labels${language.suffix}: ${formatFigures(figures)}`)
  const name = `pseudo-labels${safeName(language.suffix)}.csv`
  await writeFileAtomic(join(trial.folder, name), pseudoLabelTable(probabilities, found.none, classes))
  if (!language.suffix) {
    const open = new Map([...probabilities].filter(([clip]) => !trial.data.known.has(clip)))
    const rows = await rowsOf(suggestionCandidates(open))
    trial.result.suggestions = suggestLabels(open, found.none, rows, classes, SUGGESTIONS)
  }
  if (!figures.evidence.accepted) {
    if (!language.suffix) reporter.warn(refusal(figures, pseudoLabels))
    return null
  }
  const empty = classes.filter((_, c) => !examples.some(({ label }) => largest(label) === c))
  if (empty.length > 0 && !language.suffix) {
    reporter.warn(
      `nobody's answers resemble ${empty.join(", ")}: label a clip of each, or describe the class in a sentence`,
    )
  }
  if (!trial.experiment.settings.background) return { source: train.source, examples }
  const background = trial.data.taught.examples.slice(labelled.examples.length)
  const wider = examples.map((example): Taught => {
    return typeof example.label === "number" ? example : { ...example, label: [...example.label, 0] }
  })
  return { source: train.source, examples: [...wider, ...background] }
}

/** Ids of the prompts that a list in `prompts` may name by their letter. */
const PAPER = ["A", "B", "C", "D"]

/** Says which clips get no pseudo-label for want of answers, and how to go on. */
function tellUnanswered({ data, experiment }: Trial, table: TextEmbeddingTable): void {
  const { reporter } = experiment.settings
  const labelled = new Set(data.labelled.examples.map(({ id }) => id))
  const open = data.train.examples.map(({ id }) => id).filter((id) => !labelled.has(id))
  const told = unansweredText(open, table)
  if (told) reporter.warn(told)
}

/**
 * What to say of clips without a label that get no pseudo-label, since that takes an answer to every prompt; null where none lacks any.
 *
 * @example
 * ```ts
 * import { unansweredText } from "fourtier/experiment"
 *
 * const answers = new Map([["a", new Float32Array(512)]])
 * unansweredText(["a", "b"], new Map([["A", answers]])) // "1 of 2 clips without a label get no pseudo-label, …"
 * ```
 */
export function unansweredText(clips: readonly string[], table: TextEmbeddingTable): string | null {
  const lacking = unanswered(clips, table)
  if (lacking.clips === 0) return null
  const of = `${lacking.clips} of ${plural(clips.length, "clip")} without a label`
  const each = lacking.prompts.map(({ prompt, clips }) => `prompt ${prompt} on ${plural(clips, "clip")}`)
  const [{ prompt, alone }] = [...lacking.prompts].sort((a, b) => b.alone - a.alone)
  const rest = [...table.keys()].filter((id) => id !== prompt)
  const without =
    alone > 0 && rest.length > 0
      ? `, or take prompt ${prompt} out of \`prompts\`: ${plural(alone, "more clip")} would get one${
          rest.every((id) => PAPER.includes(id))
            ? ` (of the paper's prompts: --set 'prompts=[${rest.join(", ")}]')`
            : ""
        }`
      : ", or label them"
  return `${of} get no pseudo-label, which takes an answer to every prompt; missing: ${each.join(", ")}. Have these clips described${without}`
}

function refusal({ evidence }: PseudoLabelFigures, { errorRate }: PseudoLabelsConfig): string {
  const odds = Number((evidence.clips * evidence.labels).toPrecision(2))
  return `it is not sure that the answers tell the classes (evidence ${odds} to 1, wanted ${Math.round(1 / errorRate)} to 1): clips without a label are left out of stage 2; about ${plural(evidence.labelsWanted, "label")} more would decide it (fourtier suggest)`
}

const largest = (label: Taught["label"]) => (typeof label === "number" ? label : label.indexOf(Math.max(...label)))

/** What classes are suggested from. */
export type Suggesting = Pick<Aligned, "language" | "relevances" | "promptWeights" | "predicted" | "means">

/** What classes are suggested for. */
export interface TrainingClips {
  /** All training clips. */
  train: FeatureSet<Example>
  /** Those whose labels may be used. */
  labelled: FeatureSet
  /** Class numbers of those that have one, also where it may not be used: the figures come from them, nothing else does. */
  known: ReadonlyMap<string, number>
}

/**
 * Suggests classes for the clips without a label, from the answers about all clips; null where there are no such clips. Where
 * processors predict text embeddings, those of the clips themselves are clustered: they tell what an answer says that can be seen.
 * The evidence comes from the answers alone.
 * @param rowsOf features of training clips, by id
 *
 * @example
 * ```ts
 * import { pseudoLabelsSchema } from "@fourtier/core/schemas"
 * import type { RowsOf } from "@fourtier/core/train"
 * import { type Aligned, suggestClasses, type TrainingClips } from "fourtier/experiment"
 *
 * const figures = async (clips: TrainingClips, aligned: Aligned, rowsOf: RowsOf) =>
 *   (await suggestClasses(clips, aligned, rowsOf, pseudoLabelsSchema.parse({})))?.figures
 * ```
 */
export async function suggestClasses(
  { train, labelled, known }: TrainingClips,
  { language, relevances, promptWeights: weights, predicted, means }: Suggesting,
  rowsOf: RowsOf,
  config: PseudoLabelsConfig,
  runtime: SessionOptions = {},
) {
  const { text, suffix } = language
  const labels = new Map(labelled.examples.map(({ id, label }) => [id, label]))
  const training = new Set(train.examples.map(({ id }) => id))
  const answers: PseudoLabelsInput = { texts: centredAnswers(text, training), names: text.names, labels, weights }
  // weights that know nothing of which clip an answer is about
  const told = new Map([...relevances].map(([prompt, value]) => [prompt, value ** 3] as const))
  const evidence = await evidenceFor({ ...answers, weights: told }, rowsOf, config, runtime)
  const described = new Set(answers.texts.clips)
  const seen = predicted && centredTexts(predicted, text.width, described, (prompt) => means.get(prompt))
  const texts = seen ?? answers.texts
  const { probabilities, none, promptWeights } = await pseudoLabel({ ...answers, texts }, config, runtime)
  const added = train.examples.flatMap((example): Taught[] => {
    const label = probabilities.get(example.id)
    return label && !none.has(example.id) ? [{ ...example, label }] : []
  })
  if (added.length === 0) return null
  const checked = [...probabilities].filter(([id]) => known.has(id) && !none.has(id))
  const right = checked.filter(([id, row]) => row.indexOf(Math.max(...row)) === known.get(id)).length
  const counts = { answers: suffix, clips: added.length, none: none.size, evidence, known: checked.length, right }
  const figures: PseudoLabelFigures = { ...counts, promptWeights: Object.fromEntries(promptWeights) }
  const examples: readonly Taught[] = [...labelled.examples, ...added]
  return { examples, probabilities, none, figures }
}

/** Text embeddings [Dt] of the training clips' answers, each prompt's less their mean. */
function centredAnswers({ table, width }: EmbeddedTexts, training: ReadonlySet<string>): ClipTexts {
  const means = new Map(
    [...table].map(([prompt, byClip]) => {
      const own = [...byClip.keys()].filter((clip) => training.has(clip))
      const mean = new Float32Array(width)
      for (const clip of own) {
        const row = pooledRow(byClip.get(clip), width)
        for (let d = 0; d < width; d++) mean[d] += row[d] / own.length
      }
      return [prompt, mean] as const
    }),
  )
  return centredTexts(table, width, training, (prompt) => means.get(prompt))
}

/** Embeddings of the clips within a set that have one for every prompt, pooled and centred as they are read: no second copy is kept. */
function centredTexts(
  table: TextEmbeddingTable,
  width: number,
  within: ReadonlySet<string>,
  meanOf: (prompt: string) => Float32Array | undefined,
): ClipTexts {
  const prompts = [...table.keys()]
  const all = [...table.values()]
  const clips = [...(all[0]?.keys() ?? [])].filter((clip) => within.has(clip) && all.every((own) => own.has(clip)))
  return {
    prompts,
    clips,
    width,
    read(prompt, first, count, into) {
      const mean = meanOf(prompts[prompt]) ?? new Float32Array(width)
      for (let i = 0; i < count; i++) {
        const row = pooledRow(all[prompt].get(clips[first + i]), width)
        for (let d = 0; d < width; d++) into[i * width + d] = row[d] - mean[d]
      }
    },
  }
}

/** The mean of an embedding's rows. */
function pooledRow(vector: Float32Array | undefined, width: number): Float32Array {
  if (!vector) return new Float32Array(width)
  return vector.length === width ? vector : meanRow(vector, width)
}

/**
 * A table for people to check: clip, class, its probability; the least sure first, and before them those of no class.
 *
 * @example
 * ```ts
 * import { pseudoLabelTable } from "fourtier/experiment"
 *
 * const probabilities = new Map([["jump/b", Float32Array.of(0.9, 0.1)]])
 * pseudoLabelTable(probabilities, new Set(), ["jump", "wave"]) // "clip,label,probability\njump/b,jump,0.9000\n"
 * ```
 */
export function pseudoLabelTable(
  probabilities: ReadonlyMap<string, Float32Array>,
  none: ReadonlySet<string>,
  classes: readonly string[],
): string {
  const rows = [...probabilities].map(([clip, row]) => {
    const most = Math.max(...row)
    return none.has(clip) ? { clip, label: "", most: 0 } : { clip, label: classes[row.indexOf(most)], most }
  })
  rows.sort((a, b) => a.most - b.most)
  return (
    csvLine(["clip", "label", "probability"]) +
    rows.map(({ clip, label, most }) => csvLine([clip, label, most.toFixed(4)])).join("")
  )
}
