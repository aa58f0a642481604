/** From answers of a stream to what begins and ends: with hysteresis, so that nothing flickers. */

import { believed } from "./answer.ts"
import type { StreamAnswer } from "./stream.ts"

export interface TrackOptions {
  /** Probability from which on an action may begin; default 0.7. */
  on?: number
  /** Probability below which it ends; default 0.15 less. */
  off?: number
  /** Seconds that it has to go on before it counts; default 0.5. */
  least?: number
}

export interface ActionEvent {
  kind: "start" | "end"
  label: string
  /** When it began or ended, in the stream's time: the end of the window that told. */
  time: number
  /** Of the answer that told: at a start, the one at which it was sure. */
  probability: number
}

/** An action that is under way, or may be. */
interface Candidate {
  class: number
  since: number
  told: boolean
}

/**
 * Starts and ends of actions, at most one of them at a time. A start is told once it has gone on for `least`; every start has its
 * end, at the latest where the stream ends.
 * @param labels of the classes
 *
 * @example
 * ```ts
 * import { type FrameRecognizer, type TimedFrame, trackActions } from "@fourtier/core/bundle"
 *
 * async function log(recognizer: FrameRecognizer, camera: AsyncIterable<TimedFrame>) {
 *   const answers = recognizer.stream(camera, { live: true, smoothing: 0.5 })
 *   for await (const { kind, label, time } of trackActions(answers, recognizer.labels)) console.log(kind, label, time)
 * }
 * ```
 */
export async function* trackActions(
  answers: AsyncIterable<Pick<StreamAnswer, "time" | "probabilities"> & Partial<Pick<StreamAnswer, "background">>>,
  labels: readonly string[],
  { on = 0.7, off = on - 0.15, least = 0.5 }: TrackOptions = {},
): AsyncGenerator<ActionEvent, void, undefined> {
  let current: Candidate | null = null
  let last = { time: 0, probability: 0 }
  for await (const { time, probabilities: own, background = 0 } of answers) {
    const probabilities = believed({ probabilities: own, background })
    // a stream that begins anew ends what was under way
    if (current?.told && time < last.time) yield { kind: "end", label: labels[current.class], ...last }
    if (time < last.time) current = null
    const best = probabilities.indexOf(probabilities.reduce((most, p) => Math.max(most, p), 0))
    const probability: number = current ? probabilities[current.class] : 0
    const over: boolean =
      current !== null && (probability < off || (best !== current.class && probabilities[best] >= on))
    if (current && over) {
      if (current.told) yield { kind: "end", label: labels[current.class], time, probability }
      current = null
    }
    if (!current && probabilities[best] >= on) current = { class: best, since: time, told: false }
    if (current && !current.told && time - current.since >= least - 1e-9) {
      current.told = true
      yield {
        kind: "start",
        label: labels[current.class],
        time: current.since,
        probability: probabilities[current.class],
      }
    }
    last = { time, probability: current ? probabilities[current.class] : 0 }
  }
  if (current?.told) yield { kind: "end", label: labels[current.class], ...last }
}
