/**
 * Object storage by a real server: clips and features are those of the local files, nothing is fetched twice, the local copies keep
 * to their limit, and what cannot be read is told with its reason.
 */

import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest"
import { FeatureStore, type StoreSpec } from "../../src/features/store.ts"
import { ObjectCache } from "../../src/util/objects/cache.ts"
import { ObjectClient } from "../../src/util/objects/client.ts"
import { ObjectFile } from "../../src/util/objects/file.ts"
import { closeObjects, fetchObject, statObject, statObjects } from "../../src/util/objects/objects.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import { makeClip } from "../video/fixtures.ts"
import { type ObjectServer, startObjectServer } from "./object-server.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-objects-"))
const built = existsSync(join(import.meta.dirname, "../../dist/util/objects/objects.worker.js"))
let server: ObjectServer

/** 9 MB, no two ranges of which are alike. */
const LARGE = Uint8Array.from({ length: 9_000_000 }, (_, i) => (i * 7 + (i >> 10)) & 255)

beforeAll(async () => {
  server = await startObjectServer(join(folder, "server"))
  await server.createBucket("clips")
  await server.put("clips", "large.bin", LARGE)
  await server.put("clips", "some/a.bin", Uint8Array.of(1, 2, 3))
  await server.put("clips", "some/b.bin", Uint8Array.of(4))
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await closeObjects()
})

