/** Protects the texts that stand for classes, and their embeddings. */

import { describe, expect, it } from "vitest"
import { classTexts, embedClasses } from "../../src/text/class-texts.ts"
import type { TextEncoder } from "../../src/text/embed.ts"
import { zeroShotSchema } from "../../src/text/settings.ts"

const classes = ["hand_shake", "hug"]

describe("class texts", () => {
  it("are the templates with the readable name, then the class's sentence", () => {
    const settings = zeroShotSchema.parse({ templates: ["a video of {name}", "{name}, {name}"] })
    expect(classTexts(classes, settings, new Map([["hug", "someone embraces someone"]]))).toEqual([
      ["a video of hand shake", "hand shake, hand shake"],
      ["a video of hug", "hug, hug", "someone embraces someone"],
    ])
  })

  it("are not without a name", () => {
    expect(zeroShotSchema.safeParse({ templates: ["a video"] }).success).toBe(false)
  })

  it("have the mean direction and the mean length of their embeddings; one text keeps its own", async () => {
    const vectors: Record<string, Float32Array> = {
      a: Float32Array.of(6, 0),
      b: Float32Array.of(0, 2),
      c: Float32Array.of(3, 4),
    }
    const encoder: TextEncoder = {
      id: "test",
      width: 2,
      embed: async (texts) => ({ pooled: texts.map((text) => vectors[text]), tokens: [] }),
      release: async () => {},
    }
    const [both, one] = await embedClasses(encoder, [["a", "b"], ["c"]])
    expect(both[0]).toBeCloseTo(4 / Math.SQRT2, 5)
    expect(both[1]).toBeCloseTo(4 / Math.SQRT2, 5)
    expect([...one]).toEqual([3, 4])
  })
})
