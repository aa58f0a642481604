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

/**
 * @param key names all that decides the outcome
 * @param beside what else is kept with each checkpoint, by name
 */
export function storedCheckpoints(key: string, beside: () => readonly (readonly [string, unknown])[]): Checkpoints {
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
      await put("training", [[`${key}/checkpoint`, saved], ...beside()])
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

/** Loss by update, in the order of updates. */
export type Losses = [step: number, loss: number][]

export async function keptLosses(key: string): Promise<Losses> {
  return ((await get("training", `${key}/losses`)) as Losses | undefined) ?? []
}

/** Seconds that were spent on a training before now. @param key of all that is trained */
export async function spentSeconds(key: string): Promise<number> {
  return Number((await get("training", `${key}/seconds`)) ?? 0)
}

/** Holds every loss and hands it over, those as well that were known before. */
export class LiveJournal implements Journal {
  losses: Losses
  readonly #on: (losses: Losses, now: boolean) => void

  /**
   * @param losses what is known
   * @param on `now`: the update has just been made
   */
  constructor(losses: Losses, on: (losses: Losses, now: boolean) => void) {
    this.losses = losses
    this.#on = on
  }

  write(step: number, _epoch: number, part: "train" | "val", { loss }: Metrics): void {
    if (part !== "train") return
    this.losses.push([step, loss])
    this.#on([[step, loss]], true)
  }

  async rewind(step: number): Promise<void> {
    this.losses = this.losses.filter(([own]) => own <= step)
    if (this.losses.length > 0) this.#on(this.losses, false)
  }
}
