/** How sure a model may be: the temperature at which its probabilities are right as often as they say (Guo et al. 2017). */

import { withTemperature } from "../util/temperature.ts"
import { argmax, checkPredictions, confidenceBin, type Prediction } from "./metrics.ts"

/** Temperatures that are looked at. */
const [LEAST, MOST] = [1 / 32, 32]

/** Spread of log temperatures that few clips are not believed to go beyond: a factor of two. */
const SPREAD = Math.log(2)

/**
 * The temperature at which the probability of the most probable class is, on average, the share of clips that are right. Few clips do
 * not go far from 1: of k right in n, the most probable log temperature where (k + 1) of (n + 2) are right by a chance of the mean
 * probability, and log temperatures are normal around 0 before anything is seen, with a standard deviation of log 2.
 * @param predictions of clips that the model was not trained on
 *
 * @example
 * ```ts
 * import { fitTemperature } from "@fourtier/core/metrics"
 *
 * const right = { clipId: "jump/a", label: 0, probabilities: [0.6, 0.4] }
 * fitTemperature(Array(98).fill(right)) // 0.11: sure to 97 %
 * ```
 */
export function fitTemperature(predictions: readonly Prediction[]): number {
  checkPredictions(predictions)
  const right = predictions.filter(({ label, probabilities }) => argmax(probabilities) === label).length
  const wrong = predictions.length - right
  const loss = (log: number) => {
    const confidence = Math.min(1 - 1e-9, meanConfidence(predictions, Math.exp(log)))
    return (log / SPREAD) ** 2 / 2 - (right + 1) * Math.log(confidence) - (wrong + 1) * Math.log(1 - confidence)
  }
  return Math.exp(lowest(loss, Math.log(LEAST), Math.log(MOST)))
}

/** Where a function of one valley is lowest: golden-section search, to 1e-4. */
function lowest(f: (x: number) => number, from: number, to: number): number {
  const share = (Math.sqrt(5) - 1) / 2
  let [low, high] = [from, to]
  let [a, b] = [high - share * (high - low), low + share * (high - low)]
  let [fa, fb] = [f(a), f(b)]
  while (high - low > 1e-4) {
    if (fa <= fb) {
      high = b
      ;[b, fb] = [a, fa]
      a = high - share * (high - low)
      fa = f(a)
    } else {
      low = a
      ;[a, fa] = [b, fb]
      b = low + share * (high - low)
      fb = f(b)
    }
  }
  return (low + high) / 2
}

function meanConfidence(predictions: readonly Prediction[], temperature: number): number {
  const sum = predictions.reduce((total, { probabilities }) => {
    const row = withTemperature(probabilities, temperature)
    return total + row[argmax(row)]
  }, 0)
  return sum / predictions.length
}

/**
 * The expected calibration error that chance alone gives: what as many predictions, as sure as these, show on average if each is right
 * with the probability that it says. Of few clips it is far from 0, and a `calibrationError` no higher tells nothing against a model.
 *
 * @example
 * ```ts
 * import { calibrationErrorByChance } from "@fourtier/core/metrics"
 *
 * calibrationErrorByChance([{ clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }]) // 0.42: 0.3 seven times in ten, else 0.7
 * ```
 */
export function calibrationErrorByChance(predictions: readonly Prediction[], bins = 15): number {
  checkPredictions(predictions)
  const inBins = Array.from({ length: bins }, (): number[] => [])
  for (const { probabilities } of predictions) {
    const confidence = probabilities[argmax(probabilities)]
    inBins[confidenceBin(confidence, bins)].push(confidence)
  }
  return inBins.reduce((sum, own) => sum + meanMiss(own), 0) / predictions.length
}

/** Mean distance of the number of hits from its mean, of independent trials. */
function meanMiss(chances: readonly number[]): number {
  const mean = chances.reduce((sum, chance) => sum + chance, 0)
  // how probable each number of hits is, trial by trial
  const hits = new Float64Array(chances.length + 1)
  hits[0] = 1
  for (const [i, chance] of chances.entries()) {
    for (let k = i + 1; k >= 0; k--) hits[k] = hits[k] * (1 - chance) + (k > 0 ? hits[k - 1] * chance : 0)
  }
  return hits.reduce((sum, probability, k) => sum + probability * Math.abs(k - mean), 0)
}
