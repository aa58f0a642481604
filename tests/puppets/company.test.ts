/** Protects the videos of several figures: exact boxes, different actions, parts that share nobody, files laid out as AVA's. */

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseAvaCsv, parseAvaLabelMap } from "@fourtier/core/metrics"
import { afterAll, describe, expect, test } from "vitest"
import { avaFiles, classIdOf, generateAvaSet } from "../../packages/puppets/src/ava-set.ts"
import { CompanyRenderer } from "../../packages/puppets/src/company.ts"
import {
  companyCounts,
  companyCountsFor,
  companyScenes,
  planCompanies,
} from "../../packages/puppets/src/company-plan.ts"
import { demoClasses } from "../../packages/puppets/src/plan.ts"

const plan = planCompanies({ classes: demoClasses, counts: companyCounts, seed: 1 })
const part = (split: string) => plan.filter((video) => video.split === split)

describe("the plan", () => {
  test("gives the same videos for the same seed, and a larger set holds them", () => {
    const larger = planCompanies({ classes: demoClasses, counts: { train: 121, test: 41, "test-shift": 40 }, seed: 1 })
    const byId = new Map(larger.map((video) => [video.id, video]))
    for (const video of plan) expect(byId.get(video.id)).toEqual(video)
    expect(planCompanies({ classes: demoClasses, counts: companyCounts, seed: 2 })).not.toEqual(plan)
    expect(companyCountsFor(200)).toEqual(companyCounts)
  })

  test("two to four figures do different things in almost every video, at different depths", () => {
    const sizes = plan.map(({ members }) => members.length)
    expect(sizes.filter((size) => size >= 2).length / plan.length).toBeGreaterThan(0.95)
    expect(Math.max(...sizes)).toBe(4)
    for (const { members } of plan) expect(new Set(members.map(({ action }) => action)).size).toBe(members.length)
    const depths = plan.flatMap(({ members }) => members.map(({ place }) => place[1]))
    expect(Math.max(...depths) - Math.min(...depths)).toBeGreaterThan(2.5)
  })

  test("shares no person, style or camera between training and test, and no place with test-shift", () => {
    const seen = (split: string) =>
      new Set(part(split).flatMap(({ camera, members }) => [camera, ...members.flatMap((m) => [m.person, m.style])]))
    for (const split of ["test", "test-shift"]) {
      for (const name of seen(split)) expect(seen("train").has(name)).toBe(false)
    }
    for (const { scene } of part("test-shift")) expect(companyScenes.home).not.toContain(scene)
    for (const { scene } of part("train")) expect(companyScenes.home).toContain(scene)
  })

  test("refuses too few classes", () => {
    const few = { classes: ["walk", "run", "bow"] as const, counts: companyCounts, seed: 1 }
    expect(() => planCompanies(few)).toThrow(/too few actions/)
  })
})

describe("boxes", () => {
  test("hold all that a figure covers, and no more", () => {
    const video = { ...part("train")[0], width: 160, height: 120 }
    const member = { ...video.members[0], action: "wave" as const, place: [0, 0] as const }
    const alone = new CompanyRenderer({ ...video, members: [member] })
    const nobody = new CompanyRenderer({ ...video, members: [] })
    const picture = (renderer: CompanyRenderer) => {
      const data = new Uint8Array(160 * 120 * 3)
      renderer.frame(37, data)
      return data
    }
    const [with_, without] = [picture(alone), picture(nobody)]
    const [{ box, inside }] = alone.boxes(37)
    expect(inside).toBeGreaterThan(0.3)
    const extent = [160, 120, 0]
    for (let y = 0; y < 120; y++) {
      for (let x = 0; x < 160; x++) {
        const at = (y * 160 + x) * 3
        const change = [0, 1, 2].reduce((sum, c) => sum + Math.abs(with_[at + c] - without[at + c]), 0)
        // grain is alike in both; the shadow lies around the feet
        if (change < 60 || y / 120 > box[1] + 0.7 * (box[3] - box[1])) continue
        extent[0] = Math.min(extent[0], x)
        extent[1] = Math.min(extent[1], y)
        extent[2] = Math.max(extent[2], x + 1)
      }
    }
    const seen = [extent[0] / 160, extent[1] / 120, extent[2] / 160]
    for (const [i, side] of seen.entries()) expect(Math.abs(side - box[i]), `side ${i}`).toBeLessThan(0.02)
  })

  test("end at the picture's edge, and are none where nobody is left in it", () => {
    const video = part("train")[0]
    const [member] = video.members
    const at = (x: number) => new CompanyRenderer({ ...video, members: [{ ...member, place: [x, 0] }] }).boxes(20)
    expect(at(100)).toEqual([])
    for (const { box, inside } of at(2.2)) {
      expect(box[2]).toBeLessThanOrEqual(1)
      expect(inside).toBeLessThanOrEqual(1)
    }
  })
})

describe("AVA's files", () => {
  test("key frames at whole seconds, excluded where a figure is mostly outside, tracks for every frame", () => {
    const video = { ...part("train")[0], frames: 50, fps: 25 }
    const whole = (id: number) => ({ id, box: [0.1, 0.2, 0.3, 0.4] as [number, number, number, number], inside: 1 })
    const boxes = Array.from({ length: 50 }, (_, i) =>
      video.members.map(({ id }) => (i === 25 && id === 1 ? { ...whole(id), inside: 0.1 } : whole(id))),
    )
    const files = avaFiles([video], new Map([[video.id, boxes]]))
    const truth = parseAvaCsv(files["annotations/ava_train_v2.2.csv"], "truth")
    const others = video.members.filter(({ id }) => id !== 1)
    expect(truth.boxes.map(({ classId }) => classId)).toEqual(others.map(({ action }) => classIdOf(action)))
    expect([...parseAvaCsv(files["annotations/ava_train_excluded_timestamps_v2.2.csv"], "x").frames]).toEqual([
      `${video.id},1`,
    ])
    expect(files["annotations/ava_included_timestamps_v2.2.txt"]).toBe("0001\n")
    const map = parseAvaLabelMap(files["annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt"], "map")
    expect(map.map(({ name }) => name)).toEqual(video.members.map(({ action }) => action).sort())
    expect(files["tracks.csv"].trim().split("\n")).toHaveLength(1 + 50 * video.members.length - 1)
  })

  test("a generated set is whole, and a second run renders nothing and writes the same", async () => {
    const out = await mkdtemp(join(tmpdir(), "company-"))
    afterAll(() => rm(out, { recursive: true, force: true }))
    const options = { ...{ classes: demoClasses, seed: 3, width: 96, height: 72 }, out }
    const counts = { train: 1, test: 1, "test-shift": 0 }
    await generateAvaSet({ ...options, counts })
    expect((await readdir(join(out, "videos"))).sort()).toEqual(["test-0000.mp4", "train-0000.mp4"])
    const tracks = await readFile(join(out, "tracks.csv"), "utf8")
    await generateAvaSet({ ...options, counts })
    expect(await readFile(join(out, "tracks.csv"), "utf8")).toBe(tracks)
    await expect(generateAvaSet({ ...options, counts, seed: 4 })).rejects.toThrow(/another set/)
  })
})
