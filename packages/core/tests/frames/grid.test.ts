/** Protects multi-view testing: how grids are read and applied, and that one place in time is one view in every grid. */

import { describe, expect, it } from "vitest"
import { countViews, type FixedViews, parseViewGrid, viewNumbers, withViewGrid } from "../../src/frames/grid.ts"
import { evenTimes, sampleFrames } from "../../src/frames/sampling.ts"
import { samplingSchema } from "../../src/schemas/sampling.ts"

const views = (kind: "segments" | "dense", clips: number, crop: "center" | "three" | "ten" = "three"): FixedViews => ({
  sampling: samplingSchema.parse({ kind, frames: 8, clips }),
  steps: [
    { step: "shortSide", size: 224 },
    { step: "crop", size: 224, views: crop },
  ],
})

describe("grids of views", () => {
  it("are read as papers write them, and refused with the choices otherwise", () => {
    expect(parseViewGrid("4x3", "--views")).toEqual({ clips: 4, crops: 3 })
    expect(parseViewGrid(" 10 × 1 ", "--views")).toEqual({ clips: 10, crops: 1 })
    for (const wrong of ["4", "4x2", "0x3", "x3", "4x3x1", "-1x3"]) {
      expect(() => parseViewGrid(wrong, "--views")).toThrow(/--views: not a number of views.*\n.*crops are 1, 3, 10/)
    }
  })

  it("set temporal clips and the crops of the step that cuts them", () => {
    const changed = withViewGrid(views("segments", 1, "center"), { clips: 4, crops: 3 }, "--views")
    expect(changed).toEqual(views("segments", 4, "three"))
    expect(countViews(changed)).toEqual({ clips: 4, crops: 3 })
    const uncut: FixedViews = { ...views("segments", 1), steps: [{ step: "letterbox", size: 192, fill: [0, 0, 0] }] }
    expect(withViewGrid(uncut, { clips: 4, crops: 1 }, "--views").sampling.clips).toBe(4)
    expect(() => withViewGrid(uncut, { clips: 4, crops: 3 }, "--views")).toThrow(/no step of the views cuts any/)
  })

  it.each(["segments", "dense"] as const)("%s: equal numbers are equal frames, other numbers other places", (kind) => {
    const times = evenTimes(100_000, 25)
    const seen = new Map<number, string>()
    for (const clips of [1, 2, 3, 4, 5, 9, 10, 12]) {
      const own = views(kind, clips)
      const numbers = viewNumbers(own)
      expect(new Set(numbers).size).toBe(clips * 3)
      const frames = sampleFrames(times, own.sampling, null)
      for (const [view, number] of numbers.entries()) {
        const place = `${frames[Math.floor(view / 3)].join()} crop ${view % 3}`
        expect(seen.get(number) ?? place).toBe(place)
        seen.set(number, place)
      }
    }
    expect(new Set(seen.values()).size).toBe(seen.size)
  })

  it("one temporal view counts from 0, and grids that hold its place hold its numbers", () => {
    expect(viewNumbers(views("segments", 1))).toEqual([0, 1, 2])
    expect(viewNumbers(views("dense", 1, "center"))).toEqual([0])
    const shared = (kind: "segments" | "dense", few: number, many: number) => {
      const held = new Set(viewNumbers(views(kind, many)))
      return viewNumbers(views(kind, few)).filter((number) => held.has(number)).length
    }
    expect([shared("segments", 1, 3), shared("segments", 2, 10), shared("segments", 1, 4)]).toEqual([3, 6, 0])
    expect([shared("dense", 1, 3), shared("dense", 4, 10), shared("dense", 2, 5)]).toEqual([3, 12, 6])
  })
})
