/** Protects what is drawn on frames: boxes and labels where they belong and nowhere else, letters that can be read, plates apart. */

import { describe, expect, it } from "vitest"
import { colourOf, drawBox, drawLabel, labelSize, type Picture } from "../../src/video/draw.ts"
import { Lettering, type TextMask } from "../../src/video/lettering.ts"
import { drawMarks, type LabelledBox, type LabelSides, placeLabels } from "../../src/video/marks.ts"

const blank = (width = 40, height = 30): Picture => ({ data: new Uint8Array(width * height * 3), width, height })

/** The picture as letters: "." black, "#" anything else. */
function shown({ data, width, height }: Picture): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const at = (y * width + x) * 3
      return data[at] + data[at + 1] + data[at + 2] > 0 ? "#" : "."
    }).join(""),
  )
}

/** A text of full cover. */
const solid = (width: number, height: number): TextMask => ({
  data: new Uint8Array(width * height).fill(255),
  ...{ width, height, line: height },
})

describe("a box", () => {
  it("is an outline of the given thickness in the given colour", () => {
    const picture = blank(8, 6)
    drawBox(picture, [1, 1, 7, 5], { colour: [10, 20, 30], thickness: 1 })
    expect(shown(picture)).toEqual(["........", ".######.", ".#....#.", ".#....#.", ".######.", "........"])
    expect([...picture.data.subarray((8 + 1) * 3, (8 + 2) * 3)]).toEqual([10, 20, 30])
  })

  it("is cut off at the picture's edges, and draws nothing without numbers", () => {
    const picture = blank(6, 4)
    drawBox(picture, [-3, -3, 3, 2], { colour: [255, 255, 255], thickness: 1 })
    expect(shown(picture)).toEqual(["..#...", "###...", "......", "......"])
    const untouched = blank(6, 4)
    for (const box of [
      [Number.NaN, 0, 3, 3],
      [0, 0, Number.POSITIVE_INFINITY, 3],
      [50, 50, 60, 60],
    ] as const) {
      drawBox(untouched, box, { colour: [255, 255, 255] })
    }
    expect(shown(untouched).join("")).not.toContain("#")
  })

  it("needs a picture of its size", () => {
    expect(() =>
      drawBox({ data: new Uint8Array(5), width: 2, height: 2 }, [0, 0, 1, 1], { colour: [0, 0, 0] }),
    ).toThrow(/do not fit its size[\s\S]*2·2·3[\s\S]*5/)
  })
})

describe("a label", () => {
  it("stands on a plate around it, by its anchor", () => {
    const text = solid(10, 10)
    const size = labelSize(text)
    expect(size).toEqual({ width: 14, height: 12 })
    const ends = ({ x, y, anchor }: { x: number; y: number; anchor: "top-left" | "bottom-left" | "bottom" }) => {
      const picture = blank(60, 40)
      drawLabel(picture, text, { x, y, anchor }, { paper: [200, 0, 0], opacity: 1 })
      const rows = shown(picture)
      const top = rows.findIndex((row) => row.includes("#"))
      return [
        rows[top].indexOf("#"),
        top,
        rows[top].lastIndexOf("#") + 1,
        rows.findLastIndex((row) => row.includes("#")) + 1,
      ]
    }
    expect(ends({ x: 5, y: 6, anchor: "top-left" })).toEqual([5, 6, 19, 18])
    expect(ends({ x: 5, y: 30, anchor: "bottom-left" })).toEqual([5, 18, 19, 30])
    expect(ends({ x: 30, y: 30, anchor: "bottom" })).toEqual([23, 18, 37, 30])
    // moved inside
    expect(ends({ x: 55, y: 39, anchor: "top-left" })).toEqual([46, 28, 60, 40])
    expect(ends({ x: -5, y: 3, anchor: "bottom-left" })).toEqual([0, 0, 14, 12])
  })

  it("has ink that can be told from its paper", () => {
    for (const paper of [[255, 255, 255], [20, 20, 90], ...[0, 1, 2, 3, 4, 5].map(colourOf)] as const) {
      const picture = blank(30, 30)
      drawLabel(picture, solid(10, 10), { x: 0, y: 0 }, { paper, opacity: 1 })
      const light = ([r, g, b]: Iterable<number>) => 0.299 * r + 0.587 * g + 0.114 * b
      const ink = picture.data.subarray((6 * 30 + 6) * 3, (6 * 30 + 7) * 3)
      expect(Math.abs(light(ink) - light(paper))).toBeGreaterThan(90)
    }
  })
})

