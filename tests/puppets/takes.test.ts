/** Protects long takes: exact spans, nobody and no place in two parts, a figure that never jumps, files that are read as segments. */

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { companyScenes } from "../../packages/puppets/src/company-plan.ts"
import { distance } from "../../packages/puppets/src/math.ts"
import { demoClasses } from "../../packages/puppets/src/plan.ts"
import { TakeRenderer } from "../../packages/puppets/src/take.ts"
import { planTakes, takeCounts, takeCountsFor } from "../../packages/puppets/src/take-plan.ts"
import { generateTakes, takeFiles } from "../../packages/puppets/src/take-set.ts"

const plan = planTakes({ classes: demoClasses, counts: takeCounts, seed: 1 })
const part = (split: string) => plan.filter((take) => take.split === split)

describe("the plan", () => {
  test("gives the same takes for the same seed, and a larger set holds them", () => {
    const larger = planTakes({ classes: demoClasses, counts: { train: 25, test: 13, "test-shift": 12 }, seed: 1 })
    const byId = new Map(larger.map((take) => [take.id, take]))
    for (const take of plan) expect(byId.get(take.id)).toEqual(take)
    expect(planTakes({ classes: demoClasses, counts: takeCounts, seed: 2 })).not.toEqual(plan)
    expect(takeCountsFor(48)).toEqual(takeCounts)
    expect(() => planTakes({ classes: ["bow"], counts: takeCounts, seed: 1 })).toThrow(/too few actions/)
  })

  test("six actions or more in each take, all classes, spans that neither overlap nor leave the take", () => {
    for (const { spans, others, frames, fps, items } of plan) {
      const done = items.filter(({ act }) => demoClasses.some((name) => name === act))
      expect(done.length).toBeGreaterThanOrEqual(6)
      expect(done.length).toBeLessThanOrEqual(13)
      const all = [...spans, ...others].sort((a, b) => a.start - b.start)
      for (const [i, { start, end }] of all.entries()) {
        expect(end).toBeGreaterThan(start)
        expect(start).toBeGreaterThanOrEqual(i > 0 ? all[i - 1].end : 0)
      }
      expect(all.at(-1)?.end).toBeLessThanOrEqual(frames / fps)
      expect(spans.every(({ label }) => demoClasses.some((name) => name === label))).toBe(true)
    }
    expect(new Set(plan.flatMap(({ spans }) => spans.map(({ label }) => label)))).toEqual(new Set(demoClasses))
    const strange = new Set(plan.flatMap(({ others }) => others.map(({ label }) => label)))
    expect([...strange]).toEqual(expect.arrayContaining(["stand", "gesture", "clap", "jump", "point"]))
    const background = plan.flatMap(({ others }) => others).reduce((sum, { start, end }) => sum + end - start, 0)
    expect(background / plan.reduce((sum, { frames, fps }) => sum + frames / fps, 0)).toBeGreaterThan(0.25)
  })

  test("walking between places is an action where it is a class, else none", () => {
    const walks = (of: typeof plan, which: "spans" | "others") =>
      of.flatMap((take) => take[which]).filter(({ label }) => label === "walk").length
    const classes = demoClasses.filter((name) => name !== "walk")
    const without = planTakes({ classes, counts: takeCounts, seed: 1 })
    expect([walks(plan, "spans") > 50, walks(plan, "others")]).toEqual([true, 0])
    expect([walks(without, "spans"), walks(without, "others") > 50]).toEqual([0, true])
  })

  test("shares no person, style or camera between training and test, and no place with test-shift", () => {
    const seen = (split: string) => new Set(part(split).flatMap(({ camera, person, style }) => [camera, person, style]))
    for (const split of ["test", "test-shift"]) {
      for (const name of seen(split)) expect(seen("train").has(name)).toBe(false)
    }
    for (const { scene } of part("test-shift")) expect(companyScenes.home).not.toContain(scene)
    for (const { scene } of part("train")) expect(companyScenes.home).toContain(scene)
  })
})

describe("a take", () => {
  test("has a figure that moves from one thing to the next without a jump, and keeps its feet on the ground", () => {
    for (const take of [part("train")[0], part("test")[0]]) {
      const renderer = new TakeRenderer({ ...take, width: 64, height: 64 })
      expect(renderer.frames).toBe(take.frames)
      let before = renderer.joints(0)
      for (let i = 1; i < take.frames; i++) {
        const joints = renderer.joints(i / take.fps)
        // a tenth of a metre in a frame is 2.5 m/s: as fast as a step, slower than a jump cut
        expect(distance(joints.pelvis, before.pelvis), `${take.id}, frame ${i}`).toBeLessThan(0.12)
        const lowest = Math.min(joints.legs.left.tip[1], joints.legs.right.tip[1])
        expect(lowest).toBeLessThan(0.6)
        before = joints
      }
    }
  })
})

describe("the files", () => {
  test("tell the spans as a table and as ActivityNet does", () => {
    const files = takeFiles(plan)
    const rows = files["segments.csv"].trim().split("\n")
    expect(rows[0]).toBe("path,label,start,end,split,person,scene")
    expect(rows).toHaveLength(1 + plan.reduce((sum, { spans }) => sum + spans.length, 0))
    const { database } = JSON.parse(files["activitynet.json"])
    const [take] = plan
    expect(database["train/train-0000"]).toEqual({
      subset: "train",
      duration: take.frames / take.fps,
      annotations: take.spans.map(({ label, start, end }) => ({ segment: [start, end], label })),
    })
  })

  test("a generated set is whole, and a second run renders nothing and writes the same", async () => {
    const out = await mkdtemp(join(tmpdir(), "takes-"))
    afterAll(() => rm(out, { recursive: true, force: true }))
    const options = { classes: ["bow", "wave"] as const, seed: 3, width: 64, height: 64, actions: [1, 1] as const, out }
    const counts = { train: 1, test: 0, "test-shift": 0 }
    await generateTakes({ ...options, counts })
    expect(await readdir(join(out, "train"))).toEqual(["train-0000.mp4"])
    const table = await readFile(join(out, "segments.csv"), "utf8")
    await generateTakes({ ...options, counts })
    expect(await readFile(join(out, "segments.csv"), "utf8")).toBe(table)
    await expect(generateTakes({ ...options, counts, seed: 4 })).rejects.toThrow(/another set/)
  })
})
