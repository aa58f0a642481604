/** Boxes lie on what a network sees as they do in the picture; those that hold nothing of it are refused by name. */

import { describe, expect, it } from "vitest"
import { boxOnView, heldBox, letterboxed } from "../../src/frames/boxes.ts"

const wide = { width: 320, height: 240 }
const letterbox = [{ step: "letterbox" as const, size: 192, fill: [0, 0, 0] as [number, number, number] }]

describe("boxes", () => {
  it("lie on the letterboxed square as they do in the picture", () => {
    expect(letterboxed([0, 0, 1, 1], wide)).toEqual([0, 0.125, 1, 0.875])
    expect(letterboxed([0.25, 0.5, 0.5, 1], wide)).toEqual([0.25, 0.5, 0.5, 0.875])
    expect(letterboxed([-1, -1, 2, 2], { width: 90, height: 180 })).toEqual([0.25, 0, 0.75, 1])
    expect(boxOnView([0, 0, 1, 1], wide, letterbox)).toEqual([0, 0.125, 1, 0.875])
  })

  it("lie on a frame that is no square, which a picture of its shape fills", () => {
    const frame = [{ ...letterbox[0], size: 256, height: 192 }]
    expect(boxOnView([0.125, 0.25, 0.5, 0.75], wide, frame)).toEqual([0.125, 0.25, 0.5, 0.75])
    const [x1, y1, x2, y2] = boxOnView([0, 0, 1, 1], { width: 90, height: 90 }, frame)
    expect([x1, y1, x2, y2]).toEqual([0.125, 0, 0.875, 1])
  })

  it("have no one place on views that are cut or mirrored", () => {
    expect(() => boxOnView([0, 0, 1, 1], wide, [...letterbox, { step: "mirrored" }])).toThrow(
      /no one place[\s\S]*letterbox, mirrored/,
    )
    expect(() => boxOnView([0, 0, 1, 1], wide, [])).toThrow(/none/)
  })

  it("that hang over the picture's edge are cut off", () => {
    expect(heldBox([-0.5, 0.2, 0.5, 1.7], "box")).toEqual([0, 0.2, 0.5, 1])
  })

  it.each([
    ["a NaN", [0.1, Number.NaN, 0.5, 0.9]],
    ["an infinite side", [Number.POSITIVE_INFINITY, 0, 1, 1]],
    ["swapped corners", [0.5, 0.1, 0.2, 0.9]],
    ["no area", [0.5, 0.1, 0.5, 0.9]],
    ["nothing in the picture", [1.2, 0.1, 1.5, 0.9]],
  ] as const)("with %s are refused by name", (_, box) => {
    expect(() => heldBox(box, "box 7 of 9")).toThrow(/box 7 of 9: a box that holds nothing of the picture/)
  })
})
