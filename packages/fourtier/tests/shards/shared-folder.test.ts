/** What a shared folder decides is decided once, whatever the file system between does. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Rng } from "@fourtier/tensor"
import { afterAll, expect, it } from "vitest"
import { SharedFolder } from "../../src/shards/shared-folder.ts"
import { FaultyLine } from "./faults.ts"

const root = mkdtempSync(join(tmpdir(), "fourtier-shared-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

it("of many that claim a name one succeeds, over lines that fail and lose replies", async () => {
  const rng = new Rng(7)
  const line = new FaultyLine({ random: () => rng.next(), failing: 0.1, lost: 0.1 })
  const folders = Array.from(
    { length: 8 },
    () => new SharedFolder(join(root, "claims"), { calls: line.calls, wait: 0 }),
  )
  await folders[0].make()
  for (let name = 0; name < 25; name++) {
    const won = await Promise.all(folders.map((folder, i) => folder.claim(String(name), String(i))))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(await folders[0].read(String(name))).toBe(String(won.indexOf(true)))
  }
  expect(line.faults).toBeGreaterThan(100)
  expect((await folders[0].list()).toSorted()).toEqual(Array.from({ length: 25 }, (_, i) => String(i)).toSorted())
})

it("files are whole: what a worker left half-written has no name that counts", async () => {
  const folder = await new SharedFolder(join(root, "whole")).make()
  await folder.publish("a", "one")
  await folder.publish("a", "two")
  expect([await folder.read("a"), await folder.read("b"), await folder.list()]).toEqual(["two", null, ["a"]])
  expect(readdirSync(folder.path)).toEqual(["a"])
  expect(await new SharedFolder(join(root, "none")).list()).toEqual([])
})

it("errors that do not pass name the file and what to do", async () => {
  writeFileSync(join(root, "file"), "")
  const folder = new SharedFolder(join(root, "file", "folder"))
  await expect(folder.make()).rejects.toThrow(/file\/folder.*cannot be written/s)
})

it("ages are told by one clock", async () => {
  const folder = await new SharedFolder(join(root, "ages")).make()
  await folder.publish("a", "")
  const [age, none] = await folder.ages(["a", "b"])
  expect(age).toBeLessThan(5000)
  expect(none).toBeNull()
})
