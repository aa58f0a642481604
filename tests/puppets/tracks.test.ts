/** Protects tracks of the puppets: exact boxes, dropped and moved as a detector would, keep their numbers through whole videos. */

import { Rng } from "@fourtier/tensor"
import { linkTracks, type PersonBox, type Track } from "fourtier/people"
import { describe, expect, it } from "vitest"
import { CompanyRenderer } from "../../packages/puppets/src/company.ts"
import { companyCounts, planCompanies } from "../../packages/puppets/src/company-plan.ts"
import { demoClasses } from "../../packages/puppets/src/plan.ts"

interface Figure {
  id: number
  box: PersonBox["box"]
}

/** Where the figures of a video are, at 12.5 pictures a second. */
function movesOf(video: ReturnType<typeof planCompanies>[number]): { time: number; figures: Figure[] }[] {
  const renderer = new CompanyRenderer(video)
  return Array.from({ length: Math.ceil(video.frames / 2) }, (_, i) => ({
    time: (2 * i) / video.fps,
    figures: renderer.boxes(2 * i).flatMap(({ id, box, inside }) => (inside > 0.2 ? [{ id, box }] : [])),
  }))
}

/**
 * How often a figure changes its number, and how many boxes have one. Boxes are told by what only the test knows: their scores.
 */
function judge(tracks: readonly Track[], owner: ReadonlyMap<number, number>): { switches: number; numbered: number } {
  const seen: { time: number; figure: number; track: number }[] = tracks.flatMap(({ id, boxes }) =>
    boxes.map(({ time, score }) => ({ time, figure: owner.get(score) ?? 0, track: id })),
  )
  seen.sort((a, b) => a.time - b.time)
  const last = new Map<number, number>()
  let switches = 0
  for (const { figure, track } of seen) {
    if ((last.get(figure) ?? track) !== track) switches++
    last.set(figure, track)
  }
  return { switches, numbered: seen.length }
}

describe("puppets", () => {
  const videos = planCompanies({ classes: demoClasses, counts: companyCounts, seed: 1 }).filter((_, i) => i % 10 === 0)

  it.each([
    { drop: 0, jitter: 0, most: 0 },
    { drop: 0.15, jitter: 0.05, most: 5 },
  ])(
    "keep their numbers where $drop of the boxes are missing and sides are off by $jitter",
    ({ drop, jitter, most }) => {
      const rng = new Rng(5)
      let [switches, numbered, figures] = [0, 0, 0]
      for (const video of videos) {
        const owner = new Map<number, number>()
        const moments = movesOf(video).map(({ time, figures: there }) => ({
          time,
          people: there.flatMap(({ id, box }): PersonBox[] => {
            const score = 0.7 + 0.3 * rng.next()
            if (rng.next() < drop) return []
            owner.set(score, id)
            figures++
            const [x1, y1, x2, y2] = box
            const off = (length: number) => jitter * length * (2 * rng.next() - 1)
            const [w, h] = [x2 - x1, y2 - y1]
            return [{ box: [x1 + off(w), y1 + off(h), x2 + off(w), y2 + off(h)], score }]
          }),
        }))
        const found = judge(linkTracks(moments), owner)
        switches += found.switches
        numbered += found.numbered
      }
      process.stderr.write(`${videos.length} videos, ${figures} boxes, ${numbered} numbered, ${switches} switches\n`)
      expect(switches).toBeLessThanOrEqual(most)
      expect(numbered / figures).toBeGreaterThan(0.97)
    },
  )
})
