/** `metrics.jsonl`: one line an update or validation. Lines are written as they come and survive a kill. */

import { appendFileSync, existsSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { readText, writeFileAtomic } from "../util/files.ts"

export type Metrics = Record<string, number>

export class Journal {
  readonly #path: string | null

  /** @param path null keeps no journal */
  constructor(path: string | null) {
    this.#path = path
    if (path) mkdirSync(dirname(path), { recursive: true })
  }

  write(step: number, epoch: number, split: "train" | "val", metrics: Metrics): void {
    if (this.#path) appendFileSync(this.#path, `${JSON.stringify({ step, epoch, split, ...metrics })}\n`)
  }

  /** Drops what was written after `step` updates: training goes on from there. */
  async rewind(step: number): Promise<void> {
    if (!this.#path || !existsSync(this.#path)) return
    const lines = (await readText(this.#path)).split("\n").filter((line) => stepOf(line) <= step)
    await writeFileAtomic(this.#path, lines.map((line) => `${line}\n`).join(""))
  }
}

/** The step of a line; a torn line counts as later than all. */
function stepOf(line: string): number {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === "object" && value !== null && "step" in value && typeof value.step === "number")
      return value.step
  } catch {
    return Number.POSITIVE_INFINITY
  }
  return Number.POSITIVE_INFINITY
}
