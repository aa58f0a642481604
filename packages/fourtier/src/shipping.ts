/** The last part of the recipe: a trained model becomes a bundle. */

import { withTemperature } from "@fourtier/core"
import type { Bundle } from "@fourtier/core/bundle"
import { type Method, methodNamed, type NetworkSpec, titleOf } from "@fourtier/core/model"
import type { Calibration } from "@fourtier/core/schemas"
import { exportBundle } from "./deploy/export.ts"
import type { PromptSet } from "./describe/prompts.ts"
import type { EvaluationResults } from "./evaluate/results.ts"
import type { Trial, TrialResult } from "./experiment/trial.ts"
import { hashOf } from "./requirements.ts"
import { type Features, type StageContext, viewRecipes } from "./stages/index.ts"
import { cacheFolders } from "./util/cache-folders.ts"
import { version } from "./util/version.ts"
import type { Clip } from "./video/manifest.ts"
import type { Split } from "./video/splits.ts"

/** A trained model that may be shipped. */
export interface Final {
  split: Split
  seed: number
  method: Method
  network: NetworkSpec
  trial: Trial
  result: TrialResult
}

/** Exports a model as a bundle and proves it on the clips it was not trained on, or on all where it has seen all. */
export async function ship(
  folder: string,
  { split, seed, method, network, result }: Final,
  about: {
    context: StageContext
    features: Features
    classes: readonly string[]
    prompts: PromptSet["prompts"]
    calibration: Calibration | null
    unknown: Bundle["unknown"]
    /** Null where nothing was tested. */
    results: EvaluationResults | null
  },
): Promise<Bundle> {
  const { features, classes, prompts, calibration, unknown, results } = about
  const { config, reporter } = about.context
  const { aligned } = methodNamed(method)
  const weights = result.weights.get(method)
  const predictions = result.predictions.get(titleOf(method))?.predictions ?? []
  if (!weights) throw new Error(`internal error: ${method} was not trained`)
  const byId = new Map(split.test.map((clip) => [clip.id, clip]))
  const expected = predictions.flatMap(({ clipId, probabilities }) => {
    const clip = byId.get(clipId)
    return clip ? [{ clip, probabilities: withTemperature(probabilities, calibration?.temperature ?? 1) }] : []
  })
  const bundle = await exportBundle({
    folder,
    encoder: features.encoder,
    recipe: viewRecipes(config, features.encoder).test,
    labels: classes,
    network,
    weights,
    provenance: {
      fourtier: version,
      created: new Date().toISOString(),
      method,
      encoder: { name: features.encoder.name, id: features.encoder.id },
      prompts: aligned ? prompts.map(({ id, text }) => ({ id, text })) : [],
      config: hashOf(config),
      split: split.name,
      seed,
      trainingClips: split.train.length,
      pseudoLabelled: aligned ? usedPseudoLabels(result) : 0,
    },
    clipSeconds: medianSeconds(split.train),
    calibration,
    unknown,
    accuracy: accuracyOf(results, method),
    expected,
    proofs: cacheFolders(config.cache).proofs,
    reporter,
    runtime: { provider: config.runtime.provider, threads: config.runtime.threads ?? undefined },
    workers: config.runtime.workers ?? undefined,
  })
  const matches = `matches the trainer within ${bundle.parity.largestDifference.toExponential(1)}`
  reporter.say(`bundle: ${folder}, ${matches}`)
  return bundle
}

function medianSeconds(clips: readonly Clip[]): number | null {
  const sorted = clips.map(({ duration }) => duration).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? null
}

function usedPseudoLabels({ pseudoLabels }: TrialResult): number {
  return pseudoLabels.find(({ answers, evidence }) => answers === "" && evidence.accepted)?.clips ?? 0
}

function accuracyOf(results: EvaluationResults | null, method: Method): Bundle["accuracy"] {
  if (!results) return null
  const { splits, seeds } = results
  const [whole] = splits
  const top1 = whole?.methods.find((one) => one.method === titleOf(method))?.figures.top1
  if (!top1) return null
  const on = `${whole.split}: ${whole.clips} clips, ${seeds.length} ${seeds.length === 1 ? "seed" : "seeds"}`
  return { on, top1: top1.value, low: top1.low, high: top1.high }
}
