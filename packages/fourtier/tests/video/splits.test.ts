/** Protects: no group or file on both sides, classes in proportion, the same parts for the same seed. */

import { describe, expect, test } from "vitest"
import { type Clip, classesOf, type Manifest, withoutClasses } from "../../src/video/manifest.ts"
import { apartBackground, resolveSplits, type Split } from "../../src/video/splits.ts"

function clip(number: number, over: Partial<Clip> = {}): Clip {
  const label = `class${number % 3}`
  return {
    id: `c${number}`,
    path: `/data/c${number}.mp4`,
    relative: `c${number}.mp4`,
    label,
    labels: [label],
    split: null,
    fold: null,
    group: `g${Math.floor(number / 6)}`,
    start: null,
    end: null,
    hash: `h${number}`,
    duration: 1,
    frames: 25,
    fps: 25,
    width: 64,
    height: 48,
    codec: "h264",
    rotation: 0,
    columns: {},
    ...over,
  }
}

function manifestOf(clips: Clip[]): Manifest {
  return { root: "/data", clips, classes: classesOf(clips), quarantine: [] }
}

function expectApart({ train, val, test: tested }: Split): void {
  for (const key of ["id", "group", "hash"] as const) {
    const [a, b, c] = [train, val, tested].map((part) => new Set(part.map((one) => one[key])))
    for (const [one, other] of [
      [a, b],
      [a, c],
      [b, c],
    ]) {
      for (const value of one) if (value !== null) expect(other.has(value)).toBe(false)
    }
  }
}

const plain = manifestOf(Array.from({ length: 120 }, (_, i) => clip(i)))

test("drawn: groups and equal files stay together, classes keep their share, seeds repeat", () => {
  const clips = plain.clips.map((one, i) => (i === 0 || i === 119 ? { ...one, hash: "same" } : one))
  const [split] = resolveSplits(manifestOf(clips), { seed: 3 })
  expectApart(split)
  expect(split.test.length).toBeGreaterThan(15)
  expect(split.val.length).toBeGreaterThan(5)
  for (const part of [split.train, split.val, split.test]) {
    for (const label of plain.classes) {
      expect(part.filter((one) => one.label === label).length / part.length).toBeCloseTo(1 / 3, 1)
    }
  }
  expect(resolveSplits(manifestOf(clips), { seed: 3 })).toEqual([split])
  expect(resolveSplits(manifestOf(clips), { seed: 4 })).not.toEqual([split])
})

test("several columns: a split and a training for each, test parts by name", () => {
  const columns = (i: number) => ({
    split1: i % 3 === 0 ? "test" : "train",
    split2: i % 3 === 1 ? "test" : i % 12 === 0 ? "test-shift" : "train",
  })
  const clips = plain.clips.map((one, i) => ({ ...one, columns: columns(i) }))
  const splits = resolveSplits(manifestOf(clips), { column: ["split1", "split2"], val: 0 })
  expect(splits.map(({ name, training, fold }) => [name, training, fold])).toEqual([
    ["split1", "split1", false],
    ["split2", "split2", false],
    ["split2 test-shift", "split2", false],
  ])
  expect(splits[0]).toEqual(resolveSplits(manifestOf(clips), { column: "split1", val: 0 })[0])
  expect(splits.map(({ test: tested }) => tested.length)).toEqual([40, 40, 10])
  expect(() => resolveSplits(manifestOf(clips), { column: ["split1", "split3"] })).toThrow(/column "split3"/)
})

test("drawn folds: every clip is tested once", () => {
  const splits = resolveSplits(plain, { drawFolds: 5 })
  splits.forEach(expectApart)
  expect(splits.flatMap(({ test: tested }) => tested.map(({ id }) => id)).sort()).toEqual(
    plain.clips.map(({ id }) => id).sort(),
  )
  for (const { test: tested } of splits) expect(tested).toHaveLength(24)
})

test("given folds: fold k is the test part; val is carved by group from the rest", () => {
  const clips = plain.clips.map((one, i) => ({ ...one, columns: { fold10: String((Math.floor(i / 6) % 10) + 1) } }))
  const splits = resolveSplits(manifestOf(clips), { folds: "fold10", val: 0.2 })
  expect(splits.map(({ name }) => name)).toEqual(Array.from({ length: 10 }, (_, k) => `fold ${k + 1}`))
  for (const split of splits) {
    expectApart(split)
    expect(split.train.length + split.val.length + split.test.length).toBe(120)
    expect(split.val.length).toBeGreaterThanOrEqual(18)
  }
})

test("given column: synonyms, empty values left out, its own val kept", () => {
  const sides = ["training", "valid", "test", ""]
  const clips = plain.clips.map((one, i) => ({ ...one, columns: { mine: sides[Math.floor(i / 6) % 4] } }))
  const [{ train, val, test: tested }] = resolveSplits(manifestOf(clips), { column: "mine" })
  expect([train.length, val.length, tested.length]).toEqual([30, 30, 30])
})

test("clips without a label only train, and none of their group or file is tested then", () => {
  const clips = plain.clips.map((one, i) => (i % 2 === 0 ? { ...one, label: null, labels: [] } : one))
  const alone = clip(500, { label: null, labels: [], group: "alone" })
  const manifest = manifestOf([...clips, alone])
  const folded = manifestOf(clips.map((one, i) => ({ ...one, columns: { k: String(Math.floor(i / 6) % 4) } })))
  for (const split of [
    ...resolveSplits(manifest, { seed: 3 }),
    ...resolveSplits(manifest, { drawFolds: 4 }),
    ...resolveSplits(folded, { folds: "k" }),
  ]) {
    expectApart(split)
    expect([...split.val, ...split.test].filter(({ label }) => label === null)).toEqual([])
    expect(split.train.filter(({ label }) => label === null).length).toBeGreaterThan(20)
  }
  expect(resolveSplits(manifest, {})[0].train).toContain(alone)
})

