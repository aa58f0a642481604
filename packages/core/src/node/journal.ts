/** `metrics.jsonl`: one line an update or validation. Lines are written as they come and survive a kill. */

import { appendFileSync, existsSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { notWritten, readText, writeFileAtomic } from "@fourtier/tensor/node"
import type { Journal, Metrics } from "../train/journal.ts"

/**
 * A journal as a file, which `train` writes to.
 *
 * @example
 * ```ts
 * import { FileJournal } from "@fourtier/core/node"
 *
 * const journal = new FileJournal("runs/mine/metrics.jsonl")
 * journal.write(1, 0, "train", { loss: 2.3 })
 * ```
 */
export class FileJournal implements Journal {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
    this.#writing(() => mkdirSync(dirname(path), { recursive: true }))
  }

  write(step: number, epoch: number, split: "train" | "val", metrics: Metrics): void {
    this.#writing(() => appendFileSync(this.#path, `${JSON.stringify({ step, epoch, split, ...metrics })}\n`))
  }

  #writing(work: () => void): void {
    try {
      work()
    } catch (error) {
      throw notWritten(this.#path, error, "training losses")
    }
  }

  async rewind(step: number): Promise<void> {
    if (!existsSync(this.#path)) return
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
