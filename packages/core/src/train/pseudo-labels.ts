/**
 * Pseudo-labels (Lee 2013) from language: the classes of training clips without a label, from what the VLM said about them.
 *
 * Seeded clustering of the answers' embeddings (Basu et al. 2002) on the sphere (Banerjee et al. 2005). Class centres start as
 * the class's name and the answers about its labelled clips; then clips without a label join in, weighted by how sure their
 * class is, and centres and classes are found in turns.
 *
 * ```
 * centre_pc = unit( name_c + Σ_clips sureness · P(c) · e_p )        for every prompt p and class c
 * P(c)      = softmax over c of ( Σ_p w_p cos(e_p, centre_pc) / Σ_p w_p + anchor_c ) / temperature
 * anchor_c  = what a ridge classifier of the labelled clips and the names says: it does not drift
 * w_p       = weight_p · log odds that prompt p alone agrees with the class of all prompts together (Dawid and Skene 1979)
 * ```
 * So a prompt that says nothing about the classes, such as one about the scene, loses its say by itself. A clip that is no
 * nearer to its class than clips usually are to a class that is not theirs is of none of them.
 *
 * Embeddings are read once a round, a block at a time, and summed on the engine (`label-rounds.ts`): what stays in memory is
 * 4 bytes for each clip without a label and class.
 */

import type { SessionOptions } from "@fourtier/tensor"
import type { PseudoLabelsConfig } from "../schemas/pseudo-labels.ts"
import type { ClipTexts } from "./clip-texts.ts"
import { LabelRounds } from "./label-rounds.ts"
import { GrowingSeeds, type Seed, seedsOf } from "./label-seeds.ts"
import { centred, unit } from "./vectors.ts"

export interface PseudoLabelsInput {
  texts: ClipTexts
  /** Text embeddings [Dt] of the class names. */
  names: readonly Float32Array[]
  /** Class number by clip, of the labelled ones. */
  labels: ReadonlyMap<string, number>
  /** How much each prompt counts from the start; default: all alike. */
  weights?: ReadonlyMap<string, number>
}

export interface PseudoLabels {
  /** Class probabilities [C] of the clips without a label; of those too that are of no class. */
  probabilities: Map<string, Float32Array>
  /** Clips without a label that resemble no class. */
  none: Set<string>
  /** w_p by prompt. */
  promptWeights: Map<string, number>
}

/** Never sure that a prompt is always right, or no better than chance: shares are kept this far from both. */
const MARGIN = 0.01
/** Rounds end when no larger share of the clips changes its class: below a thousand clips, when none does. */
const CHANGING = 0.001

/**
 * Class probabilities of the clips without a label, and how much each prompt counts.
 *
 * @example
 * ```ts
 * import { pseudoLabelsSchema } from "@fourtier/core/schemas"
 * import { pseudoLabel, textsInMemory } from "@fourtier/core/train"
 *
 * const names = [Float32Array.of(1, 0), Float32Array.of(0, 1)]
 * const answers = new Map([["a", Float32Array.of(0.9, 0.1)], ["b", Float32Array.of(0.2, 0.8)]])
 * const input = { texts: textsInMemory(new Map([["A", answers]])), names, labels: new Map([["a", 0]]) }
 * const { probabilities } = await pseudoLabel(input, pseudoLabelsSchema.parse({}))
 * probabilities.get("b") // class 1, almost surely
 * ```
 */
export async function pseudoLabel(
  input: PseudoLabelsInput,
  config: PseudoLabelsConfig,
  runtime: SessionOptions = {},
): Promise<PseudoLabels> {
  const rounds = await LabelRounds.open(input.texts, input.names.length, config.temperature, runtime)
  try {
    return await labelIn(rounds, input, config)
  } finally {
    await rounds.release()
  }
}

/** How much each prompt counts from the start. */
function priorsOf({ texts, weights }: PseudoLabelsInput): number[] {
  const given = texts.prompts.map((prompt) => weights?.get(prompt) ?? 1)
  return given.some((weight) => weight > 0) ? given : texts.prompts.map(() => 1)
}

const knownOf = ({ texts, labels }: PseudoLabelsInput) => Int32Array.from(texts.clips, (clip) => labels.get(clip) ?? -1)

/** What labels and names give to begin with, for labels that grow one by one. */
export function growingSeeds(input: PseudoLabelsInput): Promise<GrowingSeeds> {
  return GrowingSeeds.of(input.texts, knownOf(input), centred(input.names).map(unit), priorsOf(input))
}

/**
 * As `pseudoLabel`, with what it runs on open already: for many sets of labels of the same clips.
 * @param given seeds of these very labels; absent: they are made
 */
export async function labelIn(
  session: LabelRounds,
  input: PseudoLabelsInput,
  { rounds }: PseudoLabelsConfig,
  given?: readonly Seed[],
): Promise<PseudoLabels> {
  const { texts, names } = input
  const { prompts, clips } = texts
  const prior = priorsOf(input)
  const classes = names.length
  const known = knownOf(input)
  const seeds = given ?? (await seedsOf(texts, known, centred(names).map(unit), prior))
  let weights: readonly number[] = prior
  let found = await session.run(known, centresFor(seeds, null, weights, classes))
  let chosen: Int32Array = known
  for (let round = 1; ; round++) {
    weights = found.agreed.map((right, p) => prior[p] * logOdds((right + 0.5) / (clips.length + 1), classes))
    if (round >= rounds || changed(found.chosen, chosen) <= CHANGING * clips.length) break
    chosen = found.chosen
    found = await session.run(known, centresFor(seeds, found.sums, weights, classes))
  }
  const open = clips.filter((_, clip) => known[clip] < 0)
  const { first, second } = found
  const least = (median(first) + median(second)) / 2
  const probabilities = new Map<string, Float32Array>()
  for (const row of session.probabilities()) probabilities.set(open[probabilities.size], row)
  return {
    probabilities,
    none: new Set(open.filter((_, i) => first[i] < least)),
    promptWeights: new Map(prompts.map((prompt, p) => [prompt, weights[p]])),
  }
}

/**
 * Centres from seeds and the clips that joined in; and the classifier that scores clips by all prompts together.
 * @param joined sums over clips without a label, of each prompt; null before the first round
 */
function centresFor(
  seeds: readonly Seed[],
  joined: readonly Float64Array[] | null,
  weights: readonly number[],
  classes: number,
) {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const centres = seeds.map(({ sums }, p) => {
    const all = Float32Array.from(sums, (sum, i) => sum + (joined?.[p][i] ?? 0))
    const width = all.length / classes
    for (let c = 0; c < classes; c++) all.set(unit(all.subarray(c * width, (c + 1) * width)), c * width)
    return all
  })
  const linear = centres.map((own, p) => own.map((x, i) => (weights[p] / total) * x + seeds[p].anchor[i]))
  return { centres, linear }
}

const changed = (a: Int32Array, b: Int32Array) => a.reduce((count, label, i) => count + Number(label !== b[i]), 0)

function logOdds(share: number, classes: number): number {
  const kept = Math.min(Math.max(share, 1 / classes + MARGIN), 1 - MARGIN)
  return Math.log((kept * (classes - 1)) / (1 - kept))
}

const median = (values: Float32Array) =>
  values.length === 0 ? 0 : values.slice().sort()[Math.floor(values.length / 2)]
