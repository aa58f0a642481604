/** How far a training is, and how long it will take: told a few times a second. */

import type { api } from "../home.ts"

export type ProgressEvent =
  | { kind: "progress"; stage: string; done: number; total: number; left: number | null; seconds: number }
  | { kind: "curve"; points: api.CurvePoint[] }

/** Milliseconds between two events. */
const PACE = 250

export class Progress {
  readonly #send: (event: ProgressEvent) => void
  readonly #began = performance.now()
  /** `first`: what was done when the clock of its steps began. */
  #stage = { name: "", done: 0, total: 0, began: 0, first: 0 }
  /** Trainings that are to come, the running one first, by how long each takes. */
  #plan: { name: string; weight: number }[] = []
  #sent = 0
  #points: api.CurvePoint[] = []
  /** Milliseconds of one unit of weight, from what has been trained. */
  #unit: number | null = null

  constructor(send: (event: ProgressEvent) => void) {
    this.#send = send
  }

  begin(name: string, total: number): void {
    this.#stage = { name, done: 0, total, began: performance.now(), first: 0 }
    this.#tell(true)
  }

  step(): void {
    this.#stage.done++
    this.#tell(this.#stage.done === this.#stage.total)
  }

  /** What will be trained, in order. */
  plan(trainings: { name: string; weight: number }[]): void {
    this.#plan = [{ name: "", weight: 0 }, ...trainings]
  }

  /** The next training of the plan begins. */
  next(): void {
    const { done, first, total, name } = this.#stage
    const [over] = this.#plan
    // one that has been trained before says nothing of how long the others take
    if (name !== "features" && over && over.weight > 0 && done > first && done === total) {
      this.#unit = (this.#pace(performance.now()) * total) / over.weight
    }
    this.#plan = this.#plan.slice(1)
    this.#stage = { name: this.#plan[0]?.name ?? "", done: 0, total: 0, began: performance.now(), first: 0 }
    this.#tell(true)
  }

  /** An update of the training that runs. */
  update(name: string, step: number, steps: number): void {
    // what comes before the first update, and what another page has done, says nothing of the next ones
    if (this.#stage.total === 0) this.#stage = { ...this.#stage, began: performance.now(), first: step }
    this.#stage = { ...this.#stage, name, done: step, total: steps }
    this.#tell(step === steps)
  }

  /** Points of a curve that is shown, with the next message. */
  curve(method: string, losses: readonly (readonly [step: number, loss: number])[], steps: number): void {
    for (const [step, loss] of losses) this.#points.push({ method, loss, part: "train", step, steps, top1: null })
  }

  /** Milliseconds of one step of this stage. */
  #pace(time: number): number {
    const { done, first, began } = this.#stage
    return (time - began) / (done - first)
  }

  #tell(now: boolean): void {
    const time = performance.now()
    if (!now && time - this.#sent < PACE) return
    this.#sent = time
    const { name, done, total } = this.#stage
    this.#send({
      kind: "progress",
      stage: name,
      done,
      total,
      left: this.#left(time),
      seconds: (time - this.#began) / 1000,
    })
    if (this.#points.length > 0) this.#send({ kind: "curve", points: this.#points })
    this.#points = []
  }

  #left(time: number): number | null {
    const { done, first, total } = this.#stage
    if (done === first || total === 0) return null
    const own = this.#pace(time) * (total - done)
    const [running, ...later] = this.#plan
    if (!running || running.weight === 0) return null
    const unit = this.#unit ?? this.#pace(time) * (total / running.weight)
    return (own + later.reduce((sum, { weight }) => sum + weight, 0) * unit) / 1000
  }
}
