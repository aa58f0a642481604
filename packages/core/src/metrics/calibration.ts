/** How sure a model may be: the temperature at which its probabilities are right as often as they say (Guo et al. 2017). */

import { withTemperature } from "../util/temperature.ts"
import { argmax, checkPredictions, type Prediction } from "./metrics.ts"

/** Temperatures that are looked at. */
const [LEAST, MOST] = [1 / 32, 32]

/**
 * The temperature at which the probability of the most probable class is, on average, the share of clips that are right. With k of
 * n clips right that share is taken as (k + 1) / (n + 2) (Laplace's rule of succession), so that few clips make nobody certain.
 * @param predictions of clips that the model was not trained on
 *
 * @example
 * ```ts
 * import { fitTemperature } from "@fourtier/core/metrics"
 *
 * const right = { clipId: "jump/a", label: 0, probabilities: [0.6, 0.4] }
 * fitTemperature(Array(98).fill(right)) // 0.088: sure to 99 %
 * ```
 */
export function fitTemperature(predictions: readonly Prediction[]): number {
  checkPredictions(predictions)
  const right = predictions.filter(({ label, probabilities }) => argmax(probabilities) === label).length
  const wanted = (right + 1) / (predictions.length + 2)
  let [low, high] = [Math.log(LEAST), Math.log(MOST)]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (meanConfidence(predictions, Math.exp(middle)) > wanted) low = middle
    else high = middle
  }
  return Math.exp((low + high) / 2)
}

function meanConfidence(predictions: readonly Prediction[], temperature: number): number {
  const sum = predictions.reduce((total, { probabilities }) => {
    const row = withTemperature(probabilities, temperature)
    return total + row[argmax(row)]
  }, 0)
  return sum / predictions.length
}
