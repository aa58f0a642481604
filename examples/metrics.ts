/**
 * How sure is a difference between two models? Top-1 with a bootstrap interval for each, their paired difference, and a
 * sign-flip test. Clips of one group (here: of one person) are drawn together, since they are not independent.
 */

import {
  bootstrap,
  calibrationError,
  clusterOf,
  type Prediction,
  pairedBootstrap,
  signFlipP,
  topK,
} from "@fourtier/core/metrics"
import { Rng } from "@fourtier/tensor"

/** Made-up predictions on 60 clips of 12 people, three classes; `skill` of them are right on average. */
function predictions(name: string, skill: number): Prediction[] {
  return Array.from({ length: 60 }, (_, i) => {
    const [rng, label] = [Rng.fork(name, i), i % 3]
    const guess = rng.uniform(0, 1) < skill ? label : (label + 1) % 3
    const probabilities = [0, 1, 2].map((c) => (c === guess ? 0.8 : 0.1))
    return { clipId: `clip ${i}`, group: `person ${i % 12}`, label, probabilities }
  })
}

const isRight = ({ label, probabilities }: Prediction) => (probabilities[label] > 0.5 ? 1 : 0)

/** Top-1 as a function of one weight per prediction: what a resample weighs. */
const accuracy = (observations: readonly Prediction[]) => (weights: Float64Array) =>
  observations.reduce((sum, own, i) => sum + weights[i] * isRight(own), 0) / weights.reduce((sum, w) => sum + w, 0)

export async function main() {
  const [better, worse] = [predictions("better", 0.9), predictions("worse", 0.65)]
  const sides = [better, worse].map((observations) => ({ observations, statistics: [accuracy(observations)] }))
  const [first, second] = sides.map(({ observations, statistics }) => bootstrap(observations, statistics)[0])
  const [difference] = pairedBootstrap(sides[0], sides[1])
  const byPerson = new Map<string, number>()
  for (const [i, own] of better.entries()) {
    const person = clusterOf(own)
    byPerson.set(person, (byPerson.get(person) ?? 0) + isRight(own) - isRight(worse[i]))
  }
  const p = signFlipP([...byPerson.values()])
  return { first, second, difference, p, top2: topK(better, 2), calibration: calibrationError(better) }
}

if (process.argv[1] === import.meta.filename) console.log(await main())
