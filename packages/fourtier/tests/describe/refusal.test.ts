/** A refusal is told from a sound answer by what the whole answer says, in whatever language it is given. */

import { expect, it, describe as suite } from "vitest"
import { checkAnswer, checksSchema } from "../../src/describe/check.ts"
import { refuses } from "../../src/describe/refusal.ts"
import { REFUSALS, SOUND, SOUND_ELSEWHERE } from "./refusal-lists.ts"

suite("refusals", () => {
  it.each(REFUSALS)("finds %j", (text) => expect(refuses(text)).toBe(true))

  it.each([...SOUND, ...SOUND_ELSEWHERE])("lets %j pass", (text) => expect(refuses(text)).toBe(false))

  it("flags nothing else about sound answers", () => {
    const prompt = { id: "A", text: "What is the action category?" }
    const checks = checksSchema.parse({})
    for (const text of SOUND) expect([text, checkAnswer(text, "stop", prompt, checks)]).toEqual([text, []])
  })
})
