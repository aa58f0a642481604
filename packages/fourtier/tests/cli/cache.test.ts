/** `fourtier cache`: what it lists, and that it removes what is named, nothing that is in use, and no answers in passing. */

import { spawn } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { startTimeOf } from "@fourtier/core/node"
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { cacheCommand } from "../../src/cli/cache.ts"
import { throwErrors } from "../../src/cli/errors.ts"
import { newOwner } from "../../src/util/owner.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-cache-verb-"))
afterAll(() => rmSync(folder, { recursive: true }))

const cache = join(folder, "cache")
const hub = join(folder, "hub")
const old = new Date(Date.now() - 40 * 24 * 3_600_000)

let printed = ""

/** What the verb prints on standard output. */
async function run(...args: string[]): Promise<string> {
  printed = ""
  const command = cacheCommand()
  throwErrors(command)
  await command.parseAsync(["node", "cache", ...args])
  return printed
}

function write(path: string, text: string, time?: Date): string {
  const full = join(folder, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, text)
  if (time) utimesSync(full, time, time)
  return full
}

const answer = (key: string, time: Date) =>
  JSON.stringify({
    ...{ key: key.repeat(32), ok: 1, clip: "a", path: "a.mp4", prompt: "A", answer: '"time":"9999-01-01T00:00:00Z"' },
    ...{ model: "m", spec: "s", by: "http", time: time.toISOString() },
  })

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

beforeEach(() => {
  vi.stubEnv("FOURTIER_CACHE", cache)
  vi.stubEnv("HF_HUB_CACHE", hub)
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text)
    return true
  })
  vi.spyOn(process.stderr, "write").mockImplementation(() => true)
  for (const place of [cache, hub]) rmSync(place, { recursive: true, force: true })
  write("cache/features/aa/spec.json", "{}", old)
  write("cache/features/aa/shard-1/m.npy", "x".repeat(1000))
  write("cache/features/bb/spec.json", "{}")
  write("cache/strips/wave/a.11112222-k5.jpg", "x".repeat(20), old)
  write("cache/texts/use/1.bin", "x")
  write("cache/alignments/cc/alignment.json", "{}")
  write("cache/measurements/v2.jsonl", '{"path":"a"}\n')
  write("cache/descriptions.jsonl", `{"spec":"s","is":{}}\n${answer("a", old)}\n${answer("b", new Date())}\n`)
  write("hub/models--owner--name/blobs/1", "x".repeat(50))
})

describe("fourtier cache", () => {
  it("lists each kind with entries, size and last use, within 80 columns", async () => {
    const out = await run()
    expect(out).toContain(`cache: ${cache}`)
    const today = new Date().toISOString().slice(0, 10)
    expect(out).toMatch(new RegExp(`features +│ maps of the frozen encoder +│ +2 │ 1\\.00 kB │ ${today}`))
    expect(out).toMatch(new RegExp(`strips .*│ +1 │ +20 B │ ${old.toISOString().slice(0, 10)}`))
    expect(out).toMatch(/checkpoints .*│ +1 │ +50 B/)
    expect(out.split("\n").filter((line) => line.length > 80 && !line.includes(folder))).toEqual([])
    expect(JSON.parse(await run("list", "--json"))).toMatchObject({ root: cache })
    rmSync(cache, { recursive: true })
    rmSync(hub, { recursive: true })
    expect(await run()).toContain("nothing is cached yet")
  })

  it("clears what is named, or of it what has long not been used; the rest stays", async () => {
    expect(await run("clear", "features", "strips", "--older-than", "30d", "--yes")).toMatch(
      /features: 1 entry.*\nstrips: 1 entry.*\nremoved/,
    )
    expect(readdirSync(join(cache, "features"))).toEqual(["bb"])
    expect(existsSync(join(cache, "strips/wave/a.11112222-k5.jpg"))).toBe(false)
    await run("clear", "features", "--yes")
    expect(readdirSync(join(cache, "features"))).toEqual([])
    expect(await run("clear", "features", "--yes")).toBe("there is nothing to remove\n")
    for (const path of ["texts/use/1.bin", "alignments/cc/alignment.json", "descriptions.jsonl"]) {
      expect(existsSync(join(cache, path)), path).toBe(true)
    }
  })

  it("answers go only with their own word; of an age, only the older ones", async () => {
    await expect(run("clear", "answers", "--yes")).rejects.toThrow(/paid for[\s\S]*--paid/)
    await run("clear", "answers", "--older-than", "30d", "--paid", "--yes")
    expect(readFileSync(join(cache, "descriptions.jsonl"), "utf8").match(/"key":"./g)).toEqual(['"key":"b'])
    await run("clear", "answers", "--paid", "--yes")
    expect(existsSync(join(cache, "descriptions.jsonl"))).toBe(false)
  })

  it("asks before it removes, and says what may be named", async () => {
    await expect(run("clear", "texts")).rejects.toThrow(/nobody to ask[\s\S]*--yes/)
    await expect(run("clear", "feature", "--yes")).rejects.toThrow(/no such choice[\s\S]*did you mean features/)
    await expect(run("clear", "texts", "--older-than", "soon")).rejects.toThrow(/such as 12h, 30d or 4w/)
    expect(existsSync(join(cache, "texts/use/1.bin"))).toBe(true)
  })

  it("leaves a cache alone that another process uses", async () => {
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"])
    const pid = child.pid ?? 0
    write("cache/in-use/other", JSON.stringify({ ...newOwner(), pid, started: startTimeOf(pid) }))
    await expect(run("clear", "texts", "--yes")).rejects.toThrow(
      new RegExp(`another process is using.*[\\s\\S]*${pid}`),
    )
    child.kill("SIGKILL")
    while (child.exitCode === null && child.signalCode === null) await sleep(5)
    expect(await run("clear", "texts", "--yes")).toContain("removed")
  })

  it("moves an older cache: records join those that are there, answers are taken over once", async () => {
    write("old/features/bb/spec.json", "{}")
    write("old/features/bb/shard-2/m.npy", "y")
    write("old/texts/use/2.bin", "y")
    write("old/strips/wave/b.33334444-k5.jpg", "y")
    write("old/descriptions.jsonl", `{"spec":"s","is":{}}\n${answer("b", old)}\n${answer("c", old)}\n`)
    write("old/descriptions.jsonl.batches/t.json", "{}")
    write("old/notes.txt", "mine")
    expect(await run("move", join(folder, "old"))).toMatch(/3 entries and 1 answer moved to .*still holds other files/)
    expect(readdirSync(join(cache, "features/bb")).toSorted()).toEqual(["shard-2", "spec.json"])
    expect(readdirSync(join(cache, "texts/use")).toSorted()).toEqual(["1.bin", "2.bin"])
    expect(readFileSync(join(cache, "descriptions.jsonl"), "utf8").match(/"key":"./g)).toHaveLength(3)
    expect(readdirSync(join(cache, "descriptions.jsonl.batches"))).toEqual(["t.json"])
    expect(readdirSync(join(folder, "old"))).toEqual(["notes.txt"])
    await expect(run("move", join(folder, "old"))).rejects.toThrow(/there is no cache/)
  })
})
