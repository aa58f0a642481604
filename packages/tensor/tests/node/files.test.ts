/** Protects: files are written whole whatever their names, and an error says what is wrong with the place. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { sweepTemporaries, temporaryName, writeFileAtomic } from "@fourtier/tensor/node"
import { afterAll, describe, expect, it } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "fourtier-files-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("writing", () => {
  it.each([233, 234, 251])("takes names of %i bytes", async (length) => {
    const name = `${"n".repeat(length - 4)}.txt`
    await writeFileAtomic(join(folder, name), "x")
    expect(readdirSync(folder)).toContain(name)
  })

  it("cuts temporary names at whole letters, in the same folder, where they are swept up", async () => {
    const long = join(folder, "swept", "ü".repeat(120))
    const temporary = temporaryName(long)
    expect(dirname(temporary)).toBe(dirname(long))
    expect(Buffer.byteLength(basename(temporary))).toBeLessThanOrEqual(255)
    expect(temporary).not.toContain("\uFFFD")
    mkdirSync(dirname(long))
    writeFileSync(temporary, "")
    await sweepTemporaries(dirname(long))
    expect(readdirSync(dirname(long))).toEqual([])
  })

  it("says what is wrong: a name too long, a file where a folder is wanted", async () => {
    await expect(writeFileAtomic(join(folder, "n".repeat(256)), "x")).rejects.toThrow(/fix: +shorten the path/)
    writeFileSync(join(folder, "file"), "")
    await expect(writeFileAtomic(join(folder, "file", "x"), "")).rejects.toThrow(
      /fix: +.*a part of this path is a file/,
    )
  })
})
