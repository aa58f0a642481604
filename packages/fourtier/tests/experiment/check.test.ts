/** Settings that contradict each other are refused before anything is computed, each with what to set instead. */

import { describe, expect, it } from "vitest"
import { loadConfig } from "../../src/config.ts"
import { checkAnswers, checkStages } from "../../src/experiment/check.ts"
import { checkAlignmentUsed } from "../../src/requirements.ts"
import type { Split } from "../../src/video/splits.ts"

const check = async (...set: string[]) => checkStages((await loadConfig({ set })).value)

describe("settings of both stages", () => {
  it.each(["small", "paper"])("preset %s fits together", async (preset) => {
    const { value } = await loadConfig({ preset })
    expect(() => checkStages(value)).not.toThrow()
  })

  it("ridge and the language classifier need processors of the text space", async () => {
    await expect(check("model.processors=visual")).rejects.toThrow(
      /align.start: ridge needs processors.*\n.*set model.processors=text/,
    )
    await expect(check("align.start=random")).rejects.toThrow(/model.languageWeight: .*\n.*set align.start=ridge/)
    await expect(check("align.start=random", "model.languageWeight=0", "align.similarity=flat")).rejects.toThrow(
      /align.similarity: flat is for .*\n.*set align.similarity=pooled/,
    )
    await expect(check("align.similarity=tokens")).rejects.toThrow(/reads pooled embeddings/)
  })

  it("a hidden layer, held-out clips and refinement need the training that they belong to", async () => {
    await expect(check("model.processorHidden=64")).rejects.toThrow(/model.processorHidden: a hidden layer is for /)
    await expect(check("align.holdOut=0.2")).rejects.toThrow(/align.holdOut: without epochs, ridge regression is all/)
    const nce = ["align.start=random", "align.epochs=50"]
    await expect(check(...nce, "align.refine=true", "align.holdOut=0.2")).rejects.toThrow(
      /align.refine: ridge regression is what/,
    )
    await expect(check(...nce, "align.holdOut=0.2", "model.processorHidden=64")).resolves.toBeUndefined()
  })
})

describe("answers", () => {
  const clips = ["jump/a", "jump/b", "wave/a", "wave/b"].map((id) => ({
    id,
    label: id.slice(0, 4),
    labels: [id.slice(0, 4)],
    codec: "h264",
    rotation: 0 as const,
    path: id,
    relative: id,
    hash: id,
    group: null,
    split: null,
    fold: null,
    start: null,
    end: null,
    columns: {},
    frames: 8,
    fps: 8,
    width: 64,
    height: 48,
    duration: 1,
  }))
  const splits: Split[] = [{ name: "fold 1", training: "fold 1", fold: true, train: clips, val: [], test: [] }]
  const check = async (described: readonly string[], ...set: string[]) => {
    const { value } = await loadConfig({ set })
    checkAnswers(new Map(described.map((id) => [id, { A: "it" }])), splits, ["jump", "wave"], ["A"], value)
  }

  it("too few for stage 1 are told before a clip is decoded", async () => {
    await expect(check(["jump/a", "wave/a"])).rejects.toThrow(/split fold 1: too few training clips .* prompt A/)
    await expect(check(["jump/a", "wave/a", "wave/b"])).resolves.toBeUndefined()
  })

  it("a vote of prototypes needs a described clip of each class", async () => {
    const vote = "model.prototypeWeight=0.5"
    await expect(check(["jump/a", "jump/b", "wave/a"], vote)).resolves.toBeUndefined()
    splits[0].train.splice(2, 1)
    await expect(
      check(["jump/a", "jump/b", "wave/a"], "align.start=random", "model.languageWeight=0", vote),
    ).rejects.toThrow(/model.prototypeWeight: no class prototypes[\s\S]*fold 1: wave/)
  })
})

describe("an alignment that nothing would learn from", () => {
  const used = async (...set: string[]) => checkAlignmentUsed((await loadConfig({ set })).value)

  it("is refused, not passed over", async () => {
    await expect(used("alignment=runs/a", "prompts=[]")).rejects.toThrow(/^prompts: nothing would be learned.*runs\/a/)
    await expect(used("alignment=runs/a", "methods=[baseline, linear-probe]")).rejects.toThrow(
      /^methods: nothing would be learned[\s\S]*add full to methods, or leave/,
    )
    await expect(used("alignment=runs/a", "methods=[full-shuffled]")).rejects.toThrow(/^methods: /)
  })

  it("is no matter where it is used, or none is named", async () => {
    await expect(used("alignment=runs/a")).resolves.toBeUndefined()
    await expect(used("prompts=[]", "methods=[baseline]")).resolves.toBeUndefined()
  })
})
