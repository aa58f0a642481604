/** Files from the hub are found, resumed, checked and shared with other tools; what the hub may get wrong is an error. */

import { existsSync } from "node:fs"
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { add, constant, FourtierError, input } from "@fourtier/tensor"
import { readOnnx, writeOnnx } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openCheckpoint } from "../../../src/encoders/checkpoint/checkpoint.ts"
import {
  fetchFromHub,
  type HubOptions,
  isHubId,
  localCheckpoint,
  localOnnx,
  parseHubId,
} from "../../../src/encoders/checkpoint/hub.ts"
import { type FakeHub, startHub } from "./hub-server.ts"
import { dict, floats, storage, tensor, text, torchFile } from "./writers.ts"

const count = 50_000
const weights = torchFile(dict([text("w"), tensor(storage("0", count), 0, [count], [1])]), {
  0: floats(...Array.from({ length: count }, (_, i) => i)),
})

let home: string
let hub: FakeHub
let repository: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "fourtier-hub-"))
  repository = join(home, "hub", "models--owner--name")
  hub = await startHub({ "README.md": Buffer.from("# a model\n"), "pytorch_model.bin": weights })
})
afterEach(async () => {
  await hub.close()
  await rm(home, { recursive: true })
})

function options(more: Record<string, string> = {}, warnings: string[] = []): HubOptions {
  return {
    env: { HF_ENDPOINT: hub.url, HF_HOME: home, ...more },
    retryDelay: 0.01,
    reporter: { ...silent, warn: (line) => void warnings.push(line) },
  }
}

const downloads = () =>
  hub.requests.filter((request) => request.includes("/resolve/") && !request.endsWith("bytes=0-0"))

async function refusal(id: string, more?: HubOptions): Promise<string> {
  const error: unknown = await fetchFromHub(id, more ?? options()).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(FourtierError)
  return error instanceof Error ? error.message : ""
}

describe("hub ids", () => {
  test("owner, name, revision and file are told apart", () => {
    expect(isHubId("hf:a/b")).toBe(true)
    expect(isHubId("./hf/a")).toBe(false)
    expect(parseHubId("hf:timm/vit_b.x-1")).toEqual({ repository: "timm/vit_b.x-1", revision: "main" })
    expect(parseHubId("hf:a/b@refs/pr/1#sub/x.pt")).toEqual({
      repository: "a/b",
      revision: "refs/pr/1",
      file: "sub/x.pt",
    })
    for (const bad of [
      "hf:",
      "hf:a",
      "hf:a/b/c",
      "hf:../x",
      "hf:a/..",
      "hf:a/b@",
      "hf:a/b#",
      "a/b",
      "hf:a b/c",
      "hf:a/b@../x",
    ]) {
      expect(() => parseHubId(bad), bad).toThrow("not a hub id")
    }
  })
})

