/** A run on clips and features in object storage comes to what one on local files comes to, and computes no feature again. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type ObjectServer, startObjectServer } from "../../packages/fourtier/tests/util/object-server.ts"
import { built, SETTINGS, scratchFolder, startWith, writeClips } from "./fixtures.ts"

const folder = scratchFolder()
const CONFIG = { ...SETTINGS, methods: ["linear-probe"], split: { test: 0.25, val: 0 }, calibration: null }
let server: ObjectServer

/** Clips of the table, by how they are addressed. */
function writeTable(name: string, address: (file: string) => string): void {
  const files = readdirSync(join(folder, "clips"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".mp4"),
  )
  const rows = files.toSorted().map((file) => `${address(file)},${file.split("/")[0]}\n`)
  writeFileSync(join(folder, name), `path,label\n${rows.join("")}`)
}

const figures = (out: string) =>
  readFileSync(join(folder, out, "predictions.csv"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((row) => row.replace(/^(?:[^,]*,){5}/, ""))
    .toSorted()

describe.skipIf(!built)("object storage", () => {
  beforeAll(async () => {
    mkdirSync(join(folder, "server"))
    server = await startObjectServer(join(folder, "server"))
    writeClips(join(folder, "clips"), 4)
    writeFileSync(join(folder, "config.yaml"), JSON.stringify(CONFIG))
    await server.createBucket("shop")
    await server.putFolder("shop", "clips", join(folder, "clips"))
    writeTable("near.csv", (file) => `clips/${file}`)
    writeTable("far.csv", (file) => `s3://shop/clips/${file}`)
  })
  afterAll(() => server.stop())

  it("gives clips and features to fourtier evaluate", async () => {
    const evaluate = (table: string, cache: string, ...more: string[]) => {
      const env = { ...server.env, FOURTIER_CACHE: join(folder, cache), FOURTIER_OBJECTS: join(folder, "objects") }
      return startWith(env, folder, "evaluate", table, "-c", "config.yaml", "-o", `${cache}-run`, ...more).ended
    }
    const near = await evaluate("near.csv", "near")
    expect([near.code, near.err.includes("views to compute")]).toEqual([0, true])
    await server.putFolder("shop", "features", join(folder, "near/features"))
    const far = await evaluate("far.csv", "far", "--set", "featuresFrom=[s3://shop/features]")
    expect([far.code, far.err.includes("views to compute")]).toEqual([0, false])
    expect(figures("far-run")).toEqual(figures("near-run"))
    expect(existsSync(join(folder, "objects"))).toBe(true)
  })

  it("tells before anything is computed that nothing can be read", async () => {
    const env = {
      ...server.env,
      AWS_ACCESS_KEY_ID: "other",
      FOURTIER_CACHE: join(folder, "refused"),
      FOURTIER_OBJECTS: join(folder, "none"),
    }
    const { code, err } = await startWith(env, folder, "doctor", "far.csv").ended
    expect(code).toBe(1)
    expect(err).toMatch(/s3:\/\/shop\/clips\/.*: no permission to read it/)
  })
})
