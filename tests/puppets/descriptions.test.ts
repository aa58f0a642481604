import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { z } from "zod"
import { readRecords } from "../../packages/fourtier/src/describe/answer-formats.ts"
import {
  DESCRIBED_SEED,
  demoClasses,
  demoCounts,
  planClips,
  puppetDescriptions,
} from "../../packages/puppets/src/index.ts"

const lineSchema = z.strictObject({
  path: z.string(),
  model: z.literal("vision-assistant-2026-11"),
  key_frames: z.array(z.int()).length(5),
  answers: z.strictObject({ A: z.string(), B: z.string(), C: z.string(), D: z.string() }),
})

const lines = (await readFile(puppetDescriptions(), "utf8"))
  .trim()
  .split("\n")
  .map((line) => lineSchema.parse(JSON.parse(line)))
const train = planClips({ classes: demoClasses, counts: demoCounts, seed: DESCRIBED_SEED }).filter(
  (clip) => clip.split === "train",
)

test("every training clip of the demo is described once, and no test clip is", () => {
  expect(lines.map(({ path }) => path).sort()).toEqual(train.map(({ path }) => path).sort())
})

test("the described frames are the centres of five equal segments of the planned clip", () => {
  const frames = new Map(train.map((clip) => [clip.path, clip.frames]))
  for (const { path, key_frames } of lines) {
    const count = frames.get(path) ?? 0
    key_frames.forEach((frame, k) => {
      expect(Math.abs(frame - ((k + 0.5) * count) / 5), path).toBeLessThanOrEqual(1)
    })
  }
})

test("answers are sentences of their own: prompts C and D never repeat between clips", () => {
  for (const prompt of ["C", "D"] as const) {
    expect(new Set(lines.map(({ answers }) => answers[prompt])).size).toBe(lines.length)
  }
  for (const { answers } of lines) {
    expect(answers.C.length).toBeGreaterThan(40)
    expect(answers.D.length).toBeGreaterThan(25)
  }
})

test("the file reads as recorded answers", async () => {
  let count = 0
  for await (const record of readRecords(puppetDescriptions())) if (record.answer !== "") count++
  expect(count).toBe(4 * train.length)
})
