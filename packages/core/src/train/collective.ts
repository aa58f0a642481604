/**
 * What several processes (ranks) that train together say to each other. They train on one batch, each on its rows of it; between
 * gradients and update, the loop replaces the gradient by its sum over all ranks, so that every rank makes the same update.
 *
 * ```
 * rank 0: first rows of the batch ─ gradients ─┐              ┌─ AdamW ─► same weights
 *                                              ├─ sum, in place
 * rank 1: next rows of the batch ─ gradients ──┘              └─ AdamW ─► same weights
 * ```
 * Every rank makes the same calls in the same order, with arrays of the same lengths.
 */

import type { AdamW } from "@fourtier/tensor/optim"
import type { Metrics } from "./journal.ts"

export interface Collective {
  /** This process, from 0. */
  readonly rank: number
  /** Processes in all. */
  readonly size: number
  /** Replaces `values` by their sum over all ranks, in place: the same bits on every rank. */
  sum(values: Float32Array): Promise<void>
  /** The `values` of all ranks, one after another in the order of their numbers. */
  gather(values: Float32Array): Promise<Float32Array>
  /** Replaces `bytes` by those of rank 0, in place. */
  broadcast(bytes: Uint8Array): Promise<void>
}

/** One process by itself. */
export const alone: Collective = {
  rank: 0,
  size: 1,
  sum: async () => {},
  gather: async (values) => values,
  broadcast: async () => {},
}

/**
 * Rank 0's value on every rank, by way of JSON.
 *
 * @example
 * ```ts
 * import { alone, fromFirst } from "@fourtier/core/train"
 *
 * await fromFirst(alone, { score: 0.9 }) // one process: what it gave
 * ```
 */
export async function fromFirst<T>(collective: Collective, value: T): Promise<T> {
  if (collective.size === 1) return value
  const own = new TextEncoder().encode(JSON.stringify(value))
  const length = Float64Array.of(own.length)
  await collective.broadcast(bytesOf(length))
  const bytes = collective.rank === 0 ? own : new Uint8Array(length[0])
  await collective.broadcast(bytes)
  return JSON.parse(new TextDecoder().decode(bytes))
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Float64Array) =>
  new Uint8Array(buffer, byteOffset, byteLength)

/**
 * Gives every rank the weights of rank 0, and the moments and the number of updates that go with them.
 * @param steps updates done; 0: there are no moments yet
 */
export async function shareState(collective: Collective, optimizer: AdamW, steps: number): Promise<void> {
  if (collective.size === 1) return
  for (const { name } of optimizer.parameters) await collective.broadcast(bytesOf(optimizer.parameter(name)))
  if (steps === 0) return
  const { firstMoments, secondMoments } = optimizer.state()
  for (const moments of [firstMoments, secondMoments]) {
    for (const values of moments.values()) await collective.broadcast(bytesOf(values))
  }
  optimizer.load({ step: steps, firstMoments, secondMoments })
}

/** What an update needs to hear from all ranks, in one message. */
export class UpdateMessage {
  readonly #collective: Collective
  #buffer = new Float32Array()

  constructor(collective: Collective) {
    this.#collective = collective
  }

  /**
   * Sums gradients and losses over all ranks, in place.
   * @param stop whether this rank is asked to stop
   * @returns whether any rank is: all of them stop after the same update
   */
  async combine(optimizer: AdamW, losses: Metrics, stop: boolean): Promise<boolean> {
    if (this.#collective.size === 1) return stop
    const gradient = optimizer.pendingGradient
    const tail = [...Object.values(losses), Number(stop)]
    const length = gradient.length + tail.length
    if (this.#buffer.length !== length) this.#buffer = new Float32Array(length)
    this.#buffer.set(gradient)
    this.#buffer.set(tail, gradient.length)
    await this.#collective.sum(this.#buffer)
    gradient.set(this.#buffer.subarray(0, gradient.length))
    for (const [i, name] of Object.keys(losses).entries()) losses[name] = this.#buffer[gradient.length + i]
    return this.#buffer[length - 1] > 0
  }
}
