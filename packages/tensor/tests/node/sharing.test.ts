/** Protects that models which share weights take their room once, and compute what they did. */

import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { constant, input, matmul, mul, Rng, Session, type Tensor } from "../../src/index.ts"
import { readOnnx, writeOnnx, writeOnnxSharing } from "../../src/node/index.ts"
import { toOnnx } from "../../src/onnx/index.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-sharing-"))
})
afterAll(() => rm(folder, { recursive: true }))

const SIZE = 64
const matrix = (seed: number) => {
  const rng = new Rng(seed)
  return constant(
    Float32Array.from({ length: SIZE * SIZE }, () => rng.normal()),
    [SIZE, SIZE],
  )
}
const x = () => input("x", [1, SIZE])
const values = { x: Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i)) }

async function run(path: string, y: Tensor): Promise<number[]> {
  const types = { inputs: new Map([["x", x()]]), outputs: new Map([["y", y]]) }
  const session = await Session.load(path, types)
  const found = await session.run(values)
  await session.release()
  return Array.from(found.y, Number)
}

describe("a model that shares another's weights", () => {
  it.each([
    ["in the file of the model", 1e9],
    ["in the file beside it", 0],
  ])("reads them %s", async (name, externalAbove) => {
    const [first, second] = [matmul(x(), matrix(1)), matmul(x(), matrix(2))]
    const whole = toOnnx({ outputs: { y: matmul(first, matrix(2)) } })
    const path = (file: string) => join(folder, `${name.replaceAll(" ", "-")}-${file}.onnx`)
    await writeOnnx(path("whole"), whole, { externalAbove })
    for (const [file, y] of [
      ["first", first],
      ["second", second],
    ] as const) {
      const model = toOnnx({ outputs: { y } })
      await writeOnnxSharing(path(file), model, path("whole"), whole, { externalAbove })
      await writeOnnx(path("plain"), model)
      expect((await stat(path(file))).size).toBeLessThan(1000)
      expect(await run(path(file), y)).toEqual(await run(path("plain"), y))
      expect((await readOnnx(path(file))).graph.initializers).toEqual(model.graph.initializers)
    }
    // what the other has not stays inside
    const other = mul(matmul(x(), matrix(3)), 2)
    await writeOnnxSharing(path("other"), toOnnx({ outputs: { y: other } }), path("whole"), whole, { externalAbove })
    expect((await stat(path("other"))).size).toBeGreaterThan(4 * SIZE * SIZE)
  })
})
