import { describe, expect, it } from "vitest"
import { countHeadFlops } from "../../src/model/flops.ts"
import { modelSchema } from "../../src/schemas/model.ts"

const PROMPTS = ["A", "B", "C", "D"]
const total = (accounts: { weights: number }[]) => accounts.reduce((sum, { weights }) => sum + weights, 0)
const macs = (accounts: { macs: number }[]) => accounts.reduce((sum, part) => sum + part.macs, 0)

describe("weights and multiply-adds of the head", () => {
  const config = modelSchema.parse({ integration: "learned", ffn: "conv" })

  it("has the paper's 21 M weights on UniFormerV2-B/16 and 48 M on L/14, W_i on top", () => {
    // By hand: 8·D² + 26·D² + 4·(T+N)·T·N = 21.4 M and 45.1 M, and 4·D² = 2.4 M and 4.2 M for W_i
    const base = total(countHeadFlops({ T: 8, H: 14, W: 14, D: 768 }, 400, PROMPTS, config, 512))
    const large = total(countHeadFlops({ T: 32, H: 16, W: 16, D: 1024 }, 400, PROMPTS, config, 512))
    expect(base / 1e6).toBeCloseTo(21.4 + 2.4 + 0.3, 0)
    expect(large / 1e6).toBeCloseTo(45.1 + 4.2 + 0.4, 0)
    expect(base - 34 * 768 ** 2 - 4 * 768 ** 2 - 4 * 204 * 8 * 196).toBeLessThan(0.5e6)
  })

  it("counts every part by the formula", () => {
    const [T, N, D] = [8, 196, 768]
    const [processors, integration, blocks, classifier] = countHeadFlops(
      { T, H: 14, W: 14, D },
      400,
      PROMPTS,
      config,
      512,
    )
    expect(processors.weights).toBe(8 * D * D + 8 * D)
    expect(processors.macs).toBe(4 * (T + N) * D * D)
    expect(integration.weights).toBe(4 * D * D + 4 * (T + N) * T * N + 9 * D + D)
    expect(integration.macs).toBe(4 * (T + N) * D * D + 4 * (T + N) * T * N * D)
    // attention 4·D², its two products with all T·N tokens, and a 3×3 convolution a block
    expect(blocks.macs).toBe(2 * T * N * (4 * D * D + 2 * T * N * D + 9 * D * D))
    expect(blocks.weights).toBeGreaterThanOrEqual(26 * D * D)
    expect(classifier.weights).toBe(D * 400 + 400)
  })

  it("processors of the text space cost the same where the text embeddings are as wide as the map", () => {
    const size = { T: 8, H: 14, W: 14, D: 768 }
    const text = countHeadFlops(size, 400, PROMPTS, { ...config, processors: "text" }, 768)
    expect(text).toEqual(countHeadFlops(size, 400, PROMPTS, config, 768))
    const narrow = countHeadFlops(size, 400, PROMPTS, { ...config, processors: "text" }, 512)
    expect(narrow[0].weights).toBe(4 * 2 * (768 * 512 + 512))
    expect(narrow[1].weights).toBe(text[1].weights - 4 * 768 * 256)
  })

  it("comes near the paper's 33 G multiply-adds a view on B/16", () => {
    const parts = countHeadFlops({ T: 8, H: 14, W: 14, D: 768 }, 400, PROMPTS, config, 512)
    // (2.2 T − 1.8 T)/12 = 33 G ± 8 G by the rounding of the table
    expect(macs(parts) / 1e9).toBeGreaterThan(25)
    expect(macs(parts) / 1e9).toBeLessThan(41)
  })

  it("has no processors and no integration projections without prompts", () => {
    const [processors, integration] = countHeadFlops({ T: 8, H: 14, W: 14, D: 768 }, 400, [], config, 512)
    expect(processors).toMatchObject({ weights: 0, macs: 0 })
    expect(integration.weights).toBe(10 * 768)
  })
})
