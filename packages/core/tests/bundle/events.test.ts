/** Protects starts and ends of a stream: they come in pairs, one action at a time, and moments of doubt make none. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { type ActionEvent, type TrackOptions, trackActions } from "../../src/bundle/index.ts"

const labels = ["jump", "wave"]

async function eventsOf(jump: readonly number[], options: TrackOptions = {}, times = jump.map((_, i) => i / 4)) {
  const answers = async function* () {
    for (const [i, p] of jump.entries()) yield { time: times[i], probabilities: Float32Array.of(p, 1 - p) }
  }
  const found: ActionEvent[] = []
  for await (const event of trackActions(answers(), labels, options)) found.push(event)
  return found
}

describe("what begins and ends", () => {
  it("is told from the first sure moment, once it has gone on, to the first that is not", async () => {
    const found = await eventsOf([0.5, 0.8, 0.6, 0.9, 0.9, 0.5, 0.4])
    expect(found.map(({ kind, label, time }) => [kind, label, time])).toEqual([
      ["start", "jump", 0.25],
      ["end", "jump", 1.25],
    ])
    expect(found[0].probability).toBeCloseTo(0.9, 5)
  })

  it("leaves out what is short, and does not flicker between the two thresholds", async () => {
    expect(await eventsOf([0.5, 0.9, 0.5, 0.9, 0.5])).toEqual([])
    const wavering = await eventsOf([0.75, 0.6, 0.72, 0.58, 0.71, 0.6, 0.75, 0.5])
    expect(wavering.map(({ kind }) => kind)).toEqual(["start", "end"])
  })

  it("goes from one action to another, and ends what is under way with the stream, or where it begins anew", async () => {
    const kinds = (events: ActionEvent[]) => events.map(({ kind, label }) => `${kind} ${label}`)
    const both = ["start jump", "end jump", "start wave", "end wave"]
    expect(kinds(await eventsOf([0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]))).toEqual(both)
    const again = await eventsOf([0.9, 0.9, 0.9, 0.9, 0.9, 0.9], {}, [0, 0.25, 0.5, 0, 0.25, 0.5])
    expect(kinds(again)).toEqual(["start jump", "end jump", "start jump", "end jump"])
  })

  it("comes in pairs whatever is answered", async () => {
    for (let round = 0; round < 50; round++) {
      const rng = Rng.fork("events", round)
      let p = 0.5
      const walk = Array.from({ length: 60 }, () => {
        p = Math.min(1, Math.max(0, p + 0.5 * (rng.next() - 0.5)))
        return p
      })
      const found = await eventsOf(walk)
      expect(found.length % 2).toBe(0)
      for (let i = 0; i < found.length; i += 2) {
        expect([found[i].kind, found[i + 1].kind, found[i].label]).toEqual(["start", "end", found[i + 1].label])
        expect(found[i + 1].time - found[i].time).toBeGreaterThanOrEqual(0.5)
        if (i > 0) expect(found[i].time).toBeGreaterThanOrEqual(found[i - 1].time)
      }
    }
  })
})
