/** AdamW against PyTorch, in place on sub-arrays of one flat buffer; state by name. */

import { describe, expect, test } from "vitest"
import { grad, input, matmul, Session, sum } from "../../src/index.ts"
import { AdamW, type Parameter } from "../../src/optim/index.ts"
import { layout } from "../../src/optim/layout.ts"

const parameters: Parameter[] = [
  { name: "b", shape: [2], decay: false },
  { name: "w", shape: [3, 2], decay: true },
]

/** Five updates with gradients w[i] = sin(step + i), b[i] = cos(step − i) and rates 0.1/(step + 1). */
async function fiveSteps(optimizer: AdamW, clipNorm?: number) {
  optimizer.parameter("w").set([0.5, -1, 2, 0.25, -0.75, 1.5])
  optimizer.parameter("b").set([0.1, -0.2])
  const norms: number[] = []
  for (let step = 0; step < 5; step++) {
    setGradients(optimizer, step)
    norms.push((await optimizer.step({ learningRate: 0.1 / (step + 1), clipNorm })).gradientNorm)
  }
  return norms
}

function setGradients(optimizer: AdamW, step: number, factor = 1) {
  optimizer.gradientBuffer("w").set(Array.from({ length: 6 }, (_, i) => factor * Math.sin(step + i)))
  optimizer.gradientBuffer("b").set(Array.from({ length: 2 }, (_, i) => factor * Math.cos(step - i)))
}

function near(found: ArrayLike<number>, expected: readonly number[], tolerance = 2e-6) {
  expect(found.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) expect(Math.abs(found[i] - value)).toBeLessThan(tolerance)
}

// torch.optim.AdamW([{params: [w], weight_decay: 0.05}, {params: [b], weight_decay: 0}], betas=(0.9, 0.95)), PyTorch 1.13
const options = { beta1: 0.9, beta2: 0.95, weightDecay: 0.05, threads: 1 }
const PLAIN = {
  w: [0.40503591299, -1.17139434815, 1.85247325897, 0.22906838357, -0.55391478539, 1.6188621521],
  b: [-0.05599210411, -0.39523896575],
  firstMoments: [0.07201685756, -0.03107726015, -0.10559909046, -0.08303361386, 0.01587258093, 0.10018559545],
  secondMoments: [0.09724800289, 0.13836239278, 0.10795323551, 0.09214819968, 0.13571180403, 0.11525913327],
}
// the same after torch.nn.utils.clip_grad_norm_([w, b], 1.0)
const CLIPPED = {
  w: [0.40464162827, -1.17172563076, 1.85558509827, 0.22935195267, -0.55311238766, 1.615701437],
  b: [-0.05354561657, -0.39641395211],
  norms: [2.0830321312, 2.1016888618, 1.8203932047, 2.0381360054, 2.1349465847],
}