describe("fetching", () => {
  test("the weights arrive, in the layout that other tools share", async () => {
    const { path, file, commit } = await fetchFromHub("hf:owner/name", options())
    expect([file, commit]).toEqual(["pytorch_model.bin", hub.commit])
    expect(path).toBe(join(repository, "snapshots", hub.commit, "pytorch_model.bin"))
    expect(await readlink(path)).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/)
    expect(await readFile(join(repository, "refs/main"), "utf8")).toBe(hub.commit)
    expect(await readdir(join(repository, "blobs"))).toHaveLength(1)
    const checkpoint = await openCheckpoint(path)
    expect((await checkpoint.read("w"))[count - 1]).toBe(count - 1)
    await checkpoint.close()
    expect(await localCheckpoint("hf:owner/name", options())).toBe(path)
    expect(await localCheckpoint("./x.pth")).toBe("./x.pth")
    // Small files have git's checksum, revisions may have slashes.
    const readme = await fetchFromHub("hf:owner/name@refs/pr/1#README.md", options())
    expect(await readFile(readme.path, "utf8")).toBe("# a model\n")
  })

  test("an index of several files brings them all", async () => {
    hub.files.delete("pytorch_model.bin")
    hub.files.set("w/part-1.bin", weights)
    hub.files.set("w/model.bin.index.json", Buffer.from(JSON.stringify({ weight_map: { w: "part-1.bin" } })))
    const path = await localCheckpoint("hf:owner/name#w/model.bin.index.json", options())
    const checkpoint = await openCheckpoint(path)
    expect((await checkpoint.read("w"))[count - 1]).toBe(count - 1)
    await checkpoint.close()
    hub.files.set("model.safetensors.index.json", Buffer.from('{"weight_map":{"w":"w/part-1.bin"}}'))
    expect((await fetchFromHub("hf:owner/name", options())).file).toBe("model.safetensors.index.json")
  })

  test("a second time nothing is downloaded; a commit needs no connection at all", async () => {
    const { path } = await fetchFromHub("hf:owner/name", options())
    hub.requests.length = 0
    expect((await fetchFromHub("hf:owner/name", options())).path).toBe(path)
    expect(downloads()).toEqual([])
    hub.requests.length = 0
    await fetchFromHub(`hf:owner/name@${hub.commit}#pytorch_model.bin`, options())
    expect(hub.requests).toEqual([])
  })

  test("offline mode takes the cache and never connects", async () => {
    const offline = options({ HF_HUB_OFFLINE: "1" })
    expect(await refusal("hf:owner/name", offline)).toContain("HF_HUB_OFFLINE")
    expect(hub.requests).toEqual([])
    const { path } = await fetchFromHub("hf:owner/name", options())
    hub.requests.length = 0
    expect((await fetchFromHub("hf:owner/name", offline)).path).toBe(path)
    expect(await refusal("hf:owner/name#absent.bin", offline)).toContain("not in the cache")
    expect(hub.requests).toEqual([])
  })

  test("without a connection the cached file is used, with a warning", async () => {
    const { path } = await fetchFromHub("hf:owner/name", options())
    const warnings: string[] = []
    const dead = options({ HF_ENDPOINT: "http://127.0.0.1:1" }, warnings)
    expect((await fetchFromHub("hf:owner/name", { ...dead, retries: 0 })).path).toBe(path)
    expect(warnings.join()).toContain("no connection")
    expect(await refusal("hf:owner/other", { ...dead, retries: 1 })).toContain("check the connection")
  })

  test("the cache lies where the environment says, the token is sent", async () => {
    const cache = join(home, "elsewhere")
    const { path } = await fetchFromHub("hf:owner/name", options({ HF_HUB_CACHE: cache, HF_TOKEN: "hf_x" }))
    expect(path.startsWith(cache)).toBe(true)
    expect(new Set(hub.tokens)).toEqual(new Set(["Bearer hf_x"]))
    expect(await refusal("hf:owner/name", options({ HF_TOKEN: "x" }))).toContain("HF_TOKEN")
  })
})

describe("ONNX models", () => {
  test("come with the files of their weights, which are fetched once", async () => {
    const made = join(home, "made.onnx")
    const weight = constant(Float32Array.from({ length: 4096 }, Math.sin), [4096])
    await writeOnnx(made, toOnnx({ outputs: { y: add(input("x", [4096]), weight) } }), { externalAbove: 16 })
    const files = { "onnx/model.onnx": await readFile(made), "onnx/made.onnx.data": await readFile(`${made}.data`) }
    await hub.close()
    hub = await startHub({ "pytorch_model.bin": weights, ...files })
    const path = await localOnnx("hf:owner/name", options())
    const [read, wanted] = [await readOnnx(path), await readOnnx(made)]
    expect(read.graph.initializers).toEqual(wanted.graph.initializers)
    const before = downloads().length
    expect(before).toBeGreaterThanOrEqual(2)
    expect(await localOnnx("hf:owner/name", options())).toBe(path)
    expect(downloads().length).toBe(before)
    expect(await localOnnx(made)).toBe(made)
    await hub.close()
    hub = await startHub({ "model.safetensors": weights })
    await expect(localOnnx("hf:owner/name", options({ HF_HOME: join(home, "other") }))).rejects.toThrow(
      /which file holds the weights/,
    )
  })
})