afterAll(() => {
  server.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** @param objects folder of the local copies */
function enter(objects: string, env: Record<string, string | undefined> = {}): string {
  const path = join(folder, objects)
  const settings = { ...server.env, FOURTIER_OBJECTS: path, AWS_EC2_METADATA_DISABLED: "true", ...env }
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value)
  return path
}

const copies = (path: string) =>
  (existsSync(path) ? readdirSync(path, { recursive: true, encoding: "utf8" }) : []).filter((name) =>
    statSync(join(path, name)).isFile(),
  )

describe("objects", () => {
  it("are fetched once, and whole", async () => {
    const path = enter("once")
    const local = await fetchObject("s3://clips/some/a.bin")
    expect([...readFileSync(local)]).toEqual([1, 2, 3])
    expect(local.endsWith(".bin")).toBe(true)
    const { mtimeMs } = statSync(local)
    expect(await fetchObject("s3://clips/some/a.bin")).toBe(local)
    expect(statSync(local).mtimeMs).toBe(mtimeMs)
    expect(copies(path)).toHaveLength(1)
  })

  it("are another file when their content is another", async () => {
    enter("changed")
    await server.put("clips", "changing.bin", Uint8Array.of(1))
    expect([...readFileSync(await fetchObject("s3://clips/changing.bin"))]).toEqual([1])
    await server.put("clips", "changing.bin", Uint8Array.of(2))
    await closeObjects()
    expect([...readFileSync(await fetchObject("s3://clips/changing.bin"))]).toEqual([2])
  })

  it("are read by ranges", async () => {
    const path = enter("ranges")
    const file = await ObjectFile.open("s3://clips/large.bin")
    expect(await file.stat()).toEqual({ size: LARGE.length })
    const bytes = new Uint8Array(300)
    // over the border of two ranges, a part at a time
    const from = (4 << 20) - 100
    const { bytesRead } = await file.read(bytes, 0, 300, from)
    expect(bytesRead).toBe(100)
    await file.read(bytes, 100, 200, from + 100)
    expect([...bytes]).toEqual([...LARGE.subarray(from, from + 300)])
    expect((await file.read(bytes, 0, 300, LARGE.length)).bytesRead).toBe(0)
    expect(copies(path)).toHaveLength(2)
    await file.close()
  })

  it("go from the local disk where they were not used for longest", async () => {
    const path = enter("limit")
    const client = await ObjectClient.open("s3://clips")
    const cache = new ObjectCache(path, 3000)
    const fetched: string[] = []
    for (let i = 0; i < 5; i++) {
      const address = `s3://clips/limit/${i}.bin`
      await server.put("clips", `limit/${i}.bin`, new Uint8Array(1000))
      fetched.push(await cache.fetch(client, address, await client.stat(address)))
      // as if used some minutes ago, the second one last
      const used = Date.now() / 1000 - 600 + (i === 1 ? 60 : i)
      if (i < 4) utimesSync(fetched[i], used, used)
    }
    expect(fetched.map((one) => existsSync(one))).toEqual([false, true, false, true, true])
    client.close()
  })

  it("leave nothing half-written", async () => {
    const path = enter("broken")
    const client = await ObjectClient.open("s3://clips")
    const object = await client.stat("s3://clips/some/a.bin")
    const cache = new ObjectCache(path, 1e9)
    await expect(cache.fetch(client, "s3://clips/some/a.bin", { ...object, size: 5 })).rejects.toThrow(
      /3 of 5 bytes came/,
    )
    await expect(cache.fetch(client, "s3://clips/some/a.bin", { ...object, tag: '"other"' })).rejects.toThrow(
      /has changed since it was looked at/,
    )
    expect(copies(path)).toEqual([])
    client.close()
  })

  it("are looked up by folder, and one that is not there is told", async () => {
    enter("many")
    const names = ["a", "b", "none"].map((name) => `s3://clips/some/${name}.bin`)
    await statObjects(names)
    expect((await statObject(names[0])).size).toBe(3)
    await expect(statObject(names[2])).rejects.toThrow(/there is no such object/)
  })

  it.each([
    [
      "no credentials",
      { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
      /no credentials for object storage[\s\S]*AWS_ACCESS_KEY_ID/,
    ],
    ["wrong ones", { AWS_ACCESS_KEY_ID: "other" }, /no permission to read it[\s\S]*s3:GetObject/],
    [
      "no server",
      { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9" },
      /object storage cannot be reached[\s\S]*127\.0\.0\.1:9/,
    ],
    ["a limit that is no number", { FOURTIER_OBJECTS_GB: "many" }, /FOURTIER_OBJECTS_GB: not a size/],
  ])("%s: an error that says what to do", async (_, env, message) => {
    enter("errors", {
      HOME: folder,
      AWS_CONFIG_FILE: join(folder, "none"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
      ...env,
    })
    await expect(fetchObject("s3://clips/some/a.bin")).rejects.toThrow(message)
  })

  it("a bucket that is not there is named", async () => {
    enter("bucket")
    await expect(statObjects(["s3://elsewhere/a.bin", "s3://elsewhere/b.bin"])).rejects.toThrow(
      /there is no bucket elsewhere/,
    )
  })
})

describe.skipIf(!built)("clips in object storage", () => {
  it("are measured as their files are", async () => {
    enter("clips")
    mkdirSync(join(folder, "videos"))
    const path = makeClip(join(folder, "videos/a.mp4"), { frames: 12 })
    await server.put("clips", "videos/a.mp4", readFileSync(path))
    const [near, far] = [clipOfFile(path), clipOfFile("s3://clips/videos/a.mp4")]
    expect({ ...far, id: near.id, path: near.path, relative: near.relative }).toEqual(near)
    expect(far.path).toBe("s3://clips/videos/a.mp4")
    expect(far.hash).toBe(createHash("sha256").update(readFileSync(path)).digest("hex"))
    expect(() => clipOfFile("s3://clips/videos/none.mp4")).toThrow(/there is no such object/)
  })
})

describe("features in object storage", () => {
  it("are those of the local store", async () => {
    enter("features")
    const size = { T: 2, N: 3, D: 4 }
    const spec: StoreSpec = { sampling: { frames: 2 }, transform: [], encoder: "e", size, pool: "mean" }
    const local = await FeatureStore.open(join(folder, "store"), spec)
    const writer = await local.writer()
    for (let i = 0; i < 5; i++) {
      await writer.append(
        { clip: `c${i}`, view: 0 },
        Float32Array.from({ length: 24 }, (_, j) => (i * 7 + j) / 4),
        i,
      )
    }
    await writer.close()
    await server.putFolder("clips", "cache/features", join(folder, "store"))
    const far = await FeatureStore.open(join(folder, "empty"), spec, null, ["s3://clips/cache/features"])
    expect(far.count).toBe(5)
    for (let i = 0; i < 5; i++) {
      const key = { clip: `c${i}`, view: 0 }
      for (const kind of ["m", "s", "t"] as const)
        expect(await far.read(key, kind)).toEqual(await local.read(key, kind))
      expect(far.padded(key)).toBe(i)
    }
    // another process is told where they are
    const again = await FeatureStore.reopen(far.reference)
    expect(again.count).toBe(5)
    for (const store of [local, far, again]) await store.close()
  })
})
