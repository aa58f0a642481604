/** Protects the examples: each runs as it stands, leaves no session behind, and gives the figures that are to be expected. */

import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { liveSessions } from "@fourtier/tensor"
import { afterEach, expect, it } from "vitest"
import { main as gradients } from "../../examples/gradients.ts"
import { main as metrics } from "../../examples/metrics.ts"
import { main as recognise } from "../../examples/recognise.ts"
import { main as trainAHead } from "../../examples/train-a-head.ts"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { writeBundle } from "./bundle.ts"

afterEach(() => expect(liveSessions()).toBe(0))

it("gradients: the derivatives are those of the formulas", async () => {
  const [x, y] = [Float32Array.of(1, 2, 3), Float32Array.of(0, 0.5, 1)]
  const { f, dx, dy, ddy, formula } = await gradients(x, y)
  expect(f[0]).toBeCloseTo(1 * Math.sin(0) + 2 * Math.sin(0.5) + 3 * Math.sin(1), 5)
  for (const i of x.keys()) {
    expect(dx[i]).toBeCloseTo(Math.sin(y[i]), 5)
    expect(dy[i]).toBeCloseTo(x[i] * Math.cos(y[i]), 5)
    expect(dy[i]).toBe(formula[i])
    expect(ddy[i]).toBeCloseTo(-x[i] * Math.sin(y[i]), 5)
  }
})

it("metrics: figures, intervals and tests of two models that differ", async () => {
  const { first, second, difference, p, top2, calibration } = await metrics()
  expect(first).toEqual({ value: 0.9, low: expect.closeTo(0.85, 2), high: expect.closeTo(0.95, 2) })
  expect(second).toEqual({
    value: expect.closeTo(0.683, 3),
    low: expect.closeTo(0.6, 2),
    high: expect.closeTo(0.767, 2),
  })
  expect(difference).toMatchObject({ low: expect.closeTo(0.117, 2), high: expect.closeTo(0.317, 2) })
  expect(difference.value).toBeCloseTo(first.value - second.value, 10)
  expect(p).toBe(2 ** -7)
  expect(top2).toBeCloseTo(0.933, 3)
  expect(calibration).toBeCloseTo(0.9 - 0.8, 10)
})

it("train-a-head: both methods learn, far above chance", async () => {
  const { full, baseline, chance } = await trainAHead()
  expect(full).toBeGreaterThan(3 * chance)
  expect(baseline).toBeGreaterThan(3 * chance)
})

it("recognise: a bundle's folder and a file give the classes, most probable first", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fourtier-example-"))
  try {
    await writeBundle(join(folder, "bundle"))
    const clip = join(folder, "clip.mp4")
    encodeClip(clip, { width: 48, height: 32, frames: 9, paint: (_, pixels) => pixels.fill(220) })
    const top = await recognise(join(folder, "bundle"), clip)
    expect(top.map(({ label }) => label)).toEqual(["bright", "dark"])
    expect(top[0].probability).toBeGreaterThan(0.9)
  } finally {
    await rm(folder, { recursive: true })
  }
})
