/** Protects recordings under way: what has come becomes a clip, whether its page ends it, vanishes, or the server is killed. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import type { Clip } from "../../src/studio/api.ts"
import { Recordings } from "../../src/studio/recordings.ts"
import { scratchFolder } from "../video/fixtures.ts"
import { until } from "./client.ts"

const root = scratchFolder()
const NOTHING = { seconds: null, start: null, end: null, width: null, height: null, problem: null, part: null }

/** Recordings, and the clips that became of them. */
function recorder(folder: string, silence = 60_000) {
  const taken: [name: string, label: string | null, text: string][] = []
  const recordings = new Recordings({
    folder,
    longest: 20,
    silence,
    take: async ({ name, label }, path): Promise<Clip> => {
      taken.push([name, label, readFileSync(path, "utf8")])
      return { ...NOTHING, id: "a", name, label, bytes: 0, added: 0, removed: false }
    },
  })
  return { taken, recordings, files: () => (existsSync(folder) ? readdirSync(folder) : []) }
}

const bytes = (text: string) => new TextEncoder().encode(text)

it("pieces in their order are a clip; one that comes twice counts once, and none may be missing", async () => {
  const { taken, recordings, files } = recorder(join(root, "order"))
  const id = await recordings.begin("a.webm", "jump")
  expect(await recordings.append(id, 0, bytes("one "))).toBe(4)
  expect(await recordings.append(id, 4, bytes("two "))).toBe(8)
  expect(await recordings.append(id, 0, bytes("one "))).toBe(8)
  await expect(recordings.append(id, 9, bytes("x"))).rejects.toThrow(/a piece is missing/)
  await expect(recordings.append(id, Number.NaN, bytes("x"))).rejects.toThrow(/a piece is missing/)
  await expect(recordings.append(id, 8, bytes("x".repeat(13)))).rejects.toThrow(/too long/)
  expect(await recordings.finish(id)).toMatchObject({ name: "a.webm", label: "jump" })
  expect(taken).toEqual([["a.webm", "jump", "one two "]])
  await expect(recordings.append(id, 8, bytes("x"))).rejects.toThrow(/no such recording/)
  expect(files()).toEqual([])
})

it("of a page that has gone, what has come is a clip; what is thrown away or empty is none", async () => {
  const { taken, recordings, files } = recorder(join(root, "gone"), 30)
  await recordings.append(await recordings.begin("left.webm", null), 0, bytes("half"))
  await recordings.begin("empty.webm", null)
  await recordings.abort(await recordings.begin("thrown.webm", null))
  await until(() => files().length === 0)
  expect(taken).toEqual([["left.webm", null, "half"]])
  await expect(recordings.finish(await recordings.begin("none.webm", null))).rejects.toThrow(/nothing was recorded/)
})

it("a server that starts takes what the one before has left, and one that ends what is open", async () => {
  const folder = join(root, "killed")
  const first = recorder(folder)
  await first.recordings.append(await first.recordings.begin("a.webm", "jump"), 0, bytes("of the killed one"))
  await first.recordings.begin("empty.webm", null)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${"0".repeat(24)}.json`), "{")
  const second = recorder(folder)
  await second.recordings.recover()
  expect(second.taken).toEqual([["a.webm", "jump", "of the killed one"]])
  expect(second.files()).toEqual([])
  await second.recordings.append(await second.recordings.begin("b.webm", null), 0, bytes("open"))
  await second.recordings.close()
  expect(second.taken.at(-1)).toEqual(["b.webm", null, "open"])
})
