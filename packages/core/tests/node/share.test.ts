// Protects: processes that keep worker threads busy share the cores, and dead ones take none.
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { claimCores, startTimeOf } from "@fourtier/core/node"
import { usableCores } from "@fourtier/tensor/node"
import { afterEach, beforeEach, describe, expect, it } from "vitest"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fourtier-share-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe("claimCores", () => {
  it("one process has all cores, however many pools it has; its notes go with them", () => {
    const claims = [claimCores(folder), claimCores(folder)]
    expect(claims.map(({ cores }) => cores)).toEqual([usableCores(), usableCores()])
    for (const { release } of claims) release()
    expect(readdirSync(folder)).toEqual([])
  })

  it("another process halves the share while it lives", async () => {
    const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"])
    await new Promise((resolve) => other.once("spawn", resolve))
    writeFileSync(join(folder, `${other.pid}-${startTimeOf(other.pid ?? 0) ?? ""}-0`), "")
    const both = claimCores(folder)
    expect(both.cores).toBe(Math.max(1, Math.floor(usableCores() / 2)))
    both.release()
    const gone = new Promise((resolve) => other.once("exit", resolve))
    other.kill("SIGKILL")
    await gone
    expect(claimCores(folder).cores).toBe(usableCores())
  })

  it("the number of a dead process that is used again does not count", () => {
    writeFileSync(join(folder, `${process.ppid}-1-0`), "")
    const { cores, release } = claimCores(folder)
    release()
    expect([cores, readdirSync(folder)]).toEqual([
      usableCores(),
      process.platform === "linux" ? [] : [expect.anything()],
    ])
  })

  it("where no note can be written, all cores are there", () => {
    const file = join(folder, "file")
    writeFileSync(file, "")
    expect(claimCores(join(file, "below")).cores).toBe(usableCores())
  })
})
