/** Ranks that live in one process and wait for each other, as processes do. */

import type { Collective } from "../../src/train/collective.ts"

/** What ranks said to each other, by kind. */
export type Calls = Record<"sum" | "gather" | "broadcast", number>

interface Waiting<T> {
  rank: number
  value: T
  done: (all: readonly T[]) => void
}

/** A place where every rank leaves a value and gets those of all. */
function meeting<T>(size: number): (rank: number, value: T) => Promise<readonly T[]> {
  let waiting: Waiting<T>[] = []
  return (rank, value) =>
    new Promise((done) => {
      waiting.push({ rank, value, done })
      if (waiting.length < size) return
      const met = waiting.toSorted((a, b) => a.rank - b.rank)
      waiting = []
      const all = met.map((one) => one.value)
      for (const one of met) one.done(all)
    })
}

export function ranksInOneProcess(size: number): { ranks: Collective[]; calls: Calls } {
  const calls: Calls = { sum: 0, gather: 0, broadcast: 0 }
  const floats = meeting<Float32Array>(size)
  const bytes = meeting<Uint8Array>(size)
  const ranks = Array.from({ length: size }, (_, rank): Collective => {
    const count = (kind: keyof Calls) => {
      if (rank === 0) calls[kind]++
    }
    return {
      rank,
      size,
      async sum(values) {
        count("sum")
        const all = await floats(rank, values.slice())
        for (let i = 0; i < values.length; i++) values[i] = all.reduce((sum, own) => sum + own[i], 0)
      },
      async gather(values) {
        count("gather")
        return Float32Array.from((await floats(rank, values.slice())).flatMap((own) => [...own]))
      },
      async broadcast(values) {
        count("broadcast")
        values.set((await bytes(rank, values.slice()))[0])
      },
    }
  })
  return { ranks, calls }
}
