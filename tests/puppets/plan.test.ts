import { describe, expect, test } from "vitest"
import { parseTable } from "../../packages/fourtier/src/video/tables.ts"
import { actionNames, orderPairs } from "../../packages/puppets/src/acts.ts"
import {
  countsFor,
  demoClasses,
  demoCounts,
  homes,
  manifestCsv,
  parseClasses,
  planClips,
} from "../../packages/puppets/src/plan.ts"

const clips = planClips({ classes: demoClasses, counts: demoCounts, seed: 1 })
const part = (split: string) => clips.filter((clip) => clip.split === split)

describe("the plan of a puppet set", () => {
  test("gives the same clips for the same seed and others for another", () => {
    expect(planClips({ classes: demoClasses, counts: demoCounts, seed: 1 })).toEqual(clips)
    expect(planClips({ classes: demoClasses, counts: demoCounts, seed: 2 })).not.toEqual(clips)
  })

  test("holds every smaller set of the same seed, so that descriptions stay valid", () => {
    const larger = planClips({ classes: actionNames, counts: { train: 20, test: 9, "test-shift": 9 }, seed: 1 })
    const byPath = new Map(larger.map((clip) => [clip.path, clip]))
    for (const clip of clips) expect(byPath.get(clip.path)).toEqual(clip)
  })

  test("shares no person, style or camera between training and either test part", () => {
    for (const kind of ["person", "style", "camera"] as const) {
      const known = new Set(part("train").map((clip) => clip[kind]))
      for (const split of ["test", "test-shift"]) {
        for (const clip of part(split)) expect(known.has(clip[kind])).toBe(false)
      }
    }
  })

  test("ties classes to scenes in train and test, and never in test-shift", () => {
    for (const split of ["train", "test"]) {
      const home = part(split).filter((clip) => clip.scene === homes[clip.action]).length / part(split).length
      expect(home).toBeGreaterThan(0.75)
      expect(home).toBeLessThan(0.95)
    }
    expect(part("test-shift").filter((clip) => clip.scene === homes[clip.action])).toEqual([])
  })

  test("guessing the class from the scene fails where the scenes are shifted", () => {
    const guess = new Map<string, Map<string, number>>()
    for (const { scene, action } of part("train")) {
      const votes = guess.get(scene) ?? new Map<string, number>()
      guess.set(scene, votes.set(action, (votes.get(action) ?? 0) + 1))
    }
    const hits = (split: string) =>
      part(split).filter(({ scene, action }) => {
        const votes = guess.get(scene) ?? new Map<string, number>()
        return (votes.get(action) ?? 0) >= Math.max(...votes.values())
      }).length / part(split).length
    expect(hits("test")).toBeGreaterThan(0.3)
    expect(hits("test-shift")).toBeLessThan(0.02)
  })

  test("gives the halves of a pair different homes, and every scene the same number of classes", () => {
    for (const [a, b] of orderPairs) expect(homes[a]).not.toBe(homes[b])
    const homeCounts = new Map<string, number>()
    for (const action of demoClasses) homeCounts.set(homes[action], (homeCounts.get(homes[action]) ?? 0) + 1)
    expect([...homeCounts.values()]).toEqual([2, 2, 2, 2, 2, 2])
  })

  test("writes a manifest that the video reader's table parser understands", () => {
    const table = parseTable("manifest.csv", manifestCsv(clips))
    expect(table.rows).toHaveLength(clips.length)
    expect(table.columns).toEqual(["path", "label", "split", "group", "scene", "person", "style", "camera"])
    expect(table.rows[0].values).toMatchObject({ path: clips[0].path, label: clips[0].action, split: "train" })
    expect(new Set(clips.map((clip) => clip.path)).size).toBe(clips.length)
  })

  test("splits a total over the classes and names a mistyped one", () => {
    const counts = countsFor(2000, 18)
    expect((counts.train + counts.test + counts["test-shift"]) * 18).toBeGreaterThan(1940)
    expect(parseClasses("all")).toHaveLength(18)
    expect(() => parseClasses("walk,sit-dwn")).toThrow(/did you mean sit-down/)
    expect(() => planClips({ classes: ["walk"], counts: demoCounts, seed: 1, width: 255 })).toThrow(/even numbers/)
  })
})
