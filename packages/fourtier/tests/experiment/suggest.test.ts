/** What is suggested for labelling: unsure clips that stand for others, not the same thing twice; and what is said of clips without answers. */

import { expect, it } from "vitest"
import { unansweredText } from "../../src/experiment/pseudo-labelled.ts"
import { suggestLabels } from "../../src/experiment/suggest.ts"

const at = (degrees: number) =>
  Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180))

it("clips that get no pseudo-label for want of an answer are counted by prompt, with the way on", () => {
  const answers = (...clips: string[]) => new Map(clips.map((clip) => [clip, new Float32Array(2)]))
  const clips = ["a", "b", "c", "d"]
  const table = new Map([
    ["A", answers(...clips)],
    ["B", answers("a", "b", "c")],
    ["D", answers("a")],
  ])
  expect(unansweredText(clips, table)).toBe(
    "3 of 4 clips without a label get no pseudo-label, which takes an answer to every prompt; missing: prompt D on 3 clips, prompt B on 1 clip. Have these clips described, or take prompt D out of `prompts`: 2 more clips would get one (of the paper's prompts: --set 'prompts=[A, B]')",
  )
  expect(unansweredText(["a"], table)).toBeNull()
  expect(unansweredText(["b"], new Map([["A", answers("a")]]))).toMatch(/or label them$/)
  const own = new Map([...table, ["speed", answers(...clips)] as const])
  expect(unansweredText(clips, own)).toMatch(/prompt D out of `prompts`: 2 more clips would get one$/)
})

it("unsure clips that many are like come first, and after one of them those that are unlike it", () => {
  const probabilities = new Map([
    ["sure", Float32Array.of(0.99, 0.01)],
    ["crowd 1", Float32Array.of(0.55, 0.45)],
    ["crowd 2", Float32Array.of(0.55, 0.45)],
    ["crowd 3", Float32Array.of(0.55, 0.45)],
    ["lonely", Float32Array.of(0.55, 0.45)],
  ])
  const rows = new Map([
    ["sure", at(180)],
    ["crowd 1", at(0)],
    ["crowd 2", at(1)],
    ["crowd 3", at(2)],
    ["lonely", at(90)],
  ])
  const [first, second] = suggestLabels(probabilities, new Set(), rows, ["jump", "wave"], 2)
  expect(first.clip).toMatch(/crowd/)
  expect(first.guess).toBe("jump")
  expect(first.probability).toBeCloseTo(0.55, 6)
  expect(second.clip).toBe("lonely")
})

it("nothing is asked for where every clip is sure", () => {
  const rows = new Map([["a", at(0)]])
  expect(
    suggestLabels(new Map([["a", Float32Array.of(0.9999, 0.0001)]]), new Set(), rows, ["jump", "wave"], 5),
  ).toEqual([])
})

it("a clip of no class is as unsure as can be, and has no guess", () => {
  const probabilities = new Map([
    ["a", Float32Array.of(0.75, 0.25)],
    ["b", Float32Array.of(0.75, 0.25)],
  ])
  const rows = new Map([
    ["a", at(0)],
    ["b", at(90)],
  ])
  expect(suggestLabels(probabilities, new Set(["b"]), rows, ["jump", "wave"], 5)).toEqual([
    { clip: "b", guess: "", probability: 0 },
    { clip: "a", guess: "jump", probability: 0.75 },
  ])
})
