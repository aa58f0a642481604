/** Settings that contradict each other are refused before anything is computed, each with what to set instead. */

import { describe, expect, it } from "vitest"
import { loadConfig } from "../../src/config.ts"
import { checkStages } from "../../src/experiment/check.ts"

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
