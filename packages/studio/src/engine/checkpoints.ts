/** Checkpoints and finished weights of trainings in this browser: a page that is closed goes on where it was. */

import type { Checkpoints, Cursor, Journal, Metrics } from "@fourtier/core/train"
import type { Weights } from "@fourtier/tensor/nn"
import type { AdamW, AdamWState } from "@fourtier/tensor/optim"
import { get, keys, put, remove } from "../store/database.ts"

interface Saved {
  cursor: Cursor
  weights: Weights
  state: AdamWState
  best: Weights | null
}

/** @param key names all that decides the outcome */
export function storedCheckpoints(key: string): Checkpoints {
  return {
    async restore(optimizer) {
      const saved = (await get("training", `${key}/checkpoint`)) as Saved | undefined
      if (!saved) return null
      for (const [name, values] of saved.weights) optimizer.parameter(name).set(values)
      optimizer.load(saved.state)
      return { ...saved.cursor, bestWeights: saved.best }
    },
    async save(cursor: Cursor, optimizer: AdamW, best: Weights | null) {
      const weights = new Map(
        optimizer.parameters.map(({ name }) => [name, optimizer.parameter(name).slice()] as const),
      )
      const saved: Saved = { cursor: { ...cursor }, weights, state: optimizer.state(), best }
      await put("training", [[`${key}/checkpoint`, saved]])
    },
  }
}

export async function finishedWeights(key: string): Promise<Weights | null> {
  return ((await get("training", `${key}/weights`)) as Weights | undefined) ?? null
}

export async function keepWeights(key: string, weights: Weights): Promise<void> {
  await put("training", [[`${key}/weights`, weights]])
  await remove("training", [`${key}/checkpoint`])
}

/** Forgets what was kept of other trainings than that of the key. */
export async function forgetOthers(key: string): Promise<void> {
  const others = (await keys("training")).filter((name) => !name.startsWith(`${key}/`))
  if (others.length > 0) await remove("training", others)
}

/** Hands over every update. */
export class LiveJournal implements Journal {
  readonly #on: (step: number, metrics: Metrics) => void

  constructor(on: (step: number, metrics: Metrics) => void) {
    this.#on = on
  }

  write(step: number, _epoch: number, part: "train" | "val", metrics: Metrics): void {
    if (part === "train") this.#on(step, metrics)
  }

  async rewind(): Promise<void> {}
}
