/** How long a training still takes, told from what it has taken so far. */

/** Before a task has gone on for this long, its rate says nothing. */
const SETTLED_MS = 1000

export class TimeLeft {
  readonly #methods: number
  readonly #folds: number
  #trials = 1
  #title = ""
  #training = false
  #held = false
  #begun = 0
  #done = 0
  #total = 0
  /** Trainings that are over, and the milliseconds of all of them. */
  #over = 0
  #spent = 0

  /**
   * @param methods networks that each trial trains
   * @param folds further ones that are trained in the end to calibrate the shipped one
   */
  constructor(methods: number, folds: number) {
    this.#methods = methods
    this.#folds = folds
  }

  /** Folds or splits that are trained one by one. */
  trials(count: number): void {
    this.#trials = Math.max(1, count)
  }

  begin(title: string, total: number, unit: string): void {
    this.#title = title
    this.#training = unit === "updates"
    this.#held ||= unit === "folds"
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
    const running = this.#title !== ""
    const past = performance.now() - this.#begun
    const settled = running && this.#done > 0 && past > SETTLED_MS
    const rated = settled ? (past / this.#done) * Math.max(0, this.#total - this.#done) : null
    const inTraining = running && this.#training
    const each = this.#over > 0 ? this.#spent / this.#over : inTraining && rated !== null ? past + rated : null
    if (each === null) return null
    const current = rated ?? (inTraining ? Math.max(0, each - past) : 0)
    const trainings = this.#methods * this.#trials - this.#over - (inTraining ? 1 : 0)
    return (current + (Math.max(0, trainings) + (this.#held ? 0 : this.#folds)) * each) / 1000
  }
}
