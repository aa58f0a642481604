/** Protects tracks: numbers stay through crossings, gaps and doubtful boxes, are given to those who are there, and are never shared. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { evenFrames } from "../../src/people/find.ts"
import { lookOf } from "../../src/people/look.ts"
import { boxAt, linkTracks, type PeopleAt, type Track } from "../../src/people/track.ts"

/** A person of 0.1×0.4 whose middle is at x, and y of the picture's height. */
const at = (x: number, y = 0.5, score = 0.9) => ({ box: [x - 0.05, y - 0.2, x + 0.05, y + 0.2] as const, score })

/** Moments of ten a second. */
const moments = (count: number, of: (time: number, frame: number) => PeopleAt["people"]): PeopleAt[] =>
  Array.from({ length: count }, (_, frame) => ({ time: frame / 10, people: of(frame / 10, frame) }))

/** Where a track is, by its first and last box. */
const way = ({ boxes }: Track) =>
  [boxes[0], boxes[boxes.length - 1]].map(({ box }) => Number(((box[0] + box[2]) / 2).toFixed(2)))

describe("tracks", () => {
  it("of two who cross keep to whom they belong, though the boxes come in any order", () => {
    const rng = new Rng(3)
    const found = linkTracks(
      moments(40, (time) => {
        const people = [at(0.1 + 0.2 * time, 0.45), at(0.9 - 0.2 * time, 0.62)]
        return rng.next() < 0.5 ? people : people.reverse()
      }),
    )
    expect(found.map(({ boxes }) => boxes.length)).toEqual([40, 40])
    expect(found.map(way).sort()).toEqual([
      [0.1, 0.88],
      [0.9, 0.12],
    ])
  })

  it("of two who embrace and part again keep to whom they belong, by what they wear", () => {
    const [white, striped] = [
      [230, 230, 225, 40, 50, 80],
      [80, 70, 70, 60, 80, 120],
    ]
    // they meet in the middle, are one heap for a second, and go back
    const distance = (time: number) => 0.4 - 0.25 * Math.min(1.5, time, Math.max(0, 4 - time))
    const found = linkTracks(
      moments(40, (time, frame) => {
        const apart = Math.max(0.01, distance(time))
        // in the heap, boxes change sides
        const turned = time > 1.6 && time < 2.4 && frame % 2 === 0 ? -1 : 1
        return [
          { ...at(0.5 - turned * apart), look: white },
          { ...at(0.5 + turned * apart), look: striped },
        ]
      }),
    )
    expect(found.map(({ boxes }) => boxes.length)).toEqual([40, 40])
    expect(found.map(way).sort()).toEqual([
      [0.1, 0.13],
      [0.9, 0.88],
    ])
    expect(Object.keys(found[0].boxes[0]).sort()).toEqual(["box", "score", "time"])
  })

  it("looks are the mean colours of the upper and the lower body", () => {
    const [width, height] = [40, 40]
    const data = new Uint8Array(width * height * 3).fill(9)
    for (let i = 0; i < (data.length * 21) / 40; i++) data[i] = 200
    expect(lookOf({ data, width, height }, [0, 0, 1, 1])).toEqual([200, 200, 200, 9, 9, 9])
    expect(lookOf({ data, width, height }, [-1, -1, 0.01, 0.01])).toEqual([200, 200, 200, 200, 200, 200])
  })

  it("go on through a gap, and end when it is too long", () => {
    const seen = (gap: readonly [number, number]) =>
      linkTracks(moments(60, (time) => (time >= gap[0] && time < gap[1] ? [] : [at(0.2 + 0.05 * time)])))
    expect(seen([2, 3]).map(({ id, boxes }) => [id, boxes.length])).toEqual([[1, 50]])
    expect(seen([2, 4]).map(({ id }) => id)).toEqual([1, 2])
  })

  it("hold on to somebody who is seen badly, but begin with nobody who is", () => {
    const dim = linkTracks(moments(30, (time) => [at(0.3 + 0.02 * time, 0.5, time > 1 && time < 2 ? 0.2 : 0.9)]))
    expect(dim.map(({ boxes }) => boxes.length)).toEqual([30])
    expect(linkTracks(moments(30, () => [at(0.5, 0.5, 0.3)]))).toEqual([])
    expect(
      linkTracks(
        moments(30, () => [at(0.5, 0.5, 0.3)]),
        { sure: 0.15 },
      ),
    ).toHaveLength(1)
  })

  it("leave out what is seen once, but for a single picture", () => {
    expect(linkTracks(moments(10, (_, frame) => (frame === 4 ? [at(0.5)] : [])))).toEqual([])
    expect(linkTracks([{ time: 3, people: [at(0.5), at(0.8)] }]).map(({ id }) => id)).toEqual([1, 2])
    const trusted = { sure: 0, begin: 0, least: 0, confirmed: 1 }
    expect(
      linkTracks(
        moments(10, (_, frame) => (frame === 4 ? [at(0.5, 0.5, 0.01)] : [])),
        trusted,
      ),
    ).toHaveLength(1)
  })

  it("of nobody, of boxes that are none, and of a crowd", () => {
    expect(linkTracks([])).toEqual([])
    expect(linkTracks(moments(5, () => []))).toEqual([])
    const broken = { box: [Number.NaN, 0, 1, 1] as const, score: 0.9 }
    const unsure = { box: [0, 0, 0.5, 0.5] as const, score: Number.NaN }
    expect(linkTracks(moments(5, () => [broken, unsure, at(0.5)])).map(({ boxes }) => boxes.length)).toEqual([5])
    const crowd = (time: number) =>
      Array.from({ length: 400 }, (_, i) => {
        const [x, y] = [(i % 40) / 40 + 0.001 * time, Math.floor(i / 40) / 25]
        return { box: [x, y, x + 0.02, y + 0.03] as const, score: 0.9 }
      })
    const found = linkTracks(moments(4, crowd))
    expect(found).toHaveLength(400)
    expect(found.every(({ boxes }) => boxes.length === 4)).toBe(true)
  })
})

describe("a person between two pictures", () => {
  const track = {
    boxes: [0, 1, 2, 6].map((time) => ({ time, box: [time / 10, 0, time / 10 + 0.2, 1] as const, score: 1 })),
  }

  it("goes straight from one box to the next, and is nowhere before, after, and in long gaps", () => {
    expect(boxAt(track, 1)).toEqual(track.boxes[1].box)
    expect(boxAt(track, 0.5)?.map((side) => Number(side.toFixed(6)))).toEqual([0.05, 0, 0.25, 1])
    expect([-0.1, 3, 6.1].map((time) => boxAt(track, time))).toEqual([null, null, null])
    expect(boxAt(track, 6)).toEqual(track.boxes[3].box)
    expect(boxAt({ boxes: [] }, 1)).toBeNull()
  })

  it("frames are taken by the clock, whatever the video's rate", () => {
    const times = (fps: number, seconds: number) => Float64Array.from({ length: fps * seconds }, (_, i) => i / fps)
    for (const fps of [24, 25, 30, 60]) expect(evenFrames(times(fps, 6), 10)).toHaveLength(60)
    expect(evenFrames(times(5, 4), 10)).toEqual([...Array(20).keys()])
    expect(evenFrames([0, 0.5, 3, 3.01, 3.2], 1)).toEqual([0, 2])
    expect(evenFrames([], 10)).toEqual([])
  })
})
