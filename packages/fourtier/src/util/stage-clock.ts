/** How long the stages of a run take, one after another. */

export interface Lap {
  stage: string
  seconds: number
  requests?: number
  dollars?: number | null
}

/**
 * Counts from one lap to the next.
 *
 * @example
 * ```ts
 * import { StageClock } from "fourtier"
 *
 * const clock = new StageClock()
 * clock.lap("features")
 * clock.laps // [{ stage: "features", seconds: 0.1 }]
 * ```
 */
export class StageClock {
  readonly laps: Lap[] = []
  /** Who has answered; null where nobody was asked. */
  model: string | null = null
  #begun = performance.now()
  #spent: Pick<Lap, "requests" | "dollars"> = {}

  /** Ends a stage; stages of one name add up. */
  lap(stage: string): void {
    const now = performance.now()
    const seconds = (now - this.#begun) / 1000
    this.#begun = now
    const known = this.laps.find((lap) => lap.stage === stage)
    if (known) known.seconds += seconds
    else this.laps.push({ stage, seconds, ...this.#spent })
    this.#spent = {}
  }

  /** Notes what the stage under way has asked for and paid, and who has answered. */
  spend({ requests, dollars, model }: { requests: number; dollars: number | null; model: string }): void {
    this.#spent = { requests, dollars }
    this.model = model
  }

  /** Seconds of all laps. */
  get seconds(): number {
    return this.laps.reduce((sum, lap) => sum + lap.seconds, 0)
  }
}
