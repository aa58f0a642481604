/** Protects the nearest-neighbour score: by hand, with groups, ties and chance, and that scale and offset do not matter. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { nearestNeighbours } from "../../src/metrics/neighbours.ts"

const rows = (...values: number[][]) => values.map((row) => Float32Array.from(row))

const clipsOf = (labels: string, groups?: string) =>
  [...labels].map((label, i) => ({ clipId: `${i}`, label, ...(groups ? { group: groups[i] } : {}) }))

describe("the nearest other clip", () => {
  /** Four directions after standardising: two pairs that lie close together. */
  const features = rows([10, 1], [9, 2], [-10, -1], [-9, -2], [1, -10])

  it("is the one of the largest cosine of standardised channels; its label counts", () => {
    expect(nearestNeighbours(features, clipsOf("aabbb"))).toMatchObject({ clips: 5, share: { value: 1 } })
    // the last one's nearest is the fourth
    expect(nearestNeighbours(features, clipsOf("aabba"))?.share.value).toBe(0.8)
    expect(nearestNeighbours(features, clipsOf("ababa"))).toMatchObject({ share: { value: 0 } })
    const moved = features.map((row) => row.map((value, d) => [1000, 0.01][d] * value + [-5, 3][d]))
    expect(nearestNeighbours(moved, clipsOf("aabba"))?.share.value).toBe(0.8)
  })

  it("may be kept from the clip's own group; chance is that of what is in reach", () => {
    const clips = clipsOf("aabbb", "xyxyz")
    const any = nearestNeighbours(features, clips)
    // a: 1 of 4 others, twice; b: 2 of 4 others, three times
    expect(any?.chance).toBeCloseTo((2 * (1 / 4) + 3 * (2 / 4)) / 5, 12)
    const other = nearestNeighbours(features, clips, { otherGroups: true })
    // a (x, y): 1 of 3; b in x and y: 2 of 3; b in z: 2 of 4
    expect(other?.chance).toBeCloseTo((1 / 3 + 1 / 3 + 2 / 3 + 2 / 3 + 2 / 4) / 5, 12)
    expect(nearestNeighbours(features, clipsOf("aabbb", "xxyyy"), { otherGroups: true })).toBeNull()
  })

  it("counts a part where several are equally near, and leaves out clips alone in their class", () => {
    const equal = rows([1, 0], [1, 0], [1, 0], [-1, 0], [-1, 0])
    expect(nearestNeighbours(equal, clipsOf("aabcc"))).toMatchObject({
      clips: 4,
      share: { value: (0.5 + 0.5 + 2) / 4 },
    })
    expect(nearestNeighbours(equal, clipsOf("abcde"))).toBeNull()
  })

  it("says nothing of noise: the interval holds chance; and is sure of what is clear", () => {
    const rng = Rng.fork(0, "noise")
    const noise = Array.from({ length: 80 }, () => Float32Array.from({ length: 16 }, () => rng.normal()))
    const clips = clipsOf("abcd".repeat(20))
    const score = nearestNeighbours(noise, clips)
    expect(score?.share.low).toBeLessThan(score?.chance ?? 0)
    expect(score?.share.high).toBeGreaterThan(score?.chance ?? 1)
    const clear = noise.map((row, i) => row.slice(0, 4).map((value, d) => value + (d === i % 4 ? 30 : 0)))
    const found = nearestNeighbours(clear, clips)?.share
    expect([found?.value, found?.high]).toEqual([1, 1])
    expect(found?.low).toBeGreaterThan(0.9)
    expect(found?.low).toBeLessThan(1)
  })

  it("needs a feature for each clip, of equal width", () => {
    expect(() => nearestNeighbours(rows([1], [1, 2]), clipsOf("aa"))).toThrow(
      /2 features of 1 channels[\s\S]*2 of 1, 2/,
    )
    expect(() => nearestNeighbours(rows([1]), clipsOf("aa"))).toThrow(/2 features/)
  })
})
