/** Owners: the living are never taken for dead, and the dead not for long for living. */

import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { isAlive, keepAlive, newOwner, type Owner, readOwner } from "../../src/util/owner.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-owner-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Whether an owner lives whose last heartbeat was some seconds ago. */
function lives(owner: Owner, secondsAgo: number, now?: number): boolean {
  const path = join(folder, owner.id)
  writeFileSync(path, JSON.stringify(owner))
  const then = new Date(Date.now() - 1000 * secondsAgo)
  utimesSync(path, then, then)
  return isAlive(owner, path, now)
}

it("knows this process, however long it has been silent", () => {
  const owner = newOwner()
  expect(owner.id).not.toBe(newOwner().id)
  if (owner.started !== null) expect(lives(owner, 1e6)).toBe(true)
})

it("knows a process that ended, and one that has got its number since", () => {
  expect(lives({ ...newOwner(), pid: 2 ** 22 + 1 }, 0)).toBe(false)
  expect(lives({ ...newOwner(), started: "1" }, 0)).toBe(false)
})

it("watches the file of a process that cannot be looked up for a minute by its own clock, whatever time the file has", () => {
  for (const other of [{ host: "elsewhere" }, { namespace: "pid:[1]" }, { boot: "another" }, { started: null }]) {
    for (const minutesAgo of [-10, 0, 10, 1000]) {
      const owner = { ...newOwner(), ...other }
      const path = join(folder, owner.id)
      expect(lives(owner, 60 * minutesAgo, 0)).toBe(true)
      expect([isAlive(owner, path, 59_000), isAlive(owner, path, 61_000)]).toEqual([true, false])
      // a sign of life, by a clock that was set back
      const then = new Date(Date.now() - 3_600_000 * Math.random())
      utimesSync(path, then, then)
      expect([isAlive(owner, path, 62_000), isAlive(owner, path, 121_000)]).toEqual([true, true])
      expect(isAlive(owner, path, 123_000)).toBe(false)
    }
  }
})

it("reads what was written, and nothing from a torn or missing file", () => {
  const owner = newOwner()
  const path = join(folder, "written")
  writeFileSync(path, JSON.stringify(owner))
  expect(readOwner(path)).toEqual(owner)
  writeFileSync(path, '{"id":')
  expect([readOwner(path), readOwner(join(folder, "missing"))]).toEqual([null, null])
  expect(isAlive({ ...owner, host: "elsewhere" }, join(folder, "missing"))).toBe(false)
})

it("a heartbeat neither fails when its file is gone nor keeps the process running", () => {
  const stop = keepAlive(join(folder, "missing"))
  expect(stop()).toBeUndefined()
})