describe("interrupted downloads", () => {
  test("resume where the connection broke", async () => {
    hub.faults.dropAfter = [70_000, 30_000]
    const warnings: string[] = []
    const { path } = await fetchFromHub("hf:owner/name", options({}, warnings))
    expect((await readFile(path)).equals(weights)).toBe(true)
    const starts = downloads().map((request) => Number(/bytes=(\d+)-/.exec(request)?.[1] ?? 0))
    expect(starts).toEqual([0, 70_000, 100_000])
    expect(warnings).toHaveLength(2)
  })

  test("resume in a later process", async () => {
    hub.faults.dropAfter = [70_000]
    expect(await refusal("hf:owner/name", { ...options(), retries: 0 })).toContain(
      "the next attempt resumes the download",
    )
    const [part] = await readdir(join(repository, "blobs"))
    expect(part).toMatch(/\.incomplete$/)
    // As after kill -9 of a process that no longer runs.
    const partial = await readFile(join(repository, "blobs", part))
    await rm(join(repository, "blobs", part))
    await writeFile(join(repository, "blobs", `${part}-4194304-00000000`), partial)
    hub.requests.length = 0
    const { path } = await fetchFromHub("hf:owner/name", options())
    expect((await readFile(path)).equals(weights)).toBe(true)
    expect(downloads()[0]).toContain("bytes=70000-")
    expect(await readdir(join(repository, "blobs"))).toHaveLength(1)
  })

  test("start again when the part is not of this file", async () => {
    hub.faults.dropAfter = [70_000]
    await refusal("hf:owner/name", { ...options(), retries: 0 })
    const [part] = await readdir(join(repository, "blobs"))
    await writeFile(join(repository, "blobs", part), Buffer.alloc(60_000, 7))
    const { path } = await fetchFromHub("hf:owner/name", options())
    expect((await readFile(path)).equals(weights)).toBe(true)
  })

  test("two at once both end with the whole file", async () => {
    const both = await Promise.all([1, 2].map(() => fetchFromHub("hf:owner/name", options())))
    expect(both[0].path).toBe(both[1].path)
    expect((await readFile(both[0].path)).equals(weights)).toBe(true)
    expect(await readdir(join(repository, "blobs"))).toHaveLength(1)
  })

  test("a busy server is asked again", async () => {
    hub.faults.status = [503, 429]
    const warnings: string[] = []
    await fetchFromHub("hf:owner/name", options({}, warnings))
    expect(warnings).toHaveLength(2)
  })
})

describe("what the hub may get wrong", () => {
  test("a wrong checksum is an error and leaves nothing that looks whole", async () => {
    hub.faults.lieAboutChecksum = true
    expect(await refusal("hf:owner/name")).toContain("does not have the checksum")
    expect(await readdir(join(repository, "blobs"))).toEqual([])
    expect(existsSync(join(repository, "snapshots"))).toBe(false)
  })

  test("errors say what to do", async () => {
    expect(await refusal("hf:owner/name@v9")).toContain("check owner, name and revision")
    expect(await refusal("hf:owner/name#absent.bin")).toContain("pytorch_model.bin")
    hub.faults.status = [401]
    expect(await refusal("hf:owner/name")).toContain("set HF_TOKEN")
    hub.faults.answer = "<html>proxy login</html>"
    expect(await refusal("hf:owner/name", { ...options(), retries: 1 })).toContain("cannot be downloaded")
    hub.faults.answer = `{"sha": "main", "siblings": []}`
    expect(await refusal("hf:owner/name")).toContain("sha")
  })

  test("names that lead out of the cache are refused", async () => {
    hub.files = new Map([["../../../escape.bin", weights]])
    const id = { repository: "owner/name", revision: "main", file: "../../../escape.bin" }
    await expect(fetchFromHub(id, options())).rejects.toThrow("suspicious")
    expect(existsSync(join(home, "escape.bin"))).toBe(false)
  })

  test("the weights are chosen among a repository's files, or asked for", async () => {
    hub.files.set("model.safetensors", Buffer.from("other"))
    expect((await fetchFromHub("hf:owner/name", options())).file).toBe("model.safetensors")
    hub.files = new Map(["a.pt", "b.pt", "sub/model.safetensors"].map((name) => [name, weights]))
    expect(await refusal("hf:owner/name")).toContain("hf:owner/name@main#file")
    hub.files.delete("b.pt")
    expect((await fetchFromHub("hf:owner/name", options())).file).toBe("a.pt")
  })
})
