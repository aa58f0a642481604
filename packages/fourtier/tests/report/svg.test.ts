import { describe, expect, it } from "vitest"
import { escapeXml, shorten } from "../../src/report/svg.ts"

describe("text", () => {
  it("is escaped, and loses what XML forbids", () => {
    expect(escapeXml(`<a & "b">\u0000\u001b\ud800\uffff`)).toBe("&lt;a &amp; &quot;b&quot;&gt;")
  })

  it("is shortened by characters, not by halves of one", () => {
    expect(shorten("abcdef", 4)).toBe("abc…")
    expect(shorten("😀😀😀😀", 4)).toBe("😀😀😀😀")
    expect(shorten("😀😀😀😀😀", 4)).toBe("😀😀😀…")
  })
})
