// Protects: what cannot be written is told with its path, what it was and how much is free, by every kind of writer, and nothing
// half-written is left.
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FileJournal, saveWeights } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { NpyWriter, writeFileAtomic, writeNpy } from "@fourtier/tensor/node"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "fourtier-full-"))
const disk = join(folder, "disk")
mkdirSync(disk)
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).status === 0
afterAll(() => {
  if (mounted) spawnSync("umount", [disk])
  rmSync(folder, { recursive: true, force: true })
})

async function complaintOf(work: () => unknown) {
  try {
    await work()
  } catch (error) {
    if (error instanceof FourtierError) return error.complaint
    throw error
  }
  throw new Error("nothing was thrown")
}

/** Bytes that no 64 kB hold. */
const LARGE = 200_000

describe.skipIf(!mounted)("a full disk (needs the right to mount one)", () => {
  const path = join(disk, "runs", "file")
  it.each<[string, () => Promise<unknown>]>([
    ["a whole file", () => writeFileAtomic(path, "x".repeat(LARGE))],
    ["an array", () => writeNpy(path, "f32", [LARGE], new Float32Array(LARGE))],
    ["weights", () => saveWeights(path, [{ name: "w", shape: [LARGE] }], new Map([["w", new Float32Array(LARGE)]]))],
  ])("%s: the error names it and leaves nothing", async (_, work) => {
    const { where, what, found, fix } = await complaintOf(work)
    expect([where, what]).toEqual([path, expect.stringContaining("cannot be written")])
    expect(found).toMatch(/^ENOSPC: .*, \d+\.\d of 0\.1 MB free$/)
    expect(fix).toContain("free disk space")
    expect(readdirSync(join(disk, "runs"))).toEqual([])
  })

  it("records: those that were flushed stay, and more are added when there is room", async () => {
    const records = join(disk, "records.npy")
    const writer = await NpyWriter.open(records, "f32", [1024])
    await writer.append(new Float32Array(1024))
    await writer.flush()
    const { where, found } = await complaintOf(() => writer.append(new Float32Array(LARGE - (LARGE % 1024))))
    expect([where, found]).toEqual([records, expect.stringMatching(/ENOSPC/)])
    await writer.close().catch(() => undefined)
    const again = await NpyWriter.open(records, "f32", [1024])
    expect(again.count).toBe(1)
    await again.append(new Float32Array(1024))
    await again.close()
  })
})

describe.skipIf(process.platform !== "linux")("a device that takes nothing", () => {
  const full = join(folder, "metrics.jsonl")
  beforeAll(() => symlinkSync("/dev/full", full))

  it("a journal names its file and what it holds", async () => {
    const { where, what, found } = await complaintOf(() => new FileJournal(full).write(1, 0, "train", { loss: 1 }))
    expect([where, what]).toEqual([full, "training losses cannot be written"])
    expect(found).toMatch(/ENOSPC.*MB free/)
  })
})

describe("a path that cannot be", () => {
  it("names the file and what is in the way", async () => {
    const file = join(folder, "file")
    await writeFileAtomic(file, "")
    for (const work of [
      () => writeFileAtomic(join(file, "below"), ""),
      () => NpyWriter.open(join(file, "below.npy"), "f32", [1]),
      () => new FileJournal(join(file, "below", "metrics.jsonl")),
    ]) {
      const { where, fix } = await complaintOf(work)
      expect([where, fix]).toEqual([expect.stringContaining(join(file, "below")), expect.stringContaining("is a file")])
    }
  })
})