test("no class loses its last training clip to val or test", () => {
  const few = manifestOf(
    plain.clips.map((one, i) => (i % 3 === 1 && i > 1 ? { ...one, label: null, labels: [] } : one)),
  )
  for (let seed = 0; seed < 20; seed++) {
    const [{ train }] = resolveSplits(few, { seed, val: 0.3, test: 0.3 })
    expect(classesOf(train)).toEqual(few.classes)
  }
})

test("nothing is held back where it is not asked for, or too few are labelled", () => {
  const only = manifestOf(plain.clips.map((one) => ({ ...one, split: "train" })))
  expect(resolveSplits(only)[0].test).toEqual([])
  expect(resolveSplits(plain, { test: 0, val: 0 })[0]).toMatchObject({ test: [], val: [], train: plain.clips })
  const few = manifestOf(
    plain.clips.map((one, i) => (i < 6 ? { ...one, group: null } : { ...one, label: null, labels: [] })),
  )
  expect(resolveSplits(few)[0]).toMatchObject({ test: [], val: [] })
  const persons = manifestOf(plain.clips.map((one, i) => ({ ...one, group: `person ${i % 2}` })))
  expect(resolveSplits(persons, { val: 0 })[0].test).toHaveLength(60)
})

test("unlabelled clips without a value in the column train", () => {
  const clips = plain.clips.map((one, i) => ({
    ...one,
    columns: { mine: i < 60 ? "train" : "test", k: String(i % 3) },
  }))
  const extra = clip(500, { label: null, labels: [], columns: { mine: "", k: "" } })
  const manifest = manifestOf([...clips, extra])
  expect(resolveSplits(manifest, { column: "mine", val: 0 })[0].train).toContain(extra)
  for (const { train } of resolveSplits(manifest, { folds: "k", val: 0 })) expect(train).toContain(extra)
})

test("val: 0 carves nothing", () => {
  expect(resolveSplits(plain, { val: 0 })[0].val).toEqual([])
})

describe("errors", () => {
  const folded = manifestOf(
    plain.clips.map((one, i) => ({ ...one, columns: { fold10: `${i % 5}`, part: i < 60 ? "train" : "test" } })),
  )
  test("an unknown column, with a suggestion", () => {
    expect(() => resolveSplits(folded, { folds: "fold1" })).toThrow(/did you mean "fold10"/)
  })
  test("folds named as a split column", () => {
    expect(() => resolveSplits(folded, { column: "fold10" })).toThrow(/unknown part of a split[\s\S]*folds/)
  })
  test("a test clip without a label", () => {
    const clips = folded.clips.map((one, i) => (i === 99 ? { ...one, label: null, labels: [] } : one))
    expect(() => resolveSplits(manifestOf(clips), { column: "part" })).toThrow(/c99\.mp4: .*has no label/)
  })
  test("nothing to train on", () => {
    const only = manifestOf(plain.clips.map((one) => ({ ...one, split: "test" })))
    expect(() => resolveSplits(only)).toThrow(/no clips to train on/)
  })
  test("a quarantined file in test, unless allowed by name", () => {
    const bad = {
      path: "/data/x.mp4",
      relative: "x.mp4",
      reason: "the file is empty",
      label: "class0",
      split: null,
      fold: null,
      start: null,
      end: null,
    }
    const broken = { ...folded, quarantine: [{ ...bad, columns: { part: "test" } }] }
    expect(() => resolveSplits(broken, { column: "part" })).toThrow(/x\.mp4[\s\S]*the file is empty/)
    expect(resolveSplits(broken, { column: "part", allowQuarantined: ["x.mp4"] })).toHaveLength(1)
    const harmless = { ...folded, quarantine: [{ ...bad, columns: { part: "train" } }] }
    expect(resolveSplits(harmless, { column: "part" })).toHaveLength(1)
  })
})

test("a class can be left out", () => {
  const less = withoutClasses(plain, ["class1"])
  expect(less.classes).toEqual(["class0", "class2"])
  expect(less.clips).toHaveLength(80)
  expect(() => withoutClasses(plain, ["class9"])).toThrow(/no class "class9"/)
})

test("background is no class, is held back in proportion, and stands apart from the parts that are trained and tested", () => {
  const clips = plain.clips.map((one, i) =>
    i % 5 === 0 ? { ...one, label: "_background", labels: ["_background"] } : one,
  )
  const manifest = manifestOf(clips)
  expect(manifest.classes).toEqual(["class0", "class1", "class2"])
  const [drawn] = resolveSplits(manifest, { seed: 3 })
  const split = apartBackground(drawn)
  const { held = [], test: tested = [] } = split.background ?? {}
  expect(held.length + tested.length).toBe(24)
  expect(tested.length).toBeGreaterThan(2)
  expect([...held, ...tested].every(({ label }) => label === "_background")).toBe(true)
  for (const part of [split.train, split.val, split.test]) {
    expect(part.some(({ label }) => label === "_background")).toBe(false)
  }
  expectApart(drawn)
  expectApart(split)
  const [without] = resolveSplits(plain, { seed: 3 })
  expect(apartBackground(without)).toBe(without)
})
