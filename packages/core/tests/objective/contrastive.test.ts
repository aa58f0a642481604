/** InfoNCE against a plain computation, for every switch; and what its gradient does to the two sides. */

import { constant, evaluate, grad, input, Rng, type Tensor } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { embedRows, MAX_LOGIT_SCALE } from "../../src/model/space.ts"
import { infoNce } from "../../src/objective/contrastive.ts"
import { type ContrastiveConfig, contrastiveSchema } from "../../src/schemas/contrastive.ts"

const [B, R, E] = [5, 3, 4]
const rng = Rng.fork("contrastive")
const numbers = (n: number) => Float32Array.from({ length: n }, () => rng.normal())
const v = numbers(B * R * E)
const e = numbers(B * R * E)
// two clips with the very same answer
e.copyWithin(R * E, 0, R * E)

const rowsOf = (data: Float32Array, clip: number): number[][] =>
  Array.from({ length: R }, (_, r) => [...data.subarray((clip * R + r) * E, (clip * R + r + 1) * E)])
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0)
const cosine = (a: readonly number[], b: readonly number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
const meanRow = (rows: readonly number[][]) => rows[0].map((_, d) => rows.reduce((sum, row) => sum + row[d] / R, 0))
const softmaxOf = (row: readonly number[]) => {
  const powers = row.map((x) => Math.exp(x - Math.max(...row)))
  return powers.map((x) => x / powers.reduce((a, b) => a + b, 0))
}
const column = (matrix: readonly number[][], j: number) => matrix.map((row) => row[j])

/** The similarity of two clips' rows, as said in words. */
function similarity(a: number[][], b: number[][], kind: ContrastiveConfig["similarity"]): number {
  if (kind === "pooled") return cosine(meanRow(a), meanRow(b))
  return a.reduce((sum, row, r) => sum + cosine(row, b[r]) / R, 0)
}

function naiveLoss(config: ContrastiveConfig, scale: number): number {
  const all = [...Array(B).keys()]
  const logits = all.map((i) => all.map((j) => scale * similarity(rowsOf(v, i), rowsOf(e, j), config.similarity)))
  const alike = all.map((i) => all.map((j) => similarity(rowsOf(e, i), rowsOf(e, j), config.similarity)))
  const targets = all.map((i) =>
    config.targets === "identity"
      ? all.map((j) => (i === j ? 1 : 0))
      : softmaxOf(alike[i].map((x) => x / config.textTemperature)),
  )
  const crossEntropy = (rows: readonly number[], target: readonly number[]) => {
    const total = target.reduce((a, b) => a + b, 0)
    return -softmaxOf(rows).reduce((sum, p, j) => sum + (target[j] / total) * Math.log(p), 0)
  }
  const byClip = all.reduce((sum, i) => sum + crossEntropy(logits[i], targets[i]) / B, 0)
  const byText = all.reduce((sum, j) => sum + crossEntropy(column(logits, j), column(targets, j)) / B, 0)
  return (byClip + byText) / 2
}

const settings = (["pooled", "tokens"] as const).flatMap((similarity) =>
  (["identity", "text-similarity"] as const).map((targets) => contrastiveSchema.parse({ similarity, targets })),
)

const lossOf = (config: ContrastiveConfig, logScale: number) =>
  infoNce(
    embedRows(constant(v, [B, R, E]), config.similarity),
    embedRows(constant(e, [B, R, E]), config.similarity),
    constant(Float32Array.of(logScale), []),
    config,
  )

describe("InfoNCE", () => {
  it.each(settings)("$similarity similarity, $targets targets: equals the plain computation", async (config) => {
    const { loss } = await evaluate({ outputs: { loss: lossOf(config, Math.log(1 / 0.07)) } })
    expect(Number(loss[0])).toBeCloseTo(naiveLoss(config, 1 / 0.07), 4)
  })

  it("caps the logit scale", async () => {
    const [config] = settings
    const outputs = { far: lossOf(config, 20), cap: lossOf(config, Math.log(MAX_LOGIT_SCALE)) }
    const { far, cap } = await evaluate({ outputs })
    expect(Number(far[0])).toBeCloseTo(Number(cap[0]), 3)
  })

  it("hardly tells clips with nearly one answer apart, where targets go by text", async () => {
    const near = Float32Array.of(1, 0.07, 0, 0, 1, -0.07, 0, 0)
    const visual = input("v", [2, 1, E])
    const outputs = Object.fromEntries(
      settings.slice(0, 2).map((config) => {
        const texts = embedRows(constant(near, [2, 1, E]), config.similarity)
        const loss = infoNce(embedRows(visual, config.similarity), texts, constant(Float32Array.of(2), []), config)
        return [config.targets, grad(loss, [visual])[0]]
      }),
    )
    const result = await evaluate({ outputs }, { v: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0) })
    // the pull of the first clip along the one direction in which the two texts differ
    const pull = (name: string) => Math.abs(Number(result[name][1]))
    expect(pull("identity")).toBeGreaterThan(0.1)
    expect(pull("text-similarity")).toBeLessThan(0.2 * pull("identity"))
  })

  it.each(settings)(
    "$similarity similarity, $targets targets: clips without a text count for nothing",
    async (config) => {
      const [kept, scale] = [[0, 1, 3], constant(Float32Array.of(1.5), [])]
      const rows = (data: Float32Array) =>
        Float32Array.from(kept.flatMap((i) => [...data.subarray(i * R * E, (i + 1) * R * E)]))
      const without = Float32Array.from(e, (x, i) => (kept.includes(Math.floor(i / (R * E))) ? x : 0))
      const visual = input("v", [B, R, E])
      const few = input("few", [kept.length, R, E])
      const embed = (x: Tensor) => embedRows(x, config.similarity)
      const present = constant(
        Float32Array.from({ length: B }, (_, i) => (kept.includes(i) ? 1 : 0)),
        [B],
      )
      const masked = infoNce(embed(visual), embed(constant(without, [B, R, E])), scale, config, null, present)
      const alone = infoNce(embed(few), embed(constant(rows(e), [kept.length, R, E])), scale, config)
      const outputs = { masked, alone, slope: grad(masked, [visual])[0], own: grad(alone, [few])[0] }
      const found = await evaluate({ outputs }, { v, few: rows(v) })
      expect(Number(found.masked[0])).toBeCloseTo(Number(found.alone[0]), 5)
      const slope = Float32Array.from(found.slope, Number)
      for (const [i, x] of rows(slope).entries()) expect(x).toBeCloseTo(Number(found.own[i]), 5)
      for (const i of [2, 4]) expect([...slope.subarray(i * R * E, (i + 1) * R * E)].every((x) => x === 0)).toBe(true)
    },
  )

  it("survives a text without length", async () => {
    for (const config of settings) {
      const texts = embedRows(constant(new Float32Array(B * R * E), [B, R, E]), config.similarity)
      const visual = input("v", [B, R, E])
      const loss = infoNce(embedRows(visual, config.similarity), texts, constant(Float32Array.of(1), []), config)
      const result = await evaluate({ outputs: { loss, slope: grad(loss, [visual])[0] } }, { v })
      const values = [result.loss, result.slope].flatMap((data) => Array.from(data, Number))
      expect(values.every(Number.isFinite)).toBe(true)
    }
  })
})
