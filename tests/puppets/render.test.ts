import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, unlink, utimes, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { decodeFrames } from "fourtier/video"
import sharp from "sharp"
import { afterAll, describe, expect, test } from "vitest"
import { toYuv } from "../../packages/puppets/src/camera.ts"
import { Arena, ClipRenderer } from "../../packages/puppets/src/clip.ts"
import { generatePuppets } from "../../packages/puppets/src/generate.ts"
import { planClips } from "../../packages/puppets/src/plan.ts"
import { writeSheet } from "../../packages/puppets/src/sheet.ts"

const folder = await mkdtemp(join(tmpdir(), "puppets-"))
afterAll(() => rm(folder, { recursive: true, force: true }))

const set = { classes: ["walk", "sit-down"] as const, counts: { train: 2, test: 1, "test-shift": 0 }, seed: 5 }

function pictureOf(renderer: ClipRenderer, index: number): Uint8Array {
  const { width, height } = renderer.spec
  const picture = new Uint8Array(width * height * 3)
  renderer.frame(index, picture)
  return picture
}

const digest = (data: Uint8Array) => createHash("sha256").update(data).digest("hex").slice(0, 16)

describe("rendering", () => {
  test("gives the same pixels on every machine", () => {
    const [clip] = planClips({ classes: ["throw"], counts: { train: 1, test: 0, "test-shift": 0 }, seed: 1 })
    const renderer = new ClipRenderer(clip)
    expect([0, 20, 40].map((index) => digest(pictureOf(renderer, index)))).toEqual([
      "b6fb9439b8dfd7e2",
      "e6166bf9a2bfcfef",
      "befa0531d60dfc78",
    ])
  })

  test("does not depend on the order of frames, nor on what the arena held before", () => {
    const [walk, sit] = planClips({ ...set, counts: { train: 1, test: 0, "test-shift": 0 } }).reverse()
    const alone = new ClipRenderer(walk)
    const forward = [3, 30].map((index) => digest(pictureOf(alone, index)))
    const arena = new Arena()
    pictureOf(new ClipRenderer(sit, arena), 7)
    const shared = new ClipRenderer(walk, arena)
    const backward = [30, 3].map((index) => digest(pictureOf(shared, index)))
    expect(backward.reverse()).toEqual(forward)
  })

  test("shows a figure that moves in front of a scene", () => {
    const [clip] = planClips({ ...set, counts: { train: 1, test: 0, "test-shift": 0 } })
    const renderer = new ClipRenderer(clip)
    const [first, last] = [pictureOf(renderer, 0), pictureOf(renderer, clip.frames - 1)]
    let changed = 0
    for (let i = 0; i < first.length; i++) if (Math.abs(first[i] - last[i]) > 24) changed++
    expect(changed / first.length).toBeGreaterThan(0.01)
    const mean = first.reduce((sum, value) => sum + value, 0) / first.length
    expect(mean).toBeGreaterThan(30)
    expect(mean).toBeLessThan(225)
  })

  test("writes contact sheets", async () => {
    const clips = planClips({ ...set, counts: { train: 1, test: 0, "test-shift": 0 } })
    const path = join(folder, "sheet.png")
    const size = await writeSheet(path, clips, 3)
    expect(size).toEqual({ width: 768, height: 387 })
    expect(await sharp(path).metadata()).toMatchObject({ format: "png", ...size })
  })
})

describe("a generated set", () => {
  const out = join(folder, "set")

  test("holds every planned clip as video whose frames are the rendered ones", async () => {
    const { clips, rendered, manifest } = await generatePuppets({ ...set, out }, silent)
    expect(rendered).toBe(clips.length)
    expect((await readFile(manifest, "utf8")).trim().split("\n")).toHaveLength(clips.length + 1)
    for (const clip of clips.slice(0, 2)) {
      const { frames, width, height } = clip
      const decoded = decodeFrames(
        { path: join(out, clip.path), start: null, end: null, frames, fps: clip.fps },
        () => [0, 10, frames - 1],
      )
      expect([decoded.width, decoded.height]).toEqual([width, height])
      const renderer = new ClipRenderer(clip)
      const size = width * height * 3
      for (const [k, index] of [0, 10, frames - 1].entries()) {
        const error = meanError(pictureOf(renderer, index), decoded.data.subarray(k * size, (k + 1) * size))
        expect(error, `${clip.path}, frame ${index}`).toBeLessThan(9)
      }
    }
  })

  test("is picked up where it was interrupted, gives the same bytes again, and leaves no half files", async () => {
    const clips = planClips(set)
    const first = clips.find(({ path }) => path.endsWith(".webm")) ?? clips[0]
    const before = await readFile(join(out, first.path))
    await unlink(join(out, first.path))
    const half = join(out, `${first.path}.tmp-1-00000000`)
    await writeFile(half, "half a clip")
    await utimes(half, 0, 0)
    const again = await generatePuppets({ ...set, out }, silent)
    expect(again.rendered).toBe(1)
    expect((await readFile(join(out, first.path))).equals(before)).toBe(true)
    const names = await readdir(out, { recursive: true })
    expect(names.filter((name) => name.includes(".tmp"))).toEqual([])
  })

  test("is not mixed with a set of another seed", async () => {
    await expect(generatePuppets({ ...set, seed: 6, out }, silent)).rejects.toThrow(/another set/)
  })
})

test("YUV planes keep grey grey and black black", () => {
  const picture = new Uint8Array(64 * 64 * 3).fill(128)
  const planes = new Uint8Array(64 * 64 * 1.5)
  toYuv(picture, 64, 64, planes)
  expect([planes[0], planes[64 * 64], planes[64 * 64 * 1.25]]).toEqual([126, 128, 128])
  toYuv(picture.fill(0), 64, 64, planes)
  expect(planes[0]).toBe(16)
})

function meanError(a: Uint8Array, b: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i])
  return sum / a.length
}
