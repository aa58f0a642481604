/** The folder lock lets in one process at a time, and no dead process keeps others out. */

import { spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it, vi } from "vitest"
import { withFolderLock } from "../../src/util/lock.ts"
import { keepAlive, newOwner } from "../../src/util/owner.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-lock-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const leave = (name: string, owner: unknown, age = 0) => {
  const at = join(folder, name)
  return withFolderLock(at, async () => {}).then(() => {
    const path = join(at, "in-use.lock")
    writeFileSync(path, typeof owner === "string" ? owner : JSON.stringify(owner))
    const then = new Date(Date.now() - age)
    utimesSync(path, then, then)
    return at
  })
}

it("lets one in at a time, and the next one when it is done or has failed", async () => {
  const at = join(folder, "one")
  await withFolderLock(at, async () => {
    await expect(withFolderLock(at, async () => 1)).rejects.toThrow(/another run is using this folder/)
  })
  await expect(withFolderLock(at, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed")
  expect(await withFolderLock(at, async () => 2)).toBe(2)
  expect(readdirSync(at)).toEqual([])
})

it("removes what killed processes left half written, and nothing else", async () => {
  const at = join(folder, "swept")
  mkdirSync(join(at, "deep", "bundle.tmp-77-0123abcd"), { recursive: true })
  for (const name of ["model.onnx.tmp-12345-89abcdef", "notes.tmp-mine", "kept.json"]) {
    writeFileSync(join(at, "deep", name), "x")
  }
  await withFolderLock(at, async () => {})
  expect(readdirSync(join(at, "deep")).toSorted()).toEqual(["kept.json", "notes.tmp-mine"])
})

it("only one of many gets in", async () => {
  const at = join(folder, "many")
  let inside = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setTimeout(resolve, 50))
    inside--
  }
  const all = await Promise.allSettled(Array.from({ length: 20 }, () => withFolderLock(at, work)))
  expect(most).toBe(1)
  expect(all.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(1)
  expect(readdirSync(at)).toEqual([])
})

it("a killed process does not hold it", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"])
  const owner = { ...newOwner(), pid: child.pid, started: null }
  const ended = new Promise((resolve) => child.on("close", resolve))
  child.kill("SIGKILL")
  await ended
  const at = await leave("killed", owner)
  expect(await withFolderLock(at, async () => "in")).toBe("in")
})

it("nor does another process that got its number, a torn lock, or a silent machine", async () => {
  if (existsSync("/proc/self/stat")) {
    const reused = await leave("reused", { ...newOwner(), pid: process.ppid, started: "1" })
    expect(await withFolderLock(reused, async () => "in")).toBe("in")
  }
  expect(await withFolderLock(await leave("torn", '{"id":'), async () => "in")).toBe("in")
})

it("a process on another machine holds it as long as its file is seen to be renewed, whatever time that has", async () => {
  const elsewhere = { ...newOwner(), host: "elsewhere", pid: 1 }
  vi.useFakeTimers({ toFake: ["performance"] })
  const passing = setInterval(() => vi.advanceTimersByTime(30_000), 300)
  try {
    // its clock is an hour ahead: what counts is that nothing changes
    expect(await withFolderLock(await leave("silent", elsewhere, -3_600_000), async () => "in")).toBe("in")
  } finally {
    clearInterval(passing)
    vi.useRealTimers()
  }
  const lively = await leave("lively", elsewhere, 3_600_000)
  const stop = keepAlive(join(lively, "in-use.lock"), 100)
  await expect(withFolderLock(lively, async () => "in")).rejects.toThrow(/elsewhere/)
  stop()
})
