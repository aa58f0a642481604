/** Protects: what is doubtful about data that can be read is said, with what to do, and sound data is left in peace. */

import { groupBy } from "@fourtier/core"
import type { Step } from "@fourtier/core/schemas"
import { describe, expect, test } from "vitest"
import { checkManifest, checkSource, checkSplits } from "../../src/video/checks.ts"
import type { Clip, Manifest } from "../../src/video/manifest.ts"
import { checkMirroring, tellsSides, viewsFor } from "../../src/video/mirroring.ts"
import { resolveSplits } from "../../src/video/splits.ts"

function clip(id: string, over: Partial<Clip> = {}): Clip {
  const label = over.label === undefined ? id.split("/")[0] : over.label
  return {
    ...{ id, path: `/data/${id}.mp4`, relative: `${id}.mp4`, label, labels: label === null ? [] : [label] },
    ...{ split: null, fold: null, group: null, start: null, end: null, hash: id, columns: {} },
    ...{ duration: 2, frames: 50, fps: 25, width: 64, height: 48, codec: "h264", rotation: 0 },
    ...over,
  }
}

const some = (label: string, count: number, over: (i: number) => Partial<Clip> = () => ({})) =>
  Array.from({ length: count }, (_, i) => clip(`${label}/${i}`, over(i)))

function manifestOf(clips: Clip[], quarantine: Manifest["quarantine"] = []): Manifest {
  return { root: "/data", clips, classes: [...new Set(clips.flatMap(({ labels }) => labels))].sort(), quarantine }
}

function about(clips: Clip[], quarantine: Manifest["quarantine"] = []) {
  const duplicates = [...groupBy(clips, ({ hash }) => hash).values()].filter((same) => same.length > 1)
  return checkManifest(manifestOf(clips, quarantine), duplicates)
}

test("a sound data set has no findings", () => {
  expect(about([...some("jump", 6), ...some("wave", 5)])).toEqual([])
  expect(
    about([...some("jump", 6, (i) => ({ group: `p${i % 3}` })), ...some("wave", 6, (i) => ({ group: `p${i % 3}` }))]),
  ).toEqual([])
})

describe("counts", () => {
  test("17 clips of one class and 3 of another are unbalanced; the accuracy of always saying one is named", () => {
    expect(about([...some("jump", 17), ...some("wave", 3)])).toMatchObject([
      { level: "warning", what: "the classes are unbalanced", found: "17 labelled clips of jump, 3 of wave" },
    ])
    expect(about([...some("jump", 17), ...some("wave", 3)])[0].fix).toMatch(/mean class.*jump is right for 85 %/)
  })

  test("classes with one or two labelled clips cannot be measured", () => {
    expect(about([...some("jump", 4), ...some("wave", 2), ...some("sit", 1)])).toMatchObject([
      { what: "2 classes with fewer than 3 labelled clips", found: "wave: 2, sit: 1" },
    ])
  })
})

describe("groups", () => {
  test("one class a group", () => {
    const clips = [...some("jump", 4, () => ({ group: "anna" })), ...some("wave", 4, () => ({ group: "ben" }))]
    expect(about(clips)).toMatchObject(
      [
        { what: "every group holds clips of one class alone", found: "anna: jump, ben: wave", fix: /several groups/ },
        { what: "2 classes with clips of one group alone", found: "jump, wave", fix: /both trained and tested/ },
      ].map((finding) => ({ ...finding, fix: expect.stringMatching(finding.fix) })),
    )
  })

  test("many source videos a class are no cause to warn", () => {
    const clips = ["jump", "wave"].flatMap((label) => some(label, 12, (i) => ({ group: `${label}${i >> 1}` })))
    expect(about(clips)).toEqual([])
  })

  test("a class of one group cannot be trained and tested", () => {
    const clips = [...some("jump", 4, (i) => ({ group: `p${i % 2}` })), ...some("wave", 4, () => ({ group: "p0" }))]
    expect(about(clips)).toMatchObject([{ what: "1 class with clips of one group alone", found: "wave" }])
  })
})

describe("content", () => {
  test("the same content under two labels", () => {
    const clips = [...some("jump", 4), ...some("wave", 4, (i) => (i === 0 ? { hash: "jump/2" } : {}))]
    expect(about(clips)).toMatchObject([
      { what: "1 clip with the same content under different labels", found: "jump/2.mp4 (jump) = wave/0.mp4 (wave)" },
    ])
  })

  test("the same content and the same group in train and test", () => {
    const at = (i: number) => ({ split: i < 2 ? "train" : "test", hash: `h${i % 3}`, group: `p${i % 2}` })
    const clips = [...some("jump", 4, at), ...some("wave", 4, (i) => ({ ...at(i), hash: `w${i}` }))]
    expect(checkSplits(resolveSplits(manifestOf(clips), { val: 0 }))).toMatchObject([
      {
        level: "warning",
        what: "1 clip with the same content on both sides of a split",
        found: "jump/0.mp4 = jump/3.mp4 in train and test",
      },
      { level: "warning", what: "2 groups on both sides of a split" },
    ])
    expect(
      checkSplits(resolveSplits(manifestOf(some("jump", 9, (i) => ({ hash: `h${i % 3}` })).concat(some("wave", 9))))),
    ).toEqual([])
  })

  test("windows that end after their video", () => {
    const clips = [...some("jump", 4), ...some("wave", 4, (i) => (i === 1 ? { start: 3, end: 12.5 } : { end: 2 }))]
    expect(about(clips)).toMatchObject([
      { what: expect.stringContaining("1 clip cut short"), found: "wave/1.mp4 to 12.5 s, which ends at 5.00 s" },
    ])
  })

  test("classes that lost all clips, and files that are not there", () => {
    const bad = { ...clip("sit/1"), reason: "the file is missing", columns: { path: "clips/sit/1.mp4" } }
    expect(about([...some("jump", 4), ...some("wave", 4)], [bad])).toMatchObject([
      { what: "1 class without a single clip that can be used", found: "sit (the file is missing)" },
      {
        what: "1 file named in a table that is not there",
        expected: "paths relative to /data",
        found: "clips/sit/1.mp4",
      },
    ])
  })
})

