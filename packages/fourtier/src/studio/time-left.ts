/** How long a training still takes, told from what it has taken so far. */

/** Before a task has gone on for this long, its rate says nothing. */
const SETTLED_MS = 1000

export class TimeLeft {
  readonly #methods: number
  #trials = 1
  #title = ""
  #training = false
  #begun = 0
  #done = 0
  #total = 0
  /** Trainings that are over, and the milliseconds of all of them. */
  #over = 0
  #spent = 0

  /** @param methods networks that each trial trains */
  constructor(methods: number) {
    this.#methods = methods
  }

  /** Folds or splits that are trained one by one. */
  trials(count: number): void {
    this.#trials = Math.max(1, count)
  }

  begin(title: string, total: number, unit: string): void {
    this.#title = title
    this.#training = unit === "updates"
    this.#begun = performance.now()
    this.#done = 0
    this.#total = total
  }

  tick(done: number): void {
    this.#done = done
  }

  end(): void {
    if (this.#training) {
      this.#over++
      this.#spent += performance.now() - this.#begun
    }
    this.#title = ""
  }

  /** Seconds; null where nothing tells. */
  seconds(): number | null {
    const past = performance.now() - this.#begun
    const settled = this.#title !== "" && this.#done > 0 && past > SETTLED_MS
    const current = settled ? (past / this.#done) * Math.max(0, this.#total - this.#done) : null
    const each = this.#over > 0 ? this.#spent / this.#over : this.#training && current !== null ? past + current : null
    if (each === null) return null
    const begun = this.#over + (this.#training && this.#title !== "" ? 1 : 0)
    const others = Math.max(0, this.#methods * this.#trials - begun)
    return ((current ?? 0) + others * each) / 1000
  }
}