describe("AdamW", () => {
  test("five steps equal PyTorch's; norms and biases are not decayed", async () => {
    const optimizer = await AdamW.create(parameters, options)
    await fiveSteps(optimizer)
    near(optimizer.parameter("w"), PLAIN.w)
    near(optimizer.parameter("b"), PLAIN.b)
    const state = optimizer.state()
    near(state.firstMoments.get("w") ?? [], PLAIN.firstMoments)
    near(state.secondMoments.get("w") ?? [], PLAIN.secondMoments)
    expect(state.step).toBe(5)
    await optimizer.release()
  })

  test("clipping by global norm equals PyTorch's", async () => {
    const optimizer = await AdamW.create(parameters, options)
    near(await fiveSteps(optimizer, 1), CLIPPED.norms)
    near(optimizer.parameter("w"), CLIPPED.w)
    near(optimizer.parameter("b"), CLIPPED.b)
    await optimizer.release()
  })

  test("accumulated micro-batches give the step of their weighted mean", async () => {
    const optimizer = await AdamW.create(parameters, options)
    optimizer.parameter("w").set([0.5, -1, 2, 0.25, -0.75, 1.5])
    optimizer.parameter("b").set([0.1, -0.2])
    for (let step = 0; step < 5; step++) {
      // weights 1 and 3, gradients 2.5·g and 0.5·g: mean g
      setGradients(optimizer, step, 2.5)
      await optimizer.accumulate()
      setGradients(optimizer, step, 0.5)
      await optimizer.accumulate(3)
      await optimizer.step({ learningRate: 0.1 / (step + 1), clipNorm: 1 })
    }
    near(optimizer.parameter("w"), CLIPPED.w)
    near(optimizer.parameter("b"), CLIPPED.b)
    await optimizer.release()
  })

  test("a stored state continues bit for bit; a foreign one is refused by name", async () => {
    const first = await AdamW.create(parameters, options)
    await fiveSteps(first)
    const second = await AdamW.create([...parameters].reverse(), options)
    for (const { name } of parameters) second.parameter(name).set(first.parameter(name))
    second.load(first.state())
    for (const optimizer of [first, second]) {
      setGradients(optimizer, 5)
      await optimizer.step({ learningRate: 0.02 })
    }
    expect(second.parameter("w")).toEqual(first.parameter("w"))
    expect(second.parameter("b")).toEqual(first.parameter("b"))
    const { step, firstMoments, secondMoments } = first.state()
    const renamed = new Map([...firstMoments].map(([name, values]) => [name === "b" ? "bias" : name, values]))
    expect(() => second.load({ step, firstMoments: renamed, secondMoments })).toThrow(/missing b; unknown bias/)
    const short = new Map(firstMoments).set("w", new Float32Array(5))
    expect(() => second.load({ step, firstMoments: short, secondMoments })).toThrow(/of another size w/)
    await first.release()
    await second.release()
  })

  test("a gradient that is not finite is an error and changes nothing", async () => {
    const optimizer = await AdamW.create(parameters, options)
    optimizer.parameter("w").fill(1)
    optimizer.gradientBuffer("w")[3] = Number.NaN
    await expect(optimizer.step({ learningRate: 0.1 })).rejects.toThrow(/not finite/)
    expect([...optimizer.parameter("w")]).toEqual([1, 1, 1, 1, 1, 1])
    expect(optimizer.steps).toBe(0)
    await optimizer.release()
  })

  test("unknown names, repeated names and settings out of range are errors", async () => {
    const optimizer = await AdamW.create(parameters, options)
    expect(() => optimizer.parameter("x")).toThrow(/no such parameter/)
    await optimizer.release()
    await expect(AdamW.create([...parameters, parameters[0]])).rejects.toThrow(/share this name/)
    await expect(AdamW.create(parameters, { beta2: 1 })).rejects.toThrow(/out of range/)
  })

  test("chunks leave the result unchanged, and gradients arrive through bound sub-arrays", async () => {
    // 700 × 400 = 280,000 elements: several chunks for the decayed parameters, one for the others
    const large: Parameter[] = [
      { name: "w", shape: [700, 400], decay: true },
      { name: "scale", shape: [3], decay: false },
    ]
    const optimizer = await AdamW.create(large, { weightDecay: 0.1, threads: 1 })
    optimizer.parameter("w").fill(0.5)
    const w = input("w", [700, 400])
    const x = input("x", [1, 700])
    const [dw] = grad(sum(matmul(x, w)), [w])
    const gradients = await Session.compile({ outputs: { dw } }, { threads: 1 })
    gradients.bind("dw", optimizer.gradientBuffer("w"))
    const data = Float32Array.from({ length: 700 }, (_, i) => (i % 2 ? 2 : -3))
    await gradients.run({ x: data })
    expect(optimizer.gradientBuffer("w")[0]).toBe(-3)
    expect(optimizer.gradientBuffer("w")[279_999]).toBe(2)
    const { gradientNorm } = await optimizer.step({ learningRate: 0.01 })
    expect(gradientNorm).toBeCloseTo(Math.sqrt(400 * 350 * (9 + 4)), 1)
    // the first update is lr·sign(g) after the decay
    const values = optimizer.parameter("w")
    for (let i = 0; i < values.length; i++) {
      const expected = 0.5 * (1 - 0.01 * 0.1) + (Math.floor(i / 400) % 2 ? -0.01 : 0.01)
      if (Math.abs(values[i] - expected) > 1e-6) throw new Error(`element ${i}: ${values[i]} instead of ${expected}`)
    }
    expect([...optimizer.parameter("scale")]).toEqual([0, 0, 0])
    await gradients.release()
    await optimizer.release()
  })
})

describe("layout", () => {
  test("parameters do not overlap, decayed ones lie before decayEnd, chunks divide the buffer", () => {
    const mixed: Parameter[] = [
      { name: "a", shape: [5, 7], decay: true },
      { name: "b", shape: [7], decay: false },
      { name: "c", shape: [1, 100], decay: true },
      { name: "d", shape: [], decay: false },
    ]
    const { size, chunk, offsets, decayEnd } = layout(mixed, 64)
    expect(chunk).toBe(64)
    expect(size % chunk).toBe(0)
    expect(decayEnd % chunk).toBe(0)
    expect(Object.fromEntries(offsets)).toEqual({ a: 0, c: 48, b: 192, d: 208 })
    expect({ size, decayEnd }).toEqual({ size: 256, decayEnd: 192 })
  })
})
