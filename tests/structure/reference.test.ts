/** Protects `npm run docs:api`: docstrings refer to what exists, and every type that an entry names can be looked up. */

import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { expect, it } from "vitest"
import { ROOT } from "./biome.ts"

it("the API reference is written without a warning", () => {
  const folder = join(ROOT, "tools/reference")
  const program = join(folder, "node_modules/typedoc/bin/typedoc")
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, "--emit", "none", "--logLevel", "Warn"], {
    cwd: folder,
    encoding: "utf8",
  })
  expect(`${stdout}${stderr}`).toBe("")
  expect(status).toBe(0)
})