describe("names", () => {
  test("that differ in capitals and spaces alone", () => {
    const clips = ["Hand Wave", "hand_wave", "jump"].flatMap((label) => some(label, 4))
    expect(about(clips)).toMatchObject([{ found: "Hand Wave and hand_wave" }])
  })

  const mirrored: { train: { steps: Step[] }; test: { steps: Step[] } } = {
    train: {
      steps: [
        { step: "letterbox", size: 192, fill: [0, 0, 0] },
        { step: "flip", probability: 0.5 },
      ],
    },
    test: { steps: [{ step: "letterbox", size: 192, fill: [0, 0, 0] }, { step: "mirrored" }] },
  }

  test.each([
    "turn left",
    "right_hand",
    "swipeLeft",
    "LEFT",
    "nach links",
    "gira a la derecha",
    "左に曲がる",
    "spin clockwise",
  ])("%s holds a side", (name) => {
    expect(checkMirroring([name, "jump"], mirrored)).toMatchObject([{ level: "warning", found: name }])
  })

  test.each(["brighten", "leftovers", "upright", "copyright", "jump"])("%s holds none", (name) => {
    expect(checkMirroring([name], mirrored)).toEqual([])
  })

  test("the settings that turn mirroring off are quoted for a shell, and turn it off", () => {
    const [{ fix }] = checkMirroring(["left"], mirrored)
    const steps = '[{"step":"letterbox","size":192,"fill":[0,0,0]}]'
    expect(fix).toBe(`turn mirroring off: --set 'views.train.steps=${steps}' 'views.test.steps=${steps}'`)
    const plain = {
      train: { steps: mirrored.train.steps.slice(0, 1) },
      test: { steps: mirrored.test.steps.slice(0, 1) },
    }
    expect(checkMirroring(["left"], plain)).toEqual([])
    const [own] = checkMirroring(["left"], { ...plain, align: mirrored.train })
    expect(own.fix).toBe(`turn mirroring off: --set 'views.align.steps=${steps}'`)
  })

  test("a column sides turns mirroring off by itself, in training and in the test", () => {
    const ten = [...mirrored.test.steps, { step: "crop" as const, size: 192, views: "ten" as const }]
    const views = { ...mirrored, test: { clips: 4, steps: ten } }
    const plain = mirrored.train.steps.slice(0, 1)
    const own = viewsFor(views, [{ columns: {} }, { columns: { sides: "Yes" } }])
    expect(own.train.steps).toEqual(mirrored.train.steps.slice(0, 1))
    expect(own.test.clips).toBe(4)
    expect(own.test.steps.slice(1)).toEqual([{ step: "crop", size: 192, views: "center" }])
    expect(checkMirroring(["left"], own)).toEqual([])
    const more = { ...mirrored, align: mirrored.train, test: { steps: plain, crops: 10 as const } }
    const [{ fix }] = checkMirroring(["left"], more)
    expect(fix?.match(/views\.\w+\.\w+/g)).toEqual(
      ["train.steps", "align.steps", "test.steps", "test.crops"].map((end) => `views.${end}`),
    )
    const turned = viewsFor(more, [{ columns: { sides: "1" } }])
    expect([turned.align.steps, turned.test.crops]).toEqual([plain, 1])
    expect(checkMirroring(["left"], turned)).toEqual([])
    expect(tellsSides([{ columns: { sides: "no" } }, { columns: { sides: "" } }])).toBe(false)
    expect(viewsFor(views, [{ columns: { sides: "no" } }])).toBe(views)
  })
})

describe("before anything is measured", () => {
  const source = (clips: Clip[]) => ({ root: "/data", clips, notes: [], tables: [], findings: [] })
  const split = { test: 0.2, val: 0.15, seed: 0, allowQuarantined: [] }

  test.each([
    ["an unknown part", { split: "excluded" }, { column: "split" }, /unknown part[\s\S]*excluded/],
    [
      "an unknown part of a further column",
      { columns: { s: "left out" } },
      { column: "s" },
      /unknown part[\s\S]*left out/,
    ],
    ["no such column", {}, { column: "spilt" }, /no clip has a value in column "spilt"/],
    ["no such column of folds", {}, { folds: "fold10" }, /no clip has a value in column "fold10"/],
    ["a test clip without a label", { split: "test", labels: [], label: null }, {}, /test clip has no label/],
    ["several labels", { labels: ["a", "b"], label: null }, {}, /several labels/],
    ["two ways to split", {}, { folds: "a", drawFolds: 3 }, /exclude each other/],
  ])("%s is found", (_, over, options, message) => {
    const clips = [clip("jump/1", { split: "split" in over ? "train" : null }), clip("wave/1", over)]
    const [finding] = checkSource(source(clips), { ...split, ...options })
    expect(finding.level).toBe("error")
    expect(`${finding.what}\n${finding.found}`).toMatch(message)
  })

  test("a sound split is not", () => {
    expect(checkSource(source([clip("jump/1", { split: "train" }), clip("wave/1", { split: "test" })]), split)).toEqual(
      [],
    )
  })
})
