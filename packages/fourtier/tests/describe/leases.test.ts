/** Who may ask: claims among processes, and claims of the dead. */

import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it, describe as suite } from "vitest"
import { z } from "zod"
import { Claims } from "../../src/describe/leases.ts"
import { scratch } from "./fixtures.ts"

const folder = scratch()
const key = "0123456789abcdef0123456789abcdef"
const ownerSchema = z.object({ host: z.string(), pid: z.number(), started: z.string().nullable() })

/** Leaves the claim of an owner that is changed from a real one by `change`. */
async function leave(
  path: string,
  change: (owner: z.infer<typeof ownerSchema>) => object,
  ageSeconds = 0,
): Promise<void> {
  const other = await Claims.open(path)
  const lock = `${path}.lock`
  const [name] = readdirSync(lock).filter((file) => file.startsWith("owner-"))
  other.take(key)
  const owner = ownerSchema.parse(JSON.parse(readFileSync(join(lock, name), "utf8")))
  other.close()
  writeFileSync(join(lock, name), JSON.stringify(change(owner)))
  const then = new Date(Date.now() - ageSeconds * 1000)
  utimesSync(join(lock, name), then, then)
}

suite("claims", () => {
  it("gives a key to the first, and to the next when it is let go", async () => {
    const path = join(folder, "order")
    const [one, two] = [await Claims.open(path), await Claims.open(path)]
    expect([one.take(key), two.take(key), one.take(key)]).toEqual([true, false, true])
    expect(two.holder(key)).toBe(one.holder(key))
    one.release(key)
    one.release(key)
    expect([two.holder(key), two.take(key)]).toEqual([undefined, true])
    one.close()
    two.close()
  })

  it("frees the keys of one that left", async () => {
    const path = join(folder, "left")
    const [one, two] = [await Claims.open(path), await Claims.open(path)]
    one.take(key)
    one.close()
    expect(two.take(key)).toBe(true)
    two.close()
  })

  it("starts afresh when it is alone", async () => {
    const path = join(folder, "fresh")
    const one = await Claims.open(path)
    one.take(key)
    one.close()
    const two = await Claims.open(path)
    expect(readFileSync(join(`${path}.lock`, "claims"), "utf8")).toBe("")
    two.close()
  })

  it.skipIf(!existsSync("/proc/self/stat"))("is not fooled by a process number that was used again", async () => {
    const path = join(folder, "reused")
    await leave(path, (owner) => ({ ...owner, started: "1" }))
    const heir = await Claims.open(path)
    expect(heir.take(key)).toBe(true)
    heir.close()
  })

  it("trusts an owner on another machine for a minute after its last sign of life", async () => {
    const recent = join(folder, "recent")
    await leave(recent, (owner) => ({ ...owner, host: "elsewhere" }), 30)
    const patient = await Claims.open(recent)
    expect(patient.take(key)).toBe(false)
    patient.close()
    const silent = join(folder, "silent")
    await leave(silent, (owner) => ({ ...owner, host: "elsewhere" }), 90)
    const heir = await Claims.open(silent)
    expect(heir.take(key)).toBe(true)
    heir.close()
  })

  it("does not wait for ever on a lock that a dead process left", async () => {
    const path = join(folder, "mutex")
    mkdirSync(`${path}.lock`)
    const mutex = join(`${path}.lock`, "mutex")
    writeFileSync(mutex, "")
    const then = new Date(Date.now() - 11_000)
    utimesSync(mutex, then, then)
    const claims = await Claims.open(path)
    expect(existsSync(mutex)).toBe(false)
    claims.close()
  })
})
