/** Protects `npm run test:unit`: what it leaves out is named by paths that exist, so that no test slips back in under a new name, once each. */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { LONG } from "../../vitest.config.ts"
import { ROOT } from "./biome.ts"

it("every test that is left out is there", () => {
  const missing = LONG.filter((pattern) => !existsSync(join(ROOT, pattern.replace(/\/\*\*.*$/, ""))))
  expect(missing).toEqual([])
  expect(LONG.filter((pattern, i) => LONG.indexOf(pattern) < i)).toEqual([])
})
