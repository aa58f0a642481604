import { readFileSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { UnigramTokenizer } from "../../src/text/tokenizer.ts"
import { usePackageDirectory } from "../../src/text/use.ts"

test("gives the pieces that the original tokeniser gives: unicode, control symbols, unknown and very long texts", async () => {
  const tokenizer = await UnigramTokenizer.load(join(usePackageDirectory(), "vocab.json"))
  const path = join(import.meta.dirname, "fixtures/use-tokens.json")
  const fixture: { text: string; ids: number[] }[] = JSON.parse(readFileSync(path, "utf8"))
  expect(fixture.length).toBeGreaterThanOrEqual(50)
  for (const { text, ids } of fixture) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids)
})

test("takes the most probable pieces, the last start of equals, and merges unknown characters", () => {
  const reserved = Array.from({ length: 6 }, (_, i): [string, number] => [`<${i}>`, 0])
  const tokenizer = new UnigramTokenizer([...reserved, ["▁", -1], ["a", -2], ["b", -2], ["ab", -3], ["▁a", -3]])
  expect(tokenizer.encode("ab")).toEqual([6, 9]) // -1-3 beats -1-2-2 and -3-2
  expect(tokenizer.encode("a")).toEqual([6, 7]) // -3 twice: the later start
  expect(tokenizer.encode("axyz b")).toEqual([6, 7, 0, 6, 8])
  expect(tokenizer.encode("")).toEqual([])
})

test("two hundred thousand characters take no more than moments", async () => {
  const tokenizer = await UnigramTokenizer.load(join(usePackageDirectory(), "vocab.json"))
  const start = performance.now()
  expect(tokenizer.encode("the quick brown fox ".repeat(10_000)).length).toBeGreaterThan(20_000)
  expect(performance.now() - start).toBeLessThan(5000)
})

test("a file that is no vocabulary is named", async () => {
  const directory = await mkdtemp(join(tmpdir(), "fourtier-"))
  const path = join(directory, "vocab.json")
  await writeFile(path, JSON.stringify([["a", "b"]]))
  await expect(UnigramTokenizer.load(path)).rejects.toThrow(/vocab\.json: not a vocabulary/)
  await rm(directory, { recursive: true })
})
