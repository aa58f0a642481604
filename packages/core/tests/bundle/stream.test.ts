/** Protects streams: windows as clips of the same frames, each frame computed once, the newest first where there is no time. */

import { setTimeout as sleep, setImmediate as soon } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import {
  type Bundle,
  bundleSchema,
  type StreamAnswer,
  streamWindows,
  type TimedFrame,
  type WindowModel,
} from "../../src/bundle/index.ts"
import { evenTimes, framesInMemory, readSampled } from "../../src/frames/index.ts"

const T = 4
const SIDE = 2
const bundle: Bundle = bundleSchema.parse({
  format: "fourtier/bundle",
  version: 1,
  labels: ["dark", "bright"],
  input: { name: "frames", shape: [1, T, SIDE, SIDE, 3] },
  output: { name: "probabilities" },
  sampling: { kind: "segments", frames: T, clips: 1 },
  steps: [{ step: "mirrored" }],
  clipSeconds: 2,
  provenance: {
    ...{ fourtier: "0", created: "", method: "none", encoder: { name: "", id: "" }, prompts: [] },
    ...{ config: "", split: "", seed: 0, trainingClips: 0 },
  },
  accuracy: null,
  parity: { clips: 0, largestDifference: 0 },
})

/** Brightness of the frames, the later ones counting more. */
const judged = (levels: readonly number[]) => {
  const p =
    levels.reduce((sum, level, t) => sum + (level * (t + 1)) / 255, 0) / (0.5 * levels.length * (levels.length + 1))
  return Float32Array.of(1 - p, p)
}

function fake(milliseconds = 0): WindowModel & { frames: number; windows: number } {
  const counts = {
    bundle,
    frames: 0,
    windows: 0,
    async keep(pixels: Float32Array) {
      counts.frames++
      return Float32Array.of(pixels[0])
    },
    async judge(kept: readonly Float32Array[]) {
      counts.windows++
      if (milliseconds > 0) await sleep(milliseconds)
      return judged(kept.map(([level]) => level))
    },
  }
  return counts
}

const level = (i: number) => (i * 7) % 250
const picture = (i: number) => ({
  data: new Uint8Array(SIDE * SIDE * 3).fill(level(i)),
  count: 1,
  height: SIDE,
  width: SIDE,
})
const frames = (count: number, fps: number, from = 0): TimedFrame[] =>
  Array.from({ length: count }, (_, i) => ({ time: from + i / fps, picture: picture(i) }))

async function all(answers: AsyncIterable<StreamAnswer>): Promise<StreamAnswer[]> {
  const found: StreamAnswer[] = []
  for await (const one of answers) found.push(one)
  return found
}

/** What a clip of frames `from` up to `to` is said to show. */
async function ofClip(from: number, to: number, fps: number) {
  const data = new Uint8Array((to - from) * SIDE * SIDE * 3)
  for (let i = from; i < to; i++) data.fill(level(i), (i - from) * SIDE * SIDE * 3, (i - from + 1) * SIDE * SIDE * 3)
  const { pictures } = await readSampled(
    framesInMemory({ data, count: to - from, height: SIDE, width: SIDE }, fps),
    bundle.sampling,
  )
  return judged(Array.from({ length: T }, (_, t) => pictures.data[t * SIDE * SIDE * 3]))
}

