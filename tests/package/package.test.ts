/** What is published: every entry point resolves and can be imported by its public name. */

import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { z } from "zod"

const root = join(import.meta.dirname, "../..")
const entrySchema = z.union([z.string(), z.object({ types: z.string(), default: z.string() })])
const { exports, bin, files } = z
  .object({
    exports: z.record(z.string(), entrySchema),
    bin: z.record(z.string(), z.string()),
    files: z.array(z.string()),
  })
  .parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")))
const built = existsSync(join(root, "dist/index.js"))

describe.skipIf(!built)("the package", () => {
  it.each(Object.entries(exports))("%s is there", (_, entry) => {
    for (const path of typeof entry === "string" ? [entry] : Object.values(entry))
      expect(existsSync(join(root, path)), path).toBe(true)
  })

  it("imports itself by name", async () => {
    for (const [name, entry] of Object.entries(exports)) {
      if (typeof entry === "string") continue
      const specifier = `fourtier${name.slice(1)}`
      const module: unknown = await import(/* @vite-ignore */ specifier)
      expect(Object.keys(module ?? {}).length, specifier).toBeGreaterThan(0)
    }
  })

  it("ships the command line and what it reads", () => {
    for (const path of [...Object.values(bin), ...files, "LICENSE"])
      expect(existsSync(join(root, path)), path).toBe(true)
  })
})