describe("letters", () => {
  const lettering = new Lettering(16)

  it("are laid out on lines of one height, whichever they are", async () => {
    const heights = await Promise.all(["ace", "Ag", "jump", "Übung", "прыжок"].map((text) => lettering.mask(text)))
    expect(new Set(heights.map(({ height }) => height)).size).toBe(1)
    for (const { data, width } of heights) {
      expect(width).toBeGreaterThan(15)
      expect(Math.max(...data)).toBeGreaterThan(200)
    }
  })

  it("keep what marks and breaks the text would have, and come out the same again", async () => {
    const [plain, marked] = await Promise.all([lettering.mask("a b"), lettering.mask("a <b>&amp; \n c")])
    expect(marked.width).toBeGreaterThan(plain.width)
    expect(await lettering.mask("a b")).toBe(plain)
    expect(await lettering.mask("a\nb")).toBe(plain)
    expect(await lettering.mask(" \u0000\t")).toMatchObject({ width: 0, height: 0 })
    expect((await lettering.mask("\ud800x".repeat(2000))).width).toBeGreaterThan(0)
  })

  it("break into lines at a width", async () => {
    const text = "somebody opens a door and walks away"
    const line = await lettering.mask(text)
    const broken = await lettering.mask(text, { width: line.width / 2.5 })
    expect(broken.width).toBeLessThanOrEqual(line.width / 2.5 + 1)
    expect(broken.height).toBeGreaterThan(2 * line.line)
  })

  it("need a size", () => {
    expect(() => new Lettering(0)).toThrow(/above 0/)
  })
})

describe("marks", () => {
  it("of a box: its labels above it, or within where there is no room; those of neighbours keep apart", () => {
    const masks = [solid(10, 10)]
    const colour = [0, 255, 0] as const
    const plates = (boxes: readonly (readonly [number, number, number, number])[], width = 100, height = 100) => {
      const picture = blank(width, height)
      const marks = boxes.map((box) => ({ box, colour, texts: [0] }))
      drawMarks(picture, marks, masks)
      // the letters are black on the plate's green: rows in which plates stand
      return shown(picture)
    }
    const [apart] = [plates([[0.2, 0.5, 0.8, 0.9]])]
    expect(apart[38]).toContain("#") // 12 pixels above the box, which begins at 50
    expect(apart[37]).not.toContain("#")
    expect(plates([[0.2, 0.02, 0.8, 0.9]])[1]).not.toContain("#")
    const two = plates([
      [0.2, 0.5, 0.8, 0.9],
      [0.25, 0.5, 0.8, 0.9],
    ])
    expect(two[78]).toMatch(/#{14}/) // the second label stands within the bottom of its box
  })

  it("of people who stand close together do not cover each other, and stay in the picture", () => {
    const lines = [{ width: 90, height: 14 }]
    const people = Array.from({ length: 9 }, (_, i): LabelledBox => {
      const x = 120 + 8 * i
      return { corners: [x, 60 + (i % 3), x + 40, 200], key: `${i}`, lines: i % 2 === 0 ? lines : [...lines, ...lines] }
    })
    const plates = placeLabels(people, { width: 320, height: 240 }, new Map())
    for (const [i, a] of plates.entries()) {
      expect(a.x >= 0 && a.y >= 0 && a.x + a.width <= 320 && a.y + a.height <= 240).toBe(true)
      for (const b of plates.slice(i + 1)) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
        expect(apart, `${JSON.stringify(a)} ${JSON.stringify(b)}`).toBe(true)
      }
    }
  })

  it("cover no head where there is room elsewhere", () => {
    const lines = [{ width: 60, height: 14 }]
    const tall: LabelledBox = { corners: [100, 4, 150, 230], key: "tall", lines }
    // no room above, none below: within the bottom
    expect(placeLabels([tall], { width: 320, height: 240 }, new Map())[0]).toMatchObject({ x: 100, y: 216 })
    const behind: LabelledBox = { corners: [140, 50, 180, 120], key: "behind", lines }
    const small: LabelledBox = { corners: [120, 66, 150, 200], key: "small", lines }
    const [, place] = placeLabels([behind, small], { width: 320, height: 240 }, new Map())
    expect(place.y).toBe(200) // above it is the other's head
  })

  it("stay on the side of their box while they have room there, so that they do not jump from frame to frame", () => {
    const sides: LabelSides = new Map()
    const lines = [{ width: 60, height: 14 }]
    const at = (x: number): LabelledBox => ({ corners: [x, 60, x + 40, 200], key: `${x}`, lines })
    const two = [at(100), { ...at(110), key: "second" }]
    const [, pushed] = placeLabels(two, { width: 320, height: 240 }, sides)
    expect(pushed.y).toBe(200) // below its box, as the place above it is taken
    const [, later] = placeLabels([at(20), { ...at(200), key: "second" }], { width: 320, height: 240 }, sides)
    expect(later).toMatchObject({ x: 200, y: 200 })
  })

  it("of a crowd, of boxes outside and without numbers", () => {
    const picture = blank(64, 48)
    const box = (i: number) => [i / 1000, 0.1, i / 1000 + 0.02, 0.9] as const
    const colour = colourOf(3)
    const crowd = Array.from({ length: 1000 }, (_, i) => ({ box: box(i), colour, texts: [0] }))
    const odd = (
      [
        [2, 2, 3, 3],
        [0.5, 0.5, 0.2, 0.9],
        [Number.NaN, 0, 1, 1],
      ] as const
    ).map((b) => ({
      ...{ box: b, colour, texts: [0] },
    }))
    drawMarks(picture, crowd, [solid(8, 8)])
    const untouched = blank(64, 48)
    drawMarks(untouched, odd, [solid(8, 8)])
    expect(shown(picture).join("")).toContain("#")
    expect(shown(untouched).join("")).not.toContain("#")
  })
})
