/** An alignment is read as it was written, or not at all; it serves only what it was made for. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import {
  type AlignmentSpace,
  alignmentCard,
  checkAlignment,
  loadAlignment,
  saveAlignment,
} from "../../src/experiment/alignment.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-alignment-"))
afterAll(() => rmSync(folder, { recursive: true }))

const space: AlignmentSpace = {
  ...{ encoder: "movenet", sampling: { frames: 8 }, steps: [{ step: "letterbox", size: 192 }], pool: "mean", width: 4 },
  ...{
    processors: "text",
    processorWeights: "positional",
    processorHidden: null,
    similarity: "pooled",
    textEncoder: "use",
    textWidth: 2,
  },
  prompts: [
    { id: "A", text: "What?" },
    { id: "B", text: "How?" },
  ],
}
const retrieval = new Map([["A", { skill: 0.5, z: 9 }]])
const sets = [{ name: "dances", clips: 9, described: 8, retrieval: Object.fromEntries(retrieval) }]
const card = alignmentCard("5f1c", space, sets, retrieval, { "processor.A.bias": [2] })
const weights = new Map([["processor.A.bias", Float32Array.of(0.25, -1)]])

describe("an alignment", () => {
  it("comes back as it was saved", async () => {
    await saveAlignment(folder, { weights, card })
    expect(await loadAlignment(folder)).toEqual({ weights, card })
  })

  it("is refused where a file is missing, damaged, or of another alignment", async () => {
    await expect(loadAlignment(join(folder, "nowhere"))).rejects.toThrow(
      /alignment\.json: no such file[\s\S]*fourtier align/,
    )
    const half = join(folder, "half")
    await saveAlignment(half, { weights, card })
    writeFileSync(join(half, "alignment.json"), JSON.stringify({ ...card, id: "another" }))
    await expect(loadAlignment(half)).rejects.toThrow(/belongs to another alignment\.json/)
    writeFileSync(join(half, "alignment.json"), JSON.stringify({ ...card, shapes: { "processor.A.bias": [3] } }))
    await expect(loadAlignment(half)).rejects.toThrow(/processor\.A\.bias is missing or has another size/)
    writeFileSync(join(half, "alignment.json"), JSON.stringify({ ...card, space: { ...space, width: "four" } }))
    await expect(loadAlignment(half)).rejects.toThrow(/alignment\.json: space\.width/)
  })

  it("serves equal encoders, views, text spaces and prompts alone; the error says what differs", () => {
    expect(() => checkAlignment("a", card, { ...space, prompts: [space.prompts[1]] })).not.toThrow()
    expect(() => checkAlignment("a", card, { ...space, encoder: "clip" })).toThrow(
      /encoder differs\n.*"movenet"\n.*"clip"/,
    )
    expect(() => checkAlignment("a", card, { ...space, sampling: { frames: 4 }, textWidth: 3 })).toThrow(
      /sampling, textWidth differ/,
    )
    const reworded = { ...space, prompts: [{ id: "A", text: "Who?" }] }
    expect(() => checkAlignment("a", card, reworded)).toThrow(/prompt A differs/)
  })
})
