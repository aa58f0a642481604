/** Before each file of tests: a cache of its own, so that no test reads or writes the user's. */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "fourtier-cache-"))
process.env.FOURTIER_CACHE = folder
afterAll(() => rmSync(folder, { recursive: true, force: true }))