describe("a stream", () => {
  it("takes the frames that come while a window is computed on the same thread", async () => {
    // a clock that only computing moves, by as much as from one of the camera's frames to the next
    let clock = 0
    const model: WindowModel = {
      ...fake(),
      async keep(pixels) {
        clock += 0.125
        return Float32Array.of(pixels[0])
      },
    }
    async function* camera() {
      for (let i = 0; i < 16; i++, clock += 0.125) yield { time: i / 8, picture: picture(i) }
      // the newest frame alone is there to be taken
      for (let time = clock; time < 8; await soon()) {
        if (clock > time) {
          time = clock
          yield { time, picture: picture(Math.round(8 * time)) }
        }
        if (clock === time) clock += 0.001
      }
    }
    const found = await all(streamWindows(model, camera(), { live: true }))
    expect(found.length).toBeGreaterThan(4)
    expect(found.map(({ padded }) => padded)).toEqual(found.map(() => 0))
  })

  it("answers each window as a clip of its frames, computes a frame at most once, and only those sampled", async () => {
    const model = fake()
    const found = await all(streamWindows(model, frames(101, 25)))
    expect(found.map(({ time }) => time)).toEqual([2, 2.5, 3, 3.5, 4, expect.closeTo(4.02, 1)])
    for (const { time, probabilities } of found.slice(0, 5)) {
      const expected = await ofClip(Math.round((time - 2) * 25), Math.round(time * 25), 25)
      expect(probabilities[1]).toBeCloseTo(expected[1], 5)
    }
    expect(model.frames).toBeLessThanOrEqual(2 * 16) // two views; windows a segment apart share all but one frame
    expect(found.at(-1)?.dropped).toBe(0)
  })

  it("answers once about a stream shorter than a window, as about the whole clip, and counts stand-ins", async () => {
    const [one, ...others] = await all(streamWindows(fake(), frames(20, 25)))
    expect(others).toEqual([])
    expect(one.probabilities[1]).toBeCloseTo((await ofClip(0, 20, 25))[1], 5)
    const [two] = await all(streamWindows(fake(), frames(2, 25)))
    expect(two.padded).toBe(4 - 2)
    expect(await all(streamWindows(fake(), []))).toEqual([])
  })

  it("begins anew where time goes back", async () => {
    const twice = [...frames(60, 25), ...frames(60, 25)]
    const times = (await all(streamWindows(fake(), twice, { step: 0.2 }))).map(({ time }) => time)
    expect(times.filter((time) => time === 2)).toHaveLength(2)
  })

  it("follows uneven times", async () => {
    const uneven = frames(200, 25).filter((_, i) => i % 7 !== 3)
    const model = fake()
    const found = await all(streamWindows(model, uneven, { step: 0.25 }))
    expect(found.length).toBeGreaterThan(20)
    expect(evenTimes(3, 25).times).toHaveLength(3)
  })

  it("averages answers over time where asked to", async () => {
    const rough = await all(streamWindows(fake(), frames(400, 25)))
    const smooth = await all(streamWindows(fake(), frames(400, 25), { smoothing: 4 }))
    const travel = (answers: StreamAnswer[]) =>
      answers
        .slice(1)
        .reduce((sum, { probabilities }, i) => sum + Math.abs(probabilities[1] - answers[i].probabilities[1]), 0)
    expect(travel(smooth)).toBeLessThan(travel(rough) / 2)
    expect(smooth[0].probabilities).toEqual(rough[0].probabilities)
  })

  it("with a source faster than itself answers the newest window, counts what went by, and holds no more than it may", async () => {
    const source = async function* () {
      for (const frame of frames(3000, 25)) {
        yield frame
        if (frame.time % 0.4 < 0.04) await soon()
      }
    }
    const most = 80
    const found = await all(streamWindows(fake(5), source(), { live: true, most }))
    const last = found.at(-1)
    expect(last?.time).toBeGreaterThan(118)
    expect(found.length).toBeLessThan(200)
    expect(last?.dropped).toBeGreaterThan(500)
    // no answer is about frames that lie further back than what it took to answer the one before
    for (const { latency } of found) expect(latency).toBeLessThan(1)
    expect(found.every(({ time }, i) => i === 0 || time > found[i - 1].time)).toBe(true)
  })

  it("hands on what goes wrong in the source", async () => {
    const broken = async function* () {
      yield* frames(60, 25)
      throw new Error("camera gone")
    }
    for (const live of [false, true])
      await expect(all(streamWindows(fake(), broken(), { live }))).rejects.toThrow(/camera gone/)
  })
})
