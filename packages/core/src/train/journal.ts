/** What a training tells of itself while it runs. `@fourtier/core/node` keeps it in `metrics.jsonl`. */

/** Figures by name. */
export type Metrics = Record<string, number>

export interface Journal {
  /** One update (`train`) or validation (`val`). */
  write(step: number, epoch: number, part: "train" | "val", metrics: Metrics): void
  /** Drops what was written after `step` updates: training goes on from there. */
  rewind(step: number): Promise<void>
}
