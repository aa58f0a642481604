/** Protects docs/dependencies.md: every package that is installed has its line there, with the version that is pinned. */

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { z } from "zod"
import { ROOT } from "./biome.ts"

const versionsSchema = z.record(z.string(), z.string()).default({})
const manifestSchema = z.object({
  name: z.string(),
  dependencies: versionsSchema,
  optionalDependencies: versionsSchema,
  peerDependencies: versionsSchema,
  devDependencies: versionsSchema,
})

const folders = ["packages", "tools", "weights"].flatMap((folder) =>
  readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name)),
)
const manifests = [ROOT, ...folders].map((folder) =>
  manifestSchema.parse(JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))),
)

it("every dependency is pinned and explained", () => {
  const ours = new Set(manifests.map(({ name }) => name))
  const installed = manifests.flatMap((manifest) =>
    [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies, manifest.devDependencies]
      .flatMap((versions) => Object.entries(versions))
      .filter(([name]) => !ours.has(name))
      // TypeDoc's own TypeScript stands in its line
      .filter(([name]) => manifest.name !== "@fourtier/reference" || name !== "typescript")
      .map(([name, version]) => `${name} ${version}`),
  )
  const text = readFileSync(join(ROOT, "docs/dependencies.md"), "utf8")
  const explained = [...text.matchAll(/^\| `([^`]+)` \| (\d+\.[^ |]+) \|/gm)].map(
    ([, name, version]) => `${name} ${version}`,
  )
  expect(explained.toSorted()).toEqual([...new Set(installed)].toSorted())
})
