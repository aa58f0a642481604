/** Leases keep two processes from paying for one answer, and those of dead processes do not block anybody. */

import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it, describe as suite, vi } from "vitest"
import { Leases } from "../../src/describe/leases.ts"
import { type Owner, readOwner } from "../../src/util/owner.ts"
import { scratch } from "./fixtures.ts"

const folder = scratch()
const key = "0123456789abcdef0123456789abcdef"

/** Leaves the lease of an owner that differs from a real one, and was last heard of some time ago. */
async function leave(path: string, change: Partial<Owner>, ageSeconds = 0): Promise<void> {
  const other = await Leases.open(path)
  const lock = `${path}.lock`
  const [name] = readdirSync(lock).filter((file) => file.startsWith("owner-"))
  other.acquire(key)
  const owner = readOwner(join(lock, name))
  other.close()
  writeFileSync(join(lock, name), JSON.stringify({ ...owner, ...change }))
  const then = new Date(Date.now() - ageSeconds * 1000)
  utimesSync(join(lock, name), then, then)
}

suite("leases", () => {
  it("gives a key to the first, and to the next when it is let go", async () => {
    const path = join(folder, "order")
    const [one, two] = [await Leases.open(path), await Leases.open(path)]
    expect([one.acquire(key), two.acquire(key), one.acquire(key)]).toEqual([true, false, true])
    expect(two.holder(key)).toBe(one.holder(key))
    one.release(key)
    one.release(key)
    expect([two.holder(key), two.acquire(key)]).toEqual([undefined, true])
    one.close()
    two.close()
  })

  it("frees the keys of one that left", async () => {
    const path = join(folder, "left")
    const [one, two] = [await Leases.open(path), await Leases.open(path)]
    one.acquire(key)
    one.close()
    expect(two.acquire(key)).toBe(true)
    two.close()
  })

  it("starts afresh when it is alone", async () => {
    const path = join(folder, "fresh")
    const one = await Leases.open(path)
    one.acquire(key)
    one.close()
    const two = await Leases.open(path)
    expect(readFileSync(join(`${path}.lock`, "leases"), "utf8")).toBe("")
    two.close()
  })

  it.skipIf(!existsSync("/proc/self/stat"))("does not take a reused process number for the dead owner", async () => {
    const path = join(folder, "reused")
    await leave(path, { started: "1" })
    const heir = await Leases.open(path)
    expect(heir.acquire(key)).toBe(true)
    heir.close()
  })

  it("trusts an owner on another machine until it has watched it be silent for a minute", async () => {
    vi.useFakeTimers({ toFake: ["performance"] })
    const path = join(folder, "elsewhere")
    await leave(path, { host: "elsewhere" }, 90)
    const heir = await Leases.open(path)
    expect(heir.acquire(key)).toBe(false)
    vi.advanceTimersByTime(59_000)
    expect(heir.acquire(key)).toBe(false)
    vi.advanceTimersByTime(2_000)
    expect(heir.acquire(key)).toBe(true)
    heir.close()
    vi.useRealTimers()
  })

  it("does not wait for ever on a lock that a dead process left", async () => {
    const path = join(folder, "mutex")
    mkdirSync(`${path}.lock`)
    const mutex = join(`${path}.lock`, "mutex")
    writeFileSync(mutex, "")
    vi.useFakeTimers({ toFake: ["performance"] })
    const passing = setInterval(() => vi.advanceTimersByTime(2_000), 20)
    const leases = await Leases.open(path)
    clearInterval(passing)
    vi.useRealTimers()
    expect(existsSync(mutex)).toBe(false)
    leases.close()
  })
})
