/** Protects: long names of clips become names of files that can be written, and different ones stay different. */

import { describe, expect, it } from "vitest"
import { fileNamed } from "../../src/util/file-name.ts"

describe("names of files", () => {
  it("are left as they are where they fit", () => {
    expect(fileNamed("wave/a", ".jpg")).toBe("wave/a.jpg")
    expect(fileNamed(`wave/${"a".repeat(251)}`, ".jpg")).toBe(`wave/${"a".repeat(251)}.jpg`)
  })

  it("fit 255 bytes, at whole letters, and tell long names apart", () => {
    const [one, two] = ["x", "y"].map((end) => fileNamed(`wave/${"ü".repeat(130)}${end}`, ".0123abcd-k5.jpg"))
    for (const path of [one, two]) {
      expect(Buffer.byteLength(path.slice("wave/".length))).toBeLessThanOrEqual(255)
      expect(path).toMatch(/^wave\/ü+~[0-9a-f]{8}\.0123abcd-k5\.jpg$/)
    }
    expect(one).not.toBe(two)
  })
})
