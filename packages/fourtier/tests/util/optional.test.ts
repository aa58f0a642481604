/** Protects what a user reads when a package that need not be installed is missing. */

import { describe, expect, it } from "vitest"
import { loadPackage, packageFile } from "../../src/util/optional.ts"

const missing = { name: "@fourtier/no-such-package", version: "1.2.3" }

/** As Node reports a module that is not found. */
const notFound = (name: string) =>
  Object.assign(new Error(`Cannot find package '${name}' imported from /somewhere/index.js`), {
    code: "ERR_MODULE_NOT_FOUND",
  })

describe("optional packages", () => {
  it("a missing one is named with the command that installs it", async () => {
    const load = () => Promise.reject(notFound(missing.name))
    await expect(loadPackage(missing, load, "fourtier demo")).rejects.toThrow(
      /fourtier demo: the package @fourtier\/no-such-package is not installed[\s\S]*npm install @fourtier\/no-such-package@1\.2\.3/,
    )
    expect(() => packageFile(missing, "weights.json", "encoder")).toThrow(
      /encoder: the package .* is not installed[\s\S]*npm install @fourtier\/no-such-package@1\.2\.3/,
    )
  })

  it("what goes wrong inside a package that is installed is reported as it is", async () => {
    const other = notFound("something-it-imports")
    await expect(loadPackage(missing, () => Promise.reject(other), "fourtier demo")).rejects.toBe(other)
    const broken = new SyntaxError("unexpected token")
    await expect(loadPackage(missing, () => Promise.reject(broken), "fourtier demo")).rejects.toBe(broken)
  })

  it("an installed one is handed on", async () => {
    expect(await loadPackage(missing, async () => "loaded", "fourtier demo")).toBe("loaded")
  })
})
