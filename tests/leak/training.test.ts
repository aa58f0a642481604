/** Two hundred training steps leave sessions, buffers and resident memory where they were. */

import {
  add,
  constant,
  evaluate,
  gelu,
  grad,
  input,
  liveSessions,
  matmul,
  mean,
  mul,
  Session,
  sub,
} from "@fourtier/tensor"
import { AdamW } from "@fourtier/tensor/optim"
import { describe, expect, test } from "vitest"

const STEPS = 200
const [B, D, F] = [64, 256, 512]

/**
 * A step moves about 1 MiB of gradients and 6 MiB of intermediate values: a leak of any of them would show as 200 MiB or
 * more. The rest of the process (garbage that is not collected yet, the allocator's spare pages) stays well below this.
 */
const TOLERANCE = 64 * 2 ** 20

/** Resident bytes after garbage is collected, where the engine lets us ask for that. */
async function resident(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage.rss()
}

describe("200 training steps", () => {
  test("leave sessions, array buffers and memory where they were, and learn", async () => {
    const sessions = liveSessions()
    const parameters = [
      { name: "w1", shape: [D, F], decay: true },
      { name: "w2", shape: [F, D], decay: true },
    ]
    const [w1, w2] = parameters.map(({ name, shape }) => input(name, shape))
    const x = input("x", [B, D])
    const error = sub(add(x, matmul(gelu(matmul(x, w1)), w2)), input("target", [B, D]))
    const loss = mean(mul(error, error))
    const [g1, g2] = grad(loss, [w1, w2])
    const gradients = await Session.compile({ outputs: { loss, g1, g2 } }, { threads: 1 })
    const optimizer = await AdamW.create(parameters, { threads: 1 })
    for (const { name } of parameters) {
      const values = optimizer.parameter(name)
      for (let i = 0; i < values.length; i++) values[i] = Math.sin(i * 12.9898) * 0.05
    }
    gradients.bind("g1", optimizer.gradientBuffer("w1"))
    gradients.bind("g2", optimizer.gradientBuffer("w2"))
    const feeds = {
      w1: optimizer.parameter("w1"),
      w2: optimizer.parameter("w2"),
      x: Float32Array.from({ length: B * D }, (_, i) => Math.sin(i)),
      target: Float32Array.from({ length: B * D }, (_, i) => Math.cos(i)),
    }
    const step = async () => {
      const results = await gradients.run(feeds)
      await optimizer.step({ learningRate: 1e-3, clipNorm: 1 })
      return Number(results.loss[0])
    }
    const first = await step()
    for (let i = 0; i < 20; i++) await step()

    const before = { sessions: liveSessions(), memory: await resident() }
    let last = first
    for (let i = 0; i < STEPS; i++) last = await step()
    expect(liveSessions()).toBe(before.sessions)
    expect((await resident()) - before.memory).toBeLessThan(TOLERANCE)
    expect(last).toBeLessThan(first / 2)

    await gradients.release()
    await optimizer.release()
    expect(liveSessions()).toBe(sessions)
  })

  test("evaluate releases its session, also when it fails", async () => {
    const sessions = liveSessions()
    const one = constant(Float32Array.of(1), [1])
    await evaluate({ outputs: { y: add(one, one) } })
    await expect(evaluate({ outputs: { y: add(one, input("x", [1])) } })).rejects.toThrow(/not fed/)
    expect(liveSessions()).toBe(sessions)
  })

  test("sessions made and released fifty times leave memory where it was", async () => {
    const x = input("x", [256, 256])
    const cycle = async () => {
      const session = await Session.compile({ outputs: { y: matmul(x, x) } }, { threads: 1 })
      await session.run({ x: new Float32Array(256 * 256) })
      await session.release()
      await session.release()
    }
    for (let i = 0; i < 10; i++) await cycle()
    const before = { sessions: liveSessions(), memory: await resident() }
    for (let i = 0; i < 50; i++) await cycle()
    expect(liveSessions()).toBe(before.sessions)
    expect((await resident()) - before.memory).toBeLessThan(TOLERANCE)
  })
})

describe("misuse", () => {
  test("a released session says so; a wrong feed names the input", async () => {
    const session = await Session.compile({ outputs: { y: mul(input("x", [2]), 2) } }, { threads: 1 })
    await expect(session.run({})).rejects.toThrow(/input x: not fed/)
    await expect(session.run({ x: new Float32Array(3) })).rejects.toThrow(/input x/)
    await expect(session.run({ x: new Int32Array(2) })).rejects.toThrow(/input x/)
    expect(() => session.bind("z", new Float32Array(2))).toThrow(/no such output/)
    expect(() => session.bind("y", new Float32Array(3))).toThrow(/output y/)
    await session.release()
    await expect(session.run({ x: new Float32Array(2) })).rejects.toThrow(/after release/)
  })
})
