/** Protects: which frames of a clip are looked at. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, test } from "vitest"
import { evenTimes, keyFrameIndices, sampleFrames } from "../../src/frames/sampling.ts"
import { samplingSchema } from "../../src/schemas/sampling.ts"

const segments = (frames: number, clips = 1) => samplingSchema.parse({ kind: "segments", frames, clips })
const dense = (frames: number, stride: number, clips = 1) =>
  samplingSchema.parse({ kind: "dense", frames, stride, clips })

describe("segments", () => {
  test("test: centres of equal segments", () => {
    expect(sampleFrames(evenTimes(80, 25), segments(8), null)).toEqual([[5, 15, 25, 35, 45, 55, 65, 75]])
    expect(sampleFrames(evenTimes(3, 25), segments(6), null)).toEqual([[0, 0, 1, 1, 2, 2]])
    expect(sampleFrames(evenTimes(1, 25), segments(4), null)).toEqual([[0, 0, 0, 0]])
  })

  test("test: several clips lie evenly within the segments", () => {
    expect(sampleFrames(evenTimes(80, 25), segments(8, 2), null)).toEqual([
      [2, 12, 22, 32, 42, 52, 62, 72],
      [7, 17, 27, 37, 47, 57, 67, 77],
    ])
  })

  test("train: one random frame in each segment, the same for the same seed, every frame in the end", () => {
    const seen = new Set<number>()
    for (let seed = 0; seed < 200; seed++) {
      const [picked] = sampleFrames(evenTimes(40, 25), segments(8), new Rng(seed))
      expect(picked).toEqual(sampleFrames(evenTimes(40, 25), segments(8), new Rng(seed))[0])
      for (const [k, frame] of picked.entries()) {
        expect(Math.floor(frame / 5)).toBe(k)
        seen.add(frame)
      }
    }
    expect(seen.size).toBe(40)
  })

  test("a variable frame rate is sampled evenly in time", () => {
    const times = Float64Array.from([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 2, 3])
    const [picked] = sampleFrames({ times, duration: 4 }, segments(4), null)
    expect(picked).toEqual([5, 10, 11, 12])
  })

  test("times rounded to milliseconds count as even", () => {
    const times = Float64Array.from({ length: 300 }, (_, i) => Math.round((i * 1000) / 30) / 1000)
    expect(sampleFrames({ times, duration: 10 }, segments(10), null)).toEqual([
      [15, 45, 75, 105, 135, 165, 195, 225, 255, 285],
    ])
  })
})

describe("dense", () => {
  test("test: one clip from the middle, several spread from start to end", () => {
    expect(sampleFrames(evenTimes(41, 25), dense(4, 10), null)).toEqual([[5, 15, 25, 35]])
    expect(sampleFrames(evenTimes(41, 25), dense(4, 10, 3), null)).toEqual([
      [0, 10, 20, 30],
      [5, 15, 25, 35],
      [10, 20, 30, 40],
    ])
  })

  test("a clip too short asks for frames past its end, to be padded and counted", () => {
    expect(sampleFrames(evenTimes(10, 25), dense(4, 5), null)).toEqual([[0, 5, 10, 15]])
  })

  test("train: every start is drawn, none goes past the end", () => {
    const starts = new Set(
      Array.from({ length: 300 }, (_, seed) => {
        const [picked] = sampleFrames(evenTimes(20, 25), dense(4, 5), new Rng(seed))
        expect(picked[3]).toBeLessThan(20)
        return picked[0]
      }),
    )
    expect([...starts].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4])
  })
})

test("key frames are the centres of K equal segments", () => {
  expect(keyFrameIndices(evenTimes(121, 30), 5)).toEqual([12, 36, 60, 84, 108])
  expect(keyFrameIndices(evenTimes(147, 30), 5)).toEqual([14, 44, 73, 102, 132])
  expect(keyFrameIndices(evenTimes(10, 30), 5)).toEqual([1, 3, 5, 7, 9])
})
