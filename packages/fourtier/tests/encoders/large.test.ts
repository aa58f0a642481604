/** Protects the loading of large models: through a file, with the same result, and nothing left behind. */

import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { input, matmul } from "@fourtier/tensor"
import { toOnnx } from "@fourtier/tensor/onnx"
import { afterEach, expect, it, vi } from "vitest"
import { loadModel } from "../../src/encoders/large.ts"
import { scratchFolder } from "../video/fixtures.ts"

const folder = scratchFolder()
afterEach(() => vi.unstubAllEnvs())

it("runs a model of more than 50 MB and clears the temporary folder", async () => {
  vi.stubEnv("TMPDIR", folder)
  vi.stubEnv("TEMP", folder)
  expect(tmpdir()).toBe(folder)
  const K = 3600 // 52 MB
  const weights = new Map([["w", new Float32Array(K * K)]])
  for (let k = 0; k < K; k++) weights.get("w")?.fill(k, k * K, k * K + 2)
  const x = input("x", [1, K])
  const model = toOnnx({ outputs: { y: matmul(x, input("w", [K, K])) }, weights })
  const types = {
    inputs: new Map([["x", { shape: [1, K], dtype: "f32" as const }]]),
    outputs: new Map([["y", { shape: [1, K], dtype: "f32" as const }]]),
  }
  const session = await loadModel(model, types, { threads: 1 })
  expect(readdirSync(folder).filter((name) => name.startsWith("fourtier-"))).toEqual([])
  const { y } = await session.run({ x: new Float32Array(K).fill(1) })
  await session.release()
  expect([y[0], y[1], y[2]]).toEqual([(K * (K - 1)) / 2, (K * (K - 1)) / 2, 0])
})
